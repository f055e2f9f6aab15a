"""The HTTP app: `create_app(services)`."""

from __future__ import annotations

import time
from importlib import metadata
from typing import Any

from fastapi import FastAPI

from engine.api import problems
from engine.api.description import describe
from engine.api.gate import Gate
from engine.api.guard import Desk, GuardedRoute
from engine.api.policy import POLICIES
from engine.api.problems import PolicyMissing
from engine.api.routes import (
    alerts,
    attachments,
    cases,
    city,
    duty,
    live,
    login,
    overview,
    page,
    platform,
    player,
    readings,
    records,
    state,
)
from engine.api.services import Services
from engine.api.sessions import Credential, Sessions
from engine.api.stream import Hub

ABOUT = "Readings in; cases, moves, alerts and the city out. Errors are RFC 9457 problem documents with a stable code."


class TongguanApp(FastAPI):
    """The app with what its process needs of it."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document; made once."""
        if self.openapi_schema is None:
            self.openapi_schema = describe(self)
        return self.openapi_schema

    def login_path(self, credential: Credential) -> str:
        """Return the path of a one-use login link for whoever reads it: print it, never log it."""
        desk: Desk = self.state.desk
        return f"/login?ticket={desk.sessions.login.issue(credential)}"

    def close(self) -> None:
        """End all open streams; from any thread."""
        hub: Hub = self.state.hub
        hub.close()


def _version() -> str:
    try:
        return metadata.version("tongguan")
    except metadata.PackageNotFoundError:
        return "0"


def _every_policy_has_its_route(app: FastAPI) -> None:
    guarded = [route for route in app.router.routes if isinstance(route, GuardedRoute)]
    unguarded = [route for route in app.router.routes if not isinstance(route, GuardedRoute)]
    routes = {(method, route.path) for route in guarded for method in route.methods or ()}
    if unguarded or routes != set(POLICIES):
        raise PolicyMissing(f"routes without guard {unguarded}; routes and policies differ: {routes ^ set(POLICIES)}")


def create_app(services: Services) -> TongguanApp:
    """Return the app over these services. Raises `PolicyMissing` when a route and the policy table do not agree."""
    app = TongguanApp(
        title="Tongguan 统管",
        version=_version(),
        description=ABOUT,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    settings = services.settings
    sessions = Sessions(settings.ticket_ttl_s, settings.session_ttl_s, time.monotonic)
    hub = Hub(services.relay, settings)
    app.state.desk = Desk(services, sessions)
    app.state.hub = hub
    app.router.route_class = GuardedRoute
    for room in (readings, cases, attachments, alerts, overview, duty, records, state, platform, player, login, page):
        room.add_routes(app.router)
    city.add_routes(app.router, services.layers)
    live.add_routes(app.router, hub)

    @app.router.get("/openapi.json", include_in_schema=False)
    def openapi() -> dict[str, Any]:
        return app.openapi()

    problems.install(app)
    _every_policy_has_its_route(app)
    app.add_middleware(Gate, settings=settings)
    return app
