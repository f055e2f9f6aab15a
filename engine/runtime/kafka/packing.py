"""What detect said as records of Kafka: laid out from their keys on by compiled code, then into batches (format 2).

A record is its length, attributes, the distances of its time and offset from the batch's, then key, value and headers.
What stands before the key is known only when the batch is built.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import compress
from typing import Final

import cramjam
import msgspec
import numpy as np
import numpy.typing as npt
from aiokafka.producer.message_accumulator import BatchBuilder
from numba import types

from engine.detect.changes import Item, Mark, encode
from engine.detect.items import EPISODE, KEY_BYTES, Items, Stills
from engine.detect.kernels.compiled import called, compiled
from engine.detect.kernels.memory import copy_bytes
from engine.detect.kernels.spelling import (
    EPISODE_BYTES,
    NUMBER_BYTES,
    STILL_BYTES,
    numbers,
    put,
    put_signed,
    put_still,
    put_whole,
)
from engine.detect.last_values import LastValue
from engine.detect.output import Output
from engine.runtime.kafka.batches import HEADER_BYTES, framed, put_varint, varint_bytes
from engine.runtime.kafka.events import Headers, Pair, named, of_row, rfc3339, same_of, still_type
from engine.runtime.log import Append, Entry, Stream
from engine.runtime.outputs import put_aside

BATCH_BYTES: Final = 900 << 10
"""Before they are compressed; less than what a topic takes, compressed or not."""
RECORD_OVERHEAD: Final = 21
"""Before the key at most: length, attributes, two distances."""
ZSTD, LEVEL = 4, 1
NOTHING: Final = b"\x01"
"""The length of a key that is not there."""
STILL_HEADERS_BYTES: Final = 160
"""What the id and the time of a still take at most, with its key."""
COUNTED_ID: Final = b"\x0c\x0ace_id"
"""Six headers, and the name of the first, behind its length; then that of the second."""
TIME: Final = b"\x0ece_time"
NAMED_COUNT, NAMED_STILL, TIMED = (np.frombuffer(text, np.uint8) for text in (COUNTED_ID, b"still:", TIME))
COLON, DASH, LETTER_T, LETTER_Z, POINT = (ord(one) for one in ":-TZ.")
_json = msgspec.json.Encoder()

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]
_written = types.uint8[::1]
_read = types.Array(types.uint8, 1, "C", readonly=True)
_matrix = types.uint8[:, ::1]
_int64 = types.int64[::1]


@dataclass(frozen=True, slots=True)
class Packed:
    """Records for one partition of one stream, in order: from its key on the i-th ends at `end[i]` of `data`.

    `log_time` in ms, None for the log's clock.
    """

    stream: str
    partition: int
    data: U8
    end: I64
    log_time: int | None

    @property
    def size(self) -> int:
        """The bytes that wait in memory for it."""
        return len(self.data) + 8 * len(self.end)


def packed(output: Output, partition: int, log_time: int | None, prefix: str = "") -> list[Packed]:
    """Return the records of one step of detect on a partition; `prefix` is that of the topics."""
    found = [_said(output.items, stream, log_time, prefix) for stream in (Stream.ALERTS, Stream.SHADOW)]
    found += [_of_rows(append, prefix) for append in put_aside(output, partition, log_time)]
    return [one for one in found if len(one.end)]


def of_values(values: Sequence[LastValue], prefix: str = "") -> Packed:
    """Return last values under their keys, for the compacted topic."""
    source = f"/tongguan/{prefix}{Stream.SENSORS}"
    tails = []
    for value in values:
        key = f"{value.sensor}|{value.kind}".encode()
        tails.append(_named_tail(_varint(len(key)) + key, _json.encode(value), Stream.SENSORS, value, source))
    return Packed(Stream.SENSORS, 0, *_laid(tails), None)


def _of_rows(append: Append, prefix: str) -> Packed:
    """Return rows of the late store or the quarantine, which all have one time, as records."""
    tails = [_tail(entry, of_row(f"{prefix}{append.stream}", entry.value)) for entry in append.entries]
    return Packed(append.stream, append.partition, *_laid(tails), append.entries[0].log_time)


def _said(items: Items, stream: Stream, log_time: int | None, prefix: str) -> Packed:
    """Return the items of city.alerts, or those of shadow rules."""
    shadow = stream == Stream.SHADOW
    ours = [not shadow if isinstance(item, Mark) else item.shadow == shadow for item in items.spoken]
    spoken = list(compress(items.spoken, ours))
    source = f"/tongguan/{prefix}{stream}"
    keys = [NOTHING if isinstance(item, Mark) else _text(item.key) for item in spoken]
    said = zip(keys, spoken, strict=True)
    others = Packed(
        stream, 0, *_laid([_named_tail(key, encode(item), stream, item, source) for key, item in said]), log_time
    )
    stills = items.stills
    which = stills.episode["shadow"] == shadow
    if not which.all() or len(spoken) < len(items.spoken):
        stills = stills.chosen(which, np.array(ours, np.bool_))
    if not len(stills):
        return others
    return Packed(stream, 0, *_with_stills(stills, others, stream, source), log_time)


def _with_stills(stills: Stills, others: Packed, stream: Stream, source: str) -> tuple[U8, I64]:
    """Lay stills between the others."""
    number = np.zeros((len(stills), NUMBER_BYTES), np.uint8)
    digits = np.zeros(len(stills), np.int32)
    numbers(stills.value, number, digits)
    for hard in np.flatnonzero(digits == 0).tolist():
        text = _json.encode(float(stills.value[hard]))
        number[hard, : len(text)] = np.frombuffer(text, np.uint8)
        digits[hard] = len(text)
    same = np.frombuffer(_headers(same_of(source, still_type(stream))), np.uint8)
    room = len(stills) * (STILL_BYTES + STILL_HEADERS_BYTES + len(same))
    data = np.empty(len(others.data) + room, np.uint8)
    end = np.empty(len(others.end) + len(stills), np.int64)
    scratch = np.empty(STILL_BYTES + STILL_HEADERS_BYTES, np.uint8)
    used = _merge(
        _column(stills, "id"), _column(stills, "key"), stills.t, number, digits, stills.before, same,
        others.data, others.end, data, end, scratch,
    )  # fmt: skip
    return data[:used].copy(), end


def _column(stills: Stills, name: str) -> U8:
    """Return texts of a fixed width as a matrix of bytes."""
    width = EPISODE[name].itemsize
    return np.ascontiguousarray(stills.episode[name]).view(np.uint8).reshape(len(stills), width)


# ---- in Python: what there is little of


def _named_tail(key: bytes, value: bytes, stream: Stream, item: Item | LastValue, source: str) -> bytes:
    """Return the record of something that has a name and a time, from its key on; `key` is behind its length."""
    kind, name, t_ms = named(stream, item)
    said, time = name.encode(), rfc3339(t_ms).encode()
    return b"".join((
        key, _varint(len(value)), value,
        COUNTED_ID, _varint(len(said)), said, TIME, _varint(len(time)), time, _headers(same_of(source, kind)),
    ))  # fmt: skip


def _tail(entry: Entry, headers: Headers) -> bytes:
    key = NOTHING if entry.key is None else _text(entry.key)
    count, value = _varint(len(headers)), entry.value
    return b"".join((key, _varint(len(value)), value, count, *map(_header, headers)))


def _header(pair: Pair) -> bytes:
    return b"".join((_text(pair[0]), _varint(len(pair[1])), pair[1]))


@lru_cache(maxsize=1024)
def _headers(pairs: Headers) -> bytes:
    return b"".join(map(_header, pairs))


@lru_cache(maxsize=4096)
def _text(text: str) -> bytes:
    """Return a key, or the name of a header, behind its length."""
    said = text.encode()
    return _varint(len(said)) + said


@lru_cache(maxsize=4096)
def _varint(length: int) -> bytes:
    """Return a length as a zigzag varint."""
    length <<= 1
    said = bytearray()
    while length > 127:
        said.append(length & 127 | 128)
        length >>= 7
    said.append(length)
    return bytes(said)


def _laid(tails: Sequence[bytes]) -> tuple[U8, I64]:
    return np.frombuffer(b"".join(tails), np.uint8), np.cumsum([len(tail) for tail in tails], dtype=np.int64)


# ---- compiled: stills


@called
def _put_time(text: U8, at: int, t: int) -> int:
    """Write a time as RFC 3339 with milliseconds, in UTC: days become a date of the Gregorian calendar."""
    seconds = t // 1000
    days = seconds // 86400
    second = seconds - 86400 * days
    shifted = days + 719468  # since 1 March of the year 0
    era = shifted // 146097
    day_of_era = shifted - 146097 * era
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month = (5 * day_of_year + 2) // 153  # from March
    day = day_of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    year = year_of_era + 400 * era + (1 if month <= 2 else 0)
    at = put_whole(text, at, year, 4)
    text[at] = DASH
    at = put_whole(text, at + 1, month, 2)
    text[at] = DASH
    at = put_whole(text, at + 1, day, 2)
    text[at] = LETTER_T
    at = put_whole(text, at + 1, second // 3600, 2)
    text[at] = COLON
    at = put_whole(text, at + 1, second // 60 % 60, 2)
    text[at] = COLON
    at = put_whole(text, at + 1, second % 60, 2)
    text[at] = POINT
    at = put_whole(text, at + 1, t - 1000 * seconds, 3)
    text[at] = LETTER_Z
    return at + 1


@called
def _put_record(text: U8, at: int, episode: U8, key: U8, t: int, number: U8, digits: int, same: U8, scratch: U8) -> int:
    """Write a still from its key on. `scratch` has room for a still."""
    length = 0
    while length < KEY_BYTES and key[length] != 0:
        length += 1
    at = put_varint(text, at, length)
    copy_bytes(text, at, key, 0, length)
    value = put_still(scratch, 0, episode, t, number, digits)
    at = put_varint(text, at + length, value)
    copy_bytes(text, at, scratch, 0, value)
    at = put(text, at + value, NAMED_COUNT)
    name = put(scratch, 0, NAMED_STILL)
    copy_bytes(scratch, name, episode, 0, EPISODE_BYTES)
    scratch[name + EPISODE_BYTES] = COLON
    name = put_signed(scratch, name + EPISODE_BYTES + 1, t)
    at = put_varint(text, at, name)
    copy_bytes(text, at, scratch, 0, name)
    at = put(text, at + name, TIMED)
    time = _put_time(scratch, 0, t)
    at = put_varint(text, at, time)
    copy_bytes(text, at, scratch, 0, time)
    return put(text, at + time, same)


@compiled(
    types.int64(
        _matrix, _matrix, _int64, _matrix, types.int32[::1], _int64, _read, _read, _int64, _written, _int64, _written
    )
)
def _merge(
    episode: U8, key: U8, t: I64, number: U8, digits: I32, before: I64, same: U8,
    others: U8, others_end: I64, data: U8, end: I64, scratch: U8,
) -> int:  # fmt: skip
    """Write stills, each before the other that it says, and the others; returns the bytes written."""
    at, said, begin = 0, 0, 0
    for i in range(len(t) + 1):
        upto = before[i] if i < len(t) else len(others_end)
        while said < upto:
            copy_bytes(data, at, others, begin, others_end[said] - begin)
            at += others_end[said] - begin
            begin = others_end[said]
            end[i + said] = at
            said += 1
        if i < len(t):
            at = _put_record(data, at, episode[i], key[i], t[i], number[i], digits[i], same, scratch)
            end[i + said] = at
    return at


# ---- batches


@compiled(types.int64(_read, _int64, types.int64, types.int64, types.int64, _written, types.int64, _int64))
def _lay(data: U8, end: I64, first: int, number: int, time_delta: int, text: U8, used: int, state: I64) -> int:
    """Write whole records from `first` on, as many as there is room for, `number` being the offset of the first.

    Returns the next one; `state`: the bytes used.
    """
    one = first
    while one < len(end):
        begin = end[one - 1] if one > 0 else 0
        size = end[one] - begin
        body = 1 + varint_bytes(time_delta) + varint_bytes(number) + size
        if used + varint_bytes(body) + body > len(text):
            break
        at = put_varint(text, used, body)
        text[at] = 0
        at = put_varint(text, put_varint(text, at + 1, time_delta), number)
        copy_bytes(text, at, data, begin, size)
        used = at + size
        number += 1
        one += 1
    state[0] = used
    return one


class Laid(BatchBuilder):  # type: ignore[misc]
    """A batch of packed records, in the place of aiokafka's builder, which takes them one by one."""

    def __init__(self, size: int = BATCH_BYTES) -> None:
        self._size = size
        self._text: U8 = np.empty(0, np.uint8)
        self._used = 0
        self._relative_offset = 0
        self._first_ms = self._last_ms = 0
        self._producer = (-1, -1, -1)
        self._buffer: bytes | None = None
        self._closed = False

    def take(self, records: Packed, first: int, now_ms: int) -> int:
        """Take records from `first` on, as many as there is room for, one at least into an empty batch."""
        t = now_ms if records.log_time is None else records.log_time
        if not self._relative_offset:
            self._first_ms = self._last_ms = t
            begin = int(records.end[first - 1]) if first else 0
            self._text = np.empty(max(self._size, int(records.end[first]) - begin + RECORD_OVERHEAD), np.uint8)
        state = np.zeros(1, np.int64)
        after = _lay(
            records.data, records.end, first, self._relative_offset, t - self._first_ms, self._text, self._used, state
        )
        if after > first:
            self._last_ms = max(self._last_ms, t)
        self._used = int(state[0])
        self._relative_offset += after - first
        return int(after)

    def size(self) -> int:
        """Return the bytes of the batch, before it is compressed."""
        return HEADER_BYTES + self._used if self._buffer is None else len(self._buffer)

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        self._producer = (producer_id, producer_epoch, base_sequence)

    def _build(self) -> bytes:
        self.close()
        if self._buffer is None:
            text = self._text[: self._used]
            small = cramjam.zstd.compress(text.data, level=LEVEL)
            codec, body = (ZSTD, bytes(small)) if len(small) < len(text) else (0, text.tobytes())
            self._buffer = framed(body, codec, self._relative_offset, self._first_ms, self._last_ms, self._producer)
        return self._buffer
