"""What a change says of place, grid, shadow, hidden readings; stills; last values (spec/alerts.md)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine.detect.changes import Change
from engine.detect.detector import Detector
from engine.detect.last_values import LastValue
from rules.registry import Row
from tests.unit.detect.streams import PONDING, Heard, M, S, batch_of, offline, plan_of, reading, square, tick

ONE = PONDING + 'levels: {yellow: {set: ">= 10"}}\n'
GRIDS = {"330200001001001": square(0, 0, 1000), "330200001001002": square(1000, 0, 1000)}


def placed(lon_e7: int, lat_e7: int) -> dict[str, float]:
    return {"lon": lon_e7 / 1e7, "lat": lat_e7 / 1e7}


def test_a_change_is_told_whole() -> None:
    plan = plan_of(ONE, grids=GRIDS)
    change = offline(plan, [reading(5, 10, **placed(10, 10))]).items[0]
    episode = change["episode"]
    assert change == {
        "id": f"{episode}:0",
        "episode": episode,
        "seq": 0,
        "change": "raised",
        "cause": "reading",
        "rule": "flood.ponding",
        "rule_version": 3,
        "sensor": "s1",
        "kind": "water.level",
        "level": "yellow",
        "previous": None,
        "t": 5,
        "since": 5,
        "value": 10.0,
        "lon": 1e-06,
        "lat": 1e-06,
        "grid": "330200001001001",
        "evidence": {"partition": 0, "first_offset": 1, "last_offset": 1},
        "plan": plan.digest[:12],
    }


@pytest.mark.parametrize(
    ("x", "grid"), [(999, "330200001001001"), (1000, "330200001001001"), (1001, "330200001001002"), (2001, None)]
)
def test_a_shared_border_belongs_to_the_smallest_code(x: int, grid: str | None) -> None:
    assert offline(plan_of(ONE, grids=GRIDS), [reading(0, 10, **placed(x, 500))]).changes[0]["grid"] == grid


def test_a_registered_place_is_the_sensors_place_whatever_it_says() -> None:
    plan = plan_of(ONE, grids=GRIDS, registry=[Row("s1", "water.level", 1500, 500)])
    change = offline(plan, [reading(0, 10, **placed(10, 10))]).changes[0]
    assert (change["lon"], change["grid"]) == (0.00015, "330200001001002")


def test_a_sensor_without_a_place_is_where_each_reading_says() -> None:
    heard = offline(plan_of(ONE), [reading(0, 10, **placed(7, 8)), reading(1, 1), reading(2, 10, **placed(9, 8))])
    assert [c["lon"] for c in heard.changes] == [7e-07, None, 9e-07]


def test_all_changes_of_an_episode_have_the_community_of_its_raise_as_key() -> None:
    detector = Detector(offline_plan=plan_of(ONE, grids=GRIDS))
    records = [reading(0, 10, **placed(1, 1)), reading(1, 1), reading(2, 10), reading(3, 1, **placed(1, 1))]
    items = detector.step(batch_of(records)).items
    assert [item.key for item in items if isinstance(item, Change)] == ["330200001001", "330200001001", "-", "-"]


def test_a_shadow_rules_changes_are_marked_and_others_are_not() -> None:
    shadow = ONE.replace("flood.ponding", "flood.shadow") + "enabled: shadow\n"
    changes = offline(plan_of(ONE, shadow), [reading(0, 10)]).changes
    assert [(c["rule"], c.get("shadow")) for c in changes] == [("flood.ponding", None), ("flood.shadow", True)]


@pytest.mark.parametrize(
    ("rule", "attrs", "seen", "hidden"),
    [
        ('where: attrs.mode != "test"', {"mode": "test"}, False, 0),
        ('where: attrs.mode != "test"', {}, True, 0),
        ("where: attrs.n > 3", {}, False, 1),
        ("where: attrs.n > 3", {"n": "x"}, False, 1),
        ("where: attrs.n > 3", {"n": 4}, True, 0),
        ("measure: v / attrs.n", {"n": 0}, False, 1),
        ("measure: attrs.n", {}, False, 1),
        ("measure: attrs.n", {"n": 10}, True, 0),
        ("where: attrs.n > 3\nmeasure: attrs.m", {"n": 1}, False, 0),
    ],
)
def test_null_hides_a_reading_and_is_counted_while_false_only_hides_it(
    rule: str, attrs: dict[str, Any], seen: bool, hidden: int
) -> None:
    heard = offline(plan_of(ONE + rule + "\n"), [reading(0, 10, attrs=attrs)])
    assert (bool(heard.changes), heard.outputs[0].counts.hidden["flood.ponding"]) == (seen, hidden)


def test_an_expression_knows_sensor_kind_and_place() -> None:
    rule = ONE + 'where: sensor == "s2" && kind == "water.level" && inside("pit")\n'
    plan = plan_of(rule, zones={"pit": square(0, 0, 100)})
    records = [reading(0, 10, s, **placed(x, 50)) for s, x in (("s1", 50), ("s2", 101), ("s3", 50))]
    assert offline(plan, [*records, reading(1, 10, "s2", **placed(100, 50))]).brief == [("raised", "yellow", 1)]


@pytest.mark.parametrize(("later_ms", "told"), [(59_999, False), (60_000, True)])
def test_a_still_is_told_a_minute_after_the_last_change_or_still(later_ms: int, told: bool) -> None:
    records = [reading(0, 10), reading(later_ms, 12), reading(later_ms + 60_000, 13)]
    heard = offline(plan_of(ONE), records, marks=True)
    stills = [item for item in heard.items if "still" in item]
    assert (stills[0] == {"still": heard.changes[0]["episode"], "t": 60_000, "value": 12.0}) is told
    assert len(stills) == 1 + told


def test_a_still_names_the_episode_of_its_place_when_one_step_ends_it_and_raises_another() -> None:
    records = [reading(minute * M, v) for minute, v in enumerate((10, 12, 0, 0, 11, 13, 0, 10, 11))]
    together = offline(plan_of(ONE), records, marks=True)
    raised = [change["episode"] for change in together.changes if change["change"] == "raised"]
    assert len(set(raised)) == 3
    assert [item["still"] for item in together.items if "still" in item] == raised
    detector, apart = Detector(offline_plan=plan_of(ONE)), Heard()
    for number, record in enumerate(records):
        apart.take(detector.step(batch_of([record], number + 1)))
    apart.take(detector.finish())
    assert apart.items == together.items


def test_no_still_without_an_open_episode_or_for_a_reading_that_is_not_seen() -> None:
    rule = ONE + "where: v != 11\n"
    records = [reading(0, 5), reading(M, 5), reading(2 * M, 10), reading(4 * M, 11)]
    assert offline(plan_of(rule), records, marks=True).brief == [("raised", "yellow", 2 * M)]


def test_changes_and_timers_of_a_record_stand_before_the_mark_of_its_tick() -> None:
    rule = ONE + "quiet: 1m\n"
    assert offline(plan_of(rule), [reading(0, 10), tick(2 * M)], marks=True).brief == [
        ("raised", "yellow", 0),
        ("cleared", None, M, "quiet"),
        ("mark", 2 * M),
    ]


def values_of(detector: Detector, records: list[Any], first: int = 1) -> list[LastValue]:
    out = detector.step(batch_of(records, first))
    return [record for values in out.last_values for record in values.records()]


def test_last_values_are_told_once_a_minute_and_at_each_change() -> None:
    plan = plan_of(ONE, grids=GRIDS, registry=[Row("s1", "water.level", 5, 5)])
    detector = Detector(offline_plan=plan, last_values=True)
    readings = [reading(t, v) for t, v in ((0, 1), (30 * S, 2), (60 * S, 3), (70 * S, 10))]
    told = [value for one in readings for value in values_of(detector, [one])]
    assert [(v.t, v.v, v.grid, v.level) for v in told] == [
        (0, 1.0, "330200001001001", None),
        (60 * S, 3.0, "330200001001001", None),
        (70 * S, 10.0, "330200001001001", "yellow"),
    ]


def test_a_timers_change_tells_the_last_value_again() -> None:
    detector = Detector(offline_plan=plan_of(ONE + "quiet: 1m\n"), last_values=True)
    values_of(detector, [reading(0, 10), reading(S, 12)])
    assert [(v.t, v.v, v.level) for v in values_of(detector, [tick(5 * M)], 3)] == [(S, 12.0, None)]


NOWHERE = b'"lon":null,"lat":null,"grid":null,'


def test_the_latest_value_of_each_sensor_is_one_record_with_its_key() -> None:
    detector = Detector(offline_plan=plan_of(ONE), last_values=True)
    batch = [
        reading(0, 1),
        reading(0, 2, sensor="s2"),
        reading(M, 3),
        reading(2 * M, 4, sensor="s2"),
        reading(2 * M, 12),
    ]
    (values,) = detector.step(batch_of(batch)).last_values
    assert [(v.sensor, v.t) for v in values.records()] == [
        ("s1", 0),
        ("s2", 0),
        ("s1", M),
        ("s2", 2 * M),
        ("s1", 2 * M),
    ]
    assert [msgspec.json.encode(v) for v in values.records()[-2:]] == [
        b'{"sensor":"s2","kind":"water.level","t":120000,"v":4.0,' + NOWHERE + b'"level":null}',
        b'{"sensor":"s1","kind":"water.level","t":120000,"v":12.0,' + NOWHERE + b'"level":"yellow"}',
    ]


def test_of_two_alarms_of_a_sensor_its_last_value_tells_the_higher() -> None:
    flood = ONE.replace("flood.ponding", "flood.deep").replace("yellow", "red").replace(">= 10", ">= 20")
    detector = Detector(offline_plan=plan_of(ONE, flood), last_values=True)
    levels = [v.level for t, x in enumerate((10, 20, 15, 1)) for v in values_of(detector, [reading(t, x)], t + 1)]
    assert levels == ["yellow", "red", "yellow", None]
