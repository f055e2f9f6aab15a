"""The operations page and signing in to it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import RedirectResponse

from engine.api.guard import desk
from engine.api.packed import Packed
from engine.api.problems import Problem
from engine.api.sessions import COOKIE

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "mjs": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@cache
def files() -> dict[str, Packed]:
    """Return the console's files by their path in it; only these are served, whatever a path says."""
    return dict(_below(resources.files("console"), ""))


def _below(folder: Traversable, prefix: str) -> Iterator[tuple[str, Packed]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _below(entry, f"{prefix}{entry.name}/")
        elif entry.name.rpartition(".")[2] in TYPES:
            yield prefix + entry.name, Packed(entry.read_bytes())


def _file(request: Request, name: str) -> Response:
    found = files().get(name)
    if found is None:
        raise Problem(404, "not_found", "no such file")
    return found.answer(request, TYPES[name.rpartition(".")[2]], "no-cache")


def add_routes(router: APIRouter) -> None:
    """Add the page, its files, the login link and the way out."""

    @router.get("/", include_in_schema=False, response_class=Response)
    def index(request: Request) -> Response:
        return _file(request, "index.html")

    @router.get("/console/{path:path}", include_in_schema=False, response_class=Response)
    def file(request: Request, path: str) -> Response:
        return _file(request, path)

    @router.get("/login", include_in_schema=False, response_class=Response)
    def login(request: Request, ticket: Annotated[str, Query(max_length=100)]) -> Response:
        """Spend a one-use login ticket: sets the session cookie and opens the page."""
        here = desk(request)
        credential = here.sessions.login.spend(ticket)
        if credential is None and "text/html" in request.headers.get("accept", ""):
            return RedirectResponse("/", 303, {"cache-control": "no-store"})  # the page asks whoever is not signed in
        if credential is None:
            raise Problem(401, "ticket_spent", "this login link was used or is too old; ask for a new one")
        answer = RedirectResponse("/", 303, {"cache-control": "no-store"})
        answer.set_cookie(
            COOKIE,
            here.sessions.browser.issue(credential),
            max_age=int(here.services.settings.session_ttl_s),
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return answer

    @router.post("/logout", include_in_schema=False, response_class=Response)
    def logout(request: Request) -> Response:
        """End the session of this browser."""
        desk(request).sessions.browser.end(request.cookies.get(COOKIE, ""))
        answer = Response(status_code=204)
        answer.delete_cookie(COOKIE)
        return answer
