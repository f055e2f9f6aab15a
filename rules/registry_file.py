"""A registry from CSV or GeoJSON; a file with faults is refused, each fault named."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from geo import NO_PLACE
from geo.crs import quantize, to_wgs84
from rules.civil import CITY_TZ
from rules.document import FaultList, read_text
from rules.errors import RegistryRefused
from rules.instants import instant_ms
from rules.kinds import Kinds
from rules.registry import Registry, Row

COLUMNS = ("sensor", "kind", "lon", "lat", "crs", "department", "site", "since", "gateway", "drill")
CRS = ("wgs84", "cgcs2000", "gcj02", "bd09")
SENSOR = re.compile(r"[A-Za-z0-9._:-]{1,64}")
MAX_BYTES = 1 << 30
_FLAGS = {"": False, "false": False, "true": True}
_DEGREES = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?", re.ASCII)
_WGS84_NAMES = re.compile(r"(wgs84|.*(CRS84|EPSG:+4326))")


@dataclass(frozen=True, slots=True)
class _Source:
    """A row as text: its line (0 in GeoJSON, where `prefix` says which feature), its fields, the columns of these."""

    line: int
    prefix: str
    fields: dict[str, str]
    columns: dict[str, int]


@dataclass(slots=True)
class _Read:
    """Rows as they are read; places are converted together at the end."""

    faults: FaultList
    kinds: Kinds
    tz: str
    rows: list[Row] = field(default_factory=list)
    places: dict[str, list[tuple[int, float, float]]] = field(default_factory=dict)
    seen: dict[tuple[str, str], str] = field(default_factory=dict)


def load_registry(path: Path, kinds: Kinds, tz: str = CITY_TZ) -> Registry:
    """Read a registry; `.json` and `.geojson` are GeoJSON, anything else CSV (UTF-8 with a header line).

    An empty `crs` is wgs84. Raises RegistryRefused: unreadable, unknown columns, a kind or crs that nobody knows, two
    rows for one sensor and kind, half a place or one off the earth, a `since` that is no instant.
    """
    faults = FaultList(str(path))
    text = read_text(path, faults, MAX_BYTES)
    read = _Read(faults, kinds, tz)
    if text is not None:
        sources = _geojson(text, faults) if path.suffix.lower() in (".json", ".geojson") else _csv(text, faults)
        for source in sources:
            _row(source, read)
    if faults.faults:
        raise RegistryRefused(faults.faults)
    return Registry(_placed(read))


def _csv(text: str, faults: FaultList) -> Iterator[_Source]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        columns = {name: number + 1 for number, name in enumerate(header)}
        for name, number in columns.items():
            if name not in COLUMNS:
                faults.at(
                    1, number, name or "header", f"unknown column; known are {', '.join(COLUMNS)}", name or "nothing"
                )
        if len(columns) < len(header):
            faults.at(1, 1, "header", "a column must stand once", ", ".join(header))
        for name in ("sensor", "kind"):
            if name not in columns:
                faults.at(1, 1, name, "the column is required", ", ".join(header) or "nothing")
        if faults.faults:
            return
        line = reader.line_num + 1
        for values in reader:
            if len(values) == len(header):
                yield _Source(line, "", dict(zip(header, map(str.strip, values), strict=True)), columns)
            elif values:
                faults.at(line, 1, "row", f"must have {len(header)} fields as the header has", str(len(values)))
            line = reader.line_num + 1
    except csv.Error as error:
        faults.at(reader.line_num, 1, "csv", "must be well-formed CSV", str(error))


def _geojson(text: str, faults: FaultList) -> Iterator[_Source]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        line, column = (error.lineno, error.colno) if isinstance(error, json.JSONDecodeError) else (0, 0)
        faults.at(line, column, "json", "must be well-formed JSON", getattr(error, "msg", type(error).__name__))
        return
    features = data.get("features") if isinstance(data, dict) else None
    if not isinstance(features, list) or data.get("type") != "FeatureCollection":
        faults.at(0, 0, "type", "must be a FeatureCollection", type(data).__name__)
        return
    whole = _declared_crs(data)
    for number, feature in enumerate(features):
        key = f"features[{number}]"
        properties = feature.get("properties") if isinstance(feature, dict) else None
        if not isinstance(properties, dict):
            faults.at(0, 0, key, "must be a feature with properties", _short(feature))
            continue
        found = {name: _cell(properties[name]) for name in COLUMNS if name in properties}
        found.pop("lon", None)
        found.pop("lat", None)
        point = _point(feature.get("geometry"), key, faults)
        if point is not None:
            found |= point
        found.setdefault("crs", whole)
        yield _Source(0, f"{key}.", found, {})


def _point(geometry: Any, key: str, faults: FaultList) -> dict[str, str] | None:
    """Return the place of a feature as text; a feature without geometry has none."""
    if geometry is None:
        return None
    coordinates = geometry.get("coordinates") if isinstance(geometry, dict) else None
    if isinstance(geometry, dict) and geometry.get("type") == "Point" and isinstance(coordinates, list):
        numbers = [c for c in coordinates[:2] if isinstance(c, int | float) and not isinstance(c, bool)]
        if len(numbers) == 2 and len(coordinates) <= 3:
            return {"lon": repr(numbers[0]), "lat": repr(numbers[1])}
    faults.at(0, 0, f"{key}.geometry", "must be a Point of lon and lat, or null", _short(geometry))
    return None


def _declared_crs(data: dict[str, Any]) -> str:
    """Return the collection's crs, a name of ours or the old member that names WGS-84; "" if it says nothing."""
    crs = data.get("crs")
    if isinstance(crs, dict):
        crs = crs.get("properties", {}).get("name") if isinstance(crs.get("properties"), dict) else None
        crs = _short(data["crs"]) if crs is None else crs
    if crs is None:
        return ""
    return "wgs84" if _WGS84_NAMES.fullmatch(str(crs)) else str(crs)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value.strip() if isinstance(value, str) else _short(value)


