"""Comparisons of UTF-8 strings as compiled loops over heap, start and length. Byte order is code-point order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from geo.compiled import compiled
from rules.columns import Strings

_STRINGS = "uint8[::1], int64[::1], int32[::1]"


@compiled(f"int8[::1]({_STRINGS}, {_STRINGS}, boolean[::1])")
def _order(
    heap_a: npt.NDArray[np.uint8],
    start_a: npt.NDArray[np.int64],
    length_a: npt.NDArray[np.int32],
    heap_b: npt.NDArray[np.uint8],
    start_b: npt.NDArray[np.int64],
    length_b: npt.NDArray[np.int32],
    rows: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int8]:
    """-1, 0, 1 as a is less than, equal to, greater than b; 0 where `rows` is false."""
    out = np.zeros(rows.size, np.int8)
    for i in range(rows.size):
        if not rows[i]:
            continue
        a, b = start_a[i], start_b[i]
        shared = min(length_a[i], length_b[i])
        sign = 0
        for j in range(shared):
            if heap_a[a + j] != heap_b[b + j]:
                sign = -1 if heap_a[a + j] < heap_b[b + j] else 1
                break
        if sign == 0:
            sign = (length_a[i] > length_b[i]) - (length_a[i] < length_b[i])
        out[i] = sign
    return out


@compiled(f"boolean[::1]({_STRINGS}, {_STRINGS}, boolean[::1], boolean)")
def _affix(
    heap_a: npt.NDArray[np.uint8],
    start_a: npt.NDArray[np.int64],
    length_a: npt.NDArray[np.int32],
    heap_b: npt.NDArray[np.uint8],
    start_b: npt.NDArray[np.int64],
    length_b: npt.NDArray[np.int32],
    rows: npt.NDArray[np.bool_],
    at_end: bool,
) -> npt.NDArray[np.bool_]:
    """True where a starts (or ends) with b; false where `rows` is false."""
    out = np.zeros(rows.size, np.bool_)
    for i in range(rows.size):
        if not rows[i] or length_b[i] > length_a[i]:
            continue
        a, b = start_a[i], start_b[i]
        if at_end:
            a += length_a[i] - length_b[i]
        same = True
        for j in range(length_b[i]):
            if heap_a[a + j] != heap_b[b + j]:
                same = False
                break
        out[i] = same
    return out


@compiled(f"boolean[::1]({_STRINGS}, uint8[::1], boolean[::1])")
def _equals_one(
    heap: npt.NDArray[np.uint8],
    start: npt.NDArray[np.int64],
    length: npt.NDArray[np.int32],
    literal: npt.NDArray[np.uint8],
    rows: npt.NDArray[np.bool_],
) -> npt.NDArray[np.bool_]:
    out = np.zeros(rows.size, np.bool_)
    size = literal.size
    for i in range(rows.size):
        if not rows[i] or length[i] != size:
            continue
        a = start[i]
        same = True
        for j in range(size):
            if heap[a + j] != literal[j]:
                same = False
                break
        out[i] = same
    return out


def order(a: Strings, b: Strings, rows: npt.NDArray[np.bool_]) -> npt.NDArray[np.int8]:
    """Compare row by row by code point; 0 where `rows` is false."""
    result: npt.NDArray[np.int8] = _order(
        _own(a.heap), a.start, a.length, _own(b.heap), b.start, b.length, np.ascontiguousarray(rows)
    )
    return result


def affix(a: Strings, b: Strings, rows: npt.NDArray[np.bool_], *, at_end: bool) -> npt.NDArray[np.bool_]:
    """Tell where a starts with b, or ends with it; false where `rows` is false."""
    result: npt.NDArray[np.bool_] = _affix(
        _own(a.heap), a.start, a.length, _own(b.heap), b.start, b.length, np.ascontiguousarray(rows), at_end
    )
    return result


def equals_one(a: Strings, literal: bytes, rows: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Tell where a is the literal; false where `rows` is false."""
    one = np.frombuffer(literal, np.uint8).copy()
    result: npt.NDArray[np.bool_] = _equals_one(_own(a.heap), a.start, a.length, one, np.ascontiguousarray(rows))
    return result


def repeat(literal: bytes, n: int) -> Strings:
    """Return n rows of one string."""
    heap = np.frombuffer(literal, np.uint8).copy()
    return Strings(heap, np.zeros(n, np.int64), np.full(n, len(literal), np.int32))


def _own(heap: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The kernels' signatures want a writable heap; one over immutable bytes is copied."""
    return heap if heap.flags.writeable else heap.copy()
