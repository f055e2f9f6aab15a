"""Levels with hold and hysteresis, windows, timers of silence: one pass over the rows of a kind (spec/rules.md)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types

from engine.detect.decode.rows import Table
from engine.detect.kernels.ahead import AHEAD, bring_near, bring_panes_near
from engine.detect.kernels.compiled import FOREVER, NEVER, called, compiled, inlined
from engine.detect.kernels.layout import (
    ACTIVE,
    ARMED,
    BY_QUIET,
    BY_READING,
    BY_SCHEDULE,
    CAUSE,
    CLEAR_OFFSET,
    CLEAR_SINCE,
    CLEARED,
    DOWNGRADED,
    DUE,
    ESCALATED,
    HEAD,
    LAT,
    LEVEL,
    LON,
    M_BOUND,
    M_HIDDEN,
    M_POOL,
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
    P_AGG,
    P_BOOLEAN,
    P_CLEAR,
    P_CLEAR_FOR,
    P_CODE,
    P_FOR,
    P_GAP,
    P_KEEPS,
    P_LEVELS,
    P_QUIET,
    P_RULE,
    P_SCHEDULED,
    P_SET,
    P_STEP,
    RAISED,
    RAISED_,
    READING,
    SEEN,
    SEEN_OFFSET,
    SEQ,
    SERIES,
    STILL,
    STILL_MS,
    TIMER,
    TOLD,
    W_END,
    W_SIZE,
)
from engine.detect.kernels.order import JUDGEMENT, MOVED
from engine.detect.kernels.order import SEEN as ROWS
from engine.detect.kernels.windows import SMALLEST_BLOCK, aggregate, empty, turn

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]
F64 = npt.NDArray[np.float64]

_int64, _float64 = types.int64[::1], types.float64[::1]
_matrix, _matrix_f = types.int64[:, ::1], types.float64[:, ::1]

LARGEST_MEASURE = 1e8
NO_PLACE = -2147483648


@inlined
def holds(op: int, x: float, value: float) -> bool:
    """Judge `x op value` by the numbers of rules.model.Op."""
    if op == 0:
        return x > value
    if op == 1:
        return x >= value
    if op == 2:
        return x < value
    if op == 3:
        return x <= value
    if op == 4:
        return x == value
    return x != value


@called
def unset(S: I64, slot: int, levels: int) -> None:
    """Unset every `since` and `clear_since`."""
    S[slot, ACTIVE] = 0
    S[slot, CLEAR_SINCE] = NEVER
    for number in range(levels):
        S[slot, HEAD + number] = NEVER


@called
def begin(P: I64, S: I64, slot: int, code: int, level: int, previous: int, t: int, out: I64, outf: F64, n: int) -> None:
    """Write what a reading or a timer says about the slot's episode; the caller adds the rest."""
    out[n, O_RULE] = P[P_RULE]
    out[n, O_SERIES] = S[slot, SERIES]
    out[n, O_CODE] = code
    out[n, O_LEVEL] = P[P_CODE + level - 1] if level > 0 else 0
    out[n, O_PREVIOUS] = P[P_CODE + previous - 1] if previous > 0 else 0
    out[n, O_T] = t
    out[n, O_SINCE] = NEVER
    out[n, O_RAISED] = S[slot, RAISED]
    out[n, O_SEQ] = S[slot, SEQ]
    outf[n, O_VALUE] = np.nan


@called
def tell(
    P: I64,
    S: I64,
    slot: int,
    code: int,
    previous: int,
    value: float,
    one: Any,
    record: int,
    out: I64,
    outf: F64,
    n: int,
) -> None:
    """Write the change of a reading, or a still where `code` is 0."""
    t = one["t"]
    offset = one["offset"]
    level = S[slot, LEVEL]
    if code == RAISED_:
        S[slot, RAISED] = t
        S[slot, SEQ] = 0
    elif code != 0:
        S[slot, SEQ] += 1
    S[slot, TOLD] = t
    begin(P, S, slot, code if code != 0 else STILL, level, previous, t, out, outf, n)
    out[n, O_EVENT] = one["row"] + record
    out[n, O_PHASE] = READING
    out[n, O_DUE] = 0
    out[n, O_CAUSE] = BY_READING
    out[n, O_FIRST] = offset
    out[n, O_LAST] = offset
    if code in (RAISED_, ESCALATED):
        out[n, O_FIRST] = S[slot, HEAD + P[P_LEVELS] + level - 1]
    elif code in (DOWNGRADED, CLEARED):
        out[n, O_FIRST] = S[slot, CLEAR_OFFSET]
    if level > 0:
        out[n, O_SINCE] = S[slot, HEAD + level - 1]
    outf[n, O_VALUE] = value
    out[n, O_LON] = one["lon"]
    out[n, O_LAT] = one["lat"]
    out[n, O_ARMED] = -1
    out[n, O_ROW] = one["row"]


