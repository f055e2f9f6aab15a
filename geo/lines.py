"""Lines and points of a file, under the same checks as polygons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from geo import NO_PLACE, crs
from geo.document import FileReport, Opened, open_file, positions, stop_if_misplaced
from geo.reading import How

Line = Sequence[tuple[int, int]]
"""Places in whole numbers of 1e-7 degrees, at least two different ones."""


_NOWHERE = np.full(2, np.nan)


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a file with the properties of their features, in its order; a MultiLineString gives several."""

    crs: str
    paths: list[Line]
    properties: list[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Points:
    """The points of a file, whole numbers of 1e-7 degrees, with the properties and names of their features."""

    crs: str
    lon_e7: npt.NDArray[np.int32]
    lat_e7: npt.NDArray[np.int32]
    properties: list[Mapping[str, Any]]
    wheres: list[str]


def load_lines(path: Path, declared: str | None = None, assume: str | None = None) -> Lines:
    """Read a file of LineStrings and MultiLineStrings; arguments and refusals as `geo.load.load_polygons`."""
    return lines_of(open_file(path, How(declared, assume)))


def lines_of(opened: Opened) -> Lines:
    """The lines of an opened file. Raises FileRefused with every fault."""
    stop_if_misplaced(opened)
    report = opened.report
    found: list[tuple[str, npt.NDArray[np.float64], Mapping[str, Any]]] = []
    for where, feature in opened.features:
        for line in _lines(feature.get("geometry"), where, report):
            place = positions(line, where, 2, report)
            if place is not None:
                found.append((where, place, feature.get("properties") or {}))
    report.stop_if_faulty()
    joined = np.concatenate([line for _, line, _ in found]) if found else np.empty((0, 2))
    x, y = crs.quantize(*opened.crs.to_wgs84(joined[:, 0], joined[:, 1]))
    pairs = list(zip(x.tolist(), y.tolist(), strict=True))
    paths: list[Line] = []
    start = 0
    for where, line, _ in found:
        path = pairs[start : start + len(line)]
        start += len(line)
        paths.append([place for i, place in enumerate(path) if i == 0 or place != path[i - 1]])
        if len(paths[-1]) < 2:
            report.add(where, "a line has at least two different positions", str(len(paths[-1])))
    report.stop_if_faulty()
    return Lines(opened.crs.name, paths, [properties for _, _, properties in found])


def _lines(geometry: object, where: str, report: FileReport) -> list[object]:
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    coordinates = geometry.get("coordinates") if isinstance(geometry, dict) else None
    if kind == "LineString":
        return [coordinates]
    if kind == "MultiLineString" and isinstance(coordinates, list):
        return coordinates
    report.add(where, "the geometry must be a LineString or a MultiLineString", kind or geometry)
    return []


def points_of(opened: Opened) -> Points:
    """The points of an opened file; a feature without geometry is nowhere. Raises FileRefused with every fault."""
    stop_if_misplaced(opened)
    report = opened.report
    found = []
    for where, feature in opened.features:
        geometry = feature.get("geometry")
        if isinstance(geometry, dict) and geometry.get("type") == "Point":
            place = positions([geometry.get("coordinates")], where, 1, report)
            found.append(place[0] if place is not None else _NOWHERE)
            continue
        if geometry is not None:
            report.add(where, "the geometry must be a Point", geometry)
        found.append(_NOWHERE)
    report.stop_if_faulty()
    xy = np.array(found, np.float64).reshape(-1, 2)
    placed = np.isfinite(xy).all(axis=1)
    lon, lat = (np.full(len(xy), NO_PLACE, np.int32) for _ in range(2))
    lon[placed], lat[placed] = crs.quantize(*opened.crs.to_wgs84(xy[placed, 0], xy[placed, 1]))
    return Points(opened.crs.name, lon, lat, opened.properties(), [where for where, _ in opened.features])
