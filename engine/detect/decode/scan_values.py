"""Pieces of the scanner: the values of the known fields.

As in `scan_text`: the position after the value, or `DECLINE`; the rest of a tuple counts only where it was not
declined.
"""

from __future__ import annotations

import numpy as np

from engine.detect.decode import rfc3339
from engine.detect.decode.decimal import MOST_DIGITS, nearest_double
from engine.detect.decode.scan_text import (
    CLOSE_ARRAY,
    CLOSE_OBJECT,
    COLON,
    COMMA,
    DECLINE,
    DOT,
    MINUS,
    OPEN_ARRAY,
    OPEN_OBJECT,
    POWERS,
    QUOTE,
    Bytes,
    after_string,
    after_white,
    bytes_equal,
    digits,
    number,
)
from engine.detect.decode.tables import mixed
from engine.detect.decode.words import QUOTES, Word, byte_at, load8, masked, signed, trailing_zeros
from engine.detect.kernels.compiled import inlined

LONGEST_ID = 64
DEEPEST_SKIPPED = 60
SURELY_FINITE = 280
"""19 digits times ten to this power are still a double."""
E7_DECIMALS = 7
_SURELY_ROUNDED = 1e-6
"""The nearest double of a place is less than this many 1e-7 degrees from what was written."""

_BEFORE_1970 = np.uint64(-rfc3339.FIRST_MS)
_AFTER_1970 = np.uint64(rfc3339.LAST_MS)
_TRUE = np.uint64(int.from_bytes(b"true", "little"))
_FALSE = np.uint64(int.from_bytes(b"false", "little"))
_NULL = np.uint64(int.from_bytes(b"null", "little"))
_WGS84 = np.uint64(int.from_bytes(b'wgs84"', "little"))
_CGCS2000 = np.uint64(int.from_bytes(b"cgcs2000", "little"))
_GCJ02 = np.uint64(int.from_bytes(b'gcj02"', "little"))
_BD09 = np.uint64(int.from_bytes(b'bd09"', "little"))

SAME, GCJ02, BD09 = 0, 1, 2
"""What is to be done to a place: nothing (WGS-84, CGCS2000), or one of two shifts."""

_days_since_1970 = inlined(rfc3339.days_since_1970)


@inlined
def identifier(data: Bytes, position: int, limit: int) -> tuple[int, int, Word]:
    """Find the end of a sensor or kind, whose first byte is at `position`: after the quote, length in bytes, hash."""
    start = position
    hash_ = np.uint64(0)
    while position < limit and position - start <= LONGEST_ID:
        word = load8(data, position)
        found = bytes_equal(word, QUOTES)
        if found != 0:
            more = trailing_zeros(found) >> 3
            if more > 0:
                hash_ = mixed(hash_, masked(word, more))
            length = position + more - start
            if length == 0 or length > LONGEST_ID:
                return DECLINE, length, hash_
            return position + more + 1, length, hash_
        hash_ = mixed(hash_, word)
        position += 8
    return DECLINE, 0, hash_


@inlined
def is_null(data: Bytes, position: int) -> bool:
    return bool(masked(load8(data, position), 4) == _NULL)


@inlined
def time(data: Bytes, position: int) -> tuple[int, int]:
    """Read whole milliseconds or an RFC 3339 string."""
    if byte_at(data, position) == QUOTE:
        return date_time(data, position + 1)
    after, negative, value, decimals, scientific = number(data, position)
    if after < 0 or decimals > 0 or scientific:
        return DECLINE, 0
    if negative:
        return (after, -signed(value)) if value <= _BEFORE_1970 else (DECLINE, 0)
    return (after, signed(value)) if value <= _AFTER_1970 else (DECLINE, 0)


@inlined
def two_digits(data: Bytes, position: int) -> int:
    """Return the number of two digits, or -1."""
    high, low = signed(byte_at(data, position)) - 48, signed(byte_at(data, position + 1)) - 48
    return 10 * high + low if 0 <= high <= 9 and 0 <= low <= 9 else -1


