"""The columns while they are being filled, holes included."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from numba import types

from engine.detect.kernels.compiled import compiled

WHOLE_RECORD = -1
"""In `series`: the record is left to the slow path."""
FRAME_PART = -2
"""In `series`: this one text of a frame is left to the slow path."""
ONE_OBJECT = -3
"""In `series`: the record is this one object, left to the slow path."""


class Rows(NamedTuple):
    """A row per accepted reading or hole, ordered by (record, index); of a hole only the places in the log and the data are told."""

    record: npt.NDArray[np.int32]
    index: npt.NDArray[np.int32]
    series: npt.NDArray[np.int32]
    """Number in the vocabulary, or one of the two negative marks."""
    kind: npt.NDArray[np.int16]
    t: npt.NDArray[np.int64]
    v: npt.NDArray[np.float64]
    log_time: npt.NDArray[np.int64]
    lon_e7: npt.NDArray[np.int32]
    lat_e7: npt.NDArray[np.int32]
    raw_start: npt.NDArray[np.int64]
    raw_end: npt.NDArray[np.int64]
    unknown: npt.NDArray[np.int32]
    """Unknown top-level fields."""
    attr_tag: npt.NDArray[np.uint8]
    """[names, rows], as are the three others."""
    attr_num: npt.NDArray[np.float64]
    attr_start: npt.NDArray[np.int64]
    attr_length: npt.NDArray[np.int32]

    @classmethod
    def empty(cls, rows: int, names: int) -> Self:
        """Allocate rows without values."""
        one_each = [np.empty(rows, dtype) for dtype in _DTYPES[:-4]]
        return cls(*one_each, *(np.empty((names, rows), dtype) for dtype in _DTYPES[-4:]))

    def first(self, rows: int) -> Rows:
        """Return views of the first rows."""
        return Rows(*(column[..., :rows] for column in self))

    def resized(self, rows: int) -> Rows:
        """Return a copy with room for `rows`, at least as many as now."""
        larger = Rows.empty(rows, len(self.attr_tag))
        for old, new in zip(self, larger, strict=True):
            new[..., : old.shape[-1]] = old
        return larger

    def without(self, rows: npt.NDArray[np.int64]) -> Rows:
        """Return the rest of the rows, moved together in place; `rows` ascends, and the arrays are changed."""
        if len(rows):
            for column in self:
                for line in np.atleast_2d(column):
                    close_gaps(line.view(f"u{column.itemsize}"), rows)
        return self.first(len(self.record) - len(rows))

    def taken(self, source: npt.NDArray[np.int64]) -> Rows:
        """Return the rows at those positions."""
        return Rows(*(column[..., source] for column in self))


_DTYPES = (
    np.int32, np.int32, np.int32, np.int16, np.int64, np.float64, np.int64, np.int32, np.int32, np.int64, np.int64,
    np.int32, np.uint8, np.float64, np.int64, np.int32,
)  # fmt: skip
ROWS = types.NamedTuple(
    tuple(
        types.Array(getattr(types, np.dtype(dtype).name), 1 if column < len(_DTYPES) - 4 else 2, "C")
        for column, dtype in enumerate(_DTYPES)
    ),
    Rows,
)


_SIGNATURES = [
    types.void(word[::1], types.int64[::1]) for word in (types.uint8, types.uint16, types.uint32, types.uint64)
]


@compiled(_SIGNATURES, _nrt=False)
def close_gaps(column: npt.NDArray[np.unsignedinteger[Any]], gaps: npt.NDArray[np.int64]) -> None:
    """Move what is behind each gap up; what is left over at the end is undefined."""
    into = gaps[0]
    for gap in range(len(gaps)):
        stop = gaps[gap + 1] if gap + 1 < len(gaps) else len(column)
        for row in range(gaps[gap] + 1, stop):
            column[into] = column[row]
            into += 1
