"""Every route passes here first: its policy, who is calling, the body within its limits, and no unknown parameter."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, cast

from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from engine.api.bodies import Memory, media_type, read_body
from engine.api.policy import POLICIES, Policy
from engine.api.problems import PolicyMissing, Problem
from engine.api.sessions import COOKIE, Credential, Sessions

if TYPE_CHECKING:
    from fastapi.dependencies.models import Dependant
    from starlette.requests import Request
    from starlette.responses import Response

    from engine.api.services import Services
    from engine.casework.people import Actor

FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


class Desk:
    """What the guard and the routes share; lives in `app.state.desk`."""

    def __init__(self, services: Services, sessions: Sessions) -> None:
        self.services = services
        self.sessions = sessions
        self.memory = Memory(services.settings.intake_limit_bytes)


def token_credential(services: Services, token: str) -> Credential:
    """Return the credential that a token is, judged anew whenever it is asked."""
    return lambda: services.casework.who(token, now_ms=services.wall_ms())


def desk(request: Request) -> Desk:
    """Return the desk of the app that answers this request."""
    return cast(Desk, request.app.state.desk)


def actor(request: Request) -> Actor:
    """Return who is calling; only behind a policy that is not public."""
    return cast("Actor", request.state.actor)


def _unauthorized(detail: str) -> Problem:
    return Problem(401, "not_signed_in", detail, headers={"www-authenticate": 'Bearer realm="tongguan"'})


def _credential(request: Request, policy: Policy) -> Credential:
    """Return the credential that a request carries: token, ticket or session, in this order; 401 if none."""
    here = desk(request)
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise _unauthorized("the Authorization header must be `Bearer <token>`")
        return token_credential(here.services, token.strip())
    if policy.ticket and "ticket" in request.query_params:
        credential = here.sessions.stream.spend(request.query_params["ticket"])
        if credential is None:
            raise _unauthorized("the ticket is unknown, used or past its 60 s")
        return credential
    credential = here.sessions.browser.look(request.cookies.get(COOKIE, ""))
    if credential is None:
        raise _unauthorized("sign in with a token or a login link")
    _from_our_page(request)
    return credential


def _from_our_page(request: Request) -> None:
    """Refuse to act on a cookie alone: the browser must say that the request comes from our page."""
    # an Origin or Sec-Fetch-Site that is not ours was refused at the gate
    said = "origin" in request.headers or request.headers.get("sec-fetch-site") == "same-origin"
    if request.method not in ("GET", "HEAD") and not said:
        raise Problem(403, "origin_required", "a session acts only for requests with an Origin; use a token instead")


def _on_this_machine(request: Request) -> bool:
    client = request.client
    if client is None or any(name in request.headers for name in FORWARDED):
        return False
    return ipaddress.ip_address(client.host).is_loopback


async def admit(request: Request, policy: Policy) -> None:
    """Let a caller in or raise 401 or 403; puts who is calling into `request.state`."""
    request.state.actor = request.state.credential = None
    if policy.public or (policy.local and _on_this_machine(request)):
        return
    credential = _credential(request, policy)
    caller = await run_in_threadpool(credential)
    if caller is None:
        raise _unauthorized("the token is unknown, revoked or past its end")
    if caller.role not in policy.roles:
        raise Problem(403, "role_not_allowed", f"the role {caller.role} may not call this")
    request.state.actor = caller
    request.state.credential = credential


async def take_body(request: Request, policy: Policy) -> int:
    """Read the body of a route that takes one into `request`; return the bytes held."""
    here = desk(request)
    if policy.body is None:
        return 0
    request.state.media_type = media_type(request, policy.body)
    settings = here.services.settings
    limit = settings.body_limit_bytes if policy.body.large else settings.form_limit_bytes
    body = await read_body(request, limit, settings.body_timeout_s, here.memory)
    if not body.strip():
        here.memory.give(len(body))
        raise Problem(400, "empty_body", "the body is empty")
    request._body = body  # what Request.body() answers from now on
    return len(body)


def known_parameters(request: Request, known: frozenset[str]) -> None:
    """Refuse query parameters that the route does not know, and repeated ones: a typo must not widen an answer."""
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if name not in known:
            raise Problem(400, "unknown_parameter", f"unknown query parameter {name[:60]!r}")
        if names.count(name) > 1:
            raise Problem(400, "bad_parameter", f"query parameter {name!r} is given more than once")


def _query_names(dependant: Dependant) -> list[str]:
    names = [param.alias for param in dependant.query_params]
    for part in dependant.dependencies:
        names.extend(_query_names(part))
    return names


class GuardedRoute(APIRoute):
    """A route behind its policy; without one the app is not created."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        (method,) = (self.methods or set()) - {"HEAD"}
        policy = POLICIES.get((method, self.path))
        if policy is None:
            raise PolicyMissing(f"{method} {self.path} has no policy in engine.api.policy.POLICIES")
        answer: Callable[[Request], Awaitable[Response]] = super().get_route_handler()
        known = frozenset(_query_names(self.dependant))

        async def guarded(request: Request) -> Response:
            await admit(request, policy)
            known_parameters(request, known)
            held = await take_body(request, policy)
            try:
                return await answer(request)
            finally:
                desk(request).memory.give(held)

        return guarded
