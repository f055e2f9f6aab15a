"""The city: its areas and zones, its sensors, its rules."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Literal, cast

import msgspec
import orjson
from fastapi import APIRouter, Query, Request, Response

from engine.api.guard import actor, desk
from engine.api.packed import Packed
from engine.api.places import Box, in_area, in_box, parse_box, touches_area
from engine.api.problems import Problem
from engine.api.services import Layers, SensorRow, Services
from engine.casework.directory import catalogue, title_en

Level = Literal["county", "street", "community", "grid"]


def _answer(request: Request, body: bytes, media_type: str = "application/json") -> Response:
    return Packed(body).answer(request, media_type)


def _collection(layers: Layers, level: Level, box: Box | None, area: str, within: str = "") -> bytes:
    codes = ((str(_properties(one)["code"]), one) for one in layers.features(level, box))
    found = [one for code, one in codes if touches_area(area, code) and code.startswith(within)]
    return orjson.dumps({"type": "FeatureCollection", "name": layers.name(), "level": level, "features": found})


def _point(row: SensorRow) -> dict[str, object]:
    told = {name: getattr(row, name) for name in ("sensor", "kind", "grid", "department", "site", "t", "v", "level")}
    geometry = {"type": "Point", "coordinates": [row.lon, row.lat]}
    return {"type": "Feature", "id": f"{row.sensor}|{row.kind}", "properties": told, "geometry": geometry}


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
    """Add grids, zones, sensors, rules, kinds and categories."""
    whole = WholeLayers(layers)
    _add_sensors(router)

    @router.get("/api/v1/grids.geojson", tags=["city"], response_class=Response)
    def grids(
        request: Request,
        level: Level = "grid",
        bbox: str | None = None,
        within: Annotated[str, Query(pattern=r"^[0-9]{0,15}$", description="a prefix of their codes")] = "",
    ) -> Response:
        """The city's areas of one level as GeoJSON (WGS-84), those that touch `bbox=west,south,east,north`."""
        area = actor(request).area
        box = parse_box(bbox)
        if box is None and not within:
            return whole.answer(request, level, area)
        return _answer(request, _collection(layers, level, box, area, within), "application/geo+json")

    @router.get("/api/v1/zones.geojson", tags=["city"], response_class=Response)
    def zones(request: Request) -> Response:
        """The zones that rules ask about as GeoJSON (WGS-84); `properties.set` names the set of each."""
        body = {"type": "FeatureCollection", "name": layers.name(), "features": list(layers.zones())}
        return _answer(request, orjson.dumps(body), "application/geo+json")

    @router.get("/api/v1/rules", tags=["city"], response_class=Response)
    def rules(request: Request) -> Response:
        """The rules of the running plan, with their English titles, if any."""
        return _answer(request, orjson.dumps({"rules": list(desk(request).services.rules())}))

    @router.get("/api/v1/categories", tags=["city"], response_class=Response)
    def categories(request: Request) -> Response:
        """Categories of cases and departments, by code, with their Chinese titles and the English ones, if any."""
        categories = [
            {"code": one.code, "title": one.title, "title_en": title_en("categories", one.code), "further": one.further}
            for one in catalogue().sorted()
        ]
        departments = [
            {"code": code, "title": title, "title_en": title_en("departments", code)}
            for code, title in sorted(catalogue().departments.items())
        ]
        return _answer(request, orjson.dumps({"categories": categories, "departments": departments}))

    @router.get("/api/v1/kinds", tags=["city"], response_class=Response)
    def kinds(request: Request) -> Response:
        """The kinds of readings of the running plan, with their units, ranges and titles."""
        return _answer(request, orjson.dumps({"kinds": list(desk(request).services.kinds())}))


def _seen(request: Request, sensor: str, kind: str) -> Services:
    """Return the services of a caller who may see this sensor; 404 for whoever may not."""
    services, area = desk(request).services, actor(request).area
    known = (row for row in services.sensors.rows() if row.sensor == sensor and row.kind == kind)
    if not any(in_area(area, row.grid) for row in known):
        raise Problem(404, "no_such_sensor", f"no sensor {sensor[:64]!r} of this kind")
    return services


def _add_sensors(router: APIRouter) -> None:

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

    @router.get("/api/v1/sensors.geojson", tags=["city"], response_class=Response)
    def sensors_map(
        request: Request,
        kind: str | None = None,
        bbox: str | None = None,
        since: Annotated[int, Query(ge=0, le=4_102_444_800_000, description="heard of at or after, ms")] = 0,
    ) -> Response:
        """All placed sensors of the caller's area as GeoJSON points with their last readings, for maps.

        `since` leaves out those that were not heard of since then, so that a map can ask for what is new.
        """
        area = actor(request).area
        box = parse_box(bbox)
        rows = [
            _point(row)
            for row in desk(request).services.sensors.rows()
            if row.lon is not None
            and (kind is None or row.kind == kind)
            and (not since or (row.t is not None and row.t >= since))
            and in_box(box, row.lon, row.lat)
            and in_area(area, row.grid)
        ]
        body = orjson.dumps({"type": "FeatureCollection", "features": rows})
        return _answer(request, body, "application/geo+json")

    @router.get("/api/v1/sensors/{sensor}/values", tags=["city"], response_class=Response)
    def values(request: Request, sensor: str, kind: str, hours: Annotated[int, Query(ge=1, le=24)] = 6) -> Response:
        """The last hours of one sensor and kind, `[t, v]` each, for charts: thinned out where no alert is open."""
        services = _seen(request, sensor, kind)
        since = services.now_ms() - hours * 3_600_000
        series = services.casework.values_of_sensor(sensor, kind, since_ms=since)
        return _answer(request, msgspec.json.encode({"series": [series]}))

    @router.get("/api/v1/sensors/{sensor}/attrs", tags=["city"], response_class=Response)
    def attrs(request: Request, sensor: str, kind: str) -> Response:
        """What the sensor said beside its last value, as a truck its plate and whether it is loaded.

        Null where the log is not at hand, or no longer kept.
        """
        found = _seen(request, sensor, kind).sensors.attrs_of(sensor, kind)
        return _answer(request, orjson.dumps({"attrs": found}))
