"""Pieces of the scanner: white space, strings and numbers in padded bytes.

Each takes the position of a text's first byte and returns the position after it, or `DECLINE` where it is wrong or
rare. None looks further than `batch.PADDING_BYTES` beyond a position that is below `limit`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.detect.decode.decimal import MOST_DIGITS
from engine.detect.decode.words import (
    BACKSLASHES,
    HIGHS,
    NEWLINES,
    ONES,
    QUOTES,
    SPACES,
    Word,
    byte_at,
    load8,
    signed,
    trailing_zeros,
)
from engine.detect.kernels.compiled import inlined

Bytes = npt.NDArray[np.uint8]

DECLINE = -1
QUOTE, BACKSLASH, COMMA, COLON, MINUS, PLUS, DOT = 34, 92, 44, 58, 45, 43, 46
OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY = 123, 125, 91, 93
NEWLINE = 10

POWERS = np.array([10**power for power in range(20)], np.uint64)
LONGEST_EXPONENT = 3
_ZEROS = np.uint64(0x3030303030303030)
_ABOVE_NINE = np.uint64(0x7676767676767676)
_LOW_BITS = np.uint64(0x7F7F7F7F7F7F7F7F)


@inlined
def after_white(data: Bytes, position: int, limit: int) -> int:
    """Return the first position from `position` on that is not JSON white space, at most `limit`."""
    while position < limit:
        byte = byte_at(data, position)
        if byte > 32 or not (byte == 32 or byte == 10 or byte == 13 or byte == 9):
            break
        position += 1
    return position


@inlined
def bytes_equal(word: Word, repeated: Word) -> Word:
    """Mark the bytes of a word that equal a repeated one by their high bits; the lowest mark is right."""
    different = word ^ repeated
    return (different - ONES) & ~different & HIGHS


@inlined
def find_newline(data: Bytes, position: int, limit: int) -> int:
    """Return the position of the next newline, or `limit`."""
    while position < limit:
        found = bytes_equal(load8(data, position), NEWLINES)
        if found != 0:
            return min(position + (trailing_zeros(found) >> 3), limit)
        position += 8
    return limit


@inlined
def after_string(data: Bytes, position: int, limit: int) -> tuple[int, bool]:
    """Check a string whose first byte is at `position`, behind the quote.

    Returns the position behind the closing quote, and whether there are escapes. Control characters, bytes that are not
    UTF-8, and escapes of surrogates are declined. A closing quote may be found up to seven bytes behind `limit`.
    """
    escaped = False
    while position < limit:
        word = load8(data, position)
        marks = (
            bytes_equal(word, QUOTES)
            | bytes_equal(word, BACKSLASHES)
            | ((word - SPACES) & ~word & HIGHS)
            | (word & HIGHS)
        )
        if marks == 0:
            position += 8
            continue
        position += trailing_zeros(marks) >> 3
        byte = byte_at(data, position)
        if byte == QUOTE:
            return position + 1, escaped
        if byte >= 128:
            position = after_utf8(data, position)
        elif byte == BACKSLASH:
            escaped = True
            position = after_escape(data, position)
        else:
            return DECLINE, escaped
        if position < 0:
            return DECLINE, escaped
    return DECLINE, escaped


@inlined
def after_utf8(data: Bytes, position: int) -> int:
    """Check one character of more than one byte (RFC 3629)."""
    first, second = byte_at(data, position), byte_at(data, position + 1)
    if second & 0xC0 != 0x80 or first < 0xC2:
        return DECLINE
    if first < 0xE0:
        return position + 2
    if byte_at(data, position + 2) & 0xC0 != 0x80:
        return DECLINE
    if first < 0xF0:
        overlong = first == 0xE0 and second < 0xA0
        surrogate = first == 0xED and second >= 0xA0
        return DECLINE if overlong or surrogate else position + 3
    if byte_at(data, position + 3) & 0xC0 != 0x80 or first > 0xF4:
        return DECLINE
    if (first == 0xF0 and second < 0x90) or (first == 0xF4 and second >= 0x90):
        return DECLINE
    return position + 4


@inlined
def after_escape(data: Bytes, position: int) -> int:
    r"""Check one escape; of `\u` only those that are no surrogate."""
    letter = byte_at(data, position + 1)
    if letter == 117:
        for digit in range(position + 2, position + 6):
            byte = byte_at(data, digit)
            if not (48 <= byte <= 57 or 65 <= byte <= 70 or 97 <= byte <= 102):
                return DECLINE
        high = byte_at(data, position + 2) == 68 or byte_at(data, position + 2) == 100
        return DECLINE if high and byte_at(data, position + 3) >= 56 else position + 6
    known = (
        letter == 34 or letter == 92 or letter == 47 or letter == 98
        or letter == 102 or letter == 110 or letter == 114 or letter == 116
    )  # fmt: skip
    return position + 2 if known else DECLINE


@inlined
def digits(data: Bytes, position: int, value: Word) -> tuple[int, Word]:
    """Read decimal digits up to the first other byte, appending them to `value`; stops after 24 of them."""
    for _ in range(3):
        word = load8(data, position) ^ _ZEROS
        others = (((word & _LOW_BITS) + _ABOVE_NINE) | word) & HIGHS
        count = trailing_zeros(others) >> 3
        if count == 0:
            break
        value = value * POWERS[np.uint64(count)] + eight_digits(word << np.uint64(64 - 8 * count))
        position += count
        if count < 8:
            break
    return position, value


@inlined
def eight_digits(word: Word) -> Word:
    """Turn eight digit values, most significant in the lowest byte, into a number (Lemire 2018)."""
    word = word * np.uint64(10) + (word >> np.uint64(8))
    low = (word & np.uint64(0x000000FF000000FF)) * np.uint64(0x000F424000000064)
    high = ((word >> np.uint64(16)) & np.uint64(0x000000FF000000FF)) * np.uint64(0x0000271000000001)
    return (low + high) >> np.uint64(32)


@inlined
def number(data: Bytes, position: int) -> tuple[int, bool, Word, int, bool]:
    """Read a number: position after it, whether negative, all its digits, how many are decimals, whether with exponent.

    The exponent is taken off the decimals, of which there may then be fewer than none. More digits than surely fit are
    declined.
    """
    negative = byte_at(data, position) == MINUS
    if negative:
        position += 1
    first = position
    position, value = digits(data, position, np.uint64(0))
    whole = position - first
    decimals = 0
    if whole == 0 or (whole > 1 and byte_at(data, first) == 48):
        return DECLINE, negative, value, decimals, False
    if byte_at(data, position) == DOT:
        point = position + 1
        position, value = digits(data, point, value)
        decimals = position - point
        if decimals == 0:
            return DECLINE, negative, value, decimals, False
    if whole + decimals > MOST_DIGITS:
        return DECLINE, negative, value, decimals, False
    if byte_at(data, position) | 32 != 101:
        return position, negative, value, decimals, False
    position, exponent = exponent_of(data, position + 1)
    return position, negative, value, decimals - exponent, True


@inlined
def exponent_of(data: Bytes, position: int) -> tuple[int, int]:
    """Read what stands behind the `e` of a number."""
    sign = byte_at(data, position)
    if sign in (MINUS, PLUS):
        position += 1
    after, power = digits(data, position, np.uint64(0))
    if after == position or after - position > LONGEST_EXPONENT:
        return DECLINE, 0
    return after, -signed(power) if sign == MINUS else signed(power)
