"""Compiled kernels of the polygon index.

Everything is decided on whole numbers. With |x| <= 1.8e9 and |y| <= 0.9e9 a product of two differences stays below
2**63; products are compared, never subtracted. A cell covers x from `low` to `high`, both included, likewise y. Its
anchor is the point (high + 1 - d, low + e) with d << e << 1: no vertex lies on a line through it, so no crossing is
doubtful.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from geo.compiled import compiled

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Whole = int | np.int64

_EDGES = "int32[::1], int32[::1], int32[::1], int32[::1]"
_OUTSIDE = -1


@compiled("int64(int64, int64, int64, int64, int64, int64)", inline="always")
def _side(x: Whole, y: Whole, x1: Whole, y1: Whole, x2: Whole, y2: Whole) -> int:
    """On which side of the line 1→2 the point lies: 1 left, -1 right, 0 on it."""
    rise = (x2 - x1) * (y - y1)
    run = (x - x1) * (y2 - y1)
    return 1 if rise > run else (-1 if rise < run else 0)


@compiled("int64(int64, int64, int64, int64, int64, int64)", inline="always")
def _side_moved(x: Whole, y: Whole, x1: Whole, y1: Whole, x2: Whole, y2: Whole) -> int:
    """The side of (x - d, y + e); never 0."""
    side = _side(x, y, x1, y1, x2, y2)
    if side != 0:
        return side
    if x2 != x1:
        return 1 if x2 > x1 else -1
    return 1 if y2 > y1 else -1


@compiled("int64(int64, int64, int64, int64, int64, int64[::1])")
def _columns_west(x1: Whole, y1: Whole, x2: Whole, y2: Whole, low: Whole, frame: Int64s) -> Whole:
    """How many columns have their anchor west of the place where this edge crosses the band's lower line."""
    west, shift, columns = frame[0], frame[2], frame[4]
    x = x1 + (x2 - x1) * ((low - y1) / (y2 - y1))
    column: Whole = min(max((np.int64(x) - west) >> shift, np.int64(0)), columns)
    left = 1 if y2 > y1 else -1
    while column > 0 and _side_moved(west + (column << shift), low, x1, y1, x2, y2) != left:
        column -= 1
    while column < columns and _side_moved(west + ((column + 1) << shift), low, x1, y1, x2, y2) == left:
        column += 1
    return column


@compiled("UniTuple(int64, 2)(int64, int64, int64, int64, int64, int64, int64[::1])")
def _columns_touched(
    x1: Whole, y1: Whole, x2: Whole, y2: Whole, low: Whole, high: Whole, frame: Int64s
) -> tuple[Whole, Whole]:
    """First and last column that the edge may touch between the band's lines, a unit too many at either end."""
    west, shift, columns = frame[0], frame[2], frame[4]
    x_low: Whole = min(x1, x2)
    x_high: Whole = max(x1, x2)
    if y1 != y2:
        slope = (x2 - x1) / (y2 - y1)
        at_low = x1 + (max(min(y1, y2), low) - y1) * slope
        at_high = x1 + (min(max(y1, y2), high + 1) - y1) * slope
        x_low = max(x_low, np.int64(np.floor(min(at_low, at_high))) - 2)
        x_high = min(x_high, np.int64(np.ceil(max(at_low, at_high))) + 2)
    first = (x_low - 1 - west) >> shift  # an edge on the first unit of a cell meets the anchor line of the cell before
    return max(first, 0), min((x_high - west) >> shift, columns - 1)


@compiled("Tuple((int64[::1], int64))(int64[::1], int64[::1])")
def _window(bounds: Int64s, frame: Int64s) -> tuple[Int64s, Whole]:
    """The part of the raster that a polygon's bounds touch, as a frame of its own, and its south-western cell."""
    west, south, shift_x, shift_y, columns = frame[0], frame[1], frame[2], frame[3], frame[4]
    first = max((bounds[0] - 1 - west) >> shift_x, np.int64(0))
    bottom = (bounds[1] - south) >> shift_y
    window = np.empty(6, np.int64)
    window[0], window[1] = west + (first << shift_x), south + (bottom << shift_y)
    window[2], window[3] = shift_x, shift_y
    window[4] = ((bounds[2] - west) >> shift_x) + 1 - first
    window[5] = ((bounds[3] - south) >> shift_y) + 1 - bottom
    return window, bottom * columns + first


