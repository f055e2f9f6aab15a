"""Do polygons tile? Gaps, overlaps and slivers, found on whole numbers of 1e-7 degrees; and the order of serials.

Polygons that share all of their vertices tile exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from geo import E7, codes
from geo.frame import LocalFrame
from geo.grids import GridSet
from geo.load import as_shapely

SLIT_M: Final = 2.0
"""A slit between grids that opens to the outside is a gap if it is not wider than this ..."""
_SLIT_LONG_M: Final = 10.0
"""... and at least this long; anything else at the edge is the city's outline."""
SLIVER_M: Final = 5.0
"""A grid is a sliver if it is thinner than this on average."""
Shapes = npt.NDArray[np.object_]
Flaws = Iterator[tuple[tuple[int, ...], Any]]
"""Which polygons (rows) a flaw lies between, and its shape."""


def flaws(grids: GridSet) -> list[tuple[tuple[int, ...], Any]]:
    """Every overlap and every gap of grids."""
    shapes = as_shapely(grids.polygons)
    return [*overlaps(shapes), *gaps(shapes)]


def overlaps(shapes: Shapes) -> Flaws:
    """Every pair of valid shapes that share area, in order."""
    import shapely

    if not len(shapes) or shapely.coverage_is_valid(shapes):
        return
    first, second = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    pairs = np.stack([first, second], axis=1)[first < second]
    inner = shapely.relate_pattern(shapes[pairs[:, 0]], shapes[pairs[:, 1]], "T********")
    for one, other in sorted(pairs[inner].tolist()):
        yield (one, other), shapely.intersection(shapes[one], shapes[other])


def gaps(shapes: Shapes) -> Flaws:
    """Every place that valid shapes enclose and none covers, and every slit between them."""
    import shapely

    if not len(shapes):
        return
    tile = shapely.coverage_is_valid(shapes)
    united = shapely.coverage_union_all(shapes) if tile else shapely.union_all(shapes)
    holes = [shapely.Polygon(ring) for part in shapely.get_parts(united) for ring in part.interiors]
    tree = shapely.STRtree(shapes)
    for hole in [*holes, *_slits(united)]:
        near = sorted(tree.query(hole, predicate="intersects").tolist())
        inside = [row for row in near if shapely.contains_properly(hole, shapes[row])]
        yield tuple(near), shapely.difference(hole, shapely.union_all(shapes[inside])) if inside else hole


def _slits(united: Any) -> Iterator[Any]:
    """What a line SLIT_M wide cannot enter from outside: thin and long, between two shapes."""
    import shapely

    frame = _frame(united)
    metres = shapely.transform(united, lambda xy: np.stack(frame.to_metres(*(xy / E7).T), axis=1))
    filled = shapely.union_all([shapely.Polygon(part.exterior) for part in shapely.get_parts(metres)])
    half = SLIT_M / 2
    closed = filled.buffer(half, join_style="mitre", mitre_limit=2.0).buffer(-half, join_style="mitre", mitre_limit=2.0)
    for slit in shapely.get_parts(closed.difference(filled)):
        if slit.length / 2 >= _SLIT_LONG_M and 2 * slit.area / slit.length <= SLIT_M and slit.area > 0.01:
            yield shapely.transform(slit, lambda xy: np.stack(frame.to_degrees(*xy.T), axis=1) * E7)


def slivers(shapes: Shapes) -> Flaws:
    """Every shape that is thinner than SLIVER_M on average: twice its area over its outline."""
    for row, shape in enumerate(shapes.tolist()):
        if width_m(shape) < SLIVER_M:
            yield (row,), shape


def width_m(shape: Any) -> float:
    """How wide a shape is on average, metres."""
    frame = _frame(shape)
    outline = 0.0
    for part in getattr(shape, "geoms", [shape]):
        x, y = frame.to_metres(*(np.array(part.exterior.coords) / E7).T)
        outline += float(np.hypot(np.diff(x), np.diff(y)).sum())
    return 2 * area_m2(shape) / outline if outline else 0.0


def area_m2(shape: Any) -> float:
    """The area of a shape in whole numbers, m²."""
    frame = _frame(shape)
    return float(shape.area / E7**2 * frame.metres_per_lon * frame.metres_per_lat)


def _frame(shape: Any) -> LocalFrame:
    west, south, east, north = shape.bounds
    return LocalFrame.around((west + east) / 2 / E7, (south + north) / 2 / E7)


def out_of_order(grids: GridSet) -> list[int]:
    """The first grid, by row, of each community whose serials do not run from west to east, north to south.

    A remark: cities renumber. Rows as in `geo.codes.generate`.
    """
    middles, bounds = grids.polygons.middles().astype(np.int64), grids.polygons.bounds().astype(np.int64)
    found = []
    for _, members in groupby(range(len(grids)), key=lambda row: grids.codes[row][:12]):
        rows = np.array(list(members))
        height = codes.row_height(bounds[rows, 3] - bounds[rows, 1])
        order = codes.reading_order(middles[rows, 0], middles[rows, 1], height)
        wrong = [at for at, expected in enumerate(order) if at != expected]
        if wrong:
            found.append(int(rows[wrong[0]]))
    return found
