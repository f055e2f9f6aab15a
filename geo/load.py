"""GeoJSON in: everything about a file is checked, and every fault named, before any polygon reaches GEOS."""

from __future__ import annotations

import gc
import gzip
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from geo import E7, crs
from geo.errors import Fault, FileRefused
from geo.polygons import Polygons, twice_area

MAX_BYTES: Final = 256 << 20
MAX_DEPTH: Final = 32
MAX_FEATURES: Final = 200_000
MAX_BRACKETS: Final = 8_000_000
"""Lists and objects of a file, positions included; each costs memory as soon as it is parsed."""
_MAX_FAULTS: Final = 1_000

_EPSG: Final = {"4326": "wgs84", "4490": "cgcs2000"}
_OTHER_NAMES: Final = {"crs84": "wgs84", "wgs84": "wgs84", "cgcs2000": "cgcs2000", "gcj02": "gcj02", "bd09": "bd09"}
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
    """Read a GeoJSON file (.geojson, .json, or .gz of one) of Polygons and MultiPolygons.

    The coordinate system comes from `declared` (a --crs flag) or the file's `crs` member (EPSG:4326, CRS84, EPSG:4490,
    or one of `geo.crs.NAMES`); `assume` stands in for files that name none, for callers whose files have been imported
    already. Coordinates are turned to WGS-84 and rounded to 1e-7 degrees; altitudes are dropped.
    Raises FileRefused with every fault: no or two coordinate systems, too large, nested too deep, not GeoJSON, not
    finite, off the earth (with a hint if lon and lat look swapped), rings that do not close, self-intersections, and
    what `checks` finds.
    """
    return parse_polygons(read_bytes(path), str(path), declared, assume, checks)


def parse_polygons(
    data: bytes, file: str, declared: str | None = None, assume: str | None = None, checks: Checks | None = None
) -> Layer:
    """The same from bytes; `file` is the name in faults."""
    with _nothing_collected():
        return _parse(data, file, declared, assume, checks)


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Spare the search for garbage among a large file's many small lists, none of which is garbage yet."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _parse(data: bytes, file: str, declared: str | None, assume: str | None, checks: Checks | None) -> Layer:
    report = FileReport(file)
    document = document_of(data, report)
    name = declared_crs(document, declared, assume, report)
    features = list(features_of(document, report))
    polygons = _polygons(features, name, report)
    properties = [feature.get("properties") or {} for _, feature in features]
    ids = [feature.get("id") for _, feature in features]
    layer = Layer(file, name, polygons, properties, ids, [where for where, _ in features])
    report.faults += checks(layer) if checks is not None else ()
    report.stop_if_faulty()
    return layer


def _polygons(features: Sequence[tuple[str, Mapping[str, Any]]], name: str, report: FileReport) -> Polygons:
    """The polygons of all features that have no fault so far; what is not valid is reported."""
    shapes = []
    for where, feature in features:
        before = len(report.faults)
        shape = _shape(feature.get("geometry"), where, report)
        if len(report.faults) == before:
            shapes.append((where, shape))
    wheres = [where for where, _ in shapes]
    rows = _whole_numbers([shape for _, shape in shapes], name, wheres, report)
    polygons = Polygons.build(rows)
    for index, reason in invalid(polygons):
        report.add(wheres[index], "polygons must be valid", reason)
    return polygons


def invalid(polygons: Polygons) -> Iterator[tuple[int, str]]:
    """(row, reason) of each polygon that is not valid, judged on the whole numbers."""
    import shapely

    shapes = as_shapely(polygons)
    for index in np.flatnonzero(~shapely.is_valid(shapes)).tolist():
        yield index, _in_degrees(str(shapely.is_valid_reason(shapes[index])))


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


def label(feature: tuple[str, Mapping[str, Any]]) -> str:
    """How faults name a feature: its position, and the name or code that it carries."""
    where, body = feature
    properties = body.get("properties")
    if isinstance(properties, dict):
        for key in ("code", "grid", "name"):
            if isinstance(properties.get(key), str):
                return f"{where} ({key} {properties[key]})"
    return where


@dataclass
class FileReport:
    file: str
    faults: list[Fault] = field(default_factory=list)

    def add(self, where: str, rule: str, got: object = "") -> None:
        text = got if isinstance(got, str) else repr(got)
        self.faults.append(Fault(self.file, where, rule, text if len(text) <= 120 else text[:117] + "..."))
        if len(self.faults) >= _MAX_FAULTS:
            self.faults.append(Fault(self.file, "", f"more than {_MAX_FAULTS} faults; the rest is not listed", ""))
            self.stop_if_faulty()

    def stop_if_faulty(self) -> None:
        if self.faults:
            raise FileRefused(self.faults)


