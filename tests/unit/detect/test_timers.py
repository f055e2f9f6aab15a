"""Timers: quiet, schedule, absent; when they are due, when they fire, in which order (spec/rules.md, "Timers")."""

from __future__ import annotations

import pytest

from engine.detect.changes import Change
from engine.detect.detector import Detector
from rules.registry import Row
from tests.unit.detect.streams import PONDING, H, M, S, batch_of, live, offline, plan_of, reading, tick

QUIET = PONDING + 'levels: {yellow: {set: ">= 10", for: 30s}}\nquiet: 10m\nclear_for: 1h\n'
SILENT = """
id: flood.silent
version: 1
title: 失联
source: test
reads: water.level
levels: {yellow: {}}
absent: 10m
"""
NIGHT = (
    PONDING
    + 'levels: {yellow: {set: ">= 10"}}\nschedule: {tz: UTC, active: [{from: "00:00", to: "01:00"}]}\nclear_for: 10h\n'
)


@pytest.mark.parametrize(("silence_ms", "cleared"), [(10 * M, False), (10 * M + 1, True)])
def test_quiet_clears_when_time_passes_its_due_time(silence_ms: int, cleared: bool) -> None:
    records = [reading(0, 20), reading(30 * S, 20), tick(30 * S + silence_ms)]
    brief = offline(plan_of(QUIET), records, finish=False).brief
    assert brief[0] == ("raised", "yellow", 30 * S)
    assert brief[1:] == ([("cleared", None, 30 * S + 10 * M, "quiet")] if cleared else [])


def test_quiet_unsets_every_hold() -> None:
    records = [reading(0, 20), reading(10 * M + 1, 20), reading(10 * M + 30 * S, 20), reading(10 * M + 31 * S, 20)]
    assert offline(plan_of(QUIET), records).brief == [("raised", "yellow", 10 * M + 31 * S)]


def test_quiet_counts_only_readings_that_the_rule_sees() -> None:
    rule = QUIET + "where: v > 0\n"
    records = [reading(0, 20), reading(30 * S, 20), reading(9 * M, 0), reading(11 * M, 0)]
    assert offline(plan_of(rule), records).brief[1:] == [("cleared", None, 30 * S + 10 * M, "quiet")]


def test_a_timer_change_names_the_last_reading_as_evidence_and_no_value() -> None:
    records = [reading(0, 20), reading(30 * S, 20, lon=116.0, lat=39.0), reading(40 * S, 20), tick(1 * H)]
    cleared = offline(plan_of(QUIET), records).changes[1]
    assert {key: cleared[key] for key in ("cause", "value", "since", "lon", "lat", "evidence")} == {
        "cause": "quiet",
        "value": None,
        "since": None,
        "lon": 116.0,
        "lat": 39.0,
        "evidence": {"partition": 0, "first_offset": 3, "last_offset": 3},
    }


def test_a_timer_counts_from_the_timer_clock_if_the_sensors_clock_is_slow() -> None:
    plan = plan_of(QUIET)
    records = [tick(1 * H), reading(0, 20), reading(30 * S, 20), tick(1 * H + 10 * M), tick(1 * H + 10 * M + 1)]
    assert offline(plan, records).brief == [
        ("raised", "yellow", 30 * S),
        ("cleared", None, 1 * H + 10 * M, "quiet"),
    ]


def test_a_timer_fires_before_the_reading_that_passes_it_and_after_the_change_that_does_not() -> None:
    rules = (QUIET, QUIET.replace("flood.ponding", "flood.zero").replace("for: 30s", "for: 0s"))
    records = [reading(0, 20), reading(30 * S, 20), reading(20 * M, 20, sensor="s2")]
    assert [(c["rule"], c["sensor"], c["change"]) for c in offline(plan_of(*rules), records).changes] == [
        ("flood.zero", "s1", "raised"),
        ("flood.ponding", "s1", "raised"),
        ("flood.ponding", "s1", "cleared"),
        ("flood.zero", "s1", "cleared"),
        ("flood.zero", "s2", "raised"),
    ]


def test_timers_fire_in_order_of_due_time_rule_sensor_and_kind() -> None:
    rows = [Row(sensor, kind) for sensor in ("s10", "s2") for kind in ("water.level", "drain.level")]
    both = SILENT.replace("reads: water.level", "reads: [water.level, drain.level]")
    sooner = both.replace("flood.silent", "flood.z").replace("10m", "5m")
    rules = [both, both.replace("flood.silent", "flood.a"), sooner]
    heard = offline(plan_of(*rules, registry=rows), [tick(0), tick(H)])
    assert [(c["t"], c["rule"], c["sensor"], c["kind"]) for c in heard.changes] == [
        (due, rule, sensor, kind)
        for due, rule in ((5 * M, "flood.z"), (10 * M, "flood.a"), (10 * M, "flood.silent"))
        for sensor in ("s10", "s2")
        for kind in ("drain.level", "water.level")
    ]


