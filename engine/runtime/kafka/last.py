"""Last values on their way to city.sensors: the newest of each sensor and kind is kept in columns until it is told.

Replayed fast, twenty thousand sensors choose hundreds of thousands of values a second; people look every few seconds.
What changed the level of its sensor is told at once.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import types

from engine.detect.decode.rows import Table
from engine.detect.decode.vocabulary import Vocabulary
from engine.detect.kernels.compiled import compiled
from engine.detect.last_values import LAST, TOLD, LastValue, LastValues
from engine.detect.rows import rows_of
from geo.grids import GridSet

_ROOM = 1024
WAITS, MOVED = 1, 2


@compiled(types.int64(TOLD, TOLD, types.uint8[::1]))
def _learn(values: Table, newest: Table, waits: npt.NDArray[np.uint8]) -> int:
    """Keep the newest row of each series; returns how many rows brought another level."""
    moved = 0
    for i in range(len(values)):
        s = values[i]["series"]
        if values[i]["level"] != newest[s]["level"]:
            waits[s] = MOVED
            moved += 1
        waits[s] |= WAITS
        newest[s] = values[i]
    return moved


class Coalesced:
    """The newest last value of each series of one partition; `waits` [series] says which wait to be told."""

    def __init__(self) -> None:
        self._rows: Table = np.zeros(_ROOM, LAST)
        self._waits = np.zeros(_ROOM, np.uint8)
        self._vocabulary: Vocabulary | None = None
        self._grids: GridSet | None = None

    def learn(self, values: LastValues) -> list[LastValue]:
        """Keep the last of each series; return those to be told at once."""
        if not len(values):
            return []
        told = self.take() if values.grids is not self._grids else []
        self._vocabulary, self._grids = values.vocabulary, values.grids
        self._make_room(int(values.rows["series"].max()) + 1)
        if _learn(values.rows, self._rows, self._waits):
            told += self._tell(np.flatnonzero(self._waits >= MOVED))
        return told

    def take(self) -> list[LastValue]:
        """Return all that wait, in order of the series' numbers."""
        return self._tell(np.flatnonzero(self._waits))

    def _tell(self, series: npt.NDArray[np.intp]) -> list[LastValue]:
        if not len(series) or self._vocabulary is None:
            return []
        self._waits[series] = 0
        return LastValues(rows_of(self._rows, series), self._vocabulary, self._grids).records()

    def _make_room(self, series: int) -> None:
        if series > len(self._rows):
            more = max(series, 2 * len(self._rows)) - len(self._rows)
            self._rows = np.concatenate((self._rows, np.zeros(more, LAST)))
            self._waits = np.concatenate((self._waits, np.zeros(more, np.uint8)))