def read_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as raw:
            stream = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
            return stream.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise FileRefused([Fault(str(path), "", "the file must be readable", str(error))]) from error


def document_of(data: bytes, report: FileReport) -> dict[str, Any]:
    if len(data) > MAX_BYTES:
        report.add("", f"a file has at most {MAX_BYTES >> 20} MiB", "more")
    elif data.count(b"[") + data.count(b"{") > MAX_BRACKETS:
        report.add("", f"a file has at most {MAX_BRACKETS} lists and objects", "more")
    elif depth(data) > MAX_DEPTH:
        report.add("", f"brackets are nested at most {MAX_DEPTH} deep", str(depth(data)))
    report.stop_if_faulty()
    try:
        document = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise FileRefused([Fault(report.file, place, "must be JSON", error.msg)]) from error
    if not isinstance(document, dict):
        report.add("", "must be a GeoJSON object", type(document).__name__)
        report.stop_if_faulty()
    return dict(document)


def depth(data: bytes) -> int:
    """How deep brackets are nested in JSON text, whatever stands in strings; nothing is parsed."""
    raw = np.frombuffer(data, np.uint8)
    matters = np.zeros(256, np.bool_)
    matters[list(b'"[]{}')] = True
    at = np.flatnonzero(matters[raw])
    marks = raw[at]
    quotes = np.flatnonzero(marks == 0x22)
    real = np.ones(marks.size, np.bool_)
    for q in quotes[_after_backslash(raw, at[quotes])].tolist():
        real[q] = False
    marks = marks[real]
    outside = np.cumsum(marks == 0x22) % 2 == 0
    step = np.where((marks == 0x5B) | (marks == 0x7B), 1, -1) * (outside & (marks != 0x22))
    return int(np.cumsum(step).max(initial=0))


