"""When two comparisons can both hold, and when one is stricter than another."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.contradictions import implies, overlap
from rules.model import Comparison, Op

VALUES = [x / 2 for x in range(-8, 9)]
comparisons = st.builds(Comparison, st.sampled_from(Op), st.integers(-3, 3).map(float))


@given(comparisons, comparisons)
def test_two_comparisons_overlap_where_one_number_fits_both(a: Comparison, b: Comparison) -> None:
    assert overlap(a, b) is any(a.holds(x) and b.holds(x) for x in VALUES)


@pytest.mark.parametrize("way", [(Op.GT, Op.GE), (Op.LT, Op.LE)], ids=["up", "down"])
def test_a_comparison_implies_another_where_every_number_that_fits_it_fits_the_other(way: tuple[Op, Op]) -> None:
    ones = [Comparison(op, value) for op in way for value in (-1.0, 0.0, 1.0)]
    found = {(a, b): implies(a, b) for a in ones for b in ones}
    assert found == {(a, b): all(b.holds(x) for x in VALUES if a.holds(x)) for a in ones for b in ones}


@pytest.mark.parametrize(
    ("a", "b", "both"),
    [
        (Comparison(Op.GT, 10.0), Comparison(Op.LT, math.nextafter(10.0, 11.0)), False),
        (Comparison(Op.GT, 10.0), Comparison(Op.LE, math.nextafter(10.0, 11.0)), True),
        (Comparison(Op.GT, 1.7976931348623157e308), Comparison(Op.NE, 0.0), False),
        (Comparison(Op.NE, 0.0), Comparison(Op.NE, 1.0), True),
    ],
    ids=["no double between", "one double", "above all doubles", "two holes"],
)
def test_overlap_is_judged_on_doubles(a: Comparison, b: Comparison, both: bool) -> None:
    assert overlap(a, b) is both
