"""Polygons of a file: everything about it is checked, and every fault named, before any of it reaches GEOS."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from geo import E7, crs, geojson_text
from geo.document import (
    FileReport,
    Opened,
    nothing_collected,
    open_document,
    open_file,
    positions,
    stop_if_misplaced,
)
from geo.errors import Fault
from geo.polygons import Polygons, twice_area
from geo.reading import How

Ring = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Layer:
    """The polygons of a file, in its order, with properties and ids of their features; `crs` is what they came in.

    wheres: how faults name each feature.
    """

    file: str
    crs: str
    polygons: Polygons
    properties: list[Mapping[str, Any]]
    ids: list[str | int | None]
    wheres: list[str]


Checks = Callable[[Layer], Iterable[Fault]]
"""What a caller adds to the faults of a file; `polygons` holds only those without fault by then."""


def load_polygons(
    path: Path, declared: str | None = None, assume: str | None = None, checks: Checks | None = None
) -> Layer:
    """Read a file of Polygons and MultiPolygons: GeoJSON (.geojson, .json, .gz of these), Shapefile or GeoPackage.

    The coordinate system comes from `declared` (a --crs flag) or the file (see geo/source_crs.py); `assume` as in
    `How`. Coordinates are turned to WGS-84 and rounded to 1e-7 degrees; altitudes are dropped.
    Raises FileRefused with every fault: no or two coordinate systems, too large, nested too deep, not GeoJSON, not
    finite, off the earth (with a hint if lon and lat look swapped), rings that do not close, self-intersections, and
    what `checks` finds.
    """
    return polygons_of(open_file(path, How(declared, assume)), checks)


def parse_polygons(
    data: bytes, file: str, declared: str | None = None, assume: str | None = None, checks: Checks | None = None
) -> Layer:
    """The same from the bytes of a GeoJSON file; `file` is the name in faults."""
    with nothing_collected():
        return polygons_of(open_document(geojson_text.document(data, file), file, How(declared, assume)), checks)


def polygons_of(opened: Opened, checks: Checks | None = None) -> Layer:
    """The polygons of an opened file. Raises FileRefused with every fault."""
    stop_if_misplaced(opened)
    with nothing_collected():
        polygons = _polygons(opened)
    ids = [feature.get("id") for _, feature in opened.features]
    wheres = [where for where, _ in opened.features]
    layer = Layer(opened.report.file, opened.crs.name, polygons, opened.properties(), ids, wheres)
    opened.report.faults += checks(layer) if checks is not None else ()
    opened.report.stop_if_faulty()
    return layer


def _polygons(opened: Opened) -> Polygons:
    """The polygons of all features that have no fault so far; what is not valid is reported."""
    report, shapes = opened.report, []
    for where, feature in opened.features:
        before = len(report.faults)
        shape = shape_of(feature.get("geometry"), where, report)
        if len(report.faults) == before:
            shapes.append((where, shape))
    wheres = [where for where, _ in shapes]
    rows = _whole_numbers([shape for _, shape in shapes], opened, wheres)
    polygons = Polygons.build(rows)
    for index, reason in invalid(polygons):
        report.add(wheres[index], "polygons must be valid", reason)
    return polygons


def invalid(polygons: Polygons) -> Iterator[tuple[int, str]]:
    """(row, reason) of each polygon that is not valid, judged on the whole numbers."""
    import shapely

    shapes = as_shapely(polygons)
    for index in np.flatnonzero(~shapely.is_valid(shapes)).tolist():
        yield index, in_degrees(str(shapely.is_valid_reason(shapes[index])))[0]


def as_shapely(polygons: Polygons) -> npt.NDArray[np.object_]:
    """shapely MultiPolygons, object[n], whose coordinates are the whole numbers themselves (exact in doubles)."""
    import shapely  # takes its time to load, and only loading and checking need it

    xy = np.stack([polygons.x, polygons.y], axis=1).astype(np.float64)
    ring_of_vertex = np.repeat(np.arange(polygons.ring.size - 1), np.diff(polygons.ring))
    rings = shapely.linearrings(xy, indices=ring_of_vertex)
    part_of_ring = np.repeat(np.arange(polygons.part.size - 1), np.diff(polygons.part))
    parts = shapely.polygons(rings, indices=part_of_ring)
    row_of_part = np.repeat(np.arange(len(polygons)), np.diff(polygons.row))
    shapes: npt.NDArray[np.object_] = shapely.multipolygons(parts, indices=row_of_part)
    return shapes


def shape_of(geometry: object, where: str, report: FileReport) -> list[list[npt.NDArray[np.float64]]]:
    """Parts → rings → float64[v, 2], closed; faults where anything else stands."""
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if not isinstance(geometry, dict) or kind not in ("Polygon", "MultiPolygon"):
        report.add(where, "the geometry must be a Polygon or a MultiPolygon", kind or geometry)
        return []
    coordinates = geometry.get("coordinates")
    parts = [coordinates] if kind == "Polygon" else coordinates
    if not isinstance(coordinates, list) or not isinstance(parts, list) or not parts:
        report.add(where, "coordinates must be a list of rings, or of parts", coordinates)
        return []
    out = []
    for p, rings in enumerate(parts):
        name = f"{where} part {p}" if len(parts) > 1 else where
        if not isinstance(rings, list) or not rings:
            report.add(name, "must have a ring", rings)
            continue
        found = [_ring(raw, f"{name} ring {r}", report) for r, raw in enumerate(rings)]
        out.append([ring for ring in found if ring is not None])
    return out


def _ring(raw: object, where: str, report: FileReport) -> npt.NDArray[np.float64] | None:
    ring = positions(raw, where, 4, report)
    if ring is not None and (ring[0] != ring[-1]).any():
        ends = f"{ring[0].tolist()} and {ring[-1].tolist()}"
        report.add(where, "is not closed: the last position must equal the first", ends)
        return None
    return ring


def _whole_numbers(
    shapes: Sequence[list[list[npt.NDArray[np.float64]]]], opened: Opened, wheres: Sequence[str]
) -> list[list[list[Ring]]]:
    """All rings turned to WGS-84 whole numbers at once, then opened and without repeated vertices."""
    rings = [ring for parts in shapes for part in parts for ring in part]
    joined = np.concatenate(rings) if rings else np.empty((0, 2))
    x, y = crs.quantize(*opened.crs.to_wgs84(joined[:, 0], joined[:, 1]))
    pairs = iter(zip(x.tolist(), y.tolist(), strict=True))
    out = []
    for where, parts in zip(wheres, shapes, strict=True):
        taken = [[list(islice(pairs, len(ring))) for ring in part] for part in parts]
        out.append([_open_part(where, part, opened.report) for part in taken])
    return out


def _open_part(where: str, rings: Sequence[Ring], report: FileReport) -> list[Ring]:
    return [open_ring(f"{where} ring {r}", ring, report) for r, ring in enumerate(rings)]


def open_ring(where: str, ring: Ring, report: FileReport) -> Ring:
    """A ring without repeated vertices, its last not that of its first; a fault if nothing is left of it."""
    vertices = [v for before, v in zip([ring[-1], *ring], ring, strict=False) if v != before]
    if vertices and vertices[0] == vertices[-1]:
        vertices.pop()
    if len(vertices) < 3 or twice_area(vertices) == 0:
        report.add(where, f"has no area at 1/{E7} degrees", f"{len(vertices)} different positions")
        return [(0, 0), (1, 0), (0, 1)]
    return vertices


def in_degrees(reason: str) -> tuple[str, tuple[float | None, float | None]]:
    """GEOS names the place of a fault in our whole numbers, as `Self-intersection[x y]`: the words, and lon, lat."""
    text, _, place = reason.partition("[")
    try:
        x, y = (float(number) / E7 for number in place.rstrip("]").split())
    except ValueError:
        return reason.strip().lower(), (None, None)
    return f"{text.strip().lower()} at {x:.7f}, {y:.7f}", (x, y)