@compiled("Tuple((int64[::1], int64[::1]))(int32[::1], int32[::1], int64, int64, int64[::1])")
def _by_band(y1: Int32s, y2: Int32s, start: Whole, end: Whole, frame: Int64s) -> tuple[Int64s, Int64s]:
    """Edges from start to end by the bands that they reach: members[ends[band]] up to members[ends[band + 1]]."""
    south, shift, bands = frame[1], frame[3], frame[5]
    ends = np.zeros(bands + 1, np.int64)
    for e in range(start, end):
        for band in range((min(y1[e], y2[e]) - south) >> shift, ((max(y1[e], y2[e]) - south) >> shift) + 1):
            ends[band + 1] += 1
    for band in range(bands):
        ends[band + 1] += ends[band]
    members = np.empty(ends[-1], np.int64)
    following = ends.copy()
    for e in range(start, end):
        for band in range((min(y1[e], y2[e]) - south) >> shift, ((max(y1[e], y2[e]) - south) >> shift) + 1):
            members[following[band]] = e
            following[band] += 1
    return ends, members


@compiled(f"void({_EDGES}, int64[::1], int64, int64[::1], int32[::1], uint8[::1], int64[:,::1])")
def _mark(
    x1: Int32s,
    y1: Int32s,
    x2: Int32s,
    y2: Int32s,
    edges: Int64s,
    low: Whole,
    frame: Int64s,
    touched: Int32s,
    crossed: Bytes,
    span: Int64s,
) -> None:
    """Mark a band: touched[c] counts the edges in column c, crossed[k] whether k anchors see an odd crossing.

    span[i] becomes the first and the last column that edge i touches.
    """
    high = low + (1 << frame[3]) - 1
    for i in range(edges.shape[0]):
        e = edges[i]
        span[i, 0], span[i, 1] = _columns_touched(x1[e], y1[e], x2[e], y2[e], low, high, frame)
        for column in range(span[i, 0], span[i, 1] + 1):
            touched[column] += 1
        if (y1[e] <= low) != (y2[e] <= low):
            crossed[_columns_west(x1[e], y1[e], x2[e], y2[e], low, frame)] ^= 1


@compiled("int64(int64, int64, int64, int32[::1], uint8[::1], int64[::1], int32[::1], int32[:,::1], int64)")
def _enter(
    polygon: Whole,
    first_cell: Whole,
    columns: Whole,
    touched: Int32s,
    crossed: Bytes,
    slot: Int64s,
    place: Int32s,
    entry: Int32s,
    used: Whole,
) -> Whole:
    """Enter a polygon into the cells of a band by its marks, and wipe these; return how many edges are used now."""
    odd = crossed[columns]
    crossed[columns] = 0
    for column in range(columns - 1, -1, -1):
        if touched[column] > 0 or odd:
            cell = first_cell + column
            if entry.shape[0] > 0:
                at = place[cell]
                entry[at, 0], entry[at, 1] = polygon, odd
                entry[at, 2], entry[at, 3] = used, used + touched[column]
                slot[column] = used
            place[cell] += 1
            used += touched[column]
        odd ^= crossed[column]
        touched[column] = 0
        crossed[column] = 0
    return used


@compiled(f"int64({_EDGES}, int64[::1], int64[:,::1], int64[::1], int32[::1], int32[:,::1], int32[:,::1])")
def paint(
    x1: Int32s,
    y1: Int32s,
    x2: Int32s,
    y2: Int32s,
    first_edge: Int64s,
    bounds: Int64s,
    frame: Int64s,
    place: Int32s,
    entry: Int32s,
    edge: Int32s,
) -> Whole:
    """Enter each polygon into the cells that it touches or fills; return how many edges of cells that takes.

    With an empty `entry` only count: place[cell] becomes the number of entries. Otherwise place[cell] is the cell's
    next free entry, and entry rows are (polygon, anchor inside, first edge, end of edges), edge rows x1, y1, x2, y2.
    """
    used: Whole = 0
    for polygon in range(first_edge.shape[0] - 1):
        mine, corner = _window(bounds[polygon], frame)
        ends, members = _by_band(y1, y2, first_edge[polygon], first_edge[polygon + 1], mine)
        touched, crossed = np.zeros(mine[4] + 1, np.int32), np.zeros(mine[4] + 1, np.uint8)
        slot = np.zeros(mine[4] + 1, np.int64)
        for band in range(mine[5]):
            edges = members[ends[band] : ends[band + 1]]
            span = np.empty((edges.shape[0], 2), np.int64)
            _mark(x1, y1, x2, y2, edges, mine[1] + (band << mine[3]), mine, touched, crossed, span)
            used = _enter(polygon, corner + band * frame[4], mine[4], touched, crossed, slot, place, entry, used)
            if edge.shape[0] > 0:
                for i in range(edges.shape[0]):
                    e = edges[i]
                    for column in range(span[i, 0], span[i, 1] + 1):
                        at = slot[column]
                        edge[at, 0], edge[at, 1], edge[at, 2], edge[at, 3] = x1[e], y1[e], x2[e], y2[e]
                        slot[column] += 1
    return used