@inlined
def days_in_month(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month == 4 or month == 6 or month == 9 or month == 11 else 31


@inlined
def date_time(data: Bytes, position: int) -> tuple[int, int]:
    """Read an RFC 3339 date-time and its closing quote; leap seconds are declined."""
    century, year = two_digits(data, position), two_digits(data, position + 2)
    month, day = two_digits(data, position + 5), two_digits(data, position + 8)
    hour, minute, second = (
        two_digits(data, position + 11),
        two_digits(data, position + 14),
        two_digits(data, position + 17),
    )
    if min(century, year, month, day, hour, minute, second) < 0 or byte_at(data, position + 10) | 32 != 116:
        return DECLINE, 0
    if (
        byte_at(data, position + 4) != MINUS
        or byte_at(data, position + 7) != MINUS
        or byte_at(data, position + 13) != 58
        or byte_at(data, position + 16) != 58
    ):
        return DECLINE, 0
    year += 100 * century
    if not 1 <= month <= 12 or not 1 <= day <= days_in_month(year, month) or hour > 23 or minute > 59 or second > 59:
        return DECLINE, 0
    position += 19
    ms = 0
    if byte_at(data, position) == DOT:
        after, fraction = digits(data, position + 1, np.uint64(0))
        count = after - position - 1
        if count == 0 or count > 18:
            return DECLINE, 0
        ms = signed(fraction // POWERS[count - 3] if count > 3 else fraction * POWERS[3 - count])
        position = after
    offset = 0
    if byte_at(data, position) | 32 == 122:
        position += 1
    else:
        sign = byte_at(data, position)
        offset_hour, offset_minute = two_digits(data, position + 1), two_digits(data, position + 4)
        if (sign != 43 and sign != MINUS) or byte_at(data, position + 3) != 58 or not 0 <= offset_hour <= 23:
            return DECLINE, 0
        if not 0 <= offset_minute <= 59:
            return DECLINE, 0
        offset = offset_hour * 60 + offset_minute
        if sign == MINUS:
            offset = -offset
        position += 6
    ms += ((_days_since_1970(year, month, day) * 1440 + hour * 60 + minute - offset) * 60 + second) * 1000
    if byte_at(data, position) != QUOTE or not rfc3339.FIRST_MS <= ms <= rfc3339.LAST_MS:
        return DECLINE, 0
    return position + 1, ms


@inlined
def value(data: Bytes, position: int) -> tuple[int, float]:
    """Read a number, `true` or `false`."""
    byte = byte_at(data, position)
    if byte == 116:
        return (position + 4, 1.0) if masked(load8(data, position), 4) == _TRUE else (DECLINE, 0.0)
    if byte == 102:
        return (position + 5, 0.0) if masked(load8(data, position), 5) == _FALSE else (DECLINE, 0.0)
    after, negative, mantissa, decimals, _ = number(data, position)
    if after < 0:
        return DECLINE, 0.0
    sure, result = nearest_double(mantissa, decimals, negative)
    return (after if sure else DECLINE), result


@inlined
def degrees_e7(mantissa: Word, decimals: int, limit_e7: int) -> int:
    """Round written degrees as their nearest double is rounded, to 1e-7 degrees; -1: off the earth, or doubtful."""
    limit = np.uint64(limit_e7)
    if decimals < 0 or decimals > MOST_DIGITS:
        return -1
    if decimals <= E7_DECIMALS:
        if mantissa > limit:
            return -1
        e7 = mantissa * POWERS[np.uint64(E7_DECIMALS - decimals)]
        return -1 if e7 > limit else signed(e7)
    divisor = POWERS[np.uint64(decimals - E7_DECIMALS)]
    floor = mantissa // divisor
    rest = float(signed(mantissa - floor * divisor)) / float(signed(divisor))
    if floor >= limit or abs(rest - 0.5) < _SURELY_ROUNDED:
        return -1
    return signed(floor) + (1 if rest > 0.5 else 0)


@inlined
def crs(data: Bytes, position: int) -> tuple[int, int]:
    """Read the name of a coordinate system, or null, as what is to be done."""
    if is_null(data, position):
        return position + 4, SAME
    if byte_at(data, position) != QUOTE:
        return DECLINE, SAME
    word = load8(data, position + 1)
    if masked(word, 6) == _WGS84:
        return position + 7, SAME
    if masked(word, 6) == _GCJ02:
        return position + 7, GCJ02
    if masked(word, 5) == _BD09:
        return position + 6, BD09
    if word == _CGCS2000 and byte_at(data, position + 9) == QUOTE:
        return position + 10, SAME
    return DECLINE, SAME


@inlined
def skipped(data: Bytes, position: int, limit: int) -> int:
    """Pass over a string, finite number, `true`, `false` or `null` that is not needed."""
    byte = byte_at(data, position)
    if byte == QUOTE:
        after, _ = after_string(data, position + 1, limit)
        return after
    if byte == 116:
        return position + 4 if masked(load8(data, position), 4) == _TRUE else DECLINE
    if byte == 102:
        return position + 5 if masked(load8(data, position), 5) == _FALSE else DECLINE
    if byte == 110:
        return position + 4 if is_null(data, position) else DECLINE
    after, _, _, decimals, _ = number(data, position)
    return after if decimals > -SURELY_FINITE else DECLINE


@inlined
def skipped_value(data: Bytes, position: int, limit: int) -> int:
    """Pass over any JSON value of an unknown field; beyond 60 levels it is declined."""
    depth = 0
    objects = np.uint64(0)  # one bit a level, the innermost lowest: whether it is an object
    named = False  # whether the name of a member is already read
    while position < limit:
        byte = byte_at(data, position)
        if depth > 0 and objects & np.uint64(1) and not named:
            if byte != QUOTE:
                return DECLINE
            position, _ = after_string(data, position + 1, limit)
            if position < 0:
                return DECLINE
            position = after_white(data, position, limit)
            if byte_at(data, position) != COLON:
                return DECLINE
            position = after_white(data, position + 1, limit)
            named = True
            continue
        opens_object = byte == OPEN_OBJECT
        if opens_object or byte == OPEN_ARRAY:
            position = after_white(data, position + 1, limit)
            if byte_at(data, position) != (CLOSE_OBJECT if opens_object else CLOSE_ARRAY):
                depth += 1
                if depth > DEEPEST_SKIPPED:
                    return DECLINE
                objects = (objects << np.uint64(1)) | np.uint64(opens_object)
                named = False
                continue
            position += 1
        elif byte == QUOTE or byte == 116 or byte == 102 or byte == 110:
            position = skipped(data, position, limit)
        else:
            position, _, _, _, _ = number(data, position)
        while True:
            if position < 0:
                return DECLINE
            if depth == 0:
                return position
            position = after_white(data, position, limit)
            byte = byte_at(data, position)
            if byte == COMMA:
                position = after_white(data, position + 1, limit)
                named = False
                break
            if byte != (CLOSE_OBJECT if objects & np.uint64(1) else CLOSE_ARRAY):
                return DECLINE
            position += 1
            depth -= 1
            objects >>= np.uint64(1)
    return DECLINE
