"""Compiled look-up of texts: open addressing over 64-bit hashes, each hit compared byte for byte.

The table of a set of texts is uint64[2 * slots]: hash and number + 1 (0: free) of each slot; that of the series has the
label and number + 1, then the beginning of the sensor's name, so that one look at one place is enough. It is entered by
the sensor alone: its place can be fetched before the kind is read. Slots are a power of two, most of them free.
Texts are kept as whole words, little end first, filled with zero bytes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import types

from engine.detect.decode.words import Word, Words, load8, masked, record_type, signed
from engine.detect.kernels.compiled import compiled, inlined
from engine.detect.kernels.memory import ahead

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

MIX = np.uint64(0x9E3779B97F4A7C15)
SLOTS_PER_TEXT = 4
SLOTS_PER_SERIES = 2
NAME_WORDS = 3
"""Words of a sensor's name that stand in the entry of a series itself."""
SERIES_ENTRY = 1 + NAME_WORDS
"""Words of an entry: half a cache line."""
LONGEST_SENSOR_WORDS = 8

SENSORS, SERIES, WORDS = 0, 1, 2


class Index(NamedTuple):
    """The arrays of a vocabulary as kernels take them; `used` says how much of the growing ones is filled."""

    used: Int64
    """[3] sensors, series, words."""
    words: Words
    """Sensor names, one after another."""
    sensor_start: Int64
    """[sensors] first word."""
    sensor_length: Int32
    """[sensors] bytes."""
    sensor_lon_e7: Int32
    """[sensors] place of the first registry row that has one, for kinds without a row."""
    sensor_lat_e7: Int32
    sensor_table: Words
    series_sensor: Int32
    """[series]"""
    series_kind: Int32
    """[series] -1: the plan has no such kind any more."""
    series_lon_e7: Int32
    """[series] fixed place or NO_PLACE."""
    series_lat_e7: Int32
    series_registered: npt.NDArray[np.bool_]
    series_table: Words
    kind_words: Words
    kind_start: Int64
    kind_length: Int32
    kind_table: Words
    kind_low: npt.NDArray[np.float64]
    kind_high: npt.NDArray[np.float64]


_words, _int32, _int64, _float64 = types.uint64[::1], types.int32[::1], types.int64[::1], types.float64[::1]
BYTES = types.Array(types.uint8, 1, "C", readonly=True)
INDEX = record_type(
    Index,
    (
        _int64, _words, _int64, _int32, _int32, _int32, _words,
        _int32, _int32, _int32, _int32, types.boolean[::1], _words,
        _words, _int64, _int32, _words, _float64, _float64,
    ),
)  # fmt: skip


@inlined
def mixed(hash_: Word, word: Word) -> Word:
    """Take one more word into a hash."""
    hash_ = (hash_ ^ word) * MIX
    return hash_ ^ (hash_ >> np.uint64(32))


@inlined
def same_text(words: Words, first: int, data: npt.NDArray[np.uint8], start: int, length: int) -> bool:
    """Compare a kept text of `length` bytes with `data[start : start + length]`."""
    position = start
    left = length
    while left > 0:
        if words[np.uint64(first)] != masked(load8(data, position), left):
            return False
        first += 1
        position += 8
        left -= 8
    return True


