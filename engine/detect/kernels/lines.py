"""Where lines begin and end."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import types

from engine.detect.decode.words import HIGHS, NEWLINES, ONES, Word, load8, signed, trailing_zeros
from engine.detect.kernels.compiled import compiled, inlined

Int64 = npt.NDArray[np.int64]
_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_int64 = types.int64[::1]


@inlined
def next_newline(data: npt.NDArray[np.uint8], position: int, used: int) -> int:
    """Return the position of the next newline, `used` if there is none; looks at 64 bytes at a time."""
    while position < used:
        block = np.uint64(0)
        for word in range(8):
            block |= newlines(data, position + 8 * word)
        if block == 0:
            position += 64
            continue
        marks = newlines(data, position)
        while marks == 0:
            position += 8
            marks = newlines(data, position)
        return min(position + (trailing_zeros(marks) >> 3), used)
    return used


@inlined
def newlines(data: npt.NDArray[np.uint8], position: int) -> Word:
    """Mark the newlines among eight bytes; the lowest mark is right."""
    word = load8(data, position) ^ NEWLINES
    return (word - ONES) & ~word & HIGHS


@compiled(types.int64(_BYTES, types.int64, types.int64, _int64, _int64, _int64, _int64))
def split(
    data: npt.NDArray[np.uint8], used: int, first_line: int, start: Int64, end: Int64, line: Int64, state: Int64
) -> int:
    """Find the lines of `data[:used]` (padded) that are not blank; the last may lack its newline.

    `state`: where to go on, the lines so far with the blank ones, and how many are written. Returns the last, which is
    the size of the arrays when they are full.
    """
    begin, number, found = signed(state[0]), signed(state[1]), signed(state[2])
    while begin < used and found < len(start):
        newline = next_newline(data, begin, used)
        number += 1
        position = begin
        while position < newline and (data[position] == 32 or data[position] == 9 or data[position] == 13):
            position += 1
        if position < newline:
            start[found] = begin
            end[found] = newline
            line[found] = first_line + number - 1
            found += 1
        begin = newline + 1
    state[0], state[1], state[2] = begin, number, found
    return found
