"""Logging in and out: with a name and its token, or with a one-use link."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, RedirectResponse

from engine.api.guard import address_of, desk, session_credential, token_failed, too_many
from engine.api.problems import Problem
from engine.api.sessions import COOKIE
from engine.casework import signed_in
from engine.casework.logins import TooManyTries, log_in
from engine.casework.people import Actor


class LoginBody(BaseModel):
    """Who logs in, and with which token."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, Field(min_length=1, max_length=64)]
    token: Annotated[str, Field(min_length=1, max_length=128)]


def who_is(caller: Actor) -> dict[str, Any]:
    """Return what a caller is told of himself."""
    return {"name": caller.name, "role": str(caller.role), "area": caller.area, "department": caller.department}


def _begin(request: Request, answer: Response, secret: str) -> Response:
    """Begin a session of this browser."""
    answer.set_cookie(
        COOKIE,
        secret,
        max_age=int(desk(request).services.settings.session_ttl_s),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


def add_routes(router: APIRouter) -> None:
    """Add the ways in and out."""

    @router.post("/api/v1/login", tags=["state"], response_class=Response)
    def login(request: Request, body: LoginBody) -> Response:
        """Begin a session (cookie) with a name and its token. 401: one of them is wrong; 429: too many tries, wait."""
        services = desk(request).services
        try:
            caller = log_in(services.casework.store, body.name, body.token, address_of(request), services.wall_ms())
        except TooManyTries as refused:
            raise too_many(refused.wait_s) from None
        answer = JSONResponse(who_is(caller), headers={"cache-control": "no-store"})
        now_ms = services.wall_ms()
        until_ms = now_ms + int(1000 * services.settings.session_ttl_s)
        return _begin(
            request, answer, signed_in.begin(services.casework.store, body.token, until_ms=until_ms, now_ms=now_ms)
        )

    @router.get("/login", include_in_schema=False, response_class=Response)
    def login_by_link(request: Request, ticket: Annotated[str, Query(max_length=100)]) -> Response:
        """Spend a one-use login ticket: sets the session cookie and opens the page."""
        here = desk(request)
        credential = here.sessions.login.spend(ticket)
        caller = credential() if credential is not None else None
        if credential is not None and caller is not None:
            here.services.casework.note(
                Actor(name=caller.name, role=caller.role, address=address_of(request)), "login", caller.name, "link"
            )
            secret = here.sessions.browser.issue(credential)
            return _begin(request, RedirectResponse("/", 303, {"cache-control": "no-store"}), secret)
        refused = token_failed(request)
        if refused.status == 429:
            raise refused
        if "text/html" in request.headers.get("accept", ""):
            return RedirectResponse("/", 303, {"cache-control": "no-store"})  # the page asks whoever is not signed in
        raise Problem(401, "ticket_spent", "this login link was used or is too old; ask for a new one")

    @router.post("/logout", include_in_schema=False, response_class=Response)
    def logout(request: Request) -> Response:
        """End the session of this browser."""
        here = desk(request)
        secret = request.cookies.get(COOKIE, "")
        caller = session_credential(here, secret)()
        here.sessions.browser.end(secret)
        signed_in.end(here.services.casework.store, secret)
        if caller is not None:
            here.services.casework.note(
                Actor(name=caller.name, role=caller.role, address=address_of(request)), "logout", caller.name
            )
        answer = Response(status_code=204)
        answer.delete_cookie(COOKIE)
        return answer
