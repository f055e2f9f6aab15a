"""Texts of rows that outlive their batch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import types

from engine.detect.kernels.compiled import compiled

I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]

_bytes_in = types.Array(types.uint8, 1, "C", readonly=True)
_int64 = types.int64[::1]


@compiled(types.void(_bytes_in, _int64, _int64, types.uint8[::1], _int64))
def copy(heap: U8, start: I64, end: I64, copied: U8, begin: I64) -> None:
    """Copy `heap[start[i] : end[i]]` to `copied` from `begin[i]` on, for every i."""
    for i in range(len(start)):
        at = begin[i] - start[i]
        for k in range(start[i], end[i]):
            copied[at + k] = heap[k]
