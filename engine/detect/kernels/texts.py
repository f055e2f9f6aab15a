"""Texts of rows that outlive their batch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import types

from engine.detect.decode.rows import READINGS, Table
from engine.detect.kernels.compiled import compiled
from engine.detect.kernels.memory import copy_bytes

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]

_bytes_in = types.Array(types.uint8, 1, "C", readonly=True)
_bytes = types.uint8[::1]


@compiled(types.int64(_bytes_in, READINGS, _bytes, types.int64))
def copy(heap: U8, table: Table, copied: U8, used: int) -> int:
    """Copy the texts of rows to `copied` from `used` on, and say so in the rows; returns the new `used`."""
    for i in range(len(table)):
        row = table[i]
        length = row["raw_length"]
        copy_bytes(copied, used, heap, row["raw_start"], length)
        row["raw_start"] = used
        used += length
    return used


@compiled(types.void(_bytes_in, types.int64[::1], types.int32[::1], _bytes, types.int64[::1]))
def gather(heap: U8, start: I64, length: I32, copied: U8, begin: I64) -> None:
    """Copy strings one after another, and set where each begins."""
    used = 0
    for i in range(len(start)):
        copy_bytes(copied, used, heap, start[i], length[i])
        begin[i] = used
        used += length[i]
