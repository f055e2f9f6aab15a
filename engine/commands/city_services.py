"""The city for people: its sensors with their last values, its areas, its rules."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from engine.api.services import SensorRow
from engine.casework.directory import title_en
from engine.commands.city_files import CityFiles
from engine.detect.last_values import LastValue
from engine.runtime.sensors import LastKnown
from geo.grids import GridSet
from geo.outlines import outlines
from rules.canonical import kind_data, rule_data
from rules.plan import Plan
from rules.registry import Row

DIGITS = {"county": 6, "street": 9, "community": 12}
Attributes = Callable[[str, str, int], Mapping[str, object] | None]
Level = Literal["county", "street", "community", "grid"]


class CitySensors:
    """Registered sensors with their last values, and others that were heard."""

    def __init__(self, plan: Plan, known: LastKnown, attributes: Attributes | None = None) -> None:
        """`attributes` finds those of a sensor's last reading, of which it is given the time."""
        self._known = known
        self._attributes = attributes
        registry, grids = plan.registry, plan.grids or GridSet.empty()
        located = grids.locate(registry.lon_e7, registry.lat_e7).tolist()
        self._registered = {
            (row.sensor, row.kind): _registered(row, grids.code_of(at))
            for row, at in zip(registry.rows, located, strict=True)
        }
        self._grids = {row.sensor: row.grid for row in self._registered.values() if row.grid}

    def rows(self) -> list[SensorRow]:
        """Return every sensor and kind in order."""
        rows = dict(self._registered)
        for value in self._known.all():
            known = rows.get((value.sensor, value.kind))
            rows[value.sensor, value.kind] = _with_value(known, value)
        return [rows[key] for key in sorted(rows)]

    def grid_of(self, sensor: str) -> str | None:
        """Return the grid of a registered sensor with a place."""
        return self._grids.get(sensor)

    def attrs_of(self, sensor: str, kind: str) -> Mapping[str, object] | None:
        """Return the attributes of the last reading, null where they are not known."""
        last = self._known.get(sensor, kind)
        return None if last is None or self._attributes is None else self._attributes(sensor, kind, last.t)


def _registered(row: Row, grid: str | None) -> SensorRow:
    lon, lat = (row.lon_e7 / 1e7, row.lat_e7 / 1e7) if row.placed else (None, None)
    return SensorRow(row.sensor, row.kind, lon, lat, grid, row.department, row.site)


def _with_value(known: SensorRow | None, value: LastValue) -> SensorRow:
    if known is None:
        known = SensorRow(value.sensor, value.kind, None, None, None, None, None)
    return replace(
        known,
        lon=value.lon if value.lon is not None else known.lon,
        lat=value.lat if value.lat is not None else known.lat,
        grid=value.grid or known.grid,
        t=value.t,
        v=value.v,
        level=value.level,
    )


class CityLayers:
    """The city's grids, and the divisions above them."""

    def __init__(self, city: CityFiles) -> None:
        self._city = city
        self._lock = threading.Lock()
        self._known: dict[Level, list[dict[str, Any]]] = {}

    def features(self, level: Level, bbox: tuple[float, float, float, float] | None) -> list[dict[str, Any]]:
        """Return the features of a level that touch the box, in order of their codes."""
        grids = self._city.grids
        if level == "grid":
            rows = grids.within(*bbox) if bbox else range(len(grids))
            middles = grids.polygons.middles()
            return [_grid_feature(grids, middles, row) for row in rows]
        with self._lock:
            if level not in self._known:
                self._known[level] = _divisions(self._city, DIGITS[level])
        found = self._known[level]
        return found if bbox is None else [feature for feature in found if _touches(feature["bbox"], bbox)]

    def zones(self) -> list[dict[str, Any]]:
        """Return the polygons of all zone sets, with the name of their set."""
        return [
            {"type": "Feature", "properties": {**told, "set": name}, "geometry": zones.polygons.geometry(row)}
            for name, zones in self._city.plan.zones.items()
            for row, told in enumerate(zones.properties)
        ]

    def bounds(self) -> tuple[float, float, float, float]:
        """Return west, south, east, north."""
        bounds = self._city.grids.polygons.bounds()
        if not len(bounds):
            return (73.0, 18.0, 135.0, 54.0)
        west, south = (bounds[:, :2].min(axis=0) / 1e7).tolist()
        east, north = (bounds[:, 2:].max(axis=0) / 1e7).tolist()
        return west, south, east, north

    def name(self) -> str:
        """Return the name of the city."""
        return self._city.name

    def edition(self) -> str:
        """Return the plan by which the areas are these."""
        return self._city.plan.digest


def _grid_feature(grids: GridSet, middles: npt.NDArray[np.int32], row: int) -> dict[str, Any]:
    feature = grids.feature(row)
    feature["properties"]["centre"] = (middles[row] / 1e7).tolist()
    return feature


def _divisions(city: CityFiles, digits: int) -> list[dict[str, Any]]:
    features = []
    for code, geometry in sorted(outlines(city.grids, digits).items()):
        rows = [row for row, grid in enumerate(city.grids.codes) if grid.startswith(code)]
        edges = city.grids.polygons.bounds()[rows] / 1e7
        west, south = edges[:, :2].min(axis=0).tolist()
        east, north = edges[:, 2:].max(axis=0).tolist()
        centre = [(west + east) / 2, (south + north) / 2]
        properties = {"code": code, "name": city.divisions.get(code, code), "centre": centre}
        feature = {"type": "Feature", "id": code, "bbox": [west, south, east, north], "properties": properties}
        features.append(feature | {"geometry": geometry})
    return features


def _touches(edges: Sequence[float], bbox: tuple[float, float, float, float]) -> bool:
    return edges[0] <= bbox[2] and edges[2] >= bbox[0] and edges[1] <= bbox[3] and edges[3] >= bbox[1]


def rules_of(plan: Plan) -> list[dict[str, Any]]:
    """Return the rules of a plan for people, in the shape of their files, with their English titles."""
    return [rule_data(rule) | {"title_en": title_en("rules", rule.id)} for rule in plan.rules]


def kinds_of(plan: Plan) -> list[dict[str, Any]]:
    """Return the kinds of a plan for people."""
    return [kind_data(kind) | {"title_en": title_en("kinds", kind.name)} for kind in plan.kinds]
