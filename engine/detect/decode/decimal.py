"""Decimal digits to the nearest double, in whole numbers (Lemire 2021, "Number Parsing at a Gigabyte per Second")."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.detect.decode.words import Word, float_of, leading_zeros, signed, upper_product
from engine.detect.kernels.compiled import inlined

MOST_DIGITS = 19
"""Decimal digits that always fit 64 bits."""

_FIRST_POWER, _LAST_POWER = -64, 55
_SAFE_POWER = -27
"""From this power of five on the table is exact enough for every mantissa."""
_FIRST_TIE, _LAST_TIE = -4, 23
"""Only for these powers can a number lie just between two doubles."""

_EXACT_MANTISSA = np.uint64(1 << 53)
_MOST_EXACT_POWER = 22
_FLOAT_POWERS = np.array([float(10**power) for power in range(_MOST_EXACT_POWER + 1)], np.float64)


def _power_of_five(power: int) -> int:
    """Return 5**power as 128 bits without leading zeros: cut for positive powers, rounded up for negative ones."""
    if power >= 0:
        five: int = 5**power
        return five << 128 - five.bit_length() if five.bit_length() <= 128 else five >> five.bit_length() - 128
    five = 5**-power
    bits = (five - 1).bit_length()
    inverse: int = (1 << (bits + 127 if power >= _SAFE_POWER else 2 * bits + 128)) // five + 1
    return inverse >> max(0, inverse.bit_length() - 128)


def _table() -> npt.NDArray[np.uint64]:
    values = [_power_of_five(power) for power in range(_FIRST_POWER, _LAST_POWER + 1)]
    return np.array([[value >> 64, value & (1 << 64) - 1] for value in values], np.uint64)


_FIVES = _table()
_ALL = np.uint64((1 << 64) - 1)
_DOUBTFUL = np.uint64(0x1FF)
_HIDDEN_BIT = np.uint64(1 << 52)


@inlined
def nearest_bits(mantissa: Word, power: int) -> tuple[bool, Word]:
    """Return the double nearest to mantissa * 10**power (mantissa > 0) as bits, before it whether it is sure."""
    if power < _FIRST_POWER or power > _LAST_POWER:
        return False, np.uint64(0)
    zeros = leading_zeros(mantissa)
    shifted = mantissa << np.uint64(zeros)
    row = np.uint64(power - _FIRST_POWER)
    high, low = upper_product(shifted, _FIVES[row, 0]), shifted * _FIVES[row, 0]
    if high & _DOUBTFUL == _DOUBTFUL:
        more = upper_product(shifted, _FIVES[row, 1])
        low += more
        high += np.uint64(low < more)
        if low == _ALL and power < _SAFE_POWER:
            return False, np.uint64(0)
    top = high >> np.uint64(63)
    bits = high >> (top + np.uint64(9))
    between = low <= 1 and _FIRST_TIE <= power <= _LAST_TIE and bits << (top + np.uint64(9)) == high
    if between and bits & np.uint64(3) == 1:
        bits &= ~np.uint64(1)
    bits = (bits + (bits & np.uint64(1))) >> np.uint64(1)
    exponent = ((217706 * power) >> 16) + 63 + signed(top) - zeros + 1023
    if bits >= np.uint64(2) * _HIDDEN_BIT:
        bits = _HIDDEN_BIT
        exponent += 1
    return exponent > 0, (bits & ~_HIDDEN_BIT) | (np.uint64(exponent) << np.uint64(52))


@inlined
def nearest_double(mantissa: Word, decimals: int, negative: bool) -> tuple[bool, float]:
    """Return mantissa / 10**decimals, before it whether that is surely the nearest double.

    Decimals may be negative. Never gives -0.
    """
    result = 0.0
    sure = True
    if mantissa <= _EXACT_MANTISSA and -_MOST_EXACT_POWER <= decimals <= _MOST_EXACT_POWER:
        if decimals >= 0:  # two exact doubles: one rounding (Clinger 1990)
            result = float(signed(mantissa)) / _FLOAT_POWERS[np.uint64(decimals)]
        else:
            result = float(signed(mantissa)) * _FLOAT_POWERS[np.uint64(-decimals)]
    else:
        sure, bits = nearest_bits(mantissa, -decimals)
        result = float_of(bits)
    return sure, (0.0 - result if negative else result)