def test_a_sensor_that_never_reported_is_absent_from_the_first_record_that_moved_the_watermark() -> None:
    plan = plan_of(SILENT, registry=[Row("s1", "water.level", 1210000000, 290000000)])
    raised = offline(plan, [[reading(70 * S, 1, "x"), reading(60 * S, 1, "y")], tick(H)]).changes
    assert [(c["sensor"], c["t"], c["since"], c["value"], c["lon"]) for c in raised] == [
        ("s1", 11 * M, 60 * S, None, 121.0)
    ]
    assert raised[0]["evidence"] == {"partition": 0, "first_offset": None, "last_offset": None}


def test_the_count_begins_at_since_of_the_registry_if_that_is_later() -> None:
    plan = plan_of(SILENT, registry=[Row("s1", "water.level", since_ms=30 * M)])
    assert offline(plan, [tick(0), tick(H)]).brief == [("raised", "yellow", 40 * M, "absent")]


def test_live_the_count_begins_at_the_order_time_of_the_plan_record() -> None:
    plan = plan_of(SILENT, registry=[Row("s1", "water.level")])
    assert live([plan], [(5 * S, plan), (1 * H, tick(H))]).brief == [("raised", "yellow", 5 * S + 10 * M, "absent")]


def test_under_a_plan_of_time_0_the_count_begins_with_the_first_record_that_has_a_time() -> None:
    first, later = (plan_of(SILENT, registry=[Row(name, "water.level") for name in names]) for names in ("a", "ab"))
    log = [(0, first), (0, tick(0)), (0, later), (5 * S, tick(5 * S)), (H, tick(H))]
    assert live([first, later], log).brief == [("raised", "yellow", 5 * S + 10 * M, "absent")] * 2


def test_only_registered_sensors_of_the_kind_are_missed() -> None:
    plan = plan_of(SILENT, registry=[Row("s1", "drain.level")])
    assert offline(plan, [reading(0, 1), tick(H)]).brief == []


def test_a_sensor_is_missed_in_its_home_partition_only_also_after_a_checkpoint_and_under_a_later_plan() -> None:
    names = [f"s{n}" for n in range(1, 9)]
    first = plan_of(SILENT, registry=[Row(name, "water.level") for name in names[:5]])
    later = plan_of(SILENT, registry=[Row(name, "water.level") for name in names])
    plans = {plan.digest: plan for plan in (first, later)}
    missed: list[str] = []
    for partition in range(3):
        detector = Detector(plans, partition=partition, partitions=3)
        records = [{"kind": "plan", "digest": first.digest, "t": 0}, tick(S)]
        detector.step(batch_of(records, log_times=[0, S]))
        detector = Detector.restore(detector.snapshot(), plans)
        records = [{"kind": "plan", "digest": later.digest, "t": 2 * S}, tick(H)]
        said = detector.step(batch_of(records, log_times=[2 * S, H])).items
        here = [change.sensor for change in said if isinstance(change, Change) and change.change == "raised"]
        assert {later.registry.home_partition(name, 3) for name in here} <= {partition}
        missed += here
    assert sorted(missed) == names


def test_the_next_sign_of_life_clears_at_its_time_and_both_evidences_are_its_own() -> None:
    plan = plan_of(SILENT, registry=[Row("s1", "water.level")])
    heard = offline(plan, [reading(0, 1), tick(H), reading(H + 1, 1)])
    assert heard.brief == [("raised", "yellow", 10 * M, "absent"), ("cleared", None, H + 1)]
    assert [c["evidence"]["first_offset"] for c in heard.changes] == [1, 3]
    assert heard.changes[1]["evidence"] == {"partition": 0, "first_offset": 3, "last_offset": 3}
    assert heard.changes[1]["value"] is None


@pytest.mark.parametrize(("v", "t", "log_t"), [(1, 0, 9 * M), (1, 5, 9 * M), (2, 0, 9 * M)])
def test_late_and_duplicate_readings_are_signs_of_life(v: float, t: int, log_t: int) -> None:
    plan = plan_of(SILENT, registry=[Row("s1", "water.level")])
    records = [reading(5, 1), tick(9 * M), reading(t, v, log_t=log_t), tick(15 * M)]
    assert offline(plan, records, finish=False).brief == []


def test_a_stale_reading_is_a_sign_of_life_too() -> None:
    plan = plan_of(SILENT, registry=[Row("s1", "water.level")], max_age=M)
    records = [reading(0, 1), tick(9 * M), reading(1, 1, log_t=9 * M), tick(15 * M)]
    heard = offline(plan, records, finish=False)
    assert (heard.late, heard.brief) == ([("stale", 3, 0)], [])


