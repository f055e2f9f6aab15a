"""Everything that is wrong with a file of unit grids, each thing with its place.

Unlike loading, checking goes on behind a fault: a ring that is open is closed, a polygon that crosses itself is mended,
a code that is wrong is named, and then all of them are laid side by side.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from geo import E7, attributes, codes, tiling
from geo.document import FileReport, Opened, nothing_collected, stop_if_misplaced
from geo.grids import GridSet
from geo.imports import GRID_NAMES
from geo.load import as_shapely, in_degrees, open_ring, shape_of
from geo.polygons import Polygons

WHATS: Final = ("invalid", "code", "duplicate", "overlap", "gap", "sliver")
_ORDER: Final = "order"
_MOST_NAMES: Final = 6


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong: what it is, whose (codes, or positions in the file), where in degrees, how large.

    `shape`: in whole numbers of 1e-7 degrees, to be drawn; None if it has none.
    """

    what: str
    codes: tuple[str, ...]
    lon: float | None
    lat: float | None
    area_m2: float | None
    why: str
    shape: Any = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        names = " and ".join(self.codes[:_MOST_NAMES]) + (" ..." if len(self.codes) > _MOST_NAMES else "")
        area = "" if self.area_m2 is None else f": {self.area_m2:.2f} m²"
        place = "" if self.lon is None or self.lat is None else f" at {self.lon:.7f}, {self.lat:.7f}"
        return f"{names} {self.why}{area}{place}"

    def plain(self) -> dict[str, Any]:
        """The flaw as JSON."""
        return {name: getattr(self, name) for name in ("what", "codes", "lon", "lat", "area_m2", "why")}


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong with a file, what is unusual but lawful, and its grids (mended) for a picture."""

    count: int
    communities: int
    flaws: tuple[Flaw, ...]
    remarks: tuple[Flaw, ...]
    shapes: npt.NDArray[np.object_]

    def counts(self) -> Mapping[str, int]:
        """How many flaws there are of each sort, in the order of WHATS."""
        found = Counter(flaw.what for flaw in self.flaws)
        return {what: found[what] for what in WHATS}


@dataclass(frozen=True, slots=True)
class _Grid:
    """A feature that has area: its name (code if it is lawful), its code as it came, and its rings."""

    name: str
    code: str
    where: str
    parts: list[list[list[tuple[int, int]]]]


def check(opened: Opened) -> Findings:
    """Find everything that is wrong. Raises FileRefused for a file whose features or places can't be told."""
    stop_if_misplaced(opened)
    opened.report.stop_if_faulty()
    flaws: list[Flaw] = []
    with nothing_collected():
        grids = list(_grids(opened, flaws))
        polygons = Polygons.build([grid.parts for grid in grids])
    shapes = _mended(grids, as_shapely(polygons), flaws)
    flaws += _codes(grids, shapes)
    names = [grid.name for grid in grids]
    for rows, shape in tiling.overlaps(shapes):
        flaws.append(_flaw("overlap", tuple(names[r] for r in rows), "overlap", shape))
    for rows, shape in tiling.gaps(shapes):
        flaws.append(_flaw("gap", tuple(names[r] for r in rows), "leave a gap between them", shape))
    for rows, shape in tiling.slivers(shapes):
        why = f"is a sliver, {tiling.width_m(shape):.1f} m wide"
        flaws.append(_flaw("sliver", (names[rows[0]],), why, shape))
    communities = {grid.code[:12] for grid in grids if codes.problem(grid.code) is None}
    order = {what: i for i, what in enumerate(WHATS)}
    flaws.sort(key=lambda flaw: order[flaw.what])
    return Findings(len(opened.features), len(communities), tuple(flaws), tuple(_remarks(grids, polygons)), shapes)


def _grids(opened: Opened, flaws: list[Flaw]) -> Iterator[_Grid]:
    """The features that have area; the others are flaws."""
    for where, feature in opened.features:
        renamed, _ = attributes.renamed(feature.get("properties") or {}, GRID_NAMES)
        code = attributes.text(renamed.get("code")) or attributes.text(feature.get("id"))
        name = code if codes.problem(code) is None else where
        report = FileReport(opened.report.file, lat_first=opened.report.lat_first, in_degrees=opened.report.in_degrees)
        geometry, first = _closed(feature.get("geometry"), report)
        place = _degrees(opened, first)
        shape = shape_of(geometry, where, report)
        faults = list(report.faults)
        parts: list[list[list[tuple[int, int]]]] = []
        if shape and all(shape) and len(faults) == sum("is not closed" in fault.rule for fault in faults):
            parts = [[open_ring(where, _whole(opened, ring), report) for ring in rings] for rings in shape]
            faults = list(report.faults)
        for fault in faults:
            why = f"{fault.where.removeprefix(where)} {fault.rule}".strip()
            flaws.append(Flaw("invalid", (name,), *place, None, f"{why}; got {fault.got}" if fault.got else why))
        if parts and not any("has no area" in fault.rule for fault in faults):
            yield _Grid(name, code, where, parts)


