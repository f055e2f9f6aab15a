"""Order of readings: clocks, the watermark, and which record lets a reading go (spec/readings.md, "Time and order")."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.detect.kernels.compiled import NEVER, compiled, inlined

SUSPECT_MS = 300_000

GOOD, LATE, DUPLICATE, STALE = 0, 1, 2, 3
JUDGEMENT = 3
"""Mask of the two bits of a flag that say one of the four above."""
MOVED = 4
"""Bit of a flag: the reading's own place is its sensor's place."""

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]


@compiled(
    "int64(int32[::1], int64[::1], int64[::1], int64, int64[::1], int64[::1], uint8[::1], int64[::1], int64[::1])"
)
def clock(
    record: I32, t: I64, log_time: I64, max_age_ms: int, used: I64, u: I64, stale: U8, newest: I64, oldest: I64
) -> int:
    """Set the event time used, the order time and staleness of each row; return how many clocks were suspect.

    `newest` and `oldest` [records] take the largest and smallest `u` of rows that are not stale.
    """
    suspect = 0
    for i in range(len(t)):
        now = log_time[i]
        at = t[i]
        if at > now + SUSPECT_MS:
            at = now
            suspect += 1
        order = min(at, now)
        used[i] = at
        u[i] = order
        if at < now - max_age_ms:
            stale[i] = 1
            continue
        stale[i] = 0
        r = record[i]
        newest[r] = max(newest[r], order)
        oldest[r] = min(oldest[r], order)
    return suspect


@inlined
def first_reaching(watermark: I64, order: int, low: int, near: int) -> int:
    """Return the first record from `low` on whose watermark is at least `order`, which the last one's is.

    Looks around `near` first, in steps that double: rows that wait are let go by records close to each other.
    """
    high = len(watermark) - 1
    step = 1
    if low <= near <= high and watermark[near] >= order:
        high = near
        while high - step > low and watermark[high - step] >= order:
            high -= step
            step *= 2
        low = max(low, high - step)
    elif low <= near < high:
        low = near + 1
        while low + step < high and watermark[low + step - 1] < order:
            low += step
            step *= 2
        high = min(high, low + step)
    while low < high:
        middle = (low + high) // 2
        if watermark[middle] >= order:
            high = middle
        else:
            low = middle + 1
    return low


@compiled("UniTuple(int64, 2)(int32[::1], int64[::1], int64[::1], int32[::1])")
def release(record: I32, u: I64, watermark: I64, released: I32) -> tuple[int, int]:
    """Set the record that lets each row go: the first from its own on whose watermark reaches `u`, or len(watermark).

    Returns how many rows go on waiting, and 1 if the rows already stand in order of release, else 0.
    """
    records = len(watermark)
    waiting = 0
    ordered = 1
    before_r = -1
    before_u = NEVER
    near = 0
    for i in range(len(u)):
        r = record[i]
        order = u[i]
        if order > watermark[r]:
            if order > watermark[records - 1]:
                released[i] = records
                waiting += 1
                continue
            r = first_reaching(watermark, order, r + 1, near)
            near = r
        released[i] = r
        if r < before_r or (r == before_r and order < before_u):
            ordered = 0
        before_r = r
        before_u = order
    return waiting, ordered


@compiled(
    "int64(int32[::1], int16[::1], int64[::1], int64[::1], int32[::1], int64[::1], uint8[::1], int32[::1], int32[::1], "
    "int32[::1], int32[::1], int64[::1], uint8[::1], int64[::1], int64[:, ::1])"
)
def admit(
    series: I32,
    kind: npt.NDArray[np.int16],
    t: I64,
    u: I64,
    record: I32,
    before: I64,
    stale: U8,
    lon: I32,
    lat: I32,
    fixed_lon: I32,
    fixed_lat: I32,
    last: I64,
    flag: U8,
    clock: I64,
    counts: npt.NDArray[np.int64],
) -> int:
    """Judge rows in order of release: late, duplicate or stale; give each its sensor's place and the timer clock at it.

    `before` [records] is the watermark before each record, `last` [series] the `t` of the last good reading, `counts`
    [kinds, 4] the rows by judgement. Returns how many rows are not good.
    """
    bad = 0
    for i in range(len(t)):
        s = series[i]
        clock[i] = max(before[record[i]], u[i])
        if stale[i]:
            judged = STALE
        elif t[i] > last[s]:
            last[s] = t[i]
            judged = GOOD
        elif t[i] == last[s]:
            judged = DUPLICATE
        else:
            judged = LATE
        counts[kind[i], judged] += 1
        if judged != GOOD:
            bad += 1
        if fixed_lon[s] != -2147483648:
            lon[i] = fixed_lon[s]
            lat[i] = fixed_lat[s]
        elif lon[i] != -2147483648:
            judged |= MOVED
        flag[i] = judged
    return bad


@compiled(
    "void("
    "int16[::1], int64[::1], int32[::1], int32[::1], int64[::1], float64[::1], int64[::1], int64[::1], int32[::1], "
    "int32[::1], uint8[::1], int32[::1], int32[::1], int32[::1], int64[::1], float64[::1], int64[::1], int64[::1], "
    "int32[::1], int32[::1], uint8[::1])"
)
def group(
    kind: npt.NDArray[np.int16],
    place: I64,
    series: I32,
    local: I32,
    t: I64,
    v: npt.NDArray[np.float64],
    clock: I64,
    offset: I64,
    lon: I32,
    lat: I32,
    flag: U8,
    row_: I32,
    series_: I32,
    local_: I32,
    t_: I64,
    v_: npt.NDArray[np.float64],
    clock_: I64,
    offset_: I64,
    lon_: I32,
    lat_: I32,
    flag_: U8,
) -> None:
    """Bring rows of a kind together, in order of release; `place` [kinds] is where a kind's next row goes, -1 for none.

    Names with `_` are the outputs; `local` [series] is the number of a series in its kind.
    """
    for i in range(len(kind)):
        k = kind[i]
        j = place[k]
        if j < 0:
            continue
        place[k] = j + 1
        s = series[i]
        row_[j] = i
        series_[j] = s
        local_[j] = local[s]
        t_[j] = t[i]
        v_[j] = v[i]
        clock_[j] = clock[i]
        offset_[j] = offset[i]
        lon_[j] = lon[i]
        lat_[j] = lat[i]
        flag_[j] = flag[i]
