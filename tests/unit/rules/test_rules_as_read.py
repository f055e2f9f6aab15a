"""What a rule file says is what the rule holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.load import Loaded, load_rules
from rules.model import (
    Agg,
    Auto,
    CaseSpec,
    Close,
    Comparison,
    Correlation,
    Enabled,
    Level,
    LevelName,
    Member,
    Merge,
    MergeBy,
    Op,
    Rule,
    Same,
    Window,
)
from rules.schedule import Schedule, Span

EXAMPLE = """
id: gas.methane_leak
version: 1
title: 燃气浓度超限
source: "GB/T 50493-2019: alarm set points at most 25 and 50 %LEL"
reads: gas.methane                  # a kind, a list of kinds, or `domain.*`
where: attrs.mode != "calibration"  # optional; a reading for which it is not true is not seen
measure: v                          # optional numeric or boolean expression, default v
levels:
  yellow: {set: ">= 10", clear: "< 8", for: 60s}
  orange: {set: ">= 25", clear: "< 20", for: 30s}
  red:    {set: ">= 50", clear: "< 40"}
clear_for: 2m
case: {category: "0401", department: gas, auto: dispatch, close: sensor}
"""
CORRELATION = """
id: fire.gas_fire
title: 燃气起火
correlate: [{alert: gas.methane_leak, at_least: orange}, {alert: fire.flame_seen, at_least: yellow}]
within: 2m                  # between the raises
near: {metres: 150}         # or {same: grid | community | street}
level: red
case: {category: "0402", department: fire, auto: dispatch}
"""
BARE = 'id: a.b\nreads: gas.methane\nlevels: {red: {set: "> 1"}}\n'


def read(folder: Path, text: str, **settings: object) -> Rule:
    path = folder / "rule.yaml"
    path.write_text(text, encoding="utf-8")
    loaded: Loaded = load_rules(path, **settings)  # type: ignore[arg-type]
    assert [str(fault) for fault in loaded.faults] == []
    return loaded.rules[0]


def test_the_example_of_the_contract_is_read_whole(tmp_path: Path) -> None:
    rule = read(tmp_path, EXAMPLE)
    assert rule.where is not None
    assert rule == Rule(
        "gas.methane_leak",
        1,
        "燃气浓度超限",
        "GB/T 50493-2019: alarm set points at most 25 and 50 %LEL",
        reads=("gas.methane",),
        where=rule.where,
        levels=(
            Level(LevelName.YELLOW, Comparison(Op.GE, 10), Comparison(Op.LT, 8), 60_000),
            Level(LevelName.ORANGE, Comparison(Op.GE, 25), Comparison(Op.LT, 20), 30_000),
            Level(LevelName.RED, Comparison(Op.GE, 50), Comparison(Op.LT, 40)),
        ),
        clear_for_ms=120_000,
        case=CaseSpec("0401", "gas", Auto.DISPATCH, Close.SENSOR),
    )
    assert (rule.where.text, rule.attrs, rule.zones) == ('attrs.mode != "calibration"', {"mode"}, frozenset())


def test_a_correlation_is_read_and_judged_elsewhere(tmp_path: Path) -> None:
    rule = read(tmp_path, CORRELATION)
    members = (Member("gas.methane_leak", LevelName.ORANGE), Member("fire.flame_seen", LevelName.YELLOW))
    assert rule == Rule(
        "fire.gas_fire",
        1,
        "燃气起火",
        "",
        correlate=Correlation(members, 120_000, 150.0, None, LevelName.RED),
        case=CaseSpec("0402", "fire", Auto.DISPATCH),
    )
    same = read(tmp_path, CORRELATION.replace("{metres: 150}", "{same: community}")).correlate
    assert same == Correlation(members, 120_000, None, Same.COMMUNITY, LevelName.RED)


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    assert read(tmp_path, BARE) == Rule(
        "a.b", 1, "", "", reads=("gas.methane",), levels=(Level(LevelName.RED, Comparison(Op.GT, 1)),)
    )


@pytest.mark.parametrize(
    ("reads", "kinds"),
    [
        ("gas.methane", ("gas.methane",)),
        ("[gas.pressure, gas.methane, gas.methane]", ("gas.methane", "gas.pressure")),
        ("drain.*", ("drain.level", "drain.pump")),
        ("[waste.*, rain.minute]", ("rain.minute", "waste.collected", "waste.fill", "waste.weight")),
    ],
)
def test_reads_is_a_kind_a_list_or_a_whole_domain(tmp_path: Path, reads: str, kinds: tuple[str, ...]) -> None:
    assert read(tmp_path, BARE.replace("gas.methane", reads)).reads == kinds


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("{agg: sum, over: 3h}", Window(Agg.SUM, 10_800_000, 180_000)),
        ("{agg: mean, over: 60s}", Window(Agg.MEAN, 60_000, 1_000)),
        ("{agg: count, over: 5s}", Window(Agg.COUNT, 5_000, 1_000)),
        ("{agg: delta, over: 1m, step: 1m}", Window(Agg.DELTA, 60_000, 60_000)),
        ("{agg: rate, over: 90s, step: 1500ms}", Window(Agg.RATE, 90_000, 1_500)),
        ("{agg: max, over: 90s}", Window(Agg.MAX, 90_000, 1_500)),
        ("{agg: range, over: 90s}", Window(Agg.RANGE, 90_000, 1_500)),
        ("{agg: count, over: 70s, last: 5}", Window(Agg.COUNT, 70_000, 1, 5)),
    ],
)
def test_a_window_s_step_is_a_sixtieth_and_at_least_a_second(tmp_path: Path, text: str, window: Window) -> None:
    assert read(tmp_path, BARE + f"window: {text}\n").window == window


@pytest.mark.parametrize(
    ("text", "ms"),
    [("0s", 0), ("500ms", 500), ("30s", 30_000), ("10m", 600_000), ("3h", 10_800_000), ("1d", 86_400_000)],
)
def test_durations_are_a_whole_number_and_a_unit(tmp_path: Path, text: str, ms: int) -> None:
    assert read(tmp_path, BARE + f"max_gap: {text}\nquiet: {text}\n").max_gap_ms == ms


@pytest.mark.parametrize(
    ("text", "comparison"),
    [
        (">= 10", Comparison(Op.GE, 10.0)),
        ("<-0.5", Comparison(Op.LT, -0.5)),
        (" != 1e3 ", Comparison(Op.NE, 1000.0)),
        ("== .25", Comparison(Op.EQ, 0.25)),
    ],
)
def test_comparisons(tmp_path: Path, text: str, comparison: Comparison) -> None:
    assert read(tmp_path, BARE.replace("> 1", text)).levels[0].set == comparison


@pytest.mark.parametrize(
    ("levels"),
    [
        '{yellow: {set: ">= 25", for: 1m}, red: {set: ">= 25", for: 61s}}',
        '{yellow: {set: ">= 25", for: 1m}, red: {set: "> 25"}}',
        '{red: {set: "< 1"}, blue: {set: "<= 1"}}',
        '{red: {set: "== 1", clear: "!= 1"}}',
        '{red: {set: "> 1", clear: "<= 1"}}',
        '{red: {set: "!= 0", clear: "== 0"}}',
        '{blue: {set: "> 1", clear: "< 1"}, red: {set: "> 2", clear: "< 0"}}',
    ],
)
def test_levels_at_the_edge_of_a_contradiction_are_none(tmp_path: Path, levels: str) -> None:
    read(tmp_path, BARE.replace('{red: {set: "> 1"}}', levels))


def test_absent_has_one_bare_level(tmp_path: Path) -> None:
    case = 'case: {category: "0601", department: gas, close: sensor}\n'
    rule = read(tmp_path, "id: a.b\nreads: gas.*\nabsent: 30m\nlevels: {yellow: {}}\n" + case)
    assert (rule.absent_ms, rule.levels) == (1_800_000, (Level(LevelName.YELLOW, None),))


def test_absent_by_spans_may_last_from_the_beginning_of_one_to_the_end_of_the_next(tmp_path: Path) -> None:
    text = "id: a.b\nreads: gas.*\nabsent: span\nlevels: {yellow: {}}\n"
    daily = read(tmp_path, text + 'schedule: {active: [{from: "05:00", to: "09:00"}]}\n')
    assert daily.absent_ms == 28 * 3_600_000
    two = 'schedule: {active: [{days: [mon], from: "22:00", to: "02:00"}, {days: [wed], from: "08:00", to: "09:00"}]}\n'
    assert read(tmp_path, text + two).absent_ms == 138 * 3_600_000


def test_a_schedule_is_in_the_city_s_zone_unless_it_says_so(tmp_path: Path) -> None:
    text = BARE + 'schedule: {active: [{days: [sun, mon], from: "20:30", to: "06:00"}]}\n'
    assert read(tmp_path, text, tz="UTC").schedule == Schedule("UTC", (Span((0, 6), 1230, 360),))
    text = BARE + 'schedule: {tz: Europe/Berlin, inactive: [{from: "00:00", to: "24:00"}]}\n'
    assert read(tmp_path, text).schedule == Schedule("Europe/Berlin", (Span(tuple(range(7)), 0, 1440),), inverted=True)


@pytest.mark.parametrize(
    ("text", "merge"),
    [
        ("{by: grid}", Merge(MergeBy.GRID)),
        ("{by: sensor, within: 30m}", Merge(MergeBy.SENSOR, None, 1_800_000)),
        ("{near: {metres: 50}, within: 30m}", Merge(MergeBy.NEAR, 50.0, 1_800_000)),
    ],
)
def test_a_case_merges_by_sensor_grid_or_nearness(tmp_path: Path, text: str, merge: Merge) -> None:
    rule = read(tmp_path, BARE + f'case: {{category: "0401", department: gas, merge: {text}, priority: {{red: 1}}}}\n')
    assert rule.case == CaseSpec("0401", "gas", merge=merge, priority=((LevelName.RED, 1),))


@pytest.mark.parametrize(
    ("text", "enabled"), [("true", Enabled.ON), ("false", Enabled.OFF), ("shadow", Enabled.SHADOW)]
)
def test_a_rule_is_on_off_or_in_the_shadow(tmp_path: Path, text: str, enabled: Enabled) -> None:
    assert read(tmp_path, BARE + f"enabled: {text}\n").enabled is enabled


def test_anchors_and_json_are_yaml_too(tmp_path: Path) -> None:
    anchored = BARE.replace('{red: {set: "> 1"}}', '{orange: {set: "> 1", for: &t 10s}, red: {set: "> 2", for: *t}}')
    assert [level.for_ms for level in read(tmp_path, anchored).levels] == [10_000, 10_000]
    assert (
        read(tmp_path, '\ufeff{"id": "a.b", "reads": ["gas.methane"], "levels": {"red": {"set": "> 1"}}}').id == "a.b"
    )