@compiled("Tuple((int32[::1], int32[::1]))(int32[::1], int32[:,::1])")
def settle(first: Int32s, entry: Int32s) -> tuple[Int32s, Int32s]:
    """The answer of each cell, and the ends of the entries of border cells.

    A cell is -1 (nothing there), a polygon (it fills the cell, and none with a smaller row is there) or -2 - b:
    border cell b, whose entries are border[2 * b] up to border[2 * b + 1].
    """
    cells = first.shape[0] - 1
    cell = np.empty(cells, np.int32)
    border = np.empty(2 * cells, np.int32)
    count = 0
    for c in range(cells):
        at = first[c]
        if at == first[c + 1]:
            cell[c] = _OUTSIDE
        elif entry[at, 2] == entry[at, 3]:
            cell[c] = entry[at, 0]
        else:
            cell[c] = -2 - count
            border[2 * count], border[2 * count + 1] = at, first[c + 1]
            count += 1
    return cell, border[: 2 * count].copy()


@compiled("boolean(int64, int64, int64, int64, int32[:,::1], int64, int32[:,::1])")
def _contains(x: Whole, y: Whole, anchor_x: Whole, anchor_y: Whole, entry: Int32s, at: Whole, edge: Int32s) -> bool:
    """Walk from the point east to the anchor line and down to the anchor; count the edges crossed. Border is inside."""
    inside = bool(entry[at, 1])
    for i in range(entry[at, 2], entry[at, 3]):
        x1, y1, x2, y2 = np.int64(edge[i, 0]), np.int64(edge[i, 1]), np.int64(edge[i, 2]), np.int64(edge[i, 3])
        if (y1 <= y) != (y2 <= y):
            side = _side(x, y, x1, y1, x2, y2)
            if side == 0:
                return True
            if side != _side_moved(anchor_x, y, x1, y1, x2, y2):
                inside = not inside
        elif y == y1 and y == y2:
            if min(x1, x2) <= x <= max(x1, x2):
                return True
        elif (y == y1 and x == x1) or (y == y2 and x == x2):
            return True
        if (x1 < anchor_x) != (x2 < anchor_x):
            low_side = _side_moved(anchor_x, anchor_y, x1, y1, x2, y2)
            if low_side != _side_moved(anchor_x, y, x1, y1, x2, y2):
                inside = not inside
    return inside


@compiled("int32[::1](int32[::1], int32[::1], int64[::1], int32[::1], int32[::1], int32[:,::1], int32[:,::1])")
def locate(xs: Int32s, ys: Int32s, frame: Int64s, cell: Int32s, border: Int32s, entry: Int32s, edge: Int32s) -> Int32s:
    """The smallest polygon that contains each point, border included; -1 for none."""
    west, south, shift_x, shift_y, columns, rows = frame[0], frame[1], frame[2], frame[3], frame[4], frame[5]
    out = np.empty(xs.shape[0], np.int32)
    for i in range(xs.shape[0]):
        x, y = np.int64(xs[i]), np.int64(ys[i])
        column, row = (x - west) >> shift_x, (y - south) >> shift_y
        if column < 0 or row < 0 or column >= columns or row >= rows:
            out[i] = _OUTSIDE
            continue
        answer = cell[row * columns + column]
        if answer < _OUTSIDE:
            b = -2 - answer
            anchor_x, anchor_y = west + ((column + 1) << shift_x), south + (row << shift_y)
            answer = _OUTSIDE
            for at in range(border[2 * b], border[2 * b + 1]):
                if _contains(x, y, anchor_x, anchor_y, entry, at, edge):
                    answer = entry[at, 0]
                    break
        out[i] = answer
    return out
