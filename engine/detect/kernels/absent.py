"""Sensors that fall silent: raised after the last sign of life, cleared by the next one (spec/rules.md, `absent`)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import types

from engine.detect.decode.rows import Table
from engine.detect.kernels.compiled import FOREVER, NEVER, compiled, inlined
from engine.detect.kernels.layout import (
    ARMED,
    BY_ABSENT,
    BY_READING,
    CLEARED,
    DUE,
    LAT,
    LEVEL,
    LON,
    M_BOUND,
    M_SLOTS,
    NO_OFFSET,
    O_ARMED,
    O_CAUSE,
    O_CODE,
    O_DUE,
    O_EVENT,
    O_FIRST,
    O_LAST,
    O_LAT,
    O_LEVEL,
    O_LON,
    O_PHASE,
    O_PREVIOUS,
    O_RAISED,
    O_ROW,
    O_RULE,
    O_SEQ,
    O_SERIES,
    O_SINCE,
    O_T,
    O_VALUE,
    P_ABSENT,
    P_CODE,
    P_RULE,
    RAISED,
    RAISED_,
    READING,
    SEEN,
    SEEN_OFFSET,
    SEQ,
    SERIES,
    TIMER,
)
from engine.detect.kernels.order import MOVED
from engine.detect.kernels.order import SEEN as ROWS

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]
F64 = npt.NDArray[np.float64]


@inlined
def tell(P: I64, S: I64, slot: int, out: I64, outf: F64, n: int, code: int, phase: int, t: int) -> None:
    """Write what both changes of an absent rule have in common."""
    out[n, O_PHASE] = phase
    out[n, O_RULE] = P[P_RULE]
    out[n, O_SERIES] = S[slot, SERIES]
    out[n, O_CODE] = code
    out[n, O_LEVEL] = P[P_CODE] if code == RAISED_ else 0
    out[n, O_PREVIOUS] = P[P_CODE] if code == CLEARED else 0
    out[n, O_T] = t
    out[n, O_RAISED] = S[slot, RAISED]
    out[n, O_SEQ] = S[slot, SEQ]
    outf[n, O_VALUE] = np.nan


@inlined
def fire(P: I64, S: I64, slot: int, out: I64, outf: F64, n: int) -> None:
    """Raise: the sensor has been silent too long."""
    due = S[slot, DUE]
    S[slot, LEVEL] = 1
    S[slot, RAISED] = due
    S[slot, SEQ] = 0
    S[slot, DUE] = FOREVER
    tell(P, S, slot, out, outf, n, RAISED_, TIMER, due)
    out[n, O_DUE] = due
    out[n, O_CAUSE] = BY_ABSENT
    out[n, O_SINCE] = S[slot, SEEN]
    out[n, O_FIRST] = S[slot, SEEN_OFFSET]
    out[n, O_LAST] = S[slot, SEEN_OFFSET]
    out[n, O_LON] = S[slot, LON]
    out[n, O_LAT] = S[slot, LAT]
    out[n, O_ARMED] = -1
    out[n, O_ROW] = -1


@compiled(
    types.int64(
        ROWS, types.int32[::1], types.int64[::1], types.int64[::1], types.int32[::1], types.int64[:, ::1],
        types.int64[::1], types.int64[:, ::1], types.float64[:, ::1], types.int64,
    )
)  # fmt: skip
def absent(
    rows: Table, record: I32, ends: I64, P: I64, slots: I32, S: I64, meta: I64, out: I64, outf: F64, n: int
) -> int:
    """Take the rows of one kind as signs of life, stale, late and duplicate ones too; `record` as in kernels.levels.

    `ends` is empty, or by row the end of the first span after it (`absent: span`). Returns the new number of outputs;
    there must be room for two a row.
    """
    for j in range(len(rows)):
        one = rows[j]
        slot = slots[one["local"]]
        if slot < 0:
            continue
        if S[slot, DUE] < one["clock"]:
            fire(P, S, slot, out, outf, n)
            n += 1
        at = max(one["t"], one["clock"])
        if at > S[slot, SEEN]:
            S[slot, SEEN] = at
            S[slot, DUE] = ends[j] if len(ends) > 0 else at + P[P_ABSENT]
        S[slot, SEEN_OFFSET] = one["offset"]
        meta[M_BOUND] = min(meta[M_BOUND], S[slot, DUE])
        if one["flag"] & MOVED:
            S[slot, LON] = one["lon"]
            S[slot, LAT] = one["lat"]
        if S[slot, LEVEL] == 0:
            continue
        S[slot, LEVEL] = 0
        S[slot, SEQ] += 1
        tell(P, S, slot, out, outf, n, CLEARED, READING, one["t"])
        out[n, O_EVENT] = one["row"] + record[one["row"]]
        out[n, O_DUE] = 0
        out[n, O_CAUSE] = BY_READING
        out[n, O_SINCE] = NEVER
        out[n, O_FIRST] = one["offset"]
        out[n, O_LAST] = one["offset"]
        out[n, O_LON] = one["lon"]
        out[n, O_LAT] = one["lat"]
        out[n, O_ARMED] = -1
        out[n, O_ROW] = one["row"]
        n += 1
    return n


@compiled("void(int32[::1], int32[::1], int64[::1], int64[::1], int32[::1], int64[:, ::1], int64[::1])")
def expect(series: I32, local: I32, since: I64, due: I64, slots: I32, S: I64, meta: I64) -> None:
    """Begin to wait for registered sensors of one kind: each from its `since`, until its `due`."""
    for i in range(len(series)):
        slot = meta[M_SLOTS]
        meta[M_SLOTS] = slot + 1
        slots[local[i]] = slot
        for f in range(S.shape[1]):
            S[slot, f] = 0
        S[slot, SERIES] = series[i]
        S[slot, SEEN] = since[i]
        S[slot, SEEN_OFFSET] = NO_OFFSET
        S[slot, DUE] = due[i]
        S[slot, LON] = -2147483648
        S[slot, LAT] = -2147483648
        S[slot, ARMED] = -1
        meta[M_BOUND] = min(meta[M_BOUND], S[slot, DUE])


@compiled("int64(int64, int64[::1], int64[:, ::1], int64[:, ::1], int64[::1], int64[:, ::1], float64[:, ::1], int64)")
def sweep(passed: int, P: I64, S: I64, W: I64, meta: I64, out: I64, outf: F64, n: int) -> int:  # noqa: ARG001
    """Raise for every sensor whose time is up before `passed`; returns the new number of outputs, which have room.

    `W` is empty: it is there so that every rule is swept by the same call.
    """
    bound = FOREVER
    for slot in range(meta[M_SLOTS]):
        if S[slot, DUE] < passed:
            fire(P, S, slot, out, outf, n)
            n += 1
        else:
            bound = min(bound, S[slot, DUE])
    meta[M_BOUND] = bound
    return n
