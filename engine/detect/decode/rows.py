"""The columns while they are being filled: what is one number of a reading stands together, in one row of memory."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from engine.detect.decode.words import record_type

READING = np.dtype(
    [
        ("t", np.int64),
        ("v", np.float64),
        ("u", np.int64),  # order time; set when the clocks are judged, as is `stale`
        ("log_time", np.int64),
        ("offset", np.int64),
        ("raw_start", np.int64),
        ("raw_length", np.int32),
        ("series", np.int32),
        ("lon", np.int32),
        ("lat", np.int32),
        ("index", np.int32),  # position in the frame
        ("record", np.int32),  # position in the batch
        ("unknown", np.int32),  # unknown top-level fields
        ("kind", np.int16),
        ("stale", np.uint8),
    ],
    align=True,
)
READINGS: Any = numba.from_dtype(READING)[::1]
"""The compiled type of an array of them."""
Table = npt.NDArray[np.void]


class Rows(NamedTuple):
    """A row per accepted reading, ordered by (record, index)."""

    reading: Table
    """[rows] of `READING`."""
    attr_tag: npt.NDArray[np.uint8]
    """[names, rows], as are the three others."""
    attr_num: npt.NDArray[np.float64]
    attr_start: npt.NDArray[np.int64]
    attr_length: npt.NDArray[np.int32]

    @classmethod
    def empty(cls, rows: int, names: int) -> Self:
        """Allocate rows without values."""
        return cls(np.empty(rows, READING), *(np.empty((names, rows), dtype) for dtype in _ATTR))

    def first(self, rows: int) -> Rows:
        """Return views of the first rows."""
        columns: list[Any] = [column[..., :rows] for column in self]
        return Rows(*columns)

    def resized(self, rows: int) -> Rows:
        """Return a copy with room for `rows`, at least as many as now."""
        larger = Rows.empty(rows, len(self.attr_tag))
        old: Any
        new: Any
        for old, new in zip(self, larger, strict=True):
            new[..., : old.shape[-1]] = old
        return larger

    def spread(self, places: npt.NDArray[np.int64]) -> Rows:
        """Return a copy with undefined rows at `places`, which ascend and count in the result."""
        rows = len(self.reading) + len(places)
        wider = Rows.empty(rows, len(self.attr_tag))
        here = np.ones(rows, np.bool_)
        here[places] = False
        old: Any
        new: Any
        for old, new in zip(self, wider, strict=True):
            new[..., here] = old
        return wider


_ATTR = (np.uint8, np.float64, np.int64, np.int32)
ROWS = record_type(Rows, [READINGS, *(types.Array(getattr(types, dtype.__name__), 2, "C") for dtype in _ATTR)])