@called
def fire(P: I64, S: I64, slot: int, out: I64, outf: F64, n: int) -> int:
    """Let the timer of a slot fire: `since` is forgotten and an open alert cleared. Returns the number of outputs."""
    due = S[slot, DUE]
    told = 0
    if S[slot, LEVEL] > 0:
        S[slot, SEQ] += 1
        begin(P, S, slot, CLEARED, 0, S[slot, LEVEL], due, out, outf, n)
        out[n, O_PHASE] = TIMER
        out[n, O_DUE] = due
        out[n, O_CAUSE] = S[slot, CAUSE]
        out[n, O_FIRST] = S[slot, SEEN_OFFSET]
        out[n, O_LAST] = S[slot, SEEN_OFFSET]
        out[n, O_LON] = S[slot, LON]
        out[n, O_LAT] = S[slot, LAT]
        out[n, O_ARMED] = S[slot, ARMED]
        out[n, O_ROW] = -1
        S[slot, LEVEL] = 0
        told = 1
    unset(S, slot, P[P_LEVELS])
    S[slot, DUE] = FOREVER
    return told


@called
def opened(P: I64, S: I64, W: I64, series: int, meta: I64) -> int:
    """Make a slot for a (sensor, kind) that the rule had not seen. The state has room."""
    slot: int = meta[M_SLOTS]
    meta[M_SLOTS] = slot + 1
    S[slot, :] = 0
    S[slot, SERIES] = series
    S[slot, SEEN] = NEVER
    S[slot, SEEN_OFFSET] = NO_OFFSET
    S[slot, DUE] = FOREVER
    S[slot, LON] = NO_PLACE
    S[slot, LAT] = NO_PLACE
    unset(S, slot, P[P_LEVELS])
    if P[P_AGG] >= 0:
        W[slot, :] = 0
        W[slot, W_END] = NEVER
    return slot


@inlined
def clears(P: I64, C: F64, number: int, x: float) -> bool:
    """Judge `clear` of a level; without one it is "not set"."""
    if P[P_CLEAR + number] < 0:
        return not holds(P[P_SET + number], x, C[number])
    return holds(P[P_CLEAR + number], x, C[4 + number])


@inlined
def judge(P: I64, C: F64, S: I64, slot: int, t: int, x: float, offset: int) -> int:
    """Apply one measure to the levels of a slot, steps 1 to 4, and set LEVEL; returns the change, 0 for none."""
    levels = P[P_LEVELS]
    level = S[slot, LEVEL]
    reached = 0
    active = 0
    for number in range(levels):
        if holds(P[P_SET + number], x, C[number]):
            active += 1
            since = S[slot, HEAD + number]
            if since == NEVER:
                since = t
                S[slot, HEAD + number] = t
                S[slot, HEAD + levels + number] = offset
            if t - since >= P[P_FOR + number]:
                reached = number + 1
        else:
            S[slot, HEAD + number] = NEVER
    S[slot, ACTIVE] = active
    if reached > level:
        S[slot, CLEAR_SINCE] = NEVER
        S[slot, LEVEL] = reached
        return RAISED_ if level == 0 else ESCALATED
    if level == 0:
        return 0
    if not clears(P, C, level - 1, x):
        S[slot, CLEAR_SINCE] = NEVER
        return 0
    if S[slot, CLEAR_SINCE] == NEVER:
        S[slot, CLEAR_SINCE] = t
        S[slot, CLEAR_OFFSET] = offset
    if t - S[slot, CLEAR_SINCE] < P[P_CLEAR_FOR]:
        return 0
    S[slot, CLEAR_SINCE] = NEVER
    lower = level - 1
    while lower > 0 and clears(P, C, lower - 1, x):
        lower -= 1
    S[slot, LEVEL] = lower
    return CLEARED if lower == 0 else DOWNGRADED


@inlined
def arm(P: I64, S: I64, slot: int, at: int, end: int, meta: I64) -> None:
    """Set the timer of silence from `at`, or of the schedule's `end` if that is sooner (quiet goes first)."""
    due = FOREVER
    S[slot, CAUSE] = BY_QUIET
    if P[P_QUIET] >= 0:
        due = at + P[P_QUIET]
    if end < due:
        due = end
        S[slot, CAUSE] = BY_SCHEDULE
    S[slot, DUE] = due
    meta[M_BOUND] = min(meta[M_BOUND], due)


