"""Boxes and areas in requests."""

from __future__ import annotations

import math

from engine.api.problems import Problem

Box = tuple[float, float, float, float]


def parse_box(text: str | None) -> Box | None:
    """Return west, south, east, north in degrees of WGS-84 (borders included); 400 for anything else."""
    if text is None:
        return None
    parts = text.split(",")
    try:
        west, south, east, north = (float(part) for part in parts)
    except ValueError:
        raise _bad(text) from None
    if not all(map(math.isfinite, (west, south, east, north))):
        raise _bad(text)
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise _bad(text)
    return west, south, east, north


def _bad(text: str) -> Problem:
    return Problem(400, "bad_bbox", f"bbox must be west,south,east,north in degrees; got {text[:80]!r}")


def in_box(box: Box | None, lon: float | None, lat: float | None) -> bool:
    """Return whether a place lies in the box or on its border; without a box always, without a place never."""
    if box is None:
        return True
    return lon is not None and lat is not None and box[0] <= lon <= box[2] and box[1] <= lat <= box[3]


def in_area(area: str, grid: str | None) -> bool:
    """Return whether a grid code lies in an area (a prefix of grid codes); no grid only in the whole city."""
    return not area or (grid is not None and grid.startswith(area))


def touches_area(area: str, code: str) -> bool:
    """Return whether the area that a code names lies in `area` or holds it."""
    return code.startswith(area) or area.startswith(code)
