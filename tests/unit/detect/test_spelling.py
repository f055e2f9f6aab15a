"""Numbers and stills that kernels write are those of the encoder."""

from __future__ import annotations

import math

import msgspec
import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from engine.detect.kernels.spelling import NUMBER_BYTES, numbers

DECIMALS = st.builds(lambda digits, power: digits / 10**power, st.integers(-(10**16), 10**16), st.integers(0, 17))


def written(values: list[float]) -> list[bytes]:
    text = np.zeros((len(values), NUMBER_BYTES), np.uint8)
    length = np.zeros(len(values), np.int32)
    numbers(np.array(values), text, length)
    return [row[:n].tobytes() for row, n in zip(text, length.tolist(), strict=True)]


@given(st.lists(st.one_of(st.floats(), DECIMALS), min_size=1, max_size=50))
@example([0.0, -0.0, 1e15, 1e15 - 1, 999999999999999.9, 1e-3, 9.99e-4, 0.1 + 0.2, 5e-324, 1.7976931348623157e308])
@example([math.nan, math.inf, -math.inf, 123456.789, -31.0, 100.0, 2.5, 1 / 3])
def test_a_number_is_written_as_the_encoder_writes_it_or_left_to_it(values: list[float]) -> None:
    for value, text in zip(values, written(values), strict=True):
        assert text in (b"", msgspec.json.encode(value))


@given(st.integers(-(10**9), 10**9), st.integers(0, 6))
def test_what_sensors_say_is_never_left_to_the_encoder(digits: int, power: int) -> None:
    value = digits / 10**power
    if value == 0 or abs(value) >= 1e-3:
        assert written([value]) == [msgspec.json.encode(value)]
