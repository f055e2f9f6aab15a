"""Windows: the readings of the last panes of a (sensor, kind), summed exactly (spec/rules.md, "Windows")."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.detect.kernels.compiled import NEVER, called, inlined
from engine.detect.kernels.layout import (
    M_FREE,
    M_POOL,
    P_AGG,
    P_LAST,
    P_PANES,
    P_STEP,
    W_A,
    W_B,
    W_BLOCK,
    W_C,
    W_COUNT,
    W_END,
    W_EXTREME,
    W_FIRST,
    W_HIGH,
    W_LENGTH,
    W_LOW,
    W_PANE,
    W_SIZE,
)

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]

SUM, COUNT, MEAN, MIN, MAX, DELTA, RATE, RANGE = 0, 1, 2, 3, 4, 5, 6, 7
"""Numbers of rules.model.Agg."""
SMALLEST_BLOCK = 4
LOW_BITS = 32
LOW_MASK = (1 << LOW_BITS) - 1


@inlined
def millionths(high: int, low: int) -> float:
    """Return (high * 2^32 + low) / 10^6, correctly rounded; 0 <= low < 2^32, and the result below 2^63.

    That is the sum of 9 * 10^10 of the largest measures.
    """
    if -(1 << 20) <= high < (1 << 20):
        return ((high << LOW_BITS) + low) / 1e6
    negative = high < 0
    if negative:
        high, low = (-high, 0) if low == 0 else (-high - 1, (1 << LOW_BITS) - low)
    rest = ((high % 1000000) << LOW_BITS) + low
    whole = ((high // 1000000) << LOW_BITS) + rest // 1000000
    rest = rest % 1000000
    bits = 0
    while (whole >> bits) > 0:
        bits += 1
    shift = 55 - bits
    if shift >= 0:
        part = rest << shift
        mantissa = (whole << shift) + part // 1000000
        sticky = part % 1000000 != 0
    else:
        mantissa = whole >> -shift
        sticky = rest != 0 or (mantissa << -shift) != whole
    if sticky:
        mantissa |= 1
    value = float(mantissa) * 2.0 ** (-shift)
    return -value if negative else value


@called
def grow(W: I64, slot: int, pool: I64, meta: I64) -> None:
    """Move the ring of panes of a slot into a block twice as large (or give it its first)."""
    size = W[slot, W_SIZE]
    wanted = SMALLEST_BLOCK if size == 0 else 2 * size
    order = 0
    while (1 << order) < wanted:
        order += 1
    block = meta[M_FREE + order]
    if block >= 0:
        meta[M_FREE + order] = pool[block, 0]
    else:
        block = meta[M_POOL]
        meta[M_POOL] = block + wanted
    if size > 0:
        old = W[slot, W_BLOCK]
        first = W[slot, W_FIRST]
        for i in range(W[slot, W_LENGTH]):
            source = old + ((first + i) & (size - 1))
            for f in range(4):
                pool[block + i, f] = pool[source, f]
        pool[old, 0] = meta[M_FREE + order - 1]
        meta[M_FREE + order - 1] = old
    W[slot, W_BLOCK] = block
    W[slot, W_SIZE] = wanted
    W[slot, W_FIRST] = 0


@called
def empty(W: I64, slot: int) -> None:
    """Empty a window; its block stays."""
    W[slot, W_END] = NEVER
    W[slot, W_LENGTH] = 0
    W[slot, W_FIRST] = 0
    W[slot, W_HIGH] = 0
    W[slot, W_LOW] = 0
    W[slot, W_COUNT] = 0


@called
def expire(agg: int, oldest: int, most: int, W: I64, slot: int, pool: I64) -> bool:
    """Drop the panes of the ring before `oldest`, and all but the last `most`; returns whether any went."""
    block = W[slot, W_BLOCK]
    size = W[slot, W_SIZE]
    first = W[slot, W_FIRST]
    length = W[slot, W_LENGTH]
    before = length
    while length > 0 and (pool[block + first, 0] < oldest or length > most):
        row = block + first
        if agg <= MEAN:
            if agg != COUNT:
                W[slot, W_HIGH] -= pool[row, 1]
                W[slot, W_LOW] -= pool[row, 2]
            W[slot, W_COUNT] -= pool[row, 3]
        first = (first + 1) & (size - 1)
        length -= 1
    W[slot, W_FIRST] = first
    W[slot, W_LENGTH] = length
    return bool(length < before)


@called
def turn(P: I64, pane: int, W: I64, WF: F64, slot: int, pool: I64, poolf: F64, meta: I64) -> None:
    """Close the present pane and begin `pane`; what is too old goes. The pool has room."""
    if W[slot, W_END] != NEVER:
        if W[slot, W_LENGTH] == W[slot, W_SIZE]:
            grow(W, slot, pool, meta)
        row = W[slot, W_BLOCK] + ((W[slot, W_FIRST] + W[slot, W_LENGTH]) & (W[slot, W_SIZE] - 1))
        W[slot, W_LENGTH] += 1
        pool[row, 0] = W[slot, W_PANE]
        pool[row, 1] = W[slot, W_A]
        pool[row, 2] = W[slot, W_B]
        pool[row, 3] = W[slot, W_C]
    agg = P[P_AGG]
    gone = expire(agg, pane - P[P_PANES] + 1, P[P_LAST], W, slot, pool)
    W[slot, W_PANE] = pane
    W[slot, W_END] = (pane + 1) * P[P_STEP]
    W[slot, W_A] = 0
    W[slot, W_B] = 0
    W[slot, W_C] = 0
    length = W[slot, W_LENGTH]
    if agg in (MIN, MAX):
        WF[slot, W_A] = np.inf if agg == MIN else -np.inf
        if gone or length == 0:
            best = WF[slot, W_A]
            for i in range(length):
                other = poolf[W[slot, W_BLOCK] + ((W[slot, W_FIRST] + i) & (W[slot, W_SIZE] - 1)), 1]
                best = min(best, other) if agg == MIN else max(best, other)
            WF[slot, W_EXTREME] = best
    elif agg == RANGE:
        WF[slot, W_A] = np.inf
        WF[slot, W_B] = -np.inf
        if gone or length == 0:
            lowest, highest = np.inf, -np.inf
            for i in range(length):
                row = W[slot, W_BLOCK] + ((W[slot, W_FIRST] + i) & (W[slot, W_SIZE] - 1))
                lowest = min(lowest, poolf[row, 1])
                highest = max(highest, poolf[row, 2])
            WF[slot, W_EXTREME] = lowest
            WF[slot, W_HIGH] = highest
    elif agg >= DELTA:
        W[slot, W_A] = NEVER
        W[slot, W_HIGH] = NEVER
        if length > 0:
            first = W[slot, W_BLOCK] + W[slot, W_FIRST]
            W[slot, W_HIGH] = pool[first, 1]
            WF[slot, W_LOW] = poolf[first, 2]


@inlined
def aggregate(agg: int, boolean: bool, W: I64, WF: F64, slot: int, t: int, x: float) -> float:
    """Put one value into the present pane and return the aggregate; NaN for null."""
    if agg == COUNT:
        if not boolean or x != 0.0:
            W[slot, W_C] += 1
            W[slot, W_COUNT] += 1
        return float(W[slot, W_COUNT])
    if agg <= MEAN:
        scaled = np.int64(np.rint(x * 1e6))
        high = scaled >> LOW_BITS
        low = scaled & LOW_MASK
        W[slot, W_A] += high
        W[slot, W_B] += low
        W[slot, W_C] += 1
        high += W[slot, W_HIGH]
        low += W[slot, W_LOW]
        count = W[slot, W_COUNT] + 1
        W[slot, W_HIGH] = high
        W[slot, W_LOW] = low
        W[slot, W_COUNT] = count
        total = millionths(high + (low >> LOW_BITS), low & LOW_MASK)
        return total if agg == SUM else total / count
    if agg == MIN:
        WF[slot, W_A] = min(WF[slot, W_A], x)
        best: float = min(WF[slot, W_EXTREME], x)
        WF[slot, W_EXTREME] = best
        return best
    if agg == MAX:
        WF[slot, W_A] = max(WF[slot, W_A], x)
        best = max(WF[slot, W_EXTREME], x)
        WF[slot, W_EXTREME] = best
        return best
    if agg == RANGE:
        WF[slot, W_A] = min(WF[slot, W_A], x)
        WF[slot, W_B] = max(WF[slot, W_B], x)
        WF[slot, W_EXTREME] = min(WF[slot, W_EXTREME], x)
        WF[slot, W_HIGH] = max(WF[slot, W_HIGH], x)
        span: float = WF[slot, W_HIGH] - WF[slot, W_EXTREME]
        return span
    if W[slot, W_A] == NEVER:
        W[slot, W_A] = t
        WF[slot, W_B] = x
        if W[slot, W_HIGH] == NEVER:
            W[slot, W_HIGH] = t
            WF[slot, W_LOW] = x
    delta: float = x - WF[slot, W_LOW]
    if agg == DELTA:
        return delta
    elapsed: int = t - W[slot, W_HIGH]
    if elapsed == 0:
        return np.nan
    return delta / (elapsed / 60000.0)
