"""A city's own files in: grids, zones, roads and sensors of any declared coordinate system, as they are kept here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final, Generic, TypeVar

import numpy as np

from geo import E7, NO_PLACE, attributes, codes
from geo.attributes import text
from geo.document import Opened
from geo.errors import BadCode, Fault, FileRefused
from geo.frame import LocalFrame
from geo.grids import CODE_KEYS, GridSet
from geo.lines import Line, Lines, Points
from geo.load import Layer
from geo.roads import RoadGraph

COLUMNS: Final = ("sensor", "kind", "lon", "lat", "crs", "department", "site", "since", "gateway")
T = TypeVar("T")
GRID_NAMES: Final = attributes.table(attributes.GRID)


@dataclass(frozen=True, slots=True)
class Taken(Generic[T]):
    """What was made of a file, and the attributes that were left out since nothing here asks for them."""

    what: T
    left_out: tuple[str, ...]


def carries_codes(opened: Opened) -> bool:
    """Whether any feature has a unit-grid code, or what looks like one: then the file is of grids, else of zones."""
    found = opened.properties()
    if {key.lower() for properties in found for key in properties} & set(CODE_KEYS):
        return True
    if any(codes.problem(str(feature.get("id"))) is None for _, feature in opened.features):
        return True
    return any(codes.problem(text(renamed.get("code"))) is None for renamed, _ in map(_renamed, found))


def _renamed(properties: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    return attributes.renamed(properties, GRID_NAMES)


def grids(layer: Layer) -> Taken[GridSet]:
    """The layer as grids under our names. Raises FileRefused with every bad, missing or repeated code."""
    named, left_out = _named(layer)
    return Taken(_told(GridSet.from_layer(named)), left_out)


def _named(layer: Layer) -> tuple[Layer, tuple[str, ...]]:
    rows = [_renamed(properties) for properties in layer.properties]
    unknown = {name: None for _, names in rows for name in names}
    properties: list[Mapping[str, Any]] = [
        {name: text(value) for name, value in row.items() if text(value)} for row, _ in rows
    ]
    return replace(layer, properties=properties), tuple(unknown)


def _told(found: GridSet) -> GridSet:
    """The same grids, each with its divisions, its department by code and name, and its size, as far as they say."""
    rows = [_divided(code, dict(p)) for code, p in zip(found.codes, found.properties, strict=True)]
    offices: dict[str, set[str]] = {}
    for row in rows:
        offices.setdefault(row["street"], set()).add(row.get("department_name", ""))
    b = found.polygons.bounds() / E7
    for row, box in zip(rows, b.tolist(), strict=True):
        office = row.get("department_name", "")
        if office and "department" not in row:
            row["department"] = row["street"] if len(offices[row["street"]]) == 1 else office
        row["size_m"] = int(row["size_m"]) if row.get("size_m", "").isdigit() else round(_area_m2(*box) ** 0.5)
    return GridSet(found.codes, found.polygons, rows)


def _divided(code: str, row: dict[str, Any]) -> dict[str, Any]:
    """Codes of street and community are those of the grid's own code; texts where codes were meant are names."""
    for ours, name in (("street", "street_name"), ("community", "community_name"), ("department", "department_name")):
        if ours in row and not row[ours].isascii():
            row.setdefault(name, row.pop(ours))
    row |= {"street": code[:9], "community": code[:12]}
    row.pop("code", None)
    place = f"{row.get('street_name', '')}{row.get('community_name', '')}"
    row.setdefault("name", f"{place}第{int(code[12:])}网格" if place else code)
    return row


def _area_m2(west: float, south: float, east: float, north: float) -> float:
    frame = LocalFrame.around(west, south)
    return (east - west) * frame.metres_per_lon * (north - south) * frame.metres_per_lat


