"""The ground of a city as a raster of elevations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from geo.frame import LocalFrame

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Terrain:
    """Elevations in metres above sea level at the nodes of a square raster.

    height_m: float32[rows, columns]; row 0 is the southernmost, column 0 the westernmost.
    west_m, south_m: where node [0, 0] lies in `frame`; cell_m: distance between nodes.
    """

    height_m: npt.NDArray[np.float32]
    frame: LocalFrame
    west_m: float
    south_m: float
    cell_m: float

    def elevation(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> Floats:
        """Metres above sea level, bilinear between nodes; outside the raster that of its edge."""
        row, column = self._position(lon, lat)
        return self._between(self.height_m, row, column)

    def slope(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Rise in metres per metre towards east and towards north."""
        row, column = self._position(lon, lat)
        half = 0.5
        east = self._between(self.height_m, row, column + half) - self._between(self.height_m, row, column - half)
        north = self._between(self.height_m, row + half, column) - self._between(self.height_m, row - half, column)
        return east / self.cell_m, north / self.cell_m

    def _position(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[Floats, Floats]:
        x, y = self.frame.to_metres(lon, lat)
        return (y - self.south_m) / self.cell_m, (x - self.west_m) / self.cell_m

    def _between(self, values: npt.NDArray[np.float32], row: Floats, column: Floats) -> Floats:
        rows, columns = values.shape
        row, column = np.clip(row, 0, rows - 1), np.clip(column, 0, columns - 1)
        r, c = np.minimum(row.astype(np.intp), rows - 2), np.minimum(column.astype(np.intp), columns - 2)
        down, along = row - r, column - c
        south = values[r, c] * (1 - along) + values[r, c + 1] * along
        north = values[r + 1, c] * (1 - along) + values[r + 1, c + 1] * along
        return np.asarray(south * (1 - down) + north * down, np.float64)
