"""A piece of the scanner: `attrs`, all checked, the asked-for ones kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import types

from engine.detect.decode.reading import MOST_ATTRS
from engine.detect.decode.rows import Rows
from engine.detect.decode.scan_text import (
    BACKSLASH,
    CLOSE_OBJECT,
    COLON,
    COMMA,
    DECLINE,
    OPEN_OBJECT,
    QUOTE,
    Bytes,
    after_string,
    after_white,
)
from engine.detect.decode.scan_values import is_null, skipped, value
from engine.detect.decode.tables import same_text
from engine.detect.decode.words import byte_at, load8, record_type, store8
from engine.detect.kernels.compiled import inlined
from rules.columns import BOOL, NULL, NUMBER, STRING


class Asked(NamedTuple):
    """The names of the attributes to keep, as whole words filled with zero bytes."""

    words: npt.NDArray[np.uint64]
    start: npt.NDArray[np.int64]
    """[names] first word."""
    length: npt.NDArray[np.int64]
    """[names] bytes."""

    @classmethod
    def of(cls, names: Sequence[str]) -> Asked:
        texts = [name.encode() for name in names]
        length = np.array([len(text) for text in texts], np.int64)
        size = (length + 7) // 8
        words = b"".join(text + bytes(-len(text) % 8) for text in texts) + bytes(8)
        return cls(np.frombuffer(words, np.uint64).copy(), np.cumsum(size) - size, length)


_HEX = np.array([int(chr(byte), 16) if chr(byte) in "0123456789abcdefABCDEF" else 0 for byte in range(256)], np.int64)
_ESCAPED = np.arange(256, dtype=np.uint8)
for _letter, _meant in zip(b"bfnrt", b"\b\f\n\r\t", strict=True):
    _ESCAPED[_letter] = _meant
ASKED = record_type(Asked, (types.uint64[::1], types.int64[::1], types.int64[::1]))


@inlined
def forget(rows: Rows, row: int) -> None:
    """Make all asked-for attributes of a row null."""
    for name in range(len(rows.attr_tag)):
        rows.attr_tag[np.uint64(name), np.uint64(row)] = NULL
        rows.attr_num[np.uint64(name), np.uint64(row)] = 0.0
        rows.attr_start[np.uint64(name), np.uint64(row)] = 0
        rows.attr_length[np.uint64(name), np.uint64(row)] = 0


@inlined
def which(asked: Asked, data: Bytes, start: int, length: int) -> int:
    """Return the number of an asked-for name, or -1."""
    for name in range(len(asked.length)):
        if asked.length[np.uint64(name)] == length and same_text(
            asked.words, asked.start[np.uint64(name)], data, start, length
        ):
            return name
    return -1


@inlined
def unescape(data: Bytes, position: int, end: int, heap: Bytes, heap_used: int) -> int:
    """Write a checked string without its escapes; returns the used bytes of the heap. It never gets longer."""
    while position < end:
        byte = byte_at(data, position)
        position += 1
        if byte != BACKSLASH:
            heap[heap_used] = byte
            heap_used += 1
            continue
        letter = byte_at(data, position)
        position += 1
        if letter != 117:
            heap[heap_used] = _ESCAPED[letter]
            heap_used += 1
            continue
        code = 0
        for digit in range(position, position + 4):
            code = 16 * code + _HEX[byte_at(data, digit)]
        position += 4
        if code < 0x80:
            heap[heap_used] = code
            heap_used += 1
            continue
        if code < 0x800:
            heap[heap_used] = 0xC0 | (code >> 6)
        else:
            heap[heap_used] = 0xE0 | (code >> 12)
            heap_used += 1
            heap[heap_used] = 0x80 | ((code >> 6) & 0x3F)
        heap[heap_used + 1] = 0x80 | (code & 0x3F)
        heap_used += 2
    return heap_used


@inlined
def keep(
    data: Bytes, position: int, limit: int, rows: Rows, row: int, name: int, heap: Bytes, heap_used: int
) -> tuple[int, int]:
    """Write one asked-for value; returns the position after it and the used bytes of the heap."""
    byte = byte_at(data, position)
    tag, num, start, length = NULL, 0.0, 0, 0
    if byte == QUOTE:
        after, escaped = after_string(data, position + 1, limit)
        if after < 0 or after > limit:
            return DECLINE, heap_used
        tag, start = STRING, heap_used
        if escaped:
            heap_used = unescape(data, position + 1, after - 1, heap, heap_used)
        else:
            for byte_position in range(position + 1, after - 1, 8):
                store8(heap, heap_used + byte_position - position - 1, load8(data, byte_position))
            heap_used += after - position - 2
        length = heap_used - start
    elif is_null(data, position):
        after = position + 4
    else:
        after, num = value(data, position)
        tag = BOOL if byte == 116 or byte == 102 else NUMBER
    rows.attr_tag[np.uint64(name), np.uint64(row)] = tag
    rows.attr_num[np.uint64(name), np.uint64(row)] = num
    rows.attr_start[np.uint64(name), np.uint64(row)] = start
    rows.attr_length[np.uint64(name), np.uint64(row)] = length
    return after, heap_used


@inlined
def attrs(
    data: Bytes, position: int, limit: int, asked: Asked, rows: Rows, row: int, heap: Bytes, heap_used: int
) -> tuple[int, int]:
    """Read the object of attributes, or null; returns the position after it and the used bytes of the heap."""
    forget(rows, row)
    if byte_at(data, position) != OPEN_OBJECT:
        return (position + 4 if is_null(data, position) else DECLINE), heap_used
    position = after_white(data, position + 1, limit)
    if byte_at(data, position) == CLOSE_OBJECT:
        return position + 1, heap_used
    for _ in range(MOST_ATTRS):
        if position >= limit or byte_at(data, position) != QUOTE:
            return DECLINE, heap_used
        start = position + 1
        position, escaped = after_string(data, start, limit)
        if position < 0 or escaped:
            return DECLINE, heap_used
        name = which(asked, data, start, position - 1 - start)
        position = after_white(data, position, limit)
        if byte_at(data, position) != COLON:
            return DECLINE, heap_used
        position = after_white(data, position + 1, limit)
        if position >= limit:
            return DECLINE, heap_used
        if name < 0:
            position = skipped(data, position, limit)
        else:
            position, heap_used = keep(data, position, limit, rows, row, name, heap, heap_used)
        if position < 0:
            return DECLINE, heap_used
        position = after_white(data, position, limit)
        if byte_at(data, position) == CLOSE_OBJECT:
            return position + 1, heap_used
        if byte_at(data, position) != COMMA:
            return DECLINE, heap_used
        position = after_white(data, position + 1, limit)
    return DECLINE, heap_used
