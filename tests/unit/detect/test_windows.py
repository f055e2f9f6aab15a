"""Windows: panes, exact sums, each aggregate (spec/rules.md, "Windows")."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.detect.kernels.windows import millionths
from tests.unit.detect.streams import PONDING, H, M, S, offline, plan_of, reading, tick


def rule(agg: str, *, over: str = "3m", step: str = "1m", at_least: float = 10, more: str = "") -> str:
    window = f"window: {{agg: {agg}, over: {over}, step: {step}}}\n"
    return PONDING + window + f'levels: {{yellow: {{set: ">= {at_least}"}}}}\n' + more


def values(text: str, *readings: tuple[int, float]) -> list[float | None]:
    """The value at each change or still, for a rule that is raised by its first reading and never cleared."""
    return [item["value"] for item in offline(plan_of(text), [reading(t, v) for t, v in readings], marks=True).items]


RISING = ((0, 5.0), (1 * M, 1.0), (2 * M, 2.0), (3 * M, 4.0), (5 * M, 8.0))


@pytest.mark.parametrize(
    ("agg", "expected"),
    [
        ("sum", [5.0, 6.0, 8.0, 7.0, 12.0]),
        ("count", [1.0, 2.0, 3.0, 3.0, 2.0]),
        ("mean", [5.0, 3.0, 8 / 3, 7 / 3, 6.0]),
        ("min", [5.0, 1.0, 1.0, 1.0, 4.0]),
        ("max", [5.0, 5.0, 5.0, 4.0, 8.0]),
        ("delta", [0.0, -4.0, -3.0, 3.0, 4.0]),
        ("rate", [-4.0, -1.5, 1.5, 2.0]),
    ],
)
def test_an_aggregate_is_over_the_last_panes(agg: str, expected: list[float]) -> None:
    assert values(rule(agg, at_least=-1000), *RISING) == expected


@pytest.mark.parametrize(("t", "inside"), [(3 * M - 1, True), (3 * M, False)])
def test_a_pane_leaves_when_the_present_pane_is_over_by_step_panes_later(t: int, inside: bool) -> None:
    assert values(rule("count", at_least=0), (59_999, 1), (t, 1))[-1] == (2.0 if inside else 1.0)


def test_panes_begin_at_whole_steps_since_1970_also_before_it() -> None:
    assert values(rule("count", at_least=0), (-2 * M - 1, 1), (-1, 1), (59_999, 1)) == [1.0, 2.0, 2.0]


def test_a_sum_of_tenths_is_exact() -> None:
    text = rule("sum", over="1h", step="1m", at_least=1.0)
    assert offline(plan_of(text), [reading(n * S, 0.1) for n in range(10)]).changes[0]["t"] == 9 * S


def test_a_sum_keeps_millionths_rounded_half_to_even() -> None:
    assert values(rule("sum", at_least=-1), (0, 0.0000005), (M, 0.0000015), (2 * M, 0.0000026)) == [0.0, 2e-06, 5e-06]


def test_of_a_boolean_measure_the_true_ones_are_counted() -> None:
    text = rule("count", at_least=0, more="measure: v > 2\n")
    assert values(text, (0, 1), (M, 3), (2 * M, 3)) == [0.0, 1.0, 2.0]


def test_the_mean_of_a_boolean_measure_is_the_share_of_true_ones() -> None:
    assert values(rule("mean", at_least=0, more="measure: v > 2\n"), (0, 1), (M, 3)) == [0.0, 0.5]


@pytest.mark.parametrize(("factor", "hidden"), [("100000.0", False), ("100000.1", True)])
def test_in_a_rule_with_a_window_a_measure_beyond_ten_to_the_eighth_is_hidden(factor: str, hidden: bool) -> None:
    for agg in ("max", "count"):
        heard = offline(plan_of(rule(agg, at_least=-1000, more=f"measure: v * {factor}\n")), [reading(0, 1000)])
        assert bool(heard.changes) is not hidden
        assert dict(heard.outputs[0].counts.hidden) == ({"flood.ponding": 1} if hidden else {})


def test_a_rate_at_one_instant_is_null_and_decides_nothing() -> None:
    heard = offline(plan_of(rule("rate", at_least=0)), [reading(0, 1), reading(30 * S, 2)])
    assert [(c["t"], c["value"]) for c in heard.changes] == [(30 * S, 2.0)]


def test_a_null_aggregate_feeds_the_window_and_is_told_as_a_still_without_value() -> None:
    heard = offline(plan_of(rule("rate", at_least=0)), [reading(0, 1), reading(30 * S, 2), reading(H, 3)], marks=True)
    assert heard.items[1] == {"still": heard.changes[0]["episode"], "t": H, "value": None}


def test_a_null_aggregate_moves_max_gap() -> None:
    text = rule("rate", at_least=0, more="max_gap: 1h\n").replace('">= 0"', '">= 0", for: 1h')
    records = [reading(t, 1) for t in (0, 30 * S, 1 * H, 2 * H, 2 * H + S)]
    assert offline(plan_of(text), records).brief == [("raised", "yellow", 2 * H + S)]


def test_quiet_empties_the_window() -> None:
    text = rule("sum", over="1h", at_least=10, more="quiet: 5m\n")
    records = [reading(0, 6), tick(6 * M), reading(7 * M, 6), reading(8 * M, 6)]
    assert [(c["t"], c["value"]) for c in offline(plan_of(text), records).changes] == [(8 * M, 12.0)]


def test_a_window_holds_only_what_the_rule_saw() -> None:
    text = rule("sum", at_least=10, more="where: v < 9\n")
    assert offline(plan_of(text), [reading(0, 20), reading(1, 8), reading(2, 3)]).brief == [("raised", "yellow", 2)]


def test_many_panes_and_many_sensors_keep_apart() -> None:
    text = rule("count", over="2h", step="1s", at_least=100)
    records = [reading(n * S, 1, sensor=f"s{sensor}") for n in range(100) for sensor in range(20)]
    changes = offline(plan_of(text), records).changes
    assert [(c["sensor"], c["t"]) for c in changes] == [(f"s{sensor}", 99 * S) for sensor in range(20)]


@given(st.integers(-(10**24), 10**24))
def test_a_sum_of_any_size_is_rounded_once(total: int) -> None:
    assert millionths(total >> 32, total & 0xFFFFFFFF) == float(Fraction(total, 10**6))


@given(st.integers(0, 2**50), st.integers(0, 62), st.integers(-2, 2))
def test_a_sum_near_the_middle_of_two_doubles_is_rounded_right(mantissa: int, shift: int, off: int) -> None:
    total = ((2**53 + 2 * mantissa + 1) << shift) * 10**6 // 2 + off
    if total < 10**24:
        assert millionths(total >> 32, total & 0xFFFFFFFF) == float(Fraction(total, 10**6))


def of_the_last(agg: str, count: int, *, over: str = "1m", at_least: float = 0, more: str = "") -> str:
    window = f"window: {{agg: {agg}, over: {over}, last: {count}}}\n"
    return PONDING + window + f'levels: {{yellow: {{set: ">= {at_least}"}}}}\n' + more


@pytest.mark.parametrize(
    ("agg", "expected"),
    [
        ("sum", [5.0, 6.0, 8.0, 7.0, 14.0]),
        ("count", [1.0, 2.0, 3.0, 3.0, 3.0]),
        ("mean", [5.0, 3.0, 8 / 3, 7 / 3, 14 / 3]),
        ("min", [5.0, 1.0, 1.0, 1.0, 2.0]),
        ("max", [5.0, 5.0, 5.0, 4.0, 8.0]),
        ("range", [0.0, 4.0, 4.0, 3.0, 6.0]),
        ("delta", [0.0, -4.0, -3.0, 3.0, 6.0]),
    ],
)
def test_an_aggregate_is_over_the_last_readings(agg: str, expected: list[float]) -> None:
    text = of_the_last(agg, 3, over="1h", at_least=0 if agg in ("count", "range") else -99)
    assert values(text, *RISING) == expected


def test_three_of_the_last_five_are_counted_and_not_three_of_six() -> None:
    text = of_the_last("count", 5, over="10m", at_least=3, more="measure: v >= 6\n")
    seen, unseen = (9, 9, 0, 0, 0, 9, 9), (9, 0, 9, 0, 9)
    assert offline(plan_of(text), [reading(n * S, v) for n, v in enumerate(seen)]).changes == []
    raised = offline(plan_of(text), [reading(n * S, v) for n, v in enumerate(unseen)]).changes
    assert [(change["t"], change["value"]) for change in raised] == [(4 * S, 3.0)]


@pytest.mark.parametrize(("t", "inside"), [(M - 1, True), (M, False)])
def test_of_the_last_readings_one_that_is_as_old_as_over_is_out(t: int, inside: bool) -> None:
    raised = offline(plan_of(of_the_last("count", 5, at_least=2)), [reading(0, 1), reading(t, 1)]).changes
    assert len(raised) == inside


def test_silence_empties_a_window_of_the_last_readings() -> None:
    text = of_the_last("count", 3, over="1h", at_least=3, more="quiet: 5s\n")
    assert offline(plan_of(text), [reading(t, 1) for t in (0, 1 * S, 7 * S, 8 * S)]).changes == []


@pytest.mark.parametrize(("values_", "raised"), [((3, 3, 3, 3), [3 * M]), ((3, 3, 3.001, 3), []), ((3,), [])])
def test_a_stuck_value_is_a_range_of_nothing_for_long(values_: tuple[float, ...], raised: list[int]) -> None:
    text = PONDING + 'window: {agg: range, over: 2m, step: 1m}\nlevels: {yellow: {set: "<= 0", for: 3m}}\n'
    told = offline(plan_of(text), [reading(n * M, v) for n, v in enumerate(values_)])
    assert [change["t"] for change in told.changes] == raised


def test_a_range_forgets_what_left_the_window() -> None:
    readings = ((0, 9.0), (1 * M, 1.0), (2 * M, 2.0), (3 * M, 4.0), (4 * M, 4.0))
    assert values(rule("range", at_least=0), *readings) == [0.0, 8.0, 8.0, 3.0, 2.0]
