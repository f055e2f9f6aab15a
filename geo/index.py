"""Exact index from points to polygons, for batches.

A raster lies over the polygons. A cell that no border touches holds the one answer for all of it. A border cell lists
its polygons in ascending order, each with the edges that touch the cell and with whether the cell's anchor lies inside;
the test counts the edges between the point and the anchor.
"""

from __future__ import annotations

from types import ModuleType
from typing import Final

import numpy as np
import numpy.typing as npt

from geo.polygons import Polygons

Int32s = npt.NDArray[np.int32]

_MAX_CELLS: Final = 1 << 22
_CELLS_ACROSS: Final = 8  # of a middling polygon


class PolygonIndex:
    """Which polygon holds a point: the one with the smallest row of those that contain it, border included.

    Exact on whole numbers, anywhere on earth. Polygons do not cross the antimeridian.
    """

    def __init__(self, polygons: Polygons) -> None:
        bounds = polygons.bounds().astype(np.int64)
        self._frame = _frame(bounds, polygons.x.size)
        raster = _kernels()
        x1, y1, x2, y2 = _edges(polygons)
        first_edge = polygons.ring[polygons.part[polygons.row]].astype(np.int64)
        count = np.zeros(int(self._frame[4] * self._frame[5]), np.int32)
        nothing = np.empty((0, 4), np.int32)
        edges = raster.paint(x1, y1, x2, y2, first_edge, bounds, self._frame, count, nothing, nothing)
        first = np.concatenate([[0], np.cumsum(count, dtype=np.int64)]).astype(np.int32)
        self._entry = np.empty((int(first[-1]), 4), np.int32)
        self._edge = np.empty((edges, 4), np.int32)
        raster.paint(x1, y1, x2, y2, first_edge, bounds, self._frame, first[:-1].copy(), self._entry, self._edge)
        self._cell, self._border = raster.settle(first, self._entry)

    def locate(self, lon_e7: npt.NDArray[np.int32], lat_e7: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """The row of the polygon that holds each point, int32[n]; -1 for none and for NO_PLACE."""
        x, y = np.ascontiguousarray(lon_e7, np.int32), np.ascontiguousarray(lat_e7, np.int32)
        if x.shape != y.shape or x.ndim != 1:
            raise ValueError(f"lon_e7 and lat_e7 must be of one length; got shapes {x.shape} and {y.shape}")
        rows: npt.NDArray[np.int32] = _kernels().locate(
            x, y, self._frame, self._cell, self._border, self._entry, self._edge
        )
        return rows


def _kernels() -> ModuleType:
    from geo import raster  # compiled code is loaded by those who ask for a place

    return raster


def _frame(bounds: npt.NDArray[np.int64], vertices: int) -> npt.NDArray[np.int64]:
    """int64[6]: west, south, width and height of a cell as powers of two, columns, rows of the raster."""
    if bounds.shape[0] == 0:
        return np.array([0, 0, 0, 0, 0, 0], np.int64)
    west, south = int(bounds[:, 0].min()), int(bounds[:, 1].min())
    wide, high = int(bounds[:, 2].max()) - west, int(bounds[:, 3].max()) - south
    x, y = _shift(bounds[:, 2] - bounds[:, 0]), _shift(bounds[:, 3] - bounds[:, 1])
    while _cells(wide, x, high, y) < min(2 * vertices, _MAX_CELLS) and x > 0 and y > 0:
        x, y = x - 1, y - 1
    while _cells(wide, x, high, y) > _MAX_CELLS:
        x, y = (x + 1, y) if wide >> x >= high >> y else (x, y + 1)
    return np.array([west, south, x, y, (wide >> x) + 1, (high >> y) + 1], np.int64)


def _cells(wide: int, x: int, high: int, y: int) -> int:
    return ((wide >> x) + 1) * ((high >> y) + 1)


def _shift(sizes: npt.NDArray[np.int64]) -> int:
    return max(1, int(np.median(sizes)) // _CELLS_ACROSS).bit_length() - 1


def _edges(p: Polygons) -> tuple[Int32s, Int32s, Int32s, Int32s]:
    """x1, y1, x2, y2 of every edge, int32[v]; edge i starts at vertex i."""
    following = np.arange(1, p.x.size + 1)
    following[p.ring[1:] - 1] = p.ring[:-1]
    return p.x, p.y, p.x[following], p.y[following]