@inlined
def find_text(
    table: Words,
    hash_: Word,
    words: Words,
    starts: Int64,
    lengths: Int32,
    data: npt.NDArray[np.uint8],
    start: int,
    length: int,
) -> int:
    """Return the number of a text, or -1."""
    mask = np.uint64(len(table) // 2 - 1)
    slot = hash_ & mask
    while True:
        number = signed(table[np.uint64(2) * slot + np.uint64(1)]) - 1
        if number < 0:
            return -1
        if (
            table[np.uint64(2) * slot] == hash_
            and lengths[np.uint64(number)] == length
            and same_text(words, signed(starts[np.uint64(number)]), data, start, length)
        ):
            return number
        slot = (slot + np.uint64(1)) & mask


@inlined
def series_label(sensor_hash: Word, kind: int, length: int) -> Word:
    """Return the upper half of an entry's first word: kind, length of the name, and eight bits of its hash."""
    return np.uint64(kind) | (np.uint64(length) << np.uint64(16)) | ((sensor_hash >> np.uint64(56)) << np.uint64(24))


@inlined
def prefetch_series(index: Index, sensor_hash: Word) -> None:
    """Bring near what `find_series` will look at."""
    table = index.series_table
    ahead(table, SERIES_ENTRY * signed(sensor_hash & np.uint64(len(table) // SERIES_ENTRY - 1)))


@inlined
def word_at(data: npt.NDArray[np.uint8], start: int, length: int, number: int) -> Word:
    """Return a word of `data[start : start + length]`, zero bytes behind its end."""
    left = length - 8 * number
    return masked(load8(data, start + 8 * number), left) if left > 0 else np.uint64(0)


@inlined
def find_series(
    index: Index, sensor_hash: Word, kind: int, data: npt.NDArray[np.uint8], start: int, length: int
) -> int:
    """Return the number of (sensor, kind), or -1; one probe, all bytes compared."""
    table = index.series_table
    label = series_label(sensor_hash, kind, length)
    first, second, third = (
        word_at(data, start, length, 0),
        word_at(data, start, length, 1),
        word_at(data, start, length, 2),
    )
    mask = np.uint64(len(table) // SERIES_ENTRY - 1)
    slot = sensor_hash & mask
    while True:
        entry = slot * np.uint64(SERIES_ENTRY)
        head = table[entry]
        if head == 0:
            return -1
        same = (head >> np.uint64(32) == label) & (table[entry + np.uint64(1)] == first)
        if same & (table[entry + np.uint64(2)] == second) & (table[entry + np.uint64(3)] == third):
            number = signed(head & np.uint64(0xFFFFFFFF)) - 1
            if length <= 8 * NAME_WORDS:
                return number
            rest = signed(index.sensor_start[index.series_sensor[number]]) + NAME_WORDS
            if same_text(index.words, rest, data, start + 8 * NAME_WORDS, length - 8 * NAME_WORDS):
                return number
        slot = (slot + np.uint64(1)) & mask


@inlined
def put_series(index: Index, sensor_hash: Word, series: int) -> None:
    """Enter a series that has no entry yet."""
    table = index.series_table
    sensor = index.series_sensor[series]
    length = index.sensor_length[sensor]
    mask = np.uint64(len(table) // SERIES_ENTRY - 1)
    slot = sensor_hash & mask
    while table[signed(slot) * SERIES_ENTRY] != 0:
        slot = (slot + np.uint64(1)) & mask
    entry = signed(slot) * SERIES_ENTRY
    label = series_label(sensor_hash, index.series_kind[series], length)
    table[entry] = (label << np.uint64(32)) | np.uint64(series + 1)
    for word in range(NAME_WORDS):
        there = 8 * word < length
        table[entry + 1 + word] = index.words[index.sensor_start[sensor] + word] if there else np.uint64(0)


@inlined
def put(table: Words, hash_: Word, number: int) -> None:
    """Enter a number under a hash that has no entry for it yet."""
    mask = np.uint64(len(table) // 2 - 1)
    slot = hash_ & mask
    while table[2 * slot + 1] != 0:
        slot = (slot + np.uint64(1)) & mask
    table[2 * slot] = hash_
    table[2 * slot + 1] = np.uint64(number + 1)


@inlined
def has_room(index: Index) -> bool:
    """Tell whether one more sensor and series fit."""
    return bool(
        index.used[SENSORS] < len(index.sensor_start)
        and index.used[SERIES] < len(index.series_sensor)
        and index.used[WORDS] + LONGEST_SENSOR_WORDS <= len(index.words)
    )


@inlined
def add_series(index: Index, sensor_hash: Word, kind: int, data: npt.NDArray[np.uint8], start: int, length: int) -> int:
    """Give (sensor, kind) the next number; it must not have one, and there must be room."""
    sensor = find_text(
        index.sensor_table, sensor_hash, index.words, index.sensor_start, index.sensor_length, data, start, length
    )
    if sensor < 0:
        sensor = signed(index.used[SENSORS])
        index.used[SENSORS] += 1
        index.sensor_start[sensor] = index.used[WORDS]
        index.sensor_length[sensor] = length
        for position in range(0, length, 8):
            index.words[index.used[WORDS]] = masked(load8(data, start + position), length - position)
            index.used[WORDS] += 1
        put(index.sensor_table, sensor_hash, sensor)
    series = signed(index.used[SERIES])
    index.used[SERIES] += 1
    index.series_sensor[series] = sensor
    index.series_kind[series] = kind
    index.series_lon_e7[series] = index.sensor_lon_e7[sensor]
    index.series_lat_e7[series] = index.sensor_lat_e7[sensor]
    index.series_registered[series] = False
    put_series(index, sensor_hash, series)
    return series


@inlined
def text_hash(data: npt.NDArray[np.uint8], start: int, length: int) -> Word:
    """Hash `data[start : start + length]`; the data must be padded."""
    hash_ = np.uint64(0)
    for position in range(0, length, 8):
        hash_ = mixed(hash_, masked(load8(data, start + position), length - position))
    return hash_


@inlined
def words_hash(words: Words, start: int, length: int) -> Word:
    """Hash a kept text."""
    hash_ = np.uint64(0)
    for word in range(start, start + (length + 7) // 8):
        hash_ = mixed(hash_, words[word])
    return hash_


@compiled(types.int64(INDEX, BYTES, _int64, _int32, _int32, _int32, types.int64))
def number_series(
    index: Index,
    data: npt.NDArray[np.uint8],
    start: Int64,
    length: Int32,
    kind: Int32,
    numbers: Int32,
    first: int,
) -> int:
    """Write the series numbers of texts and kinds from `first` on, adding new ones; return where room ran out."""
    for row in range(first, len(start)):
        hash_ = text_hash(data, start[row], length[row])
        series = find_series(index, hash_, kind[row], data, start[row], length[row])
        if series < 0:
            if not has_room(index):
                return row
            series = add_series(index, hash_, kind[row], data, start[row], length[row])
        numbers[row] = series
    return len(start)


@compiled(types.void(_words, _words, _int64, _int32))
def enter_texts(table: Words, words: Words, start: Int64, length: Int32) -> None:
    """Enter different kept texts under their own positions."""
    for number in range(len(start)):
        put(table, words_hash(words, start[number], length[number]), number)


@compiled(types.void(INDEX))
def rebuild(index: Index) -> None:
    """Enter every sensor and every series that has a kind into the (cleared) tables."""
    index.sensor_table[:] = 0
    index.series_table[:] = 0
    for sensor in range(index.used[SENSORS]):
        put(
            index.sensor_table, words_hash(index.words, index.sensor_start[sensor], index.sensor_length[sensor]), sensor
        )
    for series in range(index.used[SERIES]):
        if index.series_kind[series] >= 0:
            sensor = index.series_sensor[series]
            hash_ = words_hash(index.words, index.sensor_start[sensor], index.sensor_length[sensor])
            put_series(index, hash_, series)
