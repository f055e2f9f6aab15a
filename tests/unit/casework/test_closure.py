"""Sensor-verified closure: only a reading proves the repair."""

from __future__ import annotations

import pytest

from engine.casework.directory import ClearLine
from engine.casework.errors import Refused
from rules.model import Comparison, Op

from .conftest import MINUTE, Town


def test_a_case_closes_by_itself_ten_minutes_after_its_alert_was_cleared_by_a_reading(town: Town) -> None:
    case = town.handled()
    town.t += MINUTE
    town.cleared()
    cleared = town.t
    town.later(10 * MINUTE - 1)
    assert town.only().state == "handled"
    town.later(1)
    assert town.only().state == "closed"
    verify, close = town.story(case).events[-2:]
    assert [(e.move, e.actor, e.t) for e in (verify, close)] == [
        ("verify", "system", cleared + 10 * MINUTE),
        ("close", "system", cleared + 10 * MINUTE),
    ]


def test_an_alert_cleared_long_before_the_finish_is_proof_as_soon_as_time_moves_on(town: Town) -> None:
    town.raised()
    town.do("start", "handler")
    town.cleared()
    town.later(20 * MINUTE)
    town.do("finish", "handler")
    assert town.only().state == "handled"
    town.later(1000)
    assert town.only().state == "closed"


def test_a_sensor_still_above_its_clear_line_after_the_wait_sends_the_work_back(town: Town) -> None:
    case = town.handled()
    town.t += MINUTE
    town.still(value=27.3)
    town.later(29 * MINUTE - 1)
    assert town.only().state == "handled"
    town.later(1)
    seen = town.only()
    assert (seen.state, seen.rework) == ("handling", 1)
    assert town.story(case).events[-1].note == "报警仍未解除：道路积水（sensor-a，当前值 27.3，解除线 < 3）"


def test_a_sensor_past_its_clear_line_that_has_only_to_hold_is_waited_for(town: Town) -> None:
    case = town.handled()
    town.later(29 * MINUTE)
    town.still(value=2.9)
    town.later(MINUTE)
    assert (town.only().state, town.only().rework) == ("handled", 0)
    town.cleared(value=1.0)
    town.later(10 * MINUTE)
    assert town.story(case).case.state == "closed"


def test_a_sensor_that_rises_again_while_it_was_waited_for_sends_the_work_back(town: Town) -> None:
    town.handled()
    town.later(29 * MINUTE)
    town.still(value=2.9)
    town.later(2 * MINUTE)
    town.still(value=3.0)
    town.later(MINUTE)
    seen = town.only()
    assert (seen.state, seen.rework) == ("handling", 1)
    assert town.story(seen.id).events[-1].t == town.t


@pytest.mark.parametrize(("value", "reached"), [(2.9, True), (3.0, False), (10.0, False)])
def test_the_clear_line_is_the_clear_of_the_level_and_else_not_its_set(value: float, reached: bool) -> None:
    assert ClearLine(Comparison(Op.GE, 5.0), Comparison(Op.LT, 3.0)).reached(value) == reached
    assert ClearLine(Comparison(Op.GE, 3.0)).reached(value) == reached


def test_an_escalation_after_the_finish_counts_as_heard(town: Town) -> None:
    town.handled()
    town.t += MINUTE
    town.escalated()
    town.later(30 * MINUTE)
    assert (town.only().state, town.only().rework) == ("handling", 1)


def test_a_sensor_that_said_nothing_since_the_finish_sends_the_case_to_an_inspector(town: Town) -> None:
    case = town.handled()
    town.still(t=town.t)
    town.later(30 * MINUTE)
    seen = town.only()
    assert (seen.state, seen.flags, seen.rework) == ("handled", ["sensor_silent"], 0)
    town.later(300 * MINUTE)
    assert town.moves(case)[-1] == "sensor_silent"


def test_a_silent_sensor_that_speaks_again_is_judged_again(town: Town) -> None:
    town.handled()
    town.later(30 * MINUTE)
    town.still()
    town.later(1000)
    seen = town.only()
    assert (seen.state, seen.flags, seen.rework) == ("handling", [], 1)


def test_a_silent_sensor_that_comes_back_with_a_clear_is_proof_after_all(town: Town) -> None:
    town.handled()
    town.later(30 * MINUTE)
    town.cleared()
    town.later(10 * MINUTE)
    assert town.only().state == "closed"


