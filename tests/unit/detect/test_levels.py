"""Levels: raise, escalate, downgrade, clear, hold, hysteresis, gaps (spec/rules.md, "Levels")."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.detect.streams import PONDING, S, offline, plan_of, reading

THREE = (
    PONDING
    + """
levels:
  yellow: {set: ">= 10", clear: "< 8", for: 60s}
  orange: {set: ">= 25", clear: "< 20", for: 30s}
  red:    {set: ">= 50", clear: "< 40"}
clear_for: 2m
"""
)
ONE = PONDING + 'levels: {yellow: {set: ">= 10"}}\n'


def brief(rule: str, *readings: tuple[int, float]) -> list[tuple[Any, ...]]:
    return offline(plan_of(rule), [reading(t, v) for t, v in readings]).brief


@pytest.mark.parametrize(
    ("comparison", "below", "at", "above"),
    [
        (">= 10", False, True, True),
        ("> 10", False, False, True),
        ("<= 10", True, True, False),
        ("< 10", True, False, False),
        ("== 10", False, True, False),
        ("!= 10", True, False, True),
    ],
)
def test_a_comparison_holds_below_at_and_above_its_number(comparison: str, below: bool, at: bool, above: bool) -> None:
    rule = PONDING + f'levels: {{yellow: {{set: "{comparison}"}}}}\n'
    assert [bool(brief(rule, (0, v))) for v in (9.5, 10, 10.5)] == [below, at, above]


@pytest.mark.parametrize(("held_ms", "raised"), [(59_999, False), (60_000, True), (60_001, True)])
def test_a_level_with_for_is_reached_when_it_was_held_that_long(held_ms: int, raised: bool) -> None:
    assert bool(brief(THREE, (0, 12), (held_ms, 12))) is raised


def test_one_reading_below_the_line_starts_the_hold_anew() -> None:
    readings = ((0, 12), (30 * S, 9), (40 * S, 12), (70 * S, 12), (100 * S, 12))
    assert brief(THREE, *readings) == [("raised", "yellow", 100 * S)]


def test_a_level_without_for_is_raised_at_once_and_skips_those_below() -> None:
    assert brief(THREE, (0, 60)) == [("raised", "red", 0)]


def test_an_open_level_escalates_to_the_highest_that_was_held() -> None:
    assert brief(THREE, (0, 12), (60 * S, 30), (90 * S, 30), (91 * S, 50)) == [
        ("raised", "yellow", 60 * S),
        ("escalated", "orange", 90 * S),
        ("escalated", "red", 91 * S),
    ]


def test_since_of_a_level_is_when_its_own_condition_began() -> None:
    changes = offline(plan_of(THREE), [reading(0, 12), reading(60 * S, 30), reading(90 * S, 30)]).changes
    assert [(c["since"], c["evidence"]) for c in changes] == [
        (0, {"partition": 0, "first_offset": 1, "last_offset": 2}),
        (60 * S, {"partition": 0, "first_offset": 2, "last_offset": 3}),
    ]


def test_it_downgrades_to_the_highest_level_that_does_not_clear() -> None:
    heard = offline(plan_of(THREE), [reading(0, 60), reading(1 * S, 30), reading(121 * S, 21), reading(122 * S, 21)])
    assert heard.brief == [("raised", "red", 0), ("downgraded", "orange", 121 * S)]
    down = heard.changes[1]
    assert (down["previous"], down["since"], down["evidence"]["first_offset"]) == ("red", None, 2)


def test_a_downgrade_names_since_of_the_lower_level_if_it_is_set() -> None:
    changes = offline(plan_of(THREE), [reading(0, 60), reading(1 * S, 30), reading(121 * S, 30)]).changes
    assert (changes[1]["change"], changes[1]["level"], changes[1]["since"]) == ("downgraded", "orange", 0)


@pytest.mark.parametrize(("later_ms", "cleared"), [(119_999, False), (120_000, True), (120_001, True)])
def test_it_clears_when_the_clear_condition_was_held_for_clear_for(later_ms: int, cleared: bool) -> None:
    heard = brief(THREE, (0, 60), (1 * S, 5), (1 * S + later_ms, 5))
    assert (heard[1:] == [("cleared", None, 1 * S + later_ms)]) is cleared


def test_one_reading_that_does_not_clear_starts_clear_for_anew() -> None:
    assert brief(THREE, (0, 60), (10 * S, 5), (60 * S, 45), (70 * S, 5), (189 * S, 5), (190 * S, 5))[1:] == [
        ("cleared", None, 190 * S)
    ]


def test_between_set_and_clear_nothing_changes() -> None:
    assert brief(THREE, (0, 60), (1 * S, 45), (500 * S, 41), (900 * S, 40)) == [("raised", "red", 0)]


def test_an_escalation_unsets_clear_since() -> None:
    rule = PONDING + 'levels: {yellow: {set: ">= 10"}, red: {set: ">= 50"}}\nclear_for: 1m\n'
    readings = ((0, 12), (1 * S, 5), (30 * S, 60), (31 * S, 5), (62 * S, 5), (91 * S, 5))
    assert brief(rule, *readings) == [("raised", "yellow", 0), ("escalated", "red", 30 * S), ("cleared", None, 91 * S)]


def test_clear_defaults_to_not_set() -> None:
    assert brief(ONE, (0, 10), (1, 9.99)) == [("raised", "yellow", 0), ("cleared", None, 1)]


def test_cleared_says_null_level_and_since_and_where_clearing_began() -> None:
    readings = [reading(0, 60), reading(10 * S, 5), reading(130 * S, 5)]
    cleared = offline(plan_of(THREE), readings).changes[1]
    assert {key: cleared[key] for key in ("seq", "level", "previous", "since", "value", "evidence")} == {
        "seq": 1,
        "level": None,
        "previous": "red",
        "since": None,
        "value": 5.0,
        "evidence": {"partition": 0, "first_offset": 2, "last_offset": 3},
    }


def test_an_episode_is_named_after_its_raise_and_counts_its_changes() -> None:
    changes = offline(plan_of(ONE), [reading(5, 10), reading(6, 1), reading(7, 10)]).changes
    # sha256("flood.ponding|s1|water.level|5"), computed with coreutils
    assert [c["id"] for c in changes[:2]] == ["ep_" + EPISODE_AT_5 + ":0", "ep_" + EPISODE_AT_5 + ":1"]
    assert changes[2]["seq"] == 0
    assert changes[2]["episode"] != changes[0]["episode"]


@pytest.mark.parametrize(("gap_ms", "raised"), [(30_000, True), (30_001, False)])
def test_after_a_gap_longer_than_max_gap_every_hold_starts_anew(gap_ms: int, raised: bool) -> None:
    rule = PONDING + 'levels: {yellow: {set: ">= 10", for: 40s}}\nmax_gap: 30s\n'
    assert bool(brief(rule, (0, 10), (20 * S, 10), (20 * S + gap_ms, 10))) is raised


def test_a_gap_unsets_clear_since_but_leaves_the_level() -> None:
    rule = PONDING + 'levels: {yellow: {set: ">= 10"}}\nmax_gap: 30s\nclear_for: 40s\n'
    assert brief(rule, (0, 10), (10 * S, 5), (50 * S, 5), (80 * S, 5), (90 * S, 5)) == [
        ("raised", "yellow", 0),
        ("cleared", None, 90 * S),
    ]


def test_kinds_of_a_rule_are_kept_apart() -> None:
    rule = PONDING.replace("water.level", "[water.level, drain.level]") + 'levels: {yellow: {set: ">= 10"}}\n'
    drain = [reading(t, v, kind="drain.level") for t, v in ((1, 1), (2, 20))]
    heard = offline(plan_of(rule), [reading(0, 20), *drain])
    assert [(c["kind"], c["t"]) for c in heard.changes] == [("water.level", 0), ("drain.level", 2)]


def test_changes_of_one_reading_stand_in_order_of_rule_id() -> None:
    rules = [ONE.replace("flood.ponding", name) for name in ("flood.c", "flood.a", "flood.b")]
    assert [c["rule"] for c in offline(plan_of(*rules), [reading(0, 20)]).changes] == ["flood.a", "flood.b", "flood.c"]


def test_a_disabled_rule_says_nothing() -> None:
    assert offline(plan_of(ONE + "enabled: false\n"), [reading(0, 20)]).items == []


EPISODE_AT_5 = "e9b4c6473d3c9cafa2f2"