def numbered(layer: Layer) -> Taken[GridSet]:
    """Give the layer's polygons new codes: serials by place within the `community` (12 digits) that each names.

    Raises FileRefused for a feature without such a community, and for a community of more than 999 grids.
    """
    layer, left_out = _named(layer)
    community = [properties.get("community", "") for properties in layer.properties]
    faults = [
        Fault(layer.file, where, "to be numbered, must name its community by 12 digits", repr(c))
        for where, c in zip(layer.wheres, community, strict=True)
        if codes.problem(f"{c}001") is not None
    ]
    code_of = [""] * len(community)
    middle, bounds = layer.polygons.middles(), layer.polygons.bounds().astype(np.int64)
    for name in sorted(set(community)) if not faults else []:
        rows = np.array([i for i, c in enumerate(community) if c == name])
        height = codes.row_height(bounds[rows, 3] - bounds[rows, 1])
        try:
            found = codes.generate(name, middle[rows, 0], middle[rows, 1], height)
        except BadCode as error:
            faults.append(Fault(layer.file, "", str(error), ""))
            continue
        for row, code in zip(rows.tolist(), found, strict=True):
            code_of[row] = code
    if faults:
        raise FileRefused(faults)
    order = np.argsort(np.array(code_of))
    ordered = [code_of[i] for i in order.tolist()]
    properties = [layer.properties[i] for i in order.tolist()]
    return Taken(_told(GridSet(ordered, layer.polygons.take(order), properties)), left_out)


def roads(lines: Lines) -> Taken[RoadGraph]:
    """The lines as a road graph under our names, cut where they share a vertex."""
    table = attributes.table(attributes.ROAD)
    rows = [attributes.renamed(properties, table) for properties in lines.properties]
    paths: list[Line] = []
    properties: list[Mapping[str, Any]] = []
    for stretches, (row, _) in zip(_cut(lines.paths), rows, strict=True):
        told = {**row, "muck": attributes.yes(row.get("muck")), "width_m": _number(row.get("width_m"))}
        paths += stretches
        properties += [told] * len(stretches)
    return Taken(RoadGraph(paths, properties), tuple({name: None for _, names in rows for name in names}))


def _cut(paths: Sequence[Line]) -> Iterator[list[Line]]:
    """The stretches of each line between places that other lines (or it itself) come to as well."""
    times = Counter(place for path in paths for place in path)
    for path in paths:
        ends = [i for i, place in enumerate(path) if times[place] > 1 or i in (0, len(path) - 1)]
        yield [path[a : b + 1] for a, b in pairwise(ends)]


def _number(value: Any) -> float | None:
    try:
        return float(text(value))
    except ValueError:
        return None


def sensors(
    points: Points, file: str, kinds: Mapping[str, str], departments: Mapping[str, str]
) -> Taken[list[tuple[str, ...]]]:
    """Rows of a registry, in the order of COLUMNS, sorted; `kinds`, `departments`: our names by any name for them.

    Raises FileRefused with every row that lacks a sensor or a kind, has an unknown kind, or stands twice.
    """
    table = attributes.table(attributes.SENSOR)
    renamed = [attributes.renamed(properties, table) for properties in points.properties]
    rows = [_sensor(row, x, y, kinds, departments) for (row, _), x, y in zip(
        renamed, points.lon_e7.tolist(), points.lat_e7.tolist(), strict=True)]  # fmt: skip
    faults = list(_sensor_faults(rows, points.wheres, file, kinds))
    if faults:
        raise FileRefused(faults)
    return Taken(sorted(rows), tuple({name: None for _, names in renamed for name in names}))


def _sensor(
    row: Mapping[str, Any], x: int, y: int, kinds: Mapping[str, str], departments: Mapping[str, str]
) -> tuple[str, ...]:
    kind, department = text(row.get("kind")), text(row.get("department"))
    place = ("", "", "") if x == NO_PLACE else (f"{x / E7:.7f}", f"{y / E7:.7f}", "wgs84")
    rest = text(row.get("site")), text(row.get("since")).replace("/", "-"), text(row.get("gateway"))
    return (text(row.get("sensor")), kinds.get(kind, kind), *place, departments.get(department, department), *rest)


def _sensor_faults(
    rows: Sequence[tuple[str, ...]], wheres: Sequence[str], file: str, kinds: Mapping[str, str]
) -> Iterator[Fault]:
    known = set(kinds.values())
    times = Counter((row[0], row[1]) for row in rows)
    for row, where in zip(rows, wheres, strict=True):
        if not row[0]:
            yield Fault(file, where, "a sensor must have an id: `sensor`, 设备编号 or 传感器编号", "none")
        elif row[1] not in known:
            yield Fault(file, where, "its kind must be one of the kinds or of their Chinese titles", repr(row[1]))
        elif times[row[0], row[1]] > 1:
            yield Fault(file, where, "a sensor stands once for a kind", f"{row[0]} {row[1]}")