@compiled(
    types.UniTuple(types.int64, 2)(  # type: ignore[no-untyped-call]
        ROWS, _float64, types.uint8[::1], _int64, types.int32[::1], types.int64, _int64, _float64, types.int32[::1],
        _matrix, _matrix, _matrix_f, _matrix, _matrix_f, _int64, _matrix, _matrix_f, types.int64, types.int64,
    )
)  # fmt: skip
def levels(
    rows: Table,
    x: F64,
    seen: U8,
    end: I64,
    record: I32,
    base: int,
    P: I64,
    C: F64,
    slots: I32,
    S: I64,
    W: I64,
    WF: F64,
    pool: I64,
    poolf: F64,
    meta: I64,
    out: I64,
    outf: F64,
    first: int,
    n: int,
) -> tuple[int, int]:
    """Judge the rows of one kind by one rule, in order of release.

    `x` is the measure, or empty: it is `v`. `seen` is empty (all are) or 0 not seen, 1 seen, 2 hidden; `end` is empty
    or the schedule's first end not before `t`; `record` is by released row and `base` is the number of the first since
    the start of the log. Begins at row `first` with `n` outputs, and returns (the row where it stopped, outputs): it
    stops early when the pool of panes has no room left. State and outputs must have room for a new slot and two outputs
    a row.
    """
    agg = P[P_AGG]
    windowed = agg >= 0
    boolean = P[P_BOOLEAN] == 1
    step = P[P_STEP]
    gap = P[P_GAP]
    keeps = P[P_KEEPS] == 1
    timed = P[P_QUIET] >= 0 or P[P_SCHEDULED] == 1
    lowest = P[P_SET]
    threshold = C[0]
    chosen = len(seen) > 0
    measured = len(x) > 0
    for j in range(first, len(rows)):
        bring_near(rows, min(j + AHEAD, len(rows) - 1), slots, S, W, windowed)
        if windowed:
            bring_panes_near(rows, min(j + AHEAD // 2, len(rows) - 1), slots, W, pool)
        one = rows[j]
        if one["flag"] & JUDGEMENT:
            continue
        if chosen and seen[j] != 1:
            meta[M_HIDDEN] += seen[j] >> 1
            continue
        value = x[j] if measured else one["v"]
        if windowed and not (-LARGEST_MEASURE <= value <= LARGEST_MEASURE):
            meta[M_HIDDEN] += 1
            continue
        slot = slots[one["local"]]
        if slot < 0:
            if not keeps and not one["flag"] & MOVED and not holds(lowest, value, threshold):
                continue
            slot = opened(P, S, W, one["series"], meta)
            slots[one["local"]] = slot
        at = one["t"]
        if S[slot, DUE] != FOREVER:
            armed = S[slot, ARMED] - base
            passed = one["u"] if armed >= 0 and record[armed] == record[one["row"]] else one["clock"]
            if S[slot, DUE] < passed:
                n += fire(P, S, slot, out, outf, n)
                if windowed:
                    empty(W, slot)
        if gap >= 0:
            if S[slot, SEEN] != NEVER and at - S[slot, SEEN] > gap:
                unset(S, slot, P[P_LEVELS])
            S[slot, SEEN] = at
        if one["flag"] & MOVED:
            S[slot, LON] = one["lon"]
            S[slot, LAT] = one["lat"]
        S[slot, SEEN_OFFSET] = one["offset"]
        if timed:
            arm(P, S, slot, max(at, one["clock"]), end[j] if len(end) > 0 else FOREVER, meta)
            S[slot, ARMED] = base + one["row"]
        if windowed:
            if at >= W[slot, W_END]:
                if meta[M_POOL] + 2 * max(W[slot, W_SIZE], SMALLEST_BLOCK) > len(pool):
                    return j, n
                turn(P, at // step, W, WF, slot, pool, poolf, meta)
            value = aggregate(agg, boolean, W, WF, slot, at, value)
        previous = S[slot, LEVEL]
        if previous == 0 and S[slot, ACTIVE] == 0 and not holds(lowest, value, threshold):
            continue
        code = 0
        if not np.isnan(value):
            code = judge(P, C, S, slot, at, value, one["offset"])
        if code == 0 and (previous == 0 or at - S[slot, TOLD] < STILL_MS):
            continue
        tell(P, S, slot, code, previous, value, one, record[one["row"]], out, outf, n)
        n += 1
    return len(rows), n


@compiled("int64(int64, int64[::1], int64[:, ::1], int64[:, ::1], int64[::1], int64[:, ::1], float64[:, ::1], int64)")
def sweep(passed: int, P: I64, S: I64, W: I64, meta: I64, out: I64, outf: F64, n: int) -> int:
    """Fire every timer of a rule that is due before `passed`; returns the new number of outputs, which have room."""
    bound = FOREVER
    for slot in range(meta[M_SLOTS]):
        if S[slot, DUE] < passed:
            n += fire(P, S, slot, out, outf, n)
            if P[P_AGG] >= 0:
                empty(W, slot)
        else:
            bound = min(bound, S[slot, DUE])
    meta[M_BOUND] = bound
    return n
