"""Last values on their way to city.sensors: the newest of each sensor and kind is kept in columns until it is told.

Replayed fast, twenty thousand sensors choose hundreds of thousands of values a second; people look every few seconds.
What changed the level of its sensor is told at once.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.detect.decode.vocabulary import Vocabulary
from engine.detect.last_values import LastValue, LastValues
from geo.grids import GridSet

_ROOM = 1024
_ROW = np.dtype(
    [("t", "i8"), ("v", "f8"), ("lon", "i4"), ("lat", "i4"), ("grid", "i4"), ("level", "i1"), ("wait", "?")]
)


class Coalesced:
    """The newest last value of each series of one partition; `rows` [series] says which wait to be told."""

    def __init__(self) -> None:
        self._rows: npt.NDArray[np.void] = np.zeros(_ROOM, _ROW)
        self._vocabulary: Vocabulary | None = None
        self._grids: GridSet | None = None

    def learn(self, values: LastValues) -> list[LastValue]:
        """Keep the last of each series; return those to be told at once."""
        if not len(values):
            return []
        told = self.take() if values.grids is not self._grids else []
        self._vocabulary, self._grids = values.vocabulary, values.grids
        self._make_room(int(values.series.max()) + 1)
        # of a series that comes twice the later row stays: assignment goes in order
        series = values.series
        moved = np.unique(series[values.level != self._rows["level"][series]])
        for name, column in (
            ("t", values.t),
            ("v", values.v),
            ("lon", values.lon_e7),
            ("lat", values.lat_e7),
            ("grid", values.grid),
            ("level", values.level),
        ):
            self._rows[name][series] = column
        self._rows["wait"][series] = True
        return told + self._tell(moved)

    def take(self) -> list[LastValue]:
        """Return all that wait, in order of the series' numbers."""
        return self._tell(np.flatnonzero(self._rows["wait"]))

    def _tell(self, series: npt.NDArray[np.integer]) -> list[LastValue]:
        if not len(series) or self._vocabulary is None:
            return []
        rows = self._rows[series]
        self._rows["wait"][series] = False
        t, v, lon, lat, grid, level = (rows[name] for name in ("t", "v", "lon", "lat", "grid", "level"))
        told = LastValues(series.astype(np.int32), t, v, lon, lat, grid, level, self._vocabulary, self._grids)
        return list(told.records())

    def _make_room(self, series: int) -> None:
        if series > len(self._rows):
            more = max(series, 2 * len(self._rows)) - len(self._rows)
            self._rows = np.concatenate((self._rows, np.zeros(more, _ROW)))
