"""Every route passes here first: its policy, who is calling, the body within its limits, and no unknown parameter."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, cast

import msgspec
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from engine.api.bodies import Memory, media_type, read_body
from engine.api.policy import POLICIES, Policy
from engine.api.problems import PolicyMissing, Problem
from engine.api.sessions import COOKIE, Credential, Sessions, Tickets
from engine.casework import signed_in
from engine.casework.logins import unknown_token

if TYPE_CHECKING:
    from fastapi.dependencies.models import Dependant
    from starlette.requests import Request
    from starlette.responses import Response

    from engine.api.services import Services
    from engine.casework.people import Actor

SIGN_IN = "sign in with a token or a login link"
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")
LOGIN_S = 12 * 3600.0  # a token that was not used from an address for so long logs in anew


class Desk:
    """What the guard and the routes share; lives in `app.state.desk`."""

    def __init__(self, services: Services, sessions: Sessions) -> None:
        self.services = services
        self.sessions = sessions
        self.memory = Memory(services.settings.intake_limit_bytes)
        self.at_work = Tickets(LOGIN_S, time.monotonic)

    def note(self, caller: Actor, action: str, detail: str = "") -> None:
        """Keep a line of the audit about the caller himself."""
        self.services.casework.note(caller, action, caller.name, detail)


def token_credential(services: Services, token: str) -> Credential:
    """Return the credential that a token is, judged anew whenever it is asked."""
    return lambda: services.casework.who(token, now_ms=services.wall_ms())


def session_credential(here: Desk, secret: str) -> Credential:
    """Return the credential that a cookie is, judged anew whenever it is asked."""

    def credential() -> Actor | None:
        by_link = here.sessions.browser.look(secret)
        if by_link is not None:
            return by_link()
        services = here.services
        return signed_in.who(services.casework.store, secret, now_ms=services.wall_ms()) if secret else None

    return credential


def desk(request: Request) -> Desk:
    """Return the desk of the app that answers this request."""
    return cast(Desk, request.app.state.desk)


def actor(request: Request) -> Actor:
    """Return who is calling; only behind a policy that is not public."""
    return cast("Actor", request.state.actor)


def address_of(request: Request) -> str:
    """Return where a call comes from: what a trusted proxy says last of it, else the other end of the connection."""
    trusted = desk(request).services.settings.trusted_proxies
    address = request.client.host if request.client is not None else ""
    said = [part.strip() for part in ",".join(request.headers.getlist("x-forwarded-for")).split(",") if part.strip()]
    while address in trusted and said:
        address = said.pop()
    return address[:64]


def token_failed(request: Request) -> Problem:
    """Return the answer to a token that nobody has; counted by address, whose answer becomes 429."""
    here = desk(request)
    wait_s = unknown_token(here.services.casework.store, address_of(request), here.services.wall_ms())
    return too_many(wait_s) if wait_s else _unauthorized("the token is unknown, revoked or past its end")


def too_many(wait_s: int) -> Problem:
    """Return the answer to who tried too often."""
    return Problem(429, "too_many_tries", f"尝试次数过多，请 {wait_s} 秒后再试", headers={"retry-after": str(wait_s)})


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
    secret = request.cookies.get(COOKIE, "")
    if not secret:
        raise _unauthorized(SIGN_IN)
    return session_credential(here, secret)


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
    by_session = "authorization" not in request.headers and not (policy.ticket and "ticket" in request.query_params)
    if caller is None:
        raise _unauthorized(SIGN_IN) if by_session else await run_in_threadpool(token_failed, request)
    if by_session:
        _from_our_page(request)
    if caller.role not in policy.roles:
        raise Problem(403, "role_not_allowed", f"the role {caller.role} may not call this")
    caller = msgspec.structs.replace(caller, address=address_of(request))
    if "authorization" in request.headers and desk(request).at_work.first(f"{caller.name}\n{caller.address}"):
        await run_in_threadpool(desk(request).note, caller, "login", "token, as a program does")
    request.state.actor = caller
    request.state.credential = credential


async def take_body(request: Request, policy: Policy) -> int:
    """Read the body of a route that takes one into `request`; return the bytes held."""
    here = desk(request)
    if policy.body is None:
        return 0
    request.state.media_type = media_type(request, policy.body)
    settings = here.services.settings
    limit = policy.body.limit_bytes or (settings.body_limit_bytes if policy.body.large else settings.form_limit_bytes)
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
