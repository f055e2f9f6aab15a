"""Alerts: episodes as they stand, and the latest changes."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response

from engine.api.guard import actor, desk
from engine.api.routes.cases import LEVELS, Cursor, Drill, Levels, known_words, split
from engine.casework.service import AlertFilter

ENCODER = msgspec.json.Encoder()


def add_routes(router: APIRouter) -> None:
    """Add the routes of alerts."""

    @router.get("/api/v1/alerts", tags=["alerts"], response_class=Response)
    def alerts(
        request: Request,
        open: bool = True,  # noqa: A002  (the name of the parameter)
        rule: Annotated[str, Query(max_length=120)] = "",
        level: Levels = None,
        grid: Annotated[str, Query(pattern=r"^[0-9]{0,15}$")] = "",
        drill: Drill = None,
        cursor: Cursor = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Response:
        """Episodes of the caller's area, the latest raise first; only the open ones unless `open=false`."""
        where = AlertFilter(
            open_only=open, rule=rule, level=known_words("level", split(level), LEVELS), grid=grid, drill=drill
        )
        page = desk(request).services.casework.alerts(where, actor(request), cursor=cursor, limit=limit)
        return Response(ENCODER.encode(page), headers={"cache-control": "no-store"}, media_type="application/json")

    @router.get("/api/v1/alerts/changed", tags=["alerts"], response_class=Response)
    def changed(
        request: Request,
        after: Annotated[int | None, Query(ge=0, le=2**53)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
    ) -> Response:
        """Episodes of the caller that changed after an offset of the alerts log, as they stand, and the next offset.

        Without `after` only the offset. `reset`: that offset is not kept, load the list anew.
        """
        news = desk(request).services.casework.changed_alerts(actor(request), after=after, limit=limit)
        return Response(ENCODER.encode(news), headers={"cache-control": "no-store"}, media_type="application/json")

    @router.get("/api/v1/changes", tags=["alerts"], response_class=Response)
    def changes(
        request: Request,
        after: Annotated[int, Query(ge=-1, le=2**53)] = -1,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Response:
        """Alert changes after an offset of the alerts log, ascending; without `after` the latest."""
        rows = desk(request).services.casework.changes(actor(request), after=after, limit=limit)
        return Response(
            ENCODER.encode({"changes": rows}), headers={"cache-control": "no-store"}, media_type="application/json"
        )
