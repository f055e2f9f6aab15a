"""Merging cases by hand, taking them apart again, and who holds which key then."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from engine.casework.desk import Desk
from engine.casework.errors import Refused
from engine.casework.projection import project
from engine.casework.queries import events_of
from engine.casework.schema import case_key

from .conftest import MINUTE, Town


def keys(town: Town) -> dict[str, str]:
    """Return who holds which key."""
    with town.store.read() as db:
        return {row[0]: row[1] for row in db.execute(select(case_key.c.key, case_key.c.case))}


def two(town: Town) -> tuple[str, str]:
    """Open two cases of road ponding."""
    town.raised("a", level="yellow")
    town.raised("b", level="red")
    by_sensor = {case.sensor: case.id for case in town.cases()}
    return by_sensor["sensor-a"], by_sensor["sensor-b"]


def test_a_merged_case_hands_its_keys_and_alerts_to_the_other(town: Town) -> None:
    one, other = two(town)
    town.do("merge", "supervisor", other, into=one, note="同一处积水")
    seen = {case.id: case for case in town.cases()}
    assert (seen[other].state, seen[other].merged_into, seen[other].level) == ("merged", one, None)
    assert (seen[one].level, town.moves(one)[-1]) == ("red", "absorbed")
    assert set(keys(town).values()) == {one}
    town.raised("c", sensor="sensor-b")
    town.escalated("b", level="red")
    assert len(town.story(one).alerts) == 3
    assert len(town.cases()) == 2


def test_unmerge_puts_the_case_back_where_it_was_with_its_alerts_and_keys(town: Town) -> None:
    one, other = two(town)
    town.do("start", "handler", other)
    before = keys(town)
    town.do("merge", "supervisor", other, into=one)
    town.cleared("a")
    town.do("unmerge", "supervisor", other)
    seen = {case.id: case for case in town.cases()}
    assert (seen[other].state, seen[other].level, seen[other].merged_into) == ("handling", "red", None)
    assert (seen[one].level, keys(town)) == (None, before)
    town.cleared("b")
    assert town.story(other).case.level is None


def test_alerts_that_cleared_in_the_meantime_are_known_after_unmerge(town: Town) -> None:
    one, other = two(town)
    for case in (one, other):
        town.do("start", "handler", case)
        town.do("finish", "handler", case)
    town.do("merge", "supervisor", other, into=one)
    town.t += MINUTE
    town.cleared("b", cause="plan", value=None)
    town.cleared("a")
    town.do("unmerge", "supervisor", other)
    town.later(10 * MINUTE)
    assert {case.id: case.state for case in town.cases()} == {one: "closed", other: "handled"}


def test_a_case_that_holds_others_can_itself_be_merged_and_each_comes_back_alone(town: Town) -> None:
    one, other = two(town)
    town.raised("c", level="blue")
    third = next(case.id for case in town.cases() if case.sensor == "sensor-c")
    town.do("merge", "supervisor", one, into=other)
    town.do("merge", "supervisor", other, into=third)
    assert town.story(third).case.level == "red"
    town.do("unmerge", "supervisor", one)
    assert town.story(one).case.level == "yellow"
    town.do("unmerge", "supervisor", other)
    assert [town.story(case).case.level for case in (one, other, third)] == ["yellow", "red", "blue"]
    assert sorted(keys(town).values()) == sorted([one, other, third])


@pytest.mark.parametrize("target", ["itself", "closed", "drill"])
def test_a_case_is_merged_only_into_another_open_one_of_its_kind(town: Town, target: str) -> None:
    one, other = two(town)
    if target == "closed":
        town.do("void", "supervisor", one, reason="误报")
    if target == "drill":
        town.raised("x", sensor="exercise")
        one = next(case.id for case in town.cases() if case.drill)
    with pytest.raises(Refused) as refusal:
        town.do("merge", "supervisor", other, into=other if target == "itself" else one)
    assert (refusal.value.status, refusal.value.code) == (409, "cannot_merge")


def test_reopen_takes_back_the_keys_that_are_free_and_no_others(town: Town) -> None:
    case = town.handled()
    town.t += MINUTE
    town.cleared()
    town.later(10 * MINUTE)
    assert (town.only().state, keys(town)) == ("closed", {})
    town.raised("b", sensor="sensor-a")
    newer = next(view.id for view in town.cases() if view.id != case)
    town.do("reopen", "supervisor", case, reason="复发")
    assert set(keys(town).values()) == {newer}
    town.do("void", "supervisor", newer, reason="重复")
    town.do("finish", "handler", case)
    town.later(1000)
    town.do("reopen", "supervisor", case, reason="复发")
    assert set(keys(town).values()) == {case}


def test_the_state_of_each_case_is_the_projection_of_its_events(town: Town) -> None:
    one, other = two(town)
    town.do("merge", "supervisor", other, into=one)
    town.escalated("a", level="red")
    town.do("unmerge", "supervisor", other)
    town.do("start", "handler", one)
    town.do("finish", "handler", one)
    town.later(31 * MINUTE)
    town.do("extend", "supervisor", other, due=town.t + 5, reason="等待")
    town.do("suspend", "supervisor", other)
    with town.store.read() as db:
        desk = Desk(db)
        desk.load_cases([one, other])
        for case in (one, other):
            assert project(events_of(db, case)) == desk.cases[case]
            assert [event.seq for event in events_of(db, case)] == list(range(1, desk.cases[case].seq + 1))


def test_a_missing_event_is_noticed_by_the_projection(town: Town) -> None:
    case = town.handled()
    with town.store.read() as db:
        events = events_of(db, case)
    with pytest.raises(ValueError, match="event 2 expected"):
        project([events[0], *events[2:]])
