"""What leaves the system as a file, and the audit of who did what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse

from engine.api.guard import actor, desk
from engine.api.problems import Problem
from engine.api.routes.cases import Filter
from engine.casework.audit import Wanted, page
from engine.casework.case_table import table

ENCODER = msgspec.json.Encoder()
Moment = Annotated[int | None, Query(ge=0, le=4_102_444_800_000, description="ms since 1970 UTC")]
Text = Annotated[str, Query(max_length=200)]


def add_routes(router: APIRouter) -> None:
    """Add exports and the audit."""

    @router.get("/api/v1/export/cases.csv", tags=["records"], response_class=Response)
    def export_cases(request: Request, where: Filter, lang: Literal["zh", "en"] = "zh") -> Response:
        """The caller's cases as CSV (UTF-8, for spreadsheets), filters as for lists, the latest opened first.

        Exercises are marked 演练. Contact data and numbers in texts are masked for everybody. Noted in the audit.
        """
        services = desk(request).services
        lines = table(services.casework, where, actor(request), tz=services.tz, english=lang == "en")
        first = next(lines)  # whatever is refused is refused before the answer begins

        def body() -> Iterator[bytes]:
            yield first
            yield from lines

        headers = {"cache-control": "no-store", "content-disposition": 'attachment; filename="cases.csv"'}
        return StreamingResponse(body(), headers=headers, media_type="text/csv; charset=utf-8")

    @router.get("/api/v1/audit", tags=["records"], response_class=Response)
    def audit(
        request: Request,
        since: Moment = None,
        until: Moment = None,
        actor_name: Annotated[str, Query(alias="actor", max_length=200)] = "",
        action: Annotated[str, Query(max_length=64, description="a beginning, as `case.` or `login`")] = "",
        subject: Text = "",
        cursor: Annotated[str | None, Query(max_length=40, json_schema_extra={"pattern": "^[0-9]{1,18}$"})] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Response:
        """Who did, exported and read what, the latest first; for auditors and admins of the whole city."""
        caller, casework = actor(request), desk(request).services.casework
        if caller.area or caller.department is not None:
            raise Problem(403, "whole_city_only", "the audit is for auditors and admins without an area or department")
        wanted = Wanted(since=since, until=until, actor=actor_name, action=action, subject=subject)
        if cursor is None:
            casework.note(caller, "audit.read", "audit", request.url.query[:500])
        with casework.store.read() as db:
            found = page(db, wanted, cursor, limit)
        return Response(ENCODER.encode(found), headers={"cache-control": "no-store"}, media_type="application/json")
