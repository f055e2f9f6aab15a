"""Outlines of streets, communities and the county, put together from their unit grids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import shapely
from shapely.geometry import mapping

from geo import E7
from geo.grids import GridSet
from geo.load import as_shapely


def outlines(grids: GridSet, digits: int) -> Mapping[str, Any]:
    """Return the GeoJSON geometry (WGS-84 degrees) of each division by its code, the first `digits` of its grids'.

    Grids that share no whole edges are united by area, which takes longer.
    """
    shapes = shapely.transform(as_shapely(grids.polygons), lambda xy: xy / E7)
    rows: dict[str, list[int]] = {}
    for row, code in enumerate(grids.codes):
        rows.setdefault(code[:digits], []).append(row)
    return {code: mapping(_united(shapes[np.array(members)])) for code, members in rows.items()}


def _united(shapes: Any) -> Any:
    try:
        return shapely.coverage_union_all(shapes)
    except shapely.GEOSException:
        return shapely.union_all(shapes)
