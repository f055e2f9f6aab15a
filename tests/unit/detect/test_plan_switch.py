"""Plans: where they switch, what keeps its state, what ends (spec/readings.md, "The plan")."""

from __future__ import annotations

import pytest

from engine.detect.detector import Detector
from engine.detect.errors import CheckpointUnreadable, DetectError, NoPlan, PlanMissing
from rules.kinds import Kinds, load_kinds
from rules.registry import Row
from tests.unit.detect.streams import PONDING, M, batch_of, live, plan_of, reading, tick

ONE = PONDING + 'levels: {yellow: {set: ">= 10", for: 1m}}\n'
OTHER = ONE.replace("flood.ponding", "flood.other")
CHANGED = ONE.replace(">= 10", ">= 11")
SILENT = PONDING.replace("flood.ponding", "flood.silent") + "levels: {yellow: {}}\nabsent: 10m\n"


def test_a_rule_that_did_not_change_keeps_its_state() -> None:
    before, after = plan_of(ONE), plan_of(ONE, OTHER)
    log = [(0, before), (0, reading(0, 20)), (30_000, after), (M, reading(M, 20)), (2 * M, reading(2 * M, 20))]
    heard = live([before, after], log)
    assert [(c["rule"], c["t"], c["since"], c["plan"]) for c in heard.changes] == [
        ("flood.ponding", M, 0, after.short),
        ("flood.other", 2 * M, M, after.short),
    ]


@pytest.mark.parametrize("after_rules", [(CHANGED,), ()], ids=["changed", "gone"])
def test_an_open_episode_of_a_rule_that_changed_or_went_is_cleared_by_the_plan(after_rules: tuple[str, ...]) -> None:
    before, after = plan_of(ONE), plan_of(*after_rules)
    log = [(0, before), (0, reading(0, 20)), (M, reading(M, 20, lon=116.0, lat=39.0)), (2 * M, after)]
    cleared = live([before, after], log).changes[1]
    assert {k: cleared[k] for k in ("change", "cause", "t", "value", "since", "previous", "plan", "lon", "seq")} == {
        "change": "cleared",
        "cause": "plan",
        "t": 2 * M,
        "value": None,
        "since": None,
        "previous": "yellow",
        "plan": after.short,
        "lon": 116.0,
        "seq": 1,
    }


def test_episodes_ended_by_a_plan_stand_in_order_of_rule_and_sensor() -> None:
    rules = [text.replace(", for: 1m", "") for text in (OTHER, ONE)]
    before, after = plan_of(*rules), plan_of()
    log = [(0, before), *[(1, reading(1, 20, sensor)) for sensor in ("s10", "s2", "a")], (2, after)]
    ended = [(c["rule"], c["sensor"]) for c in live([before, after], log).changes if c["cause"] == "plan"]
    assert ended == [(rule, sensor) for rule in ("flood.other", "flood.ponding") for sensor in ("a", "s10", "s2")]


def test_a_changed_rule_begins_anew() -> None:
    before, after = plan_of(ONE), plan_of(CHANGED)
    log = [(0, before), (0, reading(0, 20)), (30_000, after), (M, reading(M, 20)), (2 * M, reading(2 * M, 20))]
    assert live([before, after], log).brief == [("raised", "yellow", 2 * M)]


def test_the_same_plan_again_changes_nothing() -> None:
    plan = plan_of(ONE)
    log = [(0, plan), (0, reading(0, 20)), (30_000, plan), (M, reading(M, 20))]
    assert live([plan], log).brief == [("raised", "yellow", M)]


def test_a_plan_record_moves_the_watermark_and_lets_readings_go_under_the_new_plan() -> None:
    before, after = plan_of(ONE, max_delay=M), plan_of(ONE.replace(", for: 1m", ""), max_delay=M)
    log = [(0, before), (0, reading(0, 20)), (M, after)]
    assert live([before, after], log).brief == [("raised", "yellow", 0)]


def test_readings_that_wait_are_read_again_for_attributes_that_only_the_new_plan_asks_for() -> None:
    asks = ONE.replace(", for: 1m", "") + 'where: attrs.mode == "real"\n'
    before, after = plan_of(OTHER, max_delay=M), plan_of(asks, max_delay=M)
    frame = [reading(0, 20, attrs={"mode": "test"}), reading(1, 20, attrs={"mode": "real"})]
    log = [(0, before), (1, frame), (1, reading(0, 20, "s2")), (2 * M, after)]
    assert [(c["sensor"], c["t"]) for c in live([before, after], log).changes] == [("s1", 1)]


def test_readings_of_a_kind_that_went_wait_on_and_are_seen_by_nobody() -> None:
    fewer = Kinds(kind for kind in load_kinds() if kind.name != "drain.level")
    before, after = plan_of(ONE, max_delay=M), plan_of(ONE, max_delay=M, kinds=fewer)
    drain = reading(1, 5, kind="drain.level")
    log = [(0, before), (1, drain), (1, reading(1, 20)), (M + 1, after), (2 * M, tick(2 * M))]
    heard = live([before, after], log)
    assert heard.changes == []
    assert sum((out.counts.readings for out in heard.outputs[1:]), heard.outputs[0].counts.readings).total() == 2


def test_absence_under_a_changed_registry_counts_from_the_plan_record() -> None:
    before = plan_of(SILENT)
    after = plan_of(SILENT, registry=[Row("s1", "water.level")])
    log = [(0, before), (5 * M, after), (15 * M, tick(15 * M)), (15 * M + 1, tick(15 * M + 1))]
    assert live([before, after], log).brief == [("raised", "yellow", 15 * M, "absent")]


def test_a_partition_that_does_not_begin_with_a_plan_is_refused() -> None:
    with pytest.raises(NoPlan, match="offset 7"):
        Detector({}).step(batch_of([reading(0, 1)], first=7, log_times=[0]))


def test_a_plan_that_is_missing_stops_before_its_record_and_names_it() -> None:
    before, after = plan_of(ONE), plan_of(OTHER)
    stored = {before.digest: before}
    detector = Detector(stored)
    records = [
        {"kind": "plan", "digest": before.digest, "t": 0},
        reading(0, 20),
        reading(M, 20),
        {"kind": "plan", "digest": after.digest, "t": M},
        reading(2 * M, 20),
    ]
    times = [0, 0, M, M, 2 * M]
    out = detector.step(batch_of(records, log_times=times))
    assert (detector.cursor, len(out.items)) == (3, 1)
    with pytest.raises(DetectError, match="offset 4"):
        detector.step(batch_of(records[4:], first=5, log_times=times[4:]))
    with pytest.raises(PlanMissing, match=after.digest):
        detector.step(batch_of(records[3:], first=4, log_times=times[3:]))
    stored[after.digest] = after
    detector.step(batch_of(records[3:], first=4, log_times=times[3:]))
    assert detector.cursor == 5


def test_a_snapshot_names_its_plan_and_refuses_other_bytes() -> None:
    plan = plan_of(ONE)
    detector = Detector({plan.digest: plan})
    detector.step(batch_of([{"kind": "plan", "digest": plan.digest, "t": 0}], log_times=[0]))
    with pytest.raises(PlanMissing, match=plan.digest):
        Detector.restore(detector.snapshot(), {})
    with pytest.raises(CheckpointUnreadable):
        Detector.restore(b"\x00torn", {plan.digest: plan})
