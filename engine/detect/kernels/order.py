"""Order of readings: clocks, the watermark, and which record lets a reading go (spec/readings.md, "Time and order")."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from engine.detect.decode.rows import READINGS, Table
from engine.detect.kernels.compiled import NEVER, called, compiled, inlined

SUSPECT_MS = 300_000
FEW_ROWS = 32
"""So many rows of one record, or fewer, are sorted by moving each to its place."""

GOOD, LATE, DUPLICATE, STALE = 0, 1, 2, 3
JUDGEMENT = 3
"""Mask of the two bits of a flag that say one of the four above."""
MOVED = 4
"""Bit of a flag: the reading's own place is its sensor's place."""

RELEASED = np.dtype(
    [
        ("t", np.int64),
        ("v", np.float64),
        ("u", np.int64),
        ("clock", np.int64),  # the timer clock at the reading
        ("offset", np.int64),
        ("series", np.int32),
        ("local", np.int32),  # number of the series in its kind
        ("row", np.int32),  # number in the order of release
        ("lon", np.int32),  # the sensor's place, 1e-7 degrees
        ("lat", np.int32),
        ("flag", np.uint8),
    ],
    align=True,
)
"""A reading as rules see it: one line of the cache."""
SEEN: Any = numba.from_dtype(RELEASED)[::1]

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
_int32, _int64 = types.int32[::1], types.int64[::1]


@compiled(types.int64(READINGS, types.int64, types.int64, _int64, _int64))
def clock(table: Table, first: int, max_age_ms: int, newest: I64, oldest: I64) -> int:
    """Set the event time used, the order time and staleness of each row; return how many clocks were suspect.

    `newest` and `oldest` [records from `first` on] take the largest and smallest `u` of rows that are not stale.
    """
    suspect = 0
    for i in range(len(table)):
        row = table[i]
        now = row["log_time"]
        at = row["t"]
        if at > now + SUSPECT_MS:
            at = now
            suspect += 1
        order = min(at, now)
        row["t"] = at
        row["u"] = order
        if at < now - max_age_ms:
            row["stale"] = 1
            continue
        row["stale"] = 0
        r = np.uint64(row["record"] - first)
        newest[r] = max(newest[r], order)
        oldest[r] = min(oldest[r], order)
    return suspect


@compiled(types.int64(_int64, types.int64, types.int64, types.int64, _int64, _int64))
def advance(newest: I64, before_newest: int, before_watermark: int, max_delay_ms: int, before: I64, after: I64) -> int:
    """Set the watermark before and after each record; returns the newest order time so far, NEVER without one."""
    watermark = before_watermark
    largest = before_newest
    for r in range(len(newest)):
        before[r] = watermark
        largest = max(largest, newest[r])
        if largest > NEVER:
            watermark = max(watermark, largest - max_delay_ms)
        after[r] = watermark
    return largest


@compiled(types.int64(READINGS, types.int64))
def due(table: Table, until: int) -> int:
    """Return how many of the rows, which stand in order of `u`, have it at `until` or before."""
    low, high = 0, len(table)
    while low < high:
        middle = (low + high) // 2
        if table[middle]["u"] <= until:
            low = middle + 1
        else:
            high = middle
    return low


@inlined
def mark_steps(watermark: I64, steps: I32) -> int:
    """Set the first record that reaches each of evenly spaced times; returns their distance, as a power of two."""
    records = len(watermark)
    span = watermark[records - 1] - watermark[0]
    shift = 0
    while span >> shift >= records:
        shift += 1
    r = 0
    for step in range((span >> shift) + 2):
        while r < records - 1 and watermark[r] < watermark[0] + (step << shift):
            r += 1
        steps[step] = r
    return shift


@inlined
def first_reaching(watermark: I64, order: int, steps: Any, shift: int) -> int:
    """Return the first record whose watermark is at least `order`, which the last one's is."""
    if order <= watermark[0]:
        return 0
    step = (order - watermark[0]) >> shift
    low: int = steps[step]
    high: int = steps[step + 1]
    while low < high:
        middle = (low + high) // 2
        if watermark[middle] >= order:
            high = middle
        else:
            low = middle + 1
    return low


@inlined
def insert_each(order: I32, u: I64, first: int, after: int) -> None:
    """Sort `order[first:after]`, which are few, by `u`; equal ones stay as they are."""
    for i in range(first + 1, after):
        row = order[i]
        k = i
        while k > first and u[order[k - 1]] > u[row]:
            order[k] = order[k - 1]
            k -= 1
        order[k] = row


