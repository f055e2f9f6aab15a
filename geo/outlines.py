"""Outlines of streets, communities and the county, put together from their unit grids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import shapely
from shapely.geometry import mapping, shape

from geo.grids import GridSet


def outlines(grids: GridSet, digits: int) -> Mapping[str, Any]:
    """Return the GeoJSON geometry (WGS-84 degrees) of each division by its code, the first `digits` of its grids'.

    Grids that share no whole edges are united by area, which takes longer.
    """
    rows: dict[str, list[int]] = {}
    for row, code in enumerate(grids.codes):
        rows.setdefault(code[:digits], []).append(row)
    found = {}
    for code, members in rows.items():
        shapes = np.array([shape(grids.polygons.geometry(row)) for row in members])
        try:
            united = shapely.coverage_union_all(shapes)
        except shapely.GEOSException:
            united = shapely.union_all(shapes)
        found[code] = mapping(united)
    return found
