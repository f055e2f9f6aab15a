"""The columns while they are being filled."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from numba import types

from engine.detect.decode.words import record_type


class Rows(NamedTuple):
    """A row per accepted reading, ordered by (record, index)."""

    record: npt.NDArray[np.int32]
    part: npt.NDArray[np.int32]
    """Position in the frame."""
    series: npt.NDArray[np.int32]
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
        columns: list[Any] = [np.empty(rows, dtype) for dtype in _DTYPES[:-4]]
        return cls(*columns, *(np.empty((names, rows), dtype) for dtype in _DTYPES[-4:]))

    def first(self, rows: int) -> Rows:
        """Return views of the first rows."""
        return Rows(*(column[..., :rows] for column in self.columns()))

    def columns(self) -> tuple[Any, ...]:
        """All columns, rows along the last axis."""
        return tuple(self)

    def resized(self, rows: int) -> Rows:
        """Return a copy with room for `rows`, at least as many as now."""
        larger = Rows.empty(rows, len(self.attr_tag))
        for old, new in zip(self.columns(), larger.columns(), strict=True):
            new[..., : old.shape[-1]] = old
        return larger

    def spread(self, places: npt.NDArray[np.int64]) -> Rows:
        """Return a copy with undefined rows at `places`, which ascend and count in the result."""
        rows = len(self.record) + len(places)
        wider = Rows.empty(rows, len(self.attr_tag))
        here = np.ones(rows, np.bool_)
        here[places] = False
        for old, new in zip(self.columns(), wider.columns(), strict=True):
            new[..., here] = old
        return wider


_DTYPES = (
    np.int32, np.int32, np.int32, np.int16, np.int64, np.float64, np.int64, np.int32, np.int32, np.int64, np.int64,
    np.int32, np.uint8, np.float64, np.int64, np.int32,
)  # fmt: skip
ROWS = record_type(
    Rows,
    [
        types.Array(getattr(types, np.dtype(dtype).name), 1 if column < len(_DTYPES) - 4 else 2, "C")
        for column, dtype in enumerate(_DTYPES)
    ],
)