def _row(source: _Source, read: _Read) -> None:
    """Check one row and keep it; its place waits for `_placed`."""
    get = source.fields.get

    def fault(name: str, rule: str, got: str) -> None:
        read.faults.at(source.line, source.columns.get(name, 0), source.prefix + name, rule, got or "nothing")

    sensor, kind = get("sensor", ""), get("kind", "")
    if not SENSOR.fullmatch(sensor):
        fault("sensor", "must be 1 to 64 of A-Z a-z 0-9 . _ : -", sensor)
    if kind not in read.kinds:
        fault("kind", "must be a known kind", kind)
    here = source.prefix.rstrip(".") or f"line {source.line}"
    first = read.seen.setdefault((sensor, kind), here)
    if first != here:
        fault("sensor", f"a sensor and kind must stand once (first: {first})", f"{sensor} {kind}")
    crs = get("crs", "") or "wgs84"
    if crs not in CRS:
        fault("crs", f"must be one of {', '.join(CRS)}", crs)
    since = get("since", "")
    since_ms = instant_ms(since, read.tz) if since else None
    if since and since_ms is None:
        fault("since", "must be ms, RFC 3339 with an offset, or a date", since)
    drill = get("drill", "").lower()
    if drill not in _FLAGS:
        fault("drill", "must be true, false or empty", drill)
    place = _place(get("lon", ""), get("lat", ""), fault)
    if place is not None:
        read.places.setdefault(crs, []).append((len(read.rows), *place))
    read.rows.append(
        Row(
            sensor,
            kind,
            department=get("department", ""),
            site=get("site", ""),
            since_ms=since_ms,
            gateway=get("gateway", ""),
            drill=_FLAGS.get(drill, False),
        )
    )


def _place(lon: str, lat: str, fault: Any) -> tuple[float, float] | None:
    if not lon and not lat:
        return None
    if not lon or not lat:
        fault("lat" if lon else "lon", "lon and lat must stand together", "")
        return None
    found = []
    for name, text, limit in (("lon", lon, 180.0), ("lat", lat, 90.0)):
        value = float(text) if _DEGREES.fullmatch(text) else math.nan
        if not abs(value) <= limit:
            fault(name, f"must be degrees from {-limit:g} to {limit:g}", text)
        found.append(value)
    return (found[0], found[1]) if abs(found[0]) <= 180 and abs(found[1]) <= 90 else None


def _placed(read: _Read) -> list[Row]:
    """Convert all places to WGS-84, one call a coordinate system."""
    lon_e7 = np.full(len(read.rows), NO_PLACE, np.int64)
    lat_e7 = np.full(len(read.rows), NO_PLACE, np.int64)
    for crs, places in read.places.items():
        number, lon, lat = (np.array(column) for column in zip(*places, strict=True))
        lon_e7[number.astype(np.int64)], lat_e7[number.astype(np.int64)] = quantize(*to_wgs84(lon, lat, crs))
    return [
        Row(row.sensor, row.kind, int(lon), int(lat), row.department, row.site, row.since_ms, row.gateway, row.drill)
        for row, lon, lat in zip(read.rows, lon_e7.tolist(), lat_e7.tolist(), strict=True)
    ]


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:79] + "…"
