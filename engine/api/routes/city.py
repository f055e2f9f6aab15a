"""The city: its areas, its sensors, its rules."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Literal, cast

import orjson
from fastapi import APIRouter, Query, Request, Response

from engine.api.guard import actor, desk
from engine.api.places import Box, in_area, in_box, parse_box, touches_area
from engine.api.services import Layers, SensorRow
from engine.casework.directory import known_categories

Level = Literal["county", "street", "community", "grid"]


class Packed:
    """A body with its hash, and packed; made once where many ask for the same."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        self.packed = gzip.compress(body, compresslevel=3, mtime=0) if len(body) > 4096 else None

    def answer(self, request: Request, media_type: str) -> Response:
        """Return a response that browsers may keep and ask about by its hash; packed for those who take gzip."""
        headers = {"etag": self.tag, "cache-control": "private, no-cache", "vary": "accept-encoding"}
        if request.headers.get("if-none-match") == self.tag:
            return Response(status_code=304, headers=headers)
        if self.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(self.packed, headers={**headers, "content-encoding": "gzip"}, media_type=media_type)
        return Response(self.body, headers=headers, media_type=media_type)


def _answer(request: Request, body: bytes, media_type: str = "application/json") -> Response:
    return Packed(body).answer(request, media_type)


def _collection(layers: Layers, level: Level, box: Box | None, area: str) -> bytes:
    found = [one for one in layers.features(level, box) if touches_area(area, str(_properties(one)["code"]))]
    return orjson.dumps({"type": "FeatureCollection", "name": layers.name(), "level": level, "features": found})


def _properties(feature: Mapping[str, object]) -> Mapping[str, object]:
    return cast(Mapping[str, object], feature["properties"])


class WholeLayers:
    """Whole levels of the city, spelled out once for each area that callers have; the latest 16 are kept."""

    def __init__(self, layers: Layers) -> None:
        self._layers = layers
        self._of = lru_cache(16)(lambda _edition, level, area: Packed(_collection(layers, level, None, area)))

    def answer(self, request: Request, level: Level, area: str) -> Response:
        """Return one level within an area."""
        return self._of(self._layers.edition(), level, area).answer(request, "application/geo+json")


def add_routes(router: APIRouter, layers: Layers) -> None:
    """Add grids, sensors, rules and categories."""
    whole = WholeLayers(layers)

    @router.get("/api/v1/grids.geojson", tags=["city"], response_class=Response)
    def grids(request: Request, level: Level = "grid", bbox: str | None = None) -> Response:
        """The city's areas of one level as GeoJSON (WGS-84), those that touch `bbox=west,south,east,north`."""
        area = actor(request).area
        box = parse_box(bbox)
        if box is None:
            return whole.answer(request, level, area)
        return _answer(request, _collection(layers, level, box, area), "application/geo+json")

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

    @router.get("/api/v1/categories", tags=["city"], response_class=Response)
    def categories(request: Request) -> Response:
        """Categories of cases, by code, with their Chinese titles."""
        return _answer(request, orjson.dumps({"categories": known_categories()}))
