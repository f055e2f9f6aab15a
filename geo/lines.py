"""Lines of a GeoJSON file, under the same checks as polygons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geo import crs
from geo.load import FileReport, declared_crs, document_of, features_of, positions, read_bytes, refuse_swapped

Line = Sequence[tuple[int, int]]
"""Places in whole numbers of 1e-7 degrees, at least two different ones."""


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a file with the properties of their features, in its order; a MultiLineString gives several."""

    crs: str
    paths: list[Line]
    properties: list[Mapping[str, Any]]


def load_lines(path: Path, declared: str | None = None, assume: str | None = None) -> Lines:
    """Read a GeoJSON file of LineStrings and MultiLineStrings; arguments and refusals as `geo.load.load_polygons`."""
    report = FileReport(str(path))
    document = document_of(read_bytes(path), report)
    name = declared_crs(document, declared, assume, report)
    found: list[tuple[str, Any, Mapping[str, Any]]] = []
    for where, feature in features_of(document, report, ("LineString", "MultiLineString")):
        for line in _lines_of(feature.get("geometry"), where, report):
            place = positions(line, where, 2, report)
            if place is not None:
                found.append((where, place, feature.get("properties") or {}))
    joined = np.concatenate([line for _, line, _ in found]) if found else np.empty((0, 2))
    refuse_swapped(joined, report)
    report.stop_if_faulty()
    x, y = crs.quantize(*crs.to_wgs84(joined[:, 0], joined[:, 1], name))
    pairs = list(zip(x.tolist(), y.tolist(), strict=True))
    paths: list[Line] = []
    start = 0
    for where, line, _ in found:
        path_e7 = pairs[start : start + len(line)]
        start += len(line)
        kept = [v for i, v in enumerate(path_e7) if i == 0 or v != path_e7[i - 1]]
        if len(kept) < 2:
            report.add(where, "a line has at least two different positions", str(len(kept)))
        paths.append(kept)
    report.stop_if_faulty()
    return Lines(name, paths, [properties for _, _, properties in found])


def _lines_of(geometry: object, where: str, report: FileReport) -> list[object]:
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    coordinates = geometry.get("coordinates") if isinstance(geometry, dict) else None
    if kind == "LineString":
        return [coordinates]
    if kind == "MultiLineString" and isinstance(coordinates, list):
        return coordinates
    report.add(where, "the geometry must be a LineString or a MultiLineString", kind or geometry)
    return []
