"""Zone sets of a trial: boxes, so that a case reads without a map."""

from __future__ import annotations

import orjson

from geo.load import parse_polygons
from geo.zones import ZoneSet
from rules import fields
from rules.document import FaultList, Node


def read_zones(node: Node, faults: FaultList) -> dict[str, ZoneSet]:
    """Read `{set: [[west, south, east, north], …]}`, degrees WGS-84.

    Raises geo.errors.GeoError for a box that is none, or is off the earth.
    """
    section = fields.Section.open(node, "zones.", faults, None)
    if section is None:
        return {}
    sets = {
        name: [_box(box, section.key(name), faults) for box in value.items or []] for name, value in section.items()
    }
    for name, value in section.items():
        if not value.items:
            faults.add(value, section.key(name), "must be a list of boxes [west, south, east, north]")
    if faults.faults:
        return {}
    return {name: _zone_set(name, boxes, faults.file) for name, boxes in sets.items()}


def _box(node: Node, key: str, faults: FaultList) -> tuple[float, ...]:
    if node.items is None or len(node.items) != 4:
        faults.add(node, key, "must be a box [west, south, east, north]")
        return ()
    return tuple(fields.number(item, key, faults) or 0.0 for item in node.items)


def _zone_set(name: str, boxes: list[tuple[float, ...]], file: str) -> ZoneSet:
    features = []
    for west, south, east, north in boxes:
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        geometry = {"type": "Polygon", "coordinates": [ring]}
        features.append({"type": "Feature", "properties": {}, "geometry": geometry})
    data = orjson.dumps({"type": "FeatureCollection", "features": features})
    return ZoneSet(name, parse_polygons(data, file, "wgs84").polygons)
