"""Numbers and stills as JSON, byte for byte what the encoder of changes writes."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numba import types

from engine.detect.kernels.compiled import called, compiled
from engine.detect.kernels.memory import copy_bytes

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
I32 = npt.NDArray[np.int32]
U8 = npt.NDArray[np.uint8]

NUMBER_BYTES: Final = 24
"""Of the longest double."""
EPISODE_BYTES: Final = 23
STILL_BYTES: Final = 34 + EPISODE_BYTES + 20 + NUMBER_BYTES
"""Of the longest still."""
DECIMALS: Final = 15
SMALLEST, LARGEST = 1e-3, 1e15
"""Between them numbers are written without an exponent, and 15 digits are enough for most."""
TENS = np.array([10.0**power for power in range(DECIMALS + 1)])
NULL = np.frombuffer(b"null", np.uint8)
STILL = np.frombuffer(b'{"still":"', np.uint8)
TIME = np.frombuffer(b'","t":', np.uint8)
VALUE = np.frombuffer(b',"value":', np.uint8)
ZERO, MINUS, POINT, BRACE = ord("0"), ord("-"), ord("."), ord("}")

_bytes = types.uint8[::1]
_matrix = types.uint8[:, ::1]


@called
def put(text: U8, at: int, said: U8) -> int:
    """Write a constant; returns the place behind it."""
    copy_bytes(text, at, said, 0, len(said))
    return at + len(said)


@called
def put_whole(text: U8, at: int, number: int, least: int) -> int:
    """Write a whole number that is not negative with `least` digits at least."""
    digits = 1
    rest = number // 10
    while rest > 0:
        digits += 1
        rest //= 10
    digits = max(digits, least)
    for place in range(digits):
        text[at + digits - 1 - place] = ZERO + number % 10
        number //= 10
    return at + digits


@called
def put_signed(text: U8, at: int, number: int) -> int:
    """Write a whole number."""
    if number < 0:
        text[at] = MINUS
        return put_whole(text, at + 1, -number, 1)
    return put_whole(text, at, number, 1)


@called
def put_double(text: U8, at: int, value: float) -> int:
    """Write the shortest digits that give this double again; returns `at` where that takes more than 15 or an exponent.

    A quotient of two doubles that are whole numbers is rounded once, so that `digits / 10^decimals == size` says that
    the digits give the number again; of 15 digits no two neighbours do.
    """
    size = abs(value)
    if size != 0.0 and not SMALLEST <= size < LARGEST:
        return at
    decimals = 0
    digits = np.rint(size)
    while digits / TENS[decimals] != size:
        decimals += 1
        if decimals > DECIMALS:
            return at
        digits = np.rint(size * TENS[decimals])
        if digits >= LARGEST:
            return at
    if value < 0.0 or (value == 0.0 and np.signbit(value)):
        text[at] = MINUS
        at += 1
    unit: Any = np.int64(TENS[decimals])
    whole: Any = np.int64(digits)
    at = put_whole(text, at, whole // unit, 1)
    text[at] = POINT
    return put_whole(text, at + 1, whole % unit, max(decimals, 1))


@compiled(types.void(types.float64[::1], _matrix, types.int32[::1]))
def numbers(values: F64, text: U8, length: I32) -> None:
    """Write each value into its row of `text`, NaN as null; `length` is 0 for those that are left to the encoder."""
    for i in range(len(values)):
        if np.isnan(values[i]):
            length[i] = put(text[i], 0, NULL)
        else:
            length[i] = put_double(text[i], 0, values[i])


@called
def put_still(text: U8, at: int, episode: U8, t: int, number: U8, digits: int) -> int:
    """Write a still."""
    at = put(text, at, STILL)
    copy_bytes(text, at, episode, 0, EPISODE_BYTES)
    at = put(text, at + EPISODE_BYTES, TIME)
    at = put(text, put_signed(text, at, t), VALUE)
    copy_bytes(text, at, number, 0, digits)
    text[at + digits] = BRACE
    return at + digits + 1
