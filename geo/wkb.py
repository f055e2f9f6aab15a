"""Well-known binary geometry read into GeoJSON objects, so that every file goes through the same checks.

Nothing of GEOS is called; a part of a geometry may only be of the simple type that its whole asks for.
"""

from __future__ import annotations

import struct
from typing import Any, Final

import numpy as np

_SIMPLE: Final = {1: "Point", 2: "LineString", 3: "Polygon"}
_MANY: Final = {4: ("MultiPoint", 1), 5: ("MultiLineString", 2), 6: ("MultiPolygon", 3)}


class TornGeometry(ValueError):
    """Bytes that are no geometry, or one cut short."""


def geometry(data: bytes) -> dict[str, Any]:
    """The GeoJSON object of WKB (ISO or extended, little or big endian). Raises TornGeometry.

    Heights and measures are dropped. A type that is none of the six keeps its number as its `type`.
    """
    found, end = _geometry(data, 0, None)
    if end != len(data):
        raise TornGeometry(f"{len(data) - end} bytes more than its geometry")
    return found


def _geometry(data: bytes, at: int, wanted: int | None) -> tuple[dict[str, Any], int]:
    order, kind, width, at = _head(data, at)
    if wanted is not None and kind != wanted:
        raise TornGeometry(f"a part of type {kind} where {wanted} must stand")
    if kind == 1:
        xy, at = _positions(data, at, order, width, 1)
        return {"type": "Point", "coordinates": xy[0]}, at
    if kind == 2:
        xy, at = _sequence(data, at, order, width)
        return {"type": "LineString", "coordinates": xy}, at
    if kind == 3:
        count, at = _count(data, at, order, 4)
        rings = []
        for _ in range(count):
            ring, at = _sequence(data, at, order, width)
            rings.append(ring)
        return {"type": "Polygon", "coordinates": rings}, at
    if kind in _MANY:
        name, part_kind = _MANY[kind]
        count, at = _count(data, at, order, 5)
        parts = []
        for _ in range(count):
            part, at = _geometry(data, at, part_kind)
            parts.append(part["coordinates"])
        return {"type": name, "coordinates": parts}, at
    return {"type": f"type {kind}"}, len(data)


def _head(data: bytes, at: int) -> tuple[str, int, int, int]:
    """Byte order, type 1-7, numbers of a position, and where the body begins."""
    if len(data) < at + 5 or data[at] > 1:
        raise TornGeometry("no geometry")
    order = "<" if data[at] else ">"
    (code,) = struct.unpack_from(f"{order}I", data, at + 1)
    flags, plain = code >> 29, code & 0x1FFFFFFF
    extra = plain // 1000
    width = 2 + (1 if flags & 4 or extra in (1, 3) else 0) + (1 if flags & 2 or extra in (2, 3) else 0)
    return order, plain % 1000, width, at + 5 + (4 if flags & 1 else 0)


def _count(data: bytes, at: int, order: str, each: int) -> tuple[int, int]:
    if len(data) < at + 4:
        raise TornGeometry("cut short")
    (count,) = struct.unpack_from(f"{order}I", data, at)
    if count * each > len(data) - at - 4:
        raise TornGeometry("cut short")
    return count, at + 4


def _sequence(data: bytes, at: int, order: str, width: int) -> tuple[list[Any], int]:
    count, at = _count(data, at, order, 8 * width)
    return _positions(data, at, order, width, count)


def _positions(data: bytes, at: int, order: str, width: int, count: int) -> tuple[list[Any], int]:
    size = 8 * width * count
    if len(data) < at + size:
        raise TornGeometry("cut short")
    xy = np.frombuffer(data, f"{order}f8", width * count, at).reshape(count, width)[:, :2]
    return xy.tolist(), at + size