def _closed(geometry: object, report: FileReport) -> tuple[object, list[Any] | None]:
    """A geometry whose open rings are closed, each told; and its first position."""
    if not isinstance(geometry, dict) or geometry.get("type") not in ("Polygon", "MultiPolygon"):
        return geometry, None
    coordinates, many = geometry.get("coordinates"), geometry["type"] == "MultiPolygon"
    parts = coordinates if many else [coordinates]
    if not isinstance(parts, list) or not all(isinstance(rings, list) for rings in parts):
        return geometry, None
    rings = [ring for rings in parts for ring in rings if isinstance(ring, list) and ring]
    first = rings[0][0] if rings and isinstance(rings[0][0], list) else None
    if all(ring[0] == ring[-1] for ring in rings):
        return geometry, first
    closed = [[_closed_ring(ring, report) for ring in rings] for rings in parts]
    return {"type": geometry["type"], "coordinates": closed if many else closed[0]}, first


def _closed_ring(ring: Any, report: FileReport) -> Any:
    if not isinstance(ring, list) or not ring or ring[0] == ring[-1]:
        return ring
    report.add("", "is not closed: the last position must equal the first", f"{ring[0]} and {ring[-1]}")
    return [*ring, ring[0]]


def _whole(opened: Opened, ring: npt.NDArray[np.float64]) -> list[tuple[int, int]]:
    from geo.crs import quantize

    x, y = quantize(*opened.crs.to_wgs84(ring[:, 0], ring[:, 1]))
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _degrees(opened: Opened, position: list[Any] | None) -> tuple[float | None, float | None]:
    """A position of the file in WGS-84 degrees, None for what is no place."""
    try:
        x, y = (float(v) for v in (position or [])[:2])
    except (TypeError, ValueError):
        return None, None
    if opened.report.lat_first:
        x, y = y, x
    lon, lat = opened.crs.to_wgs84(np.array([x]), np.array([y]))
    here = abs(float(lon[0])) <= 180 and abs(float(lat[0])) <= 90
    return (round(float(lon[0]), 7), round(float(lat[0]), 7)) if here else (None, None)


def _mended(grids: list[_Grid], shapes: npt.NDArray[np.object_], flaws: list[Flaw]) -> npt.NDArray[np.object_]:
    """The shapes, those that cross themselves made valid, each told."""
    import shapely

    for row in np.flatnonzero(~shapely.is_valid(shapes)).tolist():
        reason = str(shapely.is_valid_reason(shapes[row]))
        told, place = in_degrees(reason)
        mended = shapely.make_valid(shapes[row], method="structure", keep_collapsed=False)
        if mended.is_empty:  # a hole takes all of it away
            mended = shapes[row].convex_hull
        why = f"must be valid; got {told.partition(' at ')[0]}"
        flaws.append(Flaw("invalid", (grids[row].name,), *place, round(tiling.area_m2(mended), 2), why, mended))
        shapes[row] = mended
    return shapes


def _codes(grids: list[_Grid], shapes: npt.NDArray[np.object_]) -> Iterator[Flaw]:
    """Codes that are missing, wrong, or stand twice."""
    rows: dict[str, list[int]] = {}
    for row, grid in enumerate(grids):
        problem = codes.problem(grid.code) if grid.code else "must carry its code, such as 网格编码"
        if problem is not None:
            yield _flaw("code", (grid.name,), problem, shapes[row], area=False)
        else:
            rows.setdefault(grid.code, []).append(row)
    for code, several in rows.items():
        for row in several[1:]:
            why = f"stands {len(several)} times, here as {grids[row].where}, first as {grids[several[0]].where}"
            yield _flaw("duplicate", (code,), why, shapes[row], area=False)


def _flaw(what: str, names: tuple[str, ...], why: str, shape: Any, *, area: bool = True) -> Flaw:
    place = shape.representative_point()
    size = round(tiling.area_m2(shape), 2) if area else None
    return Flaw(what, names, round(place.x / E7, 7), round(place.y / E7, 7), size, why, shape)


def _remarks(grids: list[_Grid], polygons: Polygons) -> Iterator[Flaw]:
    """What is unusual but lawful: streets of no class, serials out of order."""
    lawful = {grid.code: row for row, grid in enumerate(grids) if codes.problem(grid.code) is None}
    ordered = sorted(lawful)
    found = GridSet(ordered, polygons.take(np.array([lawful[code] for code in ordered], np.intp)))
    middles = found.polygons.middles() / E7 if ordered else np.empty((0, 2))
    for street in sorted({code[:9] for code in ordered}):
        if codes.parse(f"{street}001001").street_class is codes.StreetClass.OTHER:
            why = "is neither a subdistrict, a town nor a township by its number"
            yield Flaw("street", (street,), None, None, None, why)
    for row in tiling.out_of_order(found):
        code = found.codes[row]
        why = f"is the first whose serial does not run from west to east, north to south in {code[:12]}"
        lon, lat = middles[row].tolist()
        yield Flaw(_ORDER, (code,), lon, lat, None, why)
