"""A piece of the scanner: one object, field by field."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import types

from engine.detect.decode.decimal import nearest_double
from engine.detect.decode.rows import Rows
from engine.detect.decode.scan_attrs import Asked, attrs, forget
from engine.detect.decode.scan_text import (
    CLOSE_OBJECT,
    COLON,
    COMMA,
    DECLINE,
    QUOTE,
    Bytes,
    after_string,
    after_white,
    number,
)
from engine.detect.decode.scan_values import SAME, crs, degrees_e7, identifier, is_null, skipped_value, time, value
from engine.detect.decode.tables import Index, add_series, find_series, find_text, has_room, prefetch_series
from engine.detect.decode.words import Word, byte_at, load8, masked, record_type
from engine.detect.kernels.compiled import inlined
from geo import NO_PLACE

NO_ROOM = -2
"""Beside `DECLINE`: the vocabulary is full."""


class Shifts(NamedTuple):
    """Places that are still to be turned to WGS-84: the row, and degrees in which system."""

    row: npt.NDArray[np.int64]
    lon: npt.NDArray[np.float64]
    lat: npt.NDArray[np.float64]
    crs: npt.NDArray[np.int64]

    @classmethod
    def empty(cls, size: int) -> Shifts:
        return cls(np.empty(size, np.int64), np.empty(size), np.empty(size), np.empty(size, np.int64))

    def resized(self, size: int) -> Shifts:
        """Return a copy with room for `size`, at least as many as now."""
        larger = Shifts.empty(size)
        for old, new in zip(self, larger, strict=True):
            new[: len(old)] = old
        return larger


SHIFTS = record_type(Shifts, (types.int64[::1], types.float64[::1], types.float64[::1], types.int64[::1]))


def _key(name: bytes) -> Word:
    return np.uint64(int.from_bytes(name + b'"', "little"))


_SENSOR, _KIND, _T, _V = _key(b"sensor"), _key(b"kind"), _key(b"t"), _key(b"v")
_LON, _LAT, _CRS, _ATTRS, _LOG_T = _key(b"lon"), _key(b"lat"), _key(b"crs"), _key(b"attrs"), _key(b"log_t")
SENSOR, KIND, T, V, LON, LAT, CRS, ATTRS, LOG_T, UNKNOWN = 1, 2, 4, 8, 16, 32, 64, 128, 256, 0
REQUIRED = SENSOR | KIND | T | V
PLACE = LON | LAT

_IN_SENSOR = np.array([chr(byte).isascii() and (chr(byte).isalnum() or chr(byte) in "._:-") for byte in range(256)])


@inlined
def field_of(word: Word) -> tuple[int, int]:
    """Tell a known field by the eight bytes behind its first quote: its bit, and its length with the second quote."""
    if masked(word, 7) == _SENSOR:
        return SENSOR, 7
    if masked(word, 5) == _KIND:
        return KIND, 5
    if masked(word, 2) == _T:
        return T, 2
    if masked(word, 2) == _V:
        return V, 2
    if masked(word, 4) == _LON:
        return LON, 4
    if masked(word, 4) == _LAT:
        return LAT, 4
    if masked(word, 6) == _ATTRS:
        return ATTRS, 6
    if masked(word, 4) == _CRS:
        return CRS, 4
    if masked(word, 6) == _LOG_T:
        return LOG_T, 6
    return UNKNOWN, 0


@inlined
def is_sensor(data: Bytes, start: int, length: int) -> bool:
    good = True
    for position in range(start, start + length):
        good = good and _IN_SENSOR[byte_at(data, position)]
    return good


@inlined
def series_number(index: Index, hash_: Word, kind: int, data: Bytes, start: int, length: int) -> int:
    """Return the number of a series, new or not; `DECLINE` for what is no sensor, or `NO_ROOM`."""
    series = find_series(index, hash_, kind, data, start, length)
    if series >= 0:
        return series
    if not is_sensor(data, start, length):
        return DECLINE
    if not has_room(index):
        return NO_ROOM
    return add_series(index, hash_, kind, data, start, length)


@inlined
def scan_object(
    data: Bytes,
    begin: int,
    limit: int,
    log_time: int,
    offline: bool,
    index: Index,
    asked: Asked,
    rows: Rows,
    row: int,
    heap: Bytes,
    heap_used: int,
    shifts: Shifts,
    shifts_used: int,
) -> tuple[int, int, int]:
    """Read one reading whose `{` is at `begin` into a row.

    Returns the position after it, or `DECLINE` or `NO_ROOM`, and the used bytes of the heap and shifts.
    """
    seen = 0
    sensor_start, sensor_length, sensor_hash = 0, 0, np.uint64(0)
    kind = -1
    t, log_t, v = 0, 0, 0.0
    lon_minus, lon_digits, lon_decimals = False, np.uint64(0), 0
    lat_minus, lat_digits, lat_decimals = False, np.uint64(0), 0
    shift = SAME
    unknown = 0
    old_heap, old_shifts = heap_used, shifts_used
    no_lon = no_lat = True
    position = begin + 1
    while True:
        position = after_white(data, position, limit)
        if position >= limit or byte_at(data, position) != QUOTE:
            return DECLINE, old_heap, old_shifts
        field, length = field_of(load8(data, position + 1))
        seen |= field
        if field != UNKNOWN:
            position += 1 + length
        else:
            position, escaped = after_string(data, position + 1, limit)
            if position < 0 or escaped:
                return DECLINE, old_heap, old_shifts
            unknown += 1
        if byte_at(data, position) != COLON:
            position = after_white(data, position, limit)
            if byte_at(data, position) != COLON:
                return DECLINE, old_heap, old_shifts
        position = after_white(data, position + 1, limit)
        if position >= limit:
            return DECLINE, old_heap, old_shifts
        if field == SENSOR:
            if byte_at(data, position) != QUOTE:
                return DECLINE, old_heap, old_shifts
            sensor_start = position + 1
            position, sensor_length, sensor_hash = identifier(data, sensor_start, limit)
            prefetch_series(index, sensor_hash)
        elif field == KIND:
            if byte_at(data, position) != QUOTE:
                return DECLINE, old_heap, old_shifts
            start = position + 1
            position, length, hash_ = identifier(data, start, limit)
            if position >= 0:
                kind = find_text(
                    index.kind_table, hash_, index.kind_words, index.kind_start, index.kind_length, data, start, length
                )
                if kind < 0:
                    return DECLINE, old_heap, old_shifts
        elif field == T:
            position, t = time(data, position)
        elif field == V:
            position, v = value(data, position)
        elif field == LON:
            no_lon = is_null(data, position)
            if no_lon:
                position += 4
            else:
                position, lon_minus, lon_digits, lon_decimals, _ = number(data, position)
        elif field == LAT:
            no_lat = is_null(data, position)
            if no_lat:
                position += 4
            else:
                position, lat_minus, lat_digits, lat_decimals, _ = number(data, position)
        elif field == ATTRS:
            position, heap_used = attrs(data, position, limit, asked, rows, row, heap, heap_used)
        elif field == CRS:
            position, shift = crs(data, position)
        elif field == LOG_T and offline:
            position, log_t = time(data, position)
        else:
            position = skipped_value(data, position, limit)
        if position < 0:
            return DECLINE, old_heap, old_shifts
        position = after_white(data, position, limit)
        if byte_at(data, position) == COMMA:
            position += 1
        elif byte_at(data, position) == CLOSE_OBJECT:
            position += 1
            break
        else:
            return DECLINE, old_heap, old_shifts
    if position > limit or seen & REQUIRED != REQUIRED or no_lon != no_lat:
        return DECLINE, old_heap, old_shifts
    if not index.kind_low[np.uint64(kind)] <= v <= index.kind_high[np.uint64(kind)]:
        return DECLINE, old_heap, old_shifts
    lon_e7 = lat_e7 = NO_PLACE
    if not no_lon:
        lon_e7 = degrees_e7(lon_digits, lon_decimals, 1_800_000_000)
        lat_e7 = degrees_e7(lat_digits, lat_decimals, 900_000_000)
        if lon_e7 < 0 or lat_e7 < 0:
            return DECLINE, old_heap, old_shifts
        lon_e7 = -lon_e7 if lon_minus else lon_e7
        lat_e7 = -lat_e7 if lat_minus else lat_e7
        if shift != SAME:
            lon_exact, lon = nearest_double(lon_digits, lon_decimals, lon_minus)
            lat_exact, lat = nearest_double(lat_digits, lat_decimals, lat_minus)
            if not lon_exact or not lat_exact:
                return DECLINE, old_heap, old_shifts
            shifts.row[shifts_used] = row
            shifts.lon[shifts_used] = lon
            shifts.lat[shifts_used] = lat
            shifts.crs[shifts_used] = shift
            shifts_used += 1
    series = series_number(index, sensor_hash, kind, data, sensor_start, sensor_length)
    if series < 0:
        return series, old_heap, old_shifts
    if seen & ATTRS == 0:
        forget(rows, row)
    reading = rows.reading[np.uint64(row)]  # unsigned: an index that is surely not counted from the end
    reading["series"] = series
    reading["kind"] = kind
    reading["t"] = t
    reading["v"] = v
    reading["log_time"] = log_time if not offline else log_t if seen & LOG_T else t
    reading["lon"] = lon_e7
    reading["lat"] = lat_e7
    reading["raw_start"] = begin
    reading["raw_length"] = position - begin
    reading["unknown"] = unknown
    return position, heap_used, shifts_used
