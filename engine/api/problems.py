"""Errors as RFC 9457 problem documents with a stable `code`.

Problem             answered to a caller; everything below an edge raises it or is turned into it
RefusesToStart      the app or its listener must not be opened
├── PolicyMissing   a route without a policy, or a policy without a route
└── OpenToTheWorld  a listener beyond loopback without tokens
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from engine.api.services import Overloaded, Unavailable
from engine.casework.errors import Refused, StoreAway

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request

log = logging.getLogger("tongguan.api")

MEDIA_TYPE = "application/problem+json"


class RefusesToStart(Exception):
    """The process must not serve like this."""


class PolicyMissing(RefusesToStart):
    """A route has no policy, or a policy names no route."""


class OpenToTheWorld(RefusesToStart):
    """A listener beyond loopback was asked for and no token is set up."""


class Problem(Exception):
    """One answer other than 2xx: HTTP status, stable code, a sentence for people, and more headers."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, object]] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.errors = errors


def document(problem: Problem) -> bytes:
    """Return the JSON text of a problem."""
    body: dict[str, object] = {
        "type": f"urn:tongguan:problem:{problem.code}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
    }
    if problem.errors is not None:
        body["errors"] = list(problem.errors)
    return orjson.dumps(body)


def respond(problem: Problem) -> Response:
    """Return the response that carries a problem."""
    headers = {"cache-control": "no-store", **problem.headers}
    return Response(document(problem), problem.status, headers, MEDIA_TYPE)


STATUS_CODES = {404: "not_found", 405: "method_not_allowed", 400: "bad_json"}


def _from_http(error: HTTPException) -> Problem:
    code = STATUS_CODES.get(error.status_code, "http_error")
    return Problem(error.status_code, code, str(error.detail), headers=error.headers)


def _plain(text: object) -> str:
    return str(text)[:200].encode("utf-8", "backslashreplace").decode()


def _from_validation(error: RequestValidationError) -> Problem:
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        return Problem(400, "bad_json", f"the body is not JSON: {_plain(faults[0].get('ctx', {}).get('error', ''))}")
    listed = [
        {"where": "/".join(_plain(part) for part in fault["loc"]), "what": _plain(fault["msg"]), "code": fault["type"]}
        for fault in faults[:20]
    ]
    if any(fault["loc"] and fault["loc"][0] == "body" for fault in faults):
        return Problem(422, "invalid_body", f"{listed[0]['where']}: {listed[0]['what']}", errors=listed)
    return Problem(400, "bad_parameter", f"{listed[0]['where']}: {listed[0]['what']}", errors=listed)


def problem_of(error: Exception) -> Problem:
    """Return the problem that answers an error; what is not foreseen becomes 500 and is logged."""
    match error:
        case Problem():
            return error
        case Refused():
            return Problem(error.status, error.code, error.detail)
        case Overloaded():
            return Problem(429, "overloaded", error.detail, headers={"retry-after": str(error.retry_after_s)})
        case Unavailable():
            return Problem(503, "unavailable", error.detail, headers={"retry-after": "5"})
        case StoreAway():
            said = "数据库暂无应答，请稍后重试 / the case store does not answer; repeat the request with the same key"
            return Problem(503, "store_away", said, headers={"retry-after": "5"})
        case RequestValidationError():
            return _from_validation(error)
        case HTTPException():
            return _from_http(error)
        case _:
            log.error("unforeseen error while answering", exc_info=error)
            return Problem(500, "internal", "an unforeseen error; it was logged")


async def answer(request: Request, error: Exception) -> Response:
    """Exception handler of the app."""
    problem = problem_of(error)
    if problem.status == 405:
        problem.headers = {"allow": ", ".join(_methods(request))}
    return respond(problem)


def _methods(request: Request) -> list[str]:
    """Return all methods of the path, whichever route has them: the error names those of one route."""
    found = (route for route in request.app.routes if route.matches(request.scope)[0] != Match.NONE)
    return sorted({method for route in found for method in route.methods or ()})


def install(app: FastAPI) -> None:
    """Make every error of the app a problem document."""
    for kind in (
        Problem,
        Refused,
        StoreAway,
        Overloaded,
        Unavailable,
        RequestValidationError,
        HTTPException,
        Exception,
    ):
        app.add_exception_handler(kind, answer)
