"""Do unit grids tile? Gaps, overlaps and the order of serials, found on the whole numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from geo import E7, codes
from geo.frame import LocalFrame
from geo.grids import GridSet
from geo.load import as_shapely


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that keeps the grids from tiling: `what` is overlap or gap; lon, lat in degrees; area in m²."""

    what: str
    codes: tuple[str, ...]
    lon: float
    lat: float
    area_m2: float

    def __str__(self) -> str:
        names = " and ".join(self.codes[:6]) + (" ..." if len(self.codes) > 6 else "")
        verb = "overlap" if self.what == "overlap" else "leave a gap between them"
        return f"{names} {verb}: {self.area_m2:.2f} m² at {self.lon:.7f}, {self.lat:.7f}"


def flaws(grids: GridSet) -> list[Flaw]:
    """Every pair of grids that overlaps, and every gap enclosed by grids, in the order of codes.

    Judged on whole numbers of 1e-7 degrees: grids that share all of their vertices tile exactly. A gap that is open to
    the outside is the city's outline, and no flaw.
    """
    if len(grids) == 0:
        return []
    shapes = as_shapely(grids.polygons)
    return [*_overlaps(grids, shapes), *_gaps(grids, shapes)]


def _overlaps(grids: GridSet, shapes: Any) -> Iterator[Flaw]:
    import shapely

    first, second = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    pairs = np.stack([first, second], axis=1)[first < second]
    inner = shapely.relate_pattern(shapes[pairs[:, 0]], shapes[pairs[:, 1]], "T********")
    for one, other in sorted(pairs[inner].tolist()):
        common = shapely.intersection(shapes[one], shapes[other])
        yield _flaw("overlap", (grids.codes[one], grids.codes[other]), common)


def _gaps(grids: GridSet, shapes: Any) -> Iterator[Flaw]:
    import shapely

    tree = shapely.STRtree(shapes)
    for part in shapely.get_parts(shapely.union_all(shapes)):
        for ring in part.interiors:
            hole = shapely.Polygon(ring)
            around = sorted(tree.query(hole, predicate="intersects").tolist())
            yield _flaw("gap", tuple(grids.codes[row] for row in around), hole)


def _flaw(what: str, names: tuple[str, ...], shape: Any) -> Flaw:
    place = shape.representative_point()
    lon, lat = place.x / E7, place.y / E7
    frame = LocalFrame.around(lon, lat)
    return Flaw(what, names, lon, lat, shape.area / E7**2 * frame.metres_per_lon * frame.metres_per_lat)


def out_of_order(grids: GridSet) -> list[str]:
    """Communities whose serials do not run from west to east in rows from north to south (a remark: cities renumber).

    Rows as in `geo.codes.generate`.
    """
    middles, bounds = grids.polygons.middles().astype(np.int64), grids.polygons.bounds().astype(np.int64)
    found = []
    for community, members in groupby(range(len(grids)), key=lambda row: grids.codes[row][:12]):
        rows = np.array(list(members))
        height = codes.row_height(bounds[rows, 3] - bounds[rows, 1])
        if codes.reading_order(middles[rows, 0], middles[rows, 1], height) != list(range(rows.size)):
            found.append(community)
    return found