@pytest.mark.parametrize("cause", ["quiet", "absent", "schedule", "plan"])
def test_a_clear_that_no_reading_decided_is_no_proof(town: Town, cause: str) -> None:
    town.handled()
    town.cleared(cause=cause, value=None)
    town.later(600 * MINUTE)
    assert (town.only().state, town.only().rework) == ("handled", 0)
    assert town.do("verify", "inspector").state == "verified"


def test_a_later_episode_of_the_same_sensor_cleared_by_a_reading_makes_up_for_it(town: Town) -> None:
    case = town.handled()
    town.cleared(cause="plan", value=None)
    town.raised("b", sensor="sensor-a")
    town.t += MINUTE
    town.cleared("b", sensor="sensor-a")
    town.later(10 * MINUTE)
    assert town.story(case).case.state == "closed"


def test_a_new_alert_in_the_waiting_time_starts_it_anew(town: Town) -> None:
    case = town.handled()
    town.cleared()
    town.later(5 * MINUTE)
    town.raised("b", sensor="sensor-a")
    town.later(5 * MINUTE)
    assert town.only().state == "handled"
    town.cleared("b", sensor="sensor-a")
    town.later(10 * MINUTE - 1)
    assert town.only().state == "handled"
    town.later(1)
    assert town.story(case).case.state == "closed"


def test_verify_pass_is_refused_while_an_alert_is_open(town: Town) -> None:
    town.handled()
    with pytest.raises(Refused) as refusal:
        town.do("verify", "inspector")
    assert (refusal.value.status, refusal.value.code) == (409, "still_active")


def test_a_supervisor_overrides_with_a_reason_and_nobody_else_does(town: Town) -> None:
    town.handled()
    with pytest.raises(Refused) as refusal:
        town.do("verify", "supervisor", override=True)
    assert refusal.value.code == "reason_required"
    for role, override in (("inspector", True), ("supervisor", False)):
        with pytest.raises(Refused) as refusal:
            town.do("verify", role, override=override, reason="探头进水，现场确认")
        assert (refusal.value.status, refusal.value.code) == (403, "role")
    assert town.do("verify", "supervisor", override=True, reason="探头进水，现场确认").state == "verified"
    assert town.do("close", "supervisor").state == "closed"


def test_a_case_that_an_inspector_closes_is_never_closed_by_the_system(town: Town) -> None:
    town.raised(rule="fire.smoke")
    for move, role in (("accept", "operator"), ("file", "operator")):
        town.do(move, role)
    town.do("dispatch", "dispatcher", department="drainage")
    town.do("start", "handler")
    town.do("finish", "handler")
    town.cleared(rule="fire.smoke")
    town.later(600 * MINUTE)
    assert town.only().state == "handled"


def test_an_alert_that_clears_before_anyone_came_marks_the_case_recovered_and_someone_still_checks_it(
    town: Town,
) -> None:
    case = town.raised().opened and town.only().id
    town.cleared()
    seen = town.only()
    assert (seen.state, seen.flags, seen.level, seen.peak) == ("dispatched", ["recovered"], None, "yellow")
    town.later(600 * MINUTE)
    assert town.only().state == "dispatched"
    town.raised("b", sensor="sensor-a")
    assert town.only().flags == []
    assert town.moves(str(case))[-3:] == ["alert", "recovered", "alert"]


def test_an_alert_that_clears_while_somebody_works_is_not_recovered(town: Town) -> None:
    town.raised()
    town.do("start", "handler")
    town.cleared()
    assert town.only().flags == []


def test_time_stands_still_until_every_partition_has_marked(town: Town) -> None:
    town.raised(evidence={"partition": 3, "first_offset": 1, "last_offset": 1})
    assert town.mark(partition=0).clock is None
    assert town.casework.marks() == {0: town.t, 3: None}
    assert town.mark(partition=3).clock == town.t


def test_the_slowest_partition_holds_time_back(town: Town) -> None:
    town.mark(partition=0)
    town.mark(partition=1)
    town.mark(town.t + 5000, partition=0)
    assert town.casework.clock() == town.t
    town.mark(town.t + 2000, partition=1)
    assert town.casework.clock() == town.t + 2000


def test_timers_fire_in_order_of_due_time_then_case(town: Town) -> None:
    for name in ("b", "a", "c"):
        town.handled(name)
        town.still(name, t=town.t + 1)
    town.later(600 * MINUTE)
    town.casework.assign_positions()
    rows = town.casework.read_outbox(0, 1000)[-3:]
    due = [(event.t, event.case) for row in rows for event in [town.story(row.case).events[row.seq - 1]]]
    assert due == sorted(due)
    assert len({case for _, case in due}) == 3