@called
def sort(order: I32, u: I64, first: int, after: int, spare: I32) -> None:
    """Sort `order[first:after]` by `u`; equal ones stay as they are. Runs are sorted, then merged two by two."""
    for run in range(first, after, FEW_ROWS):
        insert_each(order, u, run, min(run + FEW_ROWS, after))
    width = FEW_ROWS
    while width < after - first:
        for low in range(first, after - width, 2 * width):
            middle, high = low + width, min(low + 2 * width, after)
            if u[order[middle - 1]] <= u[order[middle]]:
                continue
            for k in range(low, middle):
                spare[k] = order[k]
            left, right = low, middle
            for k in range(low, high):
                if left < middle and (right == high or u[spare[left]] <= u[order[right]]):
                    order[k] = spare[left]
                    left += 1
                else:
                    order[k] = order[right]
                    right += 1
        width *= 2


@compiled(types.void(READINGS, READINGS, types.int64, _int64, _int32, _int64, _int64, _int32, _int32, _int32, _int64))
def release(
    waited: Table,
    table: Table,
    first: int,
    watermark: I64,
    released: I32,
    u: I64,
    start: I64,
    order: I32,
    spare: I32,
    steps: I32,
    kinds: I64,
) -> None:
    """Say which record lets each row go, and in which order: by (record, `u`), equal ones by position.

    Rows are numbered through: first those that waited, in order of `u`, all of them due. A row is let go by the first
    record from its own on whose watermark reaches `u`; with `len(watermark)` it goes on waiting. Sets that record and
    `u` of each row, `start` [records + 2], the first of `order` of each record, and counts rows that go in `kinds`;
    `spare` [rows] and `steps` [records + 2] are there to be written on.
    """
    records = len(watermark)
    shift = mark_steps(watermark, steps)
    for i in range(len(waited)):
        row = waited[i]
        r = first_reaching(watermark, row["u"], steps, shift)
        released[i] = r
        u[i] = row["u"]
        start[r + 1] += 1
        kinds[row["kind"]] += 1
    for i in range(len(table)):
        row = table[i]
        r = row["record"] - first
        at = row["u"]
        if at > watermark[r]:
            going = at <= watermark[records - 1]
            r = first_reaching(watermark, at, steps, shift) if going else records
        released[len(waited) + i] = r
        u[len(waited) + i] = at
        start[r + 1] += 1
        if r < records:
            kinds[row["kind"]] += 1
    for r in range(records + 1):
        start[r + 1] += start[r]
    for i in range(len(released)):
        r = released[i]
        order[start[r]] = i
        start[r] += 1
    for r in range(records, -1, -1):
        start[r + 1] = start[r]
    start[0] = 0
    for r in range(records + 1):
        if start[r + 1] - start[r] <= FEW_ROWS:
            insert_each(order, u, start[r], start[r + 1])
        else:
            sort(order, u, start[r], start[r + 1], spare)


@compiled(
    types.int64(
        READINGS, READINGS, _int32, _int32, _int64, _int64,
        _int32, _int32, _int32, _int64, SEEN, _int64, _int32, _int32, types.int64[:, ::1],
    )
)  # fmt: skip
def admit(
    waited: Table,
    table: Table,
    order: I32,
    released: I32,
    before: I64,
    place: I64,
    local: I32,
    fixed_lon: I32,
    fixed_lat: I32,
    last: I64,
    seen: Table,
    u: I64,
    record: I32,
    aside: I32,
    counts: npt.NDArray[np.int64],
) -> int:
    """Judge rows in order of release: late, duplicate or stale; give each its sensor's place and the timer clock at it.

    `before` [records] is the watermark before each record, `place` [kinds] where the next row of a kind goes in `seen`,
    `last` [series] the `t` of the last good reading; `u` and `record` take those of each row in order of release,
    `counts` [kinds, 4] the rows by judgement. Returns how many rows are not good: `aside` has where they stand.
    """
    bad = 0
    for i in range(len(order)):
        number = order[i]
        row = waited[number] if number < len(waited) else table[number - len(waited)]
        kind = row["kind"]
        s = row["series"]
        t = row["t"]
        j = place[kind]
        place[kind] = j + 1
        one = seen[j]
        u[i] = row["u"]
        record[i] = released[number]
        one["clock"] = max(before[released[number]], row["u"])
        if row["stale"]:
            judged = STALE
        elif t > last[s]:
            last[s] = t
            judged = GOOD
        elif t == last[s]:
            judged = DUPLICATE
        else:
            judged = LATE
        counts[kind, judged] += 1
        if judged != GOOD:
            aside[bad] = j
            bad += 1
        if fixed_lon[s] != -2147483648:
            one["lon"] = fixed_lon[s]
            one["lat"] = fixed_lat[s]
        else:
            one["lon"] = row["lon"]
            one["lat"] = row["lat"]
            if row["lon"] != -2147483648:
                judged |= MOVED
        one["flag"] = judged
        one["t"] = t
        one["v"] = row["v"]
        one["u"] = row["u"]
        one["offset"] = row["offset"]
        one["series"] = s
        one["local"] = local[s]
        one["row"] = i
    return bad
