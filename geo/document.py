"""A file of features opened: read, measured, its coordinate system found, every feature and position checked.

GeoJSON as it is; a Shapefile or GeoPackage as the GeoJSON that it says (geo/vector.py). Nothing here calls GEOS.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from geo import geojson_text, table, vector
from geo.errors import Fault, FileRefused
from geo.reading import MAX_FEATURES, How
from geo.source_crs import SourceCrs, UnusableCrs, declared

_MAX_FAULTS: Final = 1_000
_WGS84: Final = SourceCrs("wgs84")
_SHIFTED: Final = ("gcj02", "bd09")
POLYGONS: Final = ("Polygon", "MultiPolygon")
LINES: Final = ("LineString", "MultiLineString")
POINTS: Final = ("Point",)
Floats = npt.NDArray[np.float64]


@dataclass
class FileReport:
    """What is wrong with a file, and how its positions are to be read."""

    file: str
    faults: list[Fault] = field(default_factory=list)
    lat_first: bool = False
    in_degrees: bool = True

    def add(self, where: str, rule: str, got: object = "") -> None:
        """Note a fault; too many end the reading. Raises FileRefused."""
        text = got if isinstance(got, str) else repr(got)
        self.faults.append(Fault(self.file, where, rule, text if len(text) <= 120 else text[:117] + "..."))
        if len(self.faults) >= _MAX_FAULTS:
            self.faults.append(Fault(self.file, "", f"more than {_MAX_FAULTS} faults; the rest is not listed", ""))
            self.stop_if_faulty()

    def stop_if_faulty(self) -> None:
        """Raise FileRefused if there is any fault."""
        if self.faults:
            raise FileRefused(self.faults)


@dataclass(frozen=True, slots=True)
class Opened:
    """A file whose features have been read, but not their geometry; `report` has the faults so far."""

    report: FileReport
    crs: SourceCrs
    features: list[tuple[str, Mapping[str, Any]]]
    remarks: tuple[str, ...] = ()

    @property
    def shapes(self) -> tuple[str, ...]:
        """POLYGONS, LINES or POINTS: what its first geometry is; POLYGONS if it is none of them."""
        for _, feature in self.features:
            geometry = feature.get("geometry")
            kind = geometry.get("type") if isinstance(geometry, dict) else None
            for shapes in (POLYGONS, LINES, POINTS):
                if kind in shapes:
                    return shapes
        return POLYGONS

    def properties(self) -> list[Mapping[str, Any]]:
        """What each feature says of itself, in the order of the file."""
        return [feature.get("properties") or {} for _, feature in self.features]


def open_file(path: Path, how: How) -> Opened:
    """Read a file. Raises FileRefused where its features can't be told; lesser faults are in the report."""
    with nothing_collected():
        if path.suffix.lower() in vector.SUFFIXES:
            document, remarks = vector.read(path, how)
            return open_document(document, str(path), how, remarks)
        if path.suffix.lower() == ".csv":
            return open_document(table.read(path, how), str(path), how)
        return open_document(geojson_text.document(geojson_text.read_bytes(path), str(path)), str(path), how)


def open_document(document: Mapping[str, Any], file: str, how: How, remarks: Sequence[str] | None = None) -> Opened:
    """The same from a GeoJSON object; with `remarks`: from a format that has no way to say GCJ-02 or BD-09."""
    report = FileReport(file, lat_first=how.lat_first)
    told = None if remarks is None else list(remarks)
    crs = _crs(document, how, report, told)
    report.in_degrees = not crs.projected
    return Opened(report, crs, list(_features(document, report)), tuple(told or ()))


