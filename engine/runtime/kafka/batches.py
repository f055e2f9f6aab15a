"""Kafka's record batches (format v2), walked by compiled loops: no object a record, none a batch.

A batch is a header of 61 bytes, big end first, and its records, which may be compressed together:

    0 base offset i64 | 8 length i32 | 12 epoch i32 | 16 magic i8 | 17 crc u32 | 21 attributes i16 |
    23 last offset delta i32 | 27 base time i64 | 35 max time i64 | 43 producer i64 | 51 epoch i16 | 53 sequence i32 |
    57 records i32 | 61 records

The CRC-32C is that of everything from `attributes` on. A record: length, attributes (a byte), time delta, offset
delta, key length and key, value length and value, headers; numbers as zigzag varints, length -1 for none.
"""

from __future__ import annotations

import struct
from typing import Any, Final

import google_crc32c
import numpy as np
import numpy.typing as npt
from numba import types

from engine.detect.kernels.compiled import called, compiled, inlined
from engine.detect.kernels.memory import text_ahead

HEADER_BYTES: Final = 61
SMALLEST_RECORD_BYTES: Final = 7
_FRAME, _CHECKED = struct.Struct(">qiibI"), struct.Struct(">hiqqqhii")
"""The header before the attributes, and from them on."""
CODEC: Final = 0x07
LOG_APPEND_TIME: Final = 0x08
TRANSACTIONAL: Final = 0x10
CONTROL: Final = 0x20

# columns of the table that `scan` fills, a row a batch
POSITION: Final = 0
"""First byte of the batch."""
END: Final = 1
"""One past its last byte."""
BASE: Final = 2
"""Its first offset."""
NEXT: Final = 3
"""One past its last offset."""
CRC: Final = 4
ATTRIBUTES: Final = 5
BASE_TIME: Final = 6
MAX_TIME: Final = 7
PRODUCER: Final = 8
RECORDS: Final = 9
FROM: Final = 10
"""First byte of its records, uncompressed, in the buffer that `parse` reads."""
UPTO: Final = 11
"""One past the last of them."""
COLUMNS: Final = 12

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]
_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_TABLE = types.int64[:, ::1]
_int64 = types.int64[::1]


@inlined
def big(data: Bytes, at: int, size: int) -> Any:
    """Load `size` bytes, big end first, without a sign."""
    value = np.int64(0)
    for j in range(size):
        value = (value << 8) | np.int64(data[at + j])
    return value


@inlined
def big_i32(data: Bytes, at: int) -> Any:
    """Load a signed number of four bytes."""
    value = big(data, at, 4)
    return value - ((value & 0x80000000) << 1)


@compiled(types.int64(_BYTES, _TABLE, _int64))
def scan(data: Bytes, table: Int64, state: Int64) -> int:
    """Describe the whole batches of `data`, a row each; there must be rows for len(data) // 61.

    Returns how many. `state`: 1 where something else than a v2 batch follows them, else 0.
    """
    at, found = 0, 0
    state[0] = 0
    while at + 17 <= len(data):
        length = big_i32(data, at + 8)
        if length < HEADER_BYTES - 12 or data[at + 16] != 2:
            state[0] = 1
            break
        end = at + 12 + length
        if end > len(data):
            break
        table[found, POSITION] = at
        table[found, END] = end
        table[found, BASE] = big(data, at, 8)
        table[found, NEXT] = table[found, BASE] + big_i32(data, at + 23) + 1
        table[found, CRC] = big(data, at + 17, 4)
        table[found, ATTRIBUTES] = big(data, at + 21, 2)
        table[found, BASE_TIME] = big(data, at + 27, 8)
        table[found, MAX_TIME] = big(data, at + 35, 8)
        table[found, PRODUCER] = big(data, at + 43, 8)
        table[found, RECORDS] = big_i32(data, at + 57)
        table[found, FROM] = at + HEADER_BYTES
        table[found, UPTO] = end
        at = end
        found += 1
    return found


