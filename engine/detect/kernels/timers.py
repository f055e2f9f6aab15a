"""At which place in the order of releases a timer fired."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.detect.kernels.compiled import compiled
from engine.detect.kernels.layout import O_ARMED, O_DUE, O_EVENT, O_PHASE, TIMER

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]


@compiled("void(int64[:, ::1], int64, int64[::1], int64[::1], int64[::1], int32[::1], int64)")
def place(out: I64, n: int, watermark: I64, start: I64, u: I64, record: I32, base: int) -> None:
    """Set O_EVENT of the timers among the first `n` outputs.

    A timer fires before the first released row with `u` after its due time, or at the end of the first record with the
    watermark after it, whichever comes first after the row that set it. `watermark` [records]; `start` [records + 1] is
    the first released row of each record; `u`, `record` by released row.
    """
    for i in range(n):
        if out[i, O_PHASE] != TIMER:
            continue
        due = out[i, O_DUE]
        low, high = 0, len(watermark)
        while low < high:
            middle = (low + high) // 2
            if watermark[middle] > due:
                high = middle
            else:
                low = middle + 1
        r = low
        row = start[r]
        armed = out[i, O_ARMED] - base
        if armed >= 0 and r <= record[armed]:
            r = record[armed]
            row = armed + 1
        low, high = row, start[r + 1]
        while low < high:
            middle = (low + high) // 2
            if u[middle] > due:
                high = middle
            else:
                low = middle + 1
        out[i, O_EVENT] = low + r
