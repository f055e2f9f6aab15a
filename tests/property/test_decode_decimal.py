"""Digits and a power of ten become the double that Python reads."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from numba import njit, types

from engine.detect.decode import decimal

FIRST, LAST = -55, 64


@pytest.fixture(scope="module")
def nearest():  # type: ignore[no-untyped-def]
    signature = types.Tuple((types.boolean, types.float64))(types.uint64, types.int64, types.boolean)
    return njit(signature)(lambda mantissa, decimals, negative: decimal.nearest_double(mantissa, decimals, negative))


halves = st.builds(
    lambda odd, twos, fives: (2 * odd + 1) * 2**twos * 5**fives,
    st.integers(2**52, 2**53 - 1),
    st.integers(0, 9),
    st.integers(0, 4),
)
"""Numbers just between two doubles."""


@given(st.one_of(st.integers(1, 2**64 - 1), halves), st.integers(FIRST, LAST), st.booleans())
@example(9_007_199_254_740_993, 0, False)
@example(9_007_199_254_740_993, 4, False)
@example(30_000_000_000_000_004, 17, True)
@example(2**64 - 1, LAST, False)
@example(2**64 - 1, FIRST, False)
def test_is_the_double_that_python_reads_or_not_sure(  # type: ignore[no-untyped-def]
    nearest, mantissa: int, decimals: int, negative: bool
) -> None:
    assume(mantissa < 2**64)
    sure, value = nearest(mantissa, decimals, negative)
    assert sure
    assert value == float(f"{'-' if negative else ''}{mantissa}e{-decimals}")


@pytest.mark.parametrize("decimals", [FIRST - 1, LAST + 1, -400, 400])
def test_is_not_sure_of_powers_that_no_sensor_sends(nearest, decimals: int) -> None:  # type: ignore[no-untyped-def]
    assert not nearest(2**60, decimals, False)[0]


def test_zero_has_no_sign(nearest) -> None:  # type: ignore[no-untyped-def]
    assert str(nearest(0, 5, True)[1]) == "0.0"