@inlined
def varint(data: Bytes, at: int, end: int) -> tuple[Any, Any]:
    """Read a zigzag varint of `data[:end]`: the value, and the position behind it (-1: it does not end in time)."""
    if at < end and data[at] < 128:
        low = np.int64(data[at])
        return (low >> 1) ^ -(low & 1), at + 1
    value, shift = np.uint64(0), np.uint64(0)
    while at < end and shift < np.uint64(64):
        byte = np.uint64(data[at])
        at += 1
        value |= (byte & np.uint64(127)) << shift
        if byte < np.uint64(128):
            return np.int64(value >> np.uint64(1)) ^ -np.int64(value & np.uint64(1)), at
        shift += np.uint64(7)
    return np.int64(0), -1


@called
def put_varint(data: Bytes, at: int, number: int) -> int:
    """Write a number as a zigzag varint; returns the place behind it."""
    rest = np.uint64((number << 1) ^ (number >> 63))
    while rest > np.uint64(127):
        data[at] = np.uint8((rest & np.uint64(127)) | np.uint64(128))
        rest >>= np.uint64(7)
        at += 1
    data[at] = np.uint8(rest)
    return at + 1


@called
def varint_bytes(number: int) -> int:
    """Return how many bytes a zigzag varint takes."""
    rest = np.uint64((number << 1) ^ (number >> 63))
    size = 1
    while rest > np.uint64(127):
        rest >>= np.uint64(7)
        size += 1
    return size


def framed(
    body: bytes, codec: int, records: int, first_ms: int, last_ms: int, producer: tuple[int, int, int] = (-1, -1, -1)
) -> bytes:
    """Put the header of a batch before its records, compressed or not; `producer`: its id, epoch and sequence."""
    checked = _CHECKED.pack(codec, records - 1, first_ms, last_ms, *producer, records)
    crc = google_crc32c.extend(google_crc32c.value(checked), body)
    return b"".join((_FRAME.pack(0, HEADER_BYTES - 12 + len(body), -1, 2, crc), checked, body))


@compiled(types.int64(_BYTES, _TABLE, types.int64, types.int64, _int64, _int64, _int64, _int64, _int64, _int64, _int64))
def parse(
    data: Bytes,
    table: Int64,
    row: int,
    position: int,
    start: Int64,
    end: Int64,
    offset: Int64,
    time: Int64,
    key_start: Int64,
    key_end: Int64,
    state: Int64,
) -> int:
    """Find the records from `position` on of the batches from `row` on; `data[FROM:UPTO]` are the records of one.

    Returns how many. A value of null has its end before its start, as has a key; keys are told when their arrays have
    room. `state`: -1, else the row of a batch that is not as it must be.
    """
    found = 0
    keys = len(key_start) > 0
    state[0] = -1
    for j in range(row, len(table)):
        at, upto = table[j, FROM], table[j, UPTO]
        base, last = table[j, BASE], table[j, NEXT] - 1
        appended = table[j, ATTRIBUTES] & LOG_APPEND_TIME != 0
        for _ in range(table[j, RECORDS]):
            text_ahead(data, at)
            length, at = varint(data, at, upto)
            stop = at + length
            if at < 0 or length < SMALLEST_RECORD_BYTES - 1 or stop > upto:
                state[0] = j
                return found
            time_delta, at = varint(data, at + 1, stop)
            offset_delta, at = varint(data, at, stop) if at >= 0 else (0, -1)
            key_length, at = varint(data, at, stop) if at >= 0 else (0, -1)
            key = at
            if at < 0 or key_length < -1 or key_length > stop - at:
                state[0] = j
                return found
            value_length, at = varint(data, at + max(key_length, 0), stop)
            this = base + offset_delta
            if at < 0 or value_length < -1 or value_length > stop - at or this < base or this > last:
                state[0] = j
                return found
            if this >= position:
                start[found] = at
                end[found] = at + value_length
                offset[found] = this
                time[found] = table[j, MAX_TIME] if appended else table[j, BASE_TIME] + time_delta
                if keys:
                    key_start[found] = key
                    key_end[found] = key + key_length
                found += 1
            at = stop
        if at != upto:
            state[0] = j
            return found
    return found
