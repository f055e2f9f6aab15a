"""The city: its areas, its sensors, its rules."""

from __future__ import annotations

import gzip
import hashlib
from typing import Annotated, Literal

import orjson
from fastapi import APIRouter, Query, Request, Response

from engine.api.guard import actor, desk
from engine.api.places import in_area, in_box, parse_box, touches_area
from engine.api.services import SensorRow

Level = Literal["county", "street", "community", "grid"]


def _answer(request: Request, body: bytes, media_type: str = "application/json") -> Response:
    """Return a body that browsers may keep and ask about by its hash; packed for those who take gzip."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": "private, no-cache", "vary": "accept-encoding"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    if len(body) > 4096 and "gzip" in request.headers.get("accept-encoding", ""):
        headers["content-encoding"] = "gzip"
        body = gzip.compress(body, compresslevel=3, mtime=0)
    return Response(body, headers=headers, media_type=media_type)


def add_routes(router: APIRouter) -> None:
    """Add grids, sensors and rules."""

    @router.get("/api/v1/grids.geojson", tags=["city"], response_class=Response)
    def grids(request: Request, level: Level = "grid", bbox: str | None = None) -> Response:
        """The city's areas of one level as GeoJSON (WGS-84), those that touch `bbox=west,south,east,north`."""
        layers = desk(request).services.layers
        area = actor(request).area
        features = [
            feature
            for feature in layers.features(level, parse_box(bbox))
            if touches_area(area, str(feature["properties"]["code"]))  # type: ignore[index]
        ]
        body = orjson.dumps({"type": "FeatureCollection", "name": layers.name(), "features": features})
        return _answer(request, body, "application/geo+json")

    @router.get("/api/v1/sensors", tags=["city"], response_class=Response)
    def sensors(
        request: Request,
        kind: str | None = None,
        bbox: str | None = None,
        after: Annotated[str | None, Query(max_length=160)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
    ) -> Response:
        """Sensors of the caller's area with their last readings, a row a sensor and kind, in order of both.

        `next` is what to give as `after` for the page that follows; null on the last.
        """
        area = actor(request).area
        box = parse_box(bbox)
        rows: list[SensorRow] = []
        more = False
        for row in desk(request).services.sensors.rows():
            if after is not None and f"{row.sensor}|{row.kind}" <= after:
                continue
            if (kind is None or row.kind == kind) and in_box(box, row.lon, row.lat) and in_area(area, row.grid):
                if len(rows) == limit:
                    more = True
                    break
                rows.append(row)
        following = f"{rows[-1].sensor}|{rows[-1].kind}" if more else None
        return _answer(request, orjson.dumps({"sensors": rows, "next": following}))

    @router.get("/api/v1/rules", tags=["city"], response_class=Response)
    def rules(request: Request) -> Response:
        """The rules of the running plan."""
        return _answer(request, orjson.dumps({"rules": list(desk(request).services.rules())}))
