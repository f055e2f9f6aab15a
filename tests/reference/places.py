"""Points and polygons on whole numbers of 1e-7 degrees; rings are lists of (lon_e7, lat_e7), not closed."""

from __future__ import annotations


def on_segment(px: int, py: int, ax: int, ay: int, bx: int, by: int) -> bool:
    cross = (bx - ax) * (py - ay) - (by - ay) * (px - ax)
    return cross == 0 and min(ax, bx) <= px <= max(ax, bx) and min(ay, by) <= py <= max(ay, by)


def ring_holds(ring: list[tuple[int, int]], x: int, y: int) -> tuple[bool, bool]:
    """Say (on the border, strictly inside by the even-odd rule)."""
    inside = False
    for (ax, ay), (bx, by) in zip(ring, ring[1:] + ring[:1], strict=True):
        if on_segment(x, y, ax, ay, bx, by):
            return True, False
        if (ay > y) != (by > y):
            left = (bx - ax) * (y - ay) - (x - ax) * (by - ay)
            if (left > 0) == (by > ay):
                inside = not inside
    return False, inside


def covers(rings: list[list[tuple[int, int]]], x: int, y: int) -> bool:
    """Say whether the point lies in or on the border of a polygon with holes."""
    border, inside = ring_holds(rings[0], x, y)
    if border or not inside:
        return border
    for hole in rings[1:]:
        border, within = ring_holds(hole, x, y)
        if border:
            return True
        if within:
            return False
    return True
