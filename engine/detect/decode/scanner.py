"""The scanner: bytes of records to rows, in one pass, for the shapes that are common.

Whatever it does not know to be right it leaves to the slow path, as a hole between the rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import types

from engine.detect.decode.frames import LARGEST_RECORD_BYTES, MOST_READINGS
from engine.detect.decode.rows import ROWS, Rows
from engine.detect.decode.scan_attrs import ASKED, Asked
from engine.detect.decode.scan_object import NO_ROOM, SHIFTS, Shifts, scan_object
from engine.detect.decode.scan_text import (
    BACKSLASH,
    CLOSE_ARRAY,
    CLOSE_OBJECT,
    COMMA,
    DECLINE,
    NEWLINE,
    OPEN_ARRAY,
    OPEN_OBJECT,
    QUOTE,
    Bytes,
    after_white,
    find_newline,
)
from engine.detect.decode.tables import BYTES, INDEX, Index
from engine.detect.decode.words import byte_at, signed
from engine.detect.kernels.compiled import compiled, inlined
from engine.detect.kernels.memory import text_ahead

DONE, MORE_ROWS, MORE_SHIFTS, MORE_HOLES, MORE_NAMES = 0, 1, 2, 3, 4
"""Why a scan returned: at its end, or for room."""

RECORD, ROW, HEAP, SHIFT, HOLE = 0, 1, 2, 3, 4
"""Where a scan stands: next record, and how many rows, bytes of the heap, shifts and holes are filled."""

WHOLE_RECORD, ONE_OBJECT, FRAME_PART = 0, 1, 2
"""What a hole is: a record of which nothing is known, a record that is one object, a part of a frame."""

SINGLE, ARRAY, LINES = 0, 1, 2


class Holes(NamedTuple):
    """Texts left to the slow path, ordered by (record, index)."""

    row: npt.NDArray[np.int64]
    """The row before which its readings belong."""
    record: npt.NDArray[np.int64]
    part: npt.NDArray[np.int64]
    """Position in the frame."""
    shape: npt.NDArray[np.int64]
    """`WHOLE_RECORD`, `ONE_OBJECT` or `FRAME_PART`."""
    start: npt.NDArray[np.int64]
    """First byte of the text."""
    end: npt.NDArray[np.int64]

    @classmethod
    def empty(cls, size: int) -> Holes:
        return cls(*(np.empty(size, np.int64) for _ in cls._fields))

    def resized(self, size: int) -> Holes:
        """Return a copy with room for `size`, or only the first `size`."""
        return Holes(*(np.resize(column, size) if size > len(column) else column[:size] for column in self))


HOLES = types.NamedUniTuple(types.int64[::1], len(Holes._fields), Holes)  # type: ignore[no-untyped-call]


@inlined
def leave(holes: Holes, hole: int, row: int, record: int, number: int, shape: int, start: int, end: int) -> None:
    """Leave a text to the slow path."""
    holes.row[hole] = row
    holes.record[hole] = record
    holes.part[hole] = number
    holes.shape[hole] = shape
    holes.start[hole] = start
    holes.end[hole] = end


@inlined
def after_brackets(data: Bytes, position: int, limit: int, delimited: bool) -> int:
    """Return where the brackets opened at `position` are closed, as `frames.value_end`; -1 if nowhere.

    With `delimited`, as `frames._array`: the position of the comma or closing bracket behind the text at `position`.
    """
    depth = 0
    while position < limit:
        byte = byte_at(data, position)
        if byte == QUOTE:
            position += 1
            while position < limit and byte_at(data, position) != QUOTE:
                if byte_at(data, position) == BACKSLASH:
                    position += 1
                if position >= limit or byte_at(data, position) == NEWLINE:
                    return -1
                position += 1
            if position >= limit:
                return -1
        elif byte in (OPEN_OBJECT, OPEN_ARRAY):
            depth += 1
        elif byte in (CLOSE_OBJECT, CLOSE_ARRAY):
            if delimited and depth == 0:
                return position if byte == CLOSE_ARRAY else -1
            depth -= 1
            if not delimited and depth == 0:
                return position + 1
        elif delimited and byte == COMMA and depth == 0:
            return position
        position += 1
    return -1


@inlined
def before_white(data: Bytes, start: int, end: int) -> int:
    """Return the end of a text without the white space behind it."""
    while end > start and (
        byte_at(data, end - 1) == 32 or 9 <= byte_at(data, end - 1) <= 10 or byte_at(data, end - 1) == 13
    ):
        end -= 1
    return end


_TIMES = types.Array(types.int64, 1, "C", readonly=True)


@compiled(
    types.int64(
        BYTES, _TIMES, _TIMES, _TIMES, _TIMES, types.boolean, types.int64,
        INDEX, ASKED, ROWS, types.uint8[::1], SHIFTS, HOLES, types.int64[::1],
    )
)  # fmt: skip
def scan(
    data: Bytes,
    start: npt.NDArray[np.int64],
    end: npt.NDArray[np.int64],
    offset: npt.NDArray[np.int64],
    log_times: npt.NDArray[np.int64],
    offline: bool,
    stop: int,
    index: Index,
    asked: Asked,
    rows: Rows,
    heap: Bytes,
    shifts: Shifts,
    holes: Holes,
    state: npt.NDArray[np.int64],
) -> int:
    """Scan the records from `state[RECORD]` to `stop` (not included); returns why it came back.

    `log_times` is not read when `offline`. After room was made it is called again, and goes on with the record it
    stood at.
    """
    row, heap_used, shifts_used, hole = state[ROW], state[HEAP], state[SHIFT], state[HOLE]
    for record in range(state[RECORD], stop):
        state[RECORD], state[ROW], state[HEAP], state[SHIFT], state[HOLE] = record, row, heap_used, shifts_used, hole
        limit = end[record]
        text_ahead(data, start[record])
        log_time = 0 if offline else signed(log_times[record])
        position = after_white(data, start[record], limit)
        number = 0
        shape = SINGLE
        empty = False
        whole = limit - start[record] > LARGEST_RECORD_BYTES or position >= limit
        if not whole:
            if byte_at(data, position) == OPEN_ARRAY:
                shape = ARRAY
                position = after_white(data, position + 1, limit)
                if position < limit and byte_at(data, position) == CLOSE_ARRAY:
                    empty = True
                    whole = after_white(data, position + 1, limit) != limit
            else:
                whole = byte_at(data, position) != OPEN_OBJECT
        while not whole and not empty:
            if row >= len(rows.reading):
                return MORE_ROWS
            if shifts_used >= len(shifts.row):
                return MORE_SHIFTS
            if hole >= len(holes.row):
                return MORE_HOLES
            part_end = limit
            if shape == LINES:
                part_end = before_white(data, position, find_newline(data, position, limit))
            after = DECLINE
            new_heap, new_shifts = heap_used, shifts_used
            if position < limit and byte_at(data, position) == OPEN_OBJECT:
                after, new_heap, new_shifts = scan_object(
                    data, position, part_end, log_time, offline,
                    index, asked, rows, row, heap, heap_used, shifts, shifts_used,
                )  # fmt: skip
                if after == NO_ROOM:
                    return MORE_NAMES
            if shape == ARRAY:
                follows = after_white(data, after, limit) if after >= 0 else limit
                if follows >= limit or (byte_at(data, follows) != COMMA and byte_at(data, follows) != CLOSE_ARRAY):
                    after = DECLINE
                    follows = after_brackets(data, position, limit, True)
                    part_end = before_white(data, position, follows)
                    whole = follows < 0 or part_end == position
            elif shape == LINES:
                if after != part_end:
                    after = DECLINE
                follows = after_white(data, part_end, limit)
            else:
                part_end = after if after >= 0 else after_brackets(data, position, limit, False)
                follows = after_white(data, part_end, limit)
                whole = part_end < 0
                if not whole and follows < limit:
                    shape = LINES
                    within = find_newline(data, position, part_end) < part_end
                    whole = within or find_newline(data, part_end, follows) == follows
            if whole:
                break
            if after >= 0:
                reading = rows.reading[np.uint64(row)]
                reading["record"] = record
                reading["offset"] = offset[record]
                reading["index"] = number
                row += 1
                heap_used, shifts_used = new_heap, new_shifts
            else:
                what = ONE_OBJECT if shape == SINGLE else FRAME_PART
                leave(holes, hole, row, record, number, what, position, part_end)
                hole += 1
            number += 1
            if shape == ARRAY:
                if byte_at(data, follows) == CLOSE_ARRAY:
                    whole = after_white(data, follows + 1, limit) != limit
                    break
                follows = after_white(data, follows + 1, limit)
            elif follows >= limit:
                break
            whole = number >= MOST_READINGS
            position = follows
        if whole:
            row, heap_used, shifts_used, hole = state[ROW], state[HEAP], state[SHIFT], state[HOLE]
            if hole >= len(holes.row):
                return MORE_HOLES
            leave(holes, hole, row, record, 0, WHOLE_RECORD, start[record], limit)
            hole += 1
    state[RECORD], state[ROW], state[HEAP], state[SHIFT], state[HOLE] = stop, row, heap_used, shifts_used, hole
    return DONE