def test_a_sign_of_life_counts_at_the_timer_clock_and_never_goes_back() -> None:
    plan = plan_of(SILENT, registry=[Row("s1", "water.level")])
    fast = [tick(0), reading(4 * M, 1, log_t=0), reading(1 * M, 1, log_t=1 * M), tick(14 * M), tick(14 * M + 1)]
    heard = offline(plan, fast)
    assert [(c["t"], c["since"]) for c in heard.changes] == [(14 * M, 4 * M)]


def test_the_schedule_ends_what_is_open_when_it_turns_inactive() -> None:
    records = [reading(30 * M, 20), tick(1 * H), tick(1 * H + 1)]
    heard = offline(plan_of(NIGHT), records, marks=True)
    assert heard.brief == [("raised", "yellow", 30 * M), ("mark", H), ("cleared", None, H, "schedule"), ("mark", H + 1)]


def test_outside_its_schedule_a_rule_sees_nothing() -> None:
    assert offline(plan_of(NIGHT), [reading(H, 20), reading(2 * H, 20)]).brief == []
    assert offline(plan_of(NIGHT), [reading(H - 1, 20)]).brief == [("raised", "yellow", H - 1)]


def test_a_back_filled_reading_is_ended_by_its_own_schedule_though_the_clock_is_past_it() -> None:
    records = [tick(5 * H), reading(30 * M, 20), reading(40 * M, 20), tick(5 * H)]
    assert offline(plan_of(NIGHT), records, marks=True).brief == [
        ("mark", 5 * H),
        ("raised", "yellow", 30 * M),
        ("cleared", None, H, "schedule"),
        ("raised", "yellow", 40 * M),
        ("cleared", None, H, "schedule"),
        ("mark", 5 * H),
    ]


def test_in_one_frame_a_back_fill_goes_on_until_a_reading_passes_the_end() -> None:
    frame = [reading(30 * M, 20), reading(40 * M, 20), reading(2 * H, 1, sensor="s2"), reading(3 * H, 20, sensor="s3")]
    brief = offline(plan_of(NIGHT), [tick(5 * H), frame]).brief
    assert brief == [("raised", "yellow", 30 * M), ("cleared", None, H, "schedule")]


def test_quiet_goes_before_the_schedule_at_the_same_instant() -> None:
    rule = NIGHT + "quiet: 30m\n"
    assert offline(plan_of(rule), [reading(30 * M, 20), tick(2 * H)]).brief[1] == ("cleared", None, H, "quiet")
    assert offline(plan_of(rule), [reading(30 * M + 1, 20), tick(2 * H)]).brief[1] == ("cleared", None, H, "schedule")


def test_offline_timers_due_before_the_largest_order_time_fire_at_the_end() -> None:
    plan = plan_of(QUIET, max_delay=1 * H)
    due = 10 * M + 30 * S
    records = [reading(0, 20), reading(30 * S, 20), reading(due, 1, "s2"), reading(due + S, 1, "s2")]
    assert offline(plan, records[:3]).brief == [("raised", "yellow", 30 * S)]
    assert offline(plan, records).brief[1:] == [("cleared", None, 10 * M + 30 * S, "quiet")]


MISSED = SILENT.replace("absent: 10m", "absent: span") + 'schedule: {tz: UTC, active: [{from: "05:00", to: "09:00"}]}\n'


@pytest.mark.parametrize(
    ("said", "raised"),
    [
        ([5 * H], []),
        ([5 * H - 1], [9 * H]),
        ([9 * H], []),
        ([9 * H + 1], [9 * H]),
        ([15 * H], [9 * H]),
    ],
    ids=["at the beginning", "just before", "just when it ends", "too late", "in the afternoon"],
)
def test_who_says_nothing_in_a_span_is_told_at_its_end(said: list[int], raised: list[int]) -> None:
    plan = plan_of(MISSED, registry=[Row("s1", "water.level")])
    log = [tick(0), *[reading(t, 1, "s1") for t in said], tick(20 * H)]
    assert [c["t"] for c in offline(plan, log).changes if c["change"] == "raised"] == raised


def test_a_span_that_runs_when_the_count_begins_is_not_judged() -> None:
    plan = plan_of(MISSED, registry=[Row("s1", "water.level")])
    assert offline(plan, [tick(6 * H), tick(30 * H)]).changes == []
    assert offline(plan, [tick(6 * H), tick(34 * H)]).brief == [("raised", "yellow", 33 * H, "absent")]


def test_a_missed_span_is_made_good_by_the_next_sign_of_life() -> None:
    plan = plan_of(MISSED, registry=[Row("s1", "water.level")])
    told = offline(plan, [reading(6 * H, 1, "s1"), tick(34 * H), reading(34 * H + 1, 1, "s1")])
    assert told.brief == [("raised", "yellow", 33 * H, "absent"), ("cleared", None, 34 * H + 1)]
    assert (told.changes[0]["since"], told.changes[0]["value"]) == (6 * H, None)
