"""The city at a glance."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response

from engine.api.guard import actor, desk

ENCODER = msgspec.json.Encoder()


def add_routes(router: APIRouter) -> None:
    """Add the overview."""

    @router.get("/api/v1/overview", tags=["city"], response_class=Response)
    def overview(
        request: Request,
        grid: Annotated[str, Query(pattern=r"^[0-9]{0,15}$", description="a prefix of grid codes")] = "",
    ) -> Response:
        """Figures of an area (驾驶舱): open by level, state, department and area below; 24 hours; slowest; silent.

        Exercises are only counted in `drills`. `areas` are streets below the city, communities below a street, grids
        below a community. Of what the caller may see.
        """
        services = desk(request).services
        found = services.casework.overview(actor(request), grid=grid, now_ms=services.now_ms())
        return Response(ENCODER.encode(found), headers={"cache-control": "no-store"}, media_type="application/json")