def _after_backslash(raw: npt.NDArray[np.uint8], at: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    """Which of these quotes are escaped: an odd number of backslashes stands before them."""
    escaped = np.zeros(at.size, np.bool_)
    for i in np.flatnonzero(raw[np.maximum(at - 1, 0)] == 0x5C).tolist():
        run = 0
        while at[i] - 1 - run >= 0 and raw[at[i] - 1 - run] == 0x5C:
            run += 1
        escaped[i] = run % 2 == 1
    return escaped


def declared_crs(document: Mapping[str, Any], declared: str | None, assume: str | None, report: FileReport) -> str:
    member = document.get("crs")
    named = None if member is None else _crs_name(member)
    if member is not None and named is None:
        report.add("crs", f"must name EPSG:4326, CRS84, EPSG:4490 or one of {', '.join(crs.NAMES)}", member)
    if declared is not None and declared not in crs.NAMES:
        report.add("--crs", f"must be one of {', '.join(crs.NAMES)}", declared)
    if declared is not None and named is not None and declared != named and {declared, named} != {"wgs84", "cgcs2000"}:
        report.add("crs", f"the file says {named}, the caller says {declared}", "two coordinate systems")
    name = declared or named or assume
    if name is None and member is None:
        report.add("crs", "a file must declare its coordinate system: a `crs` member, or --crs", "none")
    return name or "wgs84"


def _crs_name(member: object) -> str | None:
    """One of `crs.NAMES` from the `crs` member of GeoJSON 2008 or from a plain string."""
    if isinstance(member, dict) and isinstance(member.get("properties"), dict):
        member = member["properties"].get("name")
    if not isinstance(member, str):
        return None
    last = member.lower().replace("_", "").replace("-", "").split(":")[-1].split("/")[-1]
    return _EPSG.get(last) or _OTHER_NAMES.get(last)


def features_of(
    document: Mapping[str, Any], report: FileReport, shapes: Sequence[str] = ("Polygon", "MultiPolygon")
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each feature of a document with its name in faults; a bare geometry must be one of `shapes`."""
    kind = document.get("type")
    if kind == "FeatureCollection":
        features = document.get("features")
        if not isinstance(features, list):
            report.add("features", "must be a list", features)
            return
        if len(features) > MAX_FEATURES:
            report.add("features", f"at most {MAX_FEATURES}", str(len(features)))
            return
        for i, feature in enumerate(features):
            yield from _feature(feature, f"features[{i}]", report)
    elif kind == "Feature":
        yield from _feature(document, "feature", report)
    elif kind in shapes:
        yield "geometry", {"geometry": document}
    else:
        report.add("type", f"must be FeatureCollection, Feature, {' or '.join(shapes)}", kind)


def _feature(feature: object, where: str, report: FileReport) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        report.add(where, "must be a Feature", feature)
    elif not isinstance(feature.get("properties"), dict | None):
        report.add(f"{where}.properties", "must be an object or null", feature["properties"])
    elif not isinstance(feature.get("id"), str | int | None):
        report.add(f"{where}.id", "must be a string or a number", feature["id"])
    else:
        yield label((where, feature)), feature


def _shape(geometry: object, where: str, report: FileReport) -> list[list[npt.NDArray[np.float64]]]:
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


def positions(raw: object, where: str, least: int, report: FileReport) -> npt.NDArray[np.float64] | None:
    """float64[n, 2] of a list of positions, `least` of them at least; None with a fault for anything else."""
    if not isinstance(raw, list) or len(raw) < least:
        what = (
            "a ring has at least 4 positions, the last equal to the first"
            if least == 4
            else "a line has at least 2 positions"
        )
        report.add(where, what, raw)
        return None
    bad = next((i for i, position in enumerate(raw) if not _is_position(position)), None)
    if bad is not None:
        report.add(f"{where} position {bad}", "must be [lon, lat], two finite numbers", raw[bad])
        return None
    line = np.array([position[:2] for position in raw], np.float64)
    _check_on_earth(line, where, report)
    return line


def _check_on_earth(ring: npt.NDArray[np.float64], where: str, report: FileReport) -> None:
    lon, lat = np.abs(ring).max(axis=0)
    if lon > 180 or lat > 90:
        hint = "; are they swapped? lon comes first" if lon <= 90 and lat <= 180 else ""
        worst = ring[int(np.maximum(np.abs(ring[:, 0]) / 180, np.abs(ring[:, 1]) / 90).argmax())]
        report.add(where, f"lon must be within 180 and lat within 90 degrees{hint}", str(worst.tolist()))


def _is_position(position: object) -> bool:
    if type(position) is not list or not 2 <= len(position) <= 4:
        return False
    return all(type(c) is float or type(c) is int for c in position) and math.isfinite(sum(position))


def _whole_numbers(
    shapes: Sequence[list[list[npt.NDArray[np.float64]]]], name: str, wheres: Sequence[str], report: FileReport
) -> list[list[list[Ring]]]:
    """All rings turned to WGS-84 whole numbers at once, then opened and without repeated vertices."""
    rings = [ring for parts in shapes for part in parts for ring in part]
    joined = np.concatenate(rings) if rings else np.empty((0, 2))
    refuse_swapped(joined, report)
    x, y = crs.quantize(*crs.to_wgs84(joined[:, 0], joined[:, 1], name))
    pairs = iter(zip(x.tolist(), y.tolist(), strict=True))
    out = []
    for where, parts in zip(wheres, shapes, strict=True):
        out.append([_open_part(where, [list(islice(pairs, len(ring))) for ring in part], report) for part in parts])
    return out


def _open_part(where: str, rings: Sequence[Ring], report: FileReport) -> list[Ring]:
    return [_open(f"{where} ring {r}", ring, report) for r, ring in enumerate(rings)]


def refuse_swapped(positions: npt.NDArray[np.float64], report: FileReport) -> None:
    """A whole file between 3 and 54 east and 73 and 90 north is Arctic sea, or China with its coordinates swapped."""
    if len(positions) == 0:
        return
    low, high = positions.min(axis=0), positions.max(axis=0)
    if low[0] >= 3 and high[0] <= 54 and low[1] >= 73:
        report.add("", "lon comes first, then lat; are they swapped?", f"{positions[0].tolist()}")


def _open(where: str, ring: Ring, report: FileReport) -> Ring:
    vertices = [v for before, v in zip([ring[-1], *ring], ring, strict=False) if v != before]
    if vertices and vertices[0] == vertices[-1]:
        vertices.pop()
    if len(vertices) < 3 or twice_area(vertices) == 0:
        report.add(where, f"has no area at 1/{E7} degrees", f"{len(vertices)} different positions")
        return [(0, 0), (1, 0), (0, 1)]
    return vertices


def _in_degrees(reason: str) -> str:
    """GEOS names the place of a fault in our whole numbers, as `Self-intersection[x y]`; people read degrees."""
    text, bracket, place = reason.partition("[")
    try:
        x, y = place.rstrip("]").split()
        return f"{text.strip().lower()} at {float(x) / E7:.7f}, {float(y) / E7:.7f}"
    except ValueError:
        return text.strip().lower() + bracket + place
