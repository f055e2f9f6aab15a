"""交接班: what is open and what happened, signed by both sides."""

from __future__ import annotations

import pytest

from engine.casework import audit, handover
from engine.casework.errors import Refused
from engine.casework.handover import HandoverView, Shift
from engine.casework.people import Actor, Role

from .conftest import GRID, Town, actor

LI, WANG = Actor(name="李娜", role=Role.OPERATOR), Actor(name="王强", role=Role.SUPERVISOR)


def shift(town: Town, who: Actor = LI) -> Shift:
    with town.store.read() as db:
        return handover.shift_of(db, who, None, town.t)


def give(town: Town, who: Actor = LI, note: str = "") -> HandoverView:
    with town.store.write() as db:
        return handover.hand_over(db, who, note, town.t, 7)


def take(town: Town, number: int, who: Actor = WANG, note: str = "") -> HandoverView:
    with town.store.write() as db:
        return handover.take_over(db, who, number, note, town.t, 8)


def test_a_shift_leaves_what_is_open_the_worst_first_and_counts_what_happened(town: Town) -> None:
    town.raised("a", "yellow")
    town.raised("b", "red", rule="fire.smoke")
    town.raised("c", "red", rule="gas.methane_leak", sensor="exercise")
    (ponding,) = [case.id for case in town.cases() if case.sensor == "sensor-a"]
    town.do("void", "supervisor", ponding, reason="误报")
    found = shift(town)
    assert [(one.level, one.drill) for one in found.open] == [("red", False), ("red", True)]
    assert (found.open_total, found.opened, found.closed) == (1, 2, 1)
    assert found.moves == {"report": 2, "accept": 1, "file": 1, "dispatch": 1, "void": 1}


def test_both_sides_sign_and_what_was_open_then_stays_with_it(town: Town) -> None:
    town.raised()
    given = give(town, note="二号泵房积水，注意复查")
    town.later(60_000)
    taken = take(town, given.id, note="已知悉")
    assert (taken.giver, taken.taker, taken.note, taken.taker_note) == (
        "李娜",
        "王强",
        "二号泵房积水，注意复查",
        "已知悉",
    )
    assert taken.taken_t == given.t + 60_000
    town.do("void", "supervisor", reason="误报")
    with town.store.read() as db:
        (found,) = handover.latest(db, WANG)
    assert [one.id for one in found.shift.open] == [town.only().id]
    noted = [
        (line.action, line.actor, line.subject, line.t)
        for line in audit.lines(town.store, audit.Wanted(action="handover"))
    ]
    assert noted == [("handover.give", "李娜", "1", 7), ("handover.take", "王强", "1", 8)]


def test_the_next_shift_begins_where_the_last_was_handed_over(town: Town) -> None:
    town.raised()
    town.later(60_000)
    given = give(town)
    take(town, given.id)
    town.later(60_000)
    found = shift(town)
    assert (found.since_t, found.opened, found.open_total) == (given.t, 0, 1)


@pytest.mark.parametrize(
    ("who", "code"),
    [
        (LI, "same_person"),
        (actor("viewer"), "role"),
        (actor("handler"), "role"),
        (Actor(name="x", role=Role.OPERATOR, department="gas"), "role"),
        (Actor(name="x", role=Role.OPERATOR, area="330683"), "no_such_handover"),
    ],
)
def test_who_may_not_take_it_is_refused(town: Town, who: Actor, code: str) -> None:
    given = give(town)
    with pytest.raises(Refused) as refused:
        take(town, given.id, who)
    assert refused.value.code == code


def test_it_is_taken_once_and_the_next_waits_for_that(town: Town) -> None:
    given = give(town)
    with pytest.raises(Refused, match="handover_waits"):
        give(town, WANG)
    take(town, given.id)
    with pytest.raises(Refused, match="handover_taken"):
        take(town, given.id)
    assert give(town, WANG).since_t == given.t


def test_a_districts_room_hands_over_its_own(town: Town) -> None:
    town.raised("a")
    town.raised("b", grid="330200001001001")
    own = Actor(name="区值班", role=Role.OPERATOR, area=GRID[:6])
    assert shift(town, own).open_total == 1
    give(town)
    assert give(town, own).area == GRID[:6]