@contextmanager
def nothing_collected() -> Iterator[None]:
    """Spare the search for garbage among a large file's many small lists, none of which is garbage yet."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _crs(document: Mapping[str, Any], how: How, report: FileReport, remarks: list[str] | None) -> SourceCrs:
    """What the file and the caller declare; `remarks` is given if the caller may overrule WGS-84."""
    member = document.get("crs")
    named = _understood(_crs_text(member), "crs", member, report) if member is not None else None
    told = _understood(how.declared, "--crs", how.declared, report) if how.declared is not None else None
    if told is not None and named is not None and not told.same(named):
        if remarks is None or named.projected or told.name not in _SHIFTED:
            report.add("crs", f"the file says {named.name}, the caller says {told.name}", "two coordinate systems")
        else:
            remarks.append(
                f"the file says {named.name}, as such files do whatever is in them; it is read as {told.name}"
            )
    if how.declared is None and member is None and how.assume is None:
        report.add("crs", "a file must declare its coordinate system: a `crs` member, or --crs", "none")
    return told or named or (declared(how.assume) if how.assume else _WGS84)


def _understood(text: str | None, where: str, got: object, report: FileReport) -> SourceCrs | None:
    try:
        return declared(text or "")
    except UnusableCrs as error:
        report.add(where, str(error), got)
    return None


def _crs_text(member: object) -> str:
    """The name in the `crs` member of GeoJSON 2008, or a plain text."""
    if isinstance(member, dict) and isinstance(member.get("properties"), dict):
        member = member["properties"].get("name")
    return member if isinstance(member, str) else ""


def _features(document: Mapping[str, Any], report: FileReport) -> Iterator[tuple[str, Mapping[str, Any]]]:
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
    elif kind in (*POLYGONS, *LINES, *POINTS):
        yield "geometry", {"geometry": document}
    else:
        report.add("type", "must be FeatureCollection, Feature, Polygon or MultiPolygon", kind)


def _feature(feature: object, where: str, report: FileReport) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        report.add(where, "must be a Feature", feature)
    elif not isinstance(feature.get("properties"), dict | None):
        report.add(f"{where}.properties", "must be an object or null", feature["properties"])
    elif not isinstance(feature.get("id"), str | int | None):
        report.add(f"{where}.id", "must be a string or a number", feature["id"])
    else:
        yield label((where, feature)), feature


def label(feature: tuple[str, Mapping[str, Any]]) -> str:
    """How faults name a feature: its position, and the name or code that it carries."""
    where, body = feature
    properties = body.get("properties")
    if isinstance(properties, dict):
        for key in ("code", "grid", "name", "网格编码", "网格名称"):
            if isinstance(properties.get(key), str):
                return f"{where} ({key} {properties[key]})"
    return where


def positions(raw: object, where: str, least: int, report: FileReport) -> Floats | None:
    """float64[n, 2] of a list of positions, `least` of them at least; None with a fault for anything else."""
    if not isinstance(raw, list) or len(raw) < least:
        ring = ", the last equal to the first"
        report.add(where, f"must have at least {least} positions{ring if least == 4 else ''}", raw)
        return None
    bad = next((i for i, position in enumerate(raw) if not _is_position(position)), None)
    if bad is not None:
        report.add(f"{where} position {bad}", "must be [lon, lat], two finite numbers", raw[bad])
        return None
    line = np.array([position[:2] for position in raw], np.float64)
    if report.lat_first:
        line = np.ascontiguousarray(line[:, ::-1])
    if report.in_degrees:
        _check_on_earth(line, where, report)
    return line


def _check_on_earth(line: Floats, where: str, report: FileReport) -> None:
    lon, lat = np.abs(line).max(axis=0)
    if lon > 180 or lat > 90:
        hint = "; are they swapped? lon comes first" if lon <= 90 and lat <= 180 else ""
        worst = line[int(np.maximum(np.abs(line[:, 0]) / 180, np.abs(line[:, 1]) / 90).argmax())]
        report.add(where, f"lon must be within 180 and lat within 90 degrees{hint}", str(worst.tolist()))


def _is_position(position: object) -> bool:
    if type(position) is not list or not 2 <= len(position) <= 4:
        return False
    return all(type(c) is float or type(c) is int for c in position) and math.isfinite(sum(position))


def stop_if_misplaced(opened: Opened) -> None:
    """One fault for a file whose places are all swapped, or far from where its projection holds. Raises FileRefused."""
    first = [place for _, feature in opened.features if (place := _first_position(feature.get("geometry"))) is not None]
    if not first:
        return
    xy = np.array(first, np.float64)
    if opened.report.lat_first:
        xy = np.ascontiguousarray(xy[:, ::-1])
    why = opened.crs.misplaced(xy[:, 0], xy[:, 1])
    if why is not None:
        opened.report.faults.clear()
        opened.report.add("", why, str(first[0]))
        opened.report.stop_if_faulty()


def _first_position(geometry: object) -> list[float] | None:
    found = geometry.get("coordinates") if isinstance(geometry, dict) else None
    while isinstance(found, list) and found and isinstance(found[0], list):
        found = found[0]
    return found[:2] if _is_position(found) and isinstance(found, list) else None
