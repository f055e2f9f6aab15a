"""Faults of the platform itself: a case for the supervisor, apart from those of the city, done again in a replay."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.casework.errors import Refused
from engine.casework.platform import Fault
from engine.casework.replay import verify
from engine.casework.service import Settings

from .conftest import GRID, Town, actor

LAG = Fault(group="TongguanLag|1", title="检测积压", text="partition=3", level="yellow")


def tell(town: Town, key: str, fault: Fault = LAG, role: str = "sensor", area: str = "") -> str | None:
    return town.casework.platform(fault, actor(role, area=area), idempotency_key=key, t_ms=town.t)


def over(town: Town, key: str) -> str | None:
    return tell(town, key, Fault(group=LAG.group, title=LAG.title, text="已恢复", over=True))


def test_a_fault_opens_a_case_that_the_supervisor_is_asked_to_look_at(town: Town) -> None:
    case = tell(town, "fires-1")
    seen = town.only()
    assert (seen.id, seen.title, seen.category, seen.department) == (case, "检测积压", "0698", "platform")
    assert (seen.level, seen.state, seen.flags, seen.grid) == ("yellow", "reported", ["supervised"], None)
    assert town.moves() == ["report", "supervise"]
    assert town.story().events[0].title == "平台告警"


def test_what_monitoring_repeats_is_noted_once_whatever_its_text_says_by_then(town: Town) -> None:
    case = tell(town, "fires-1")
    assert (
        tell(town, "fires-1", Fault(group=LAG.group, title="检测积压", text="partition=3, 9 min", level="red")) == case
    )
    assert town.moves() == ["report", "supervise"]


def test_further_alerts_of_the_group_join_and_the_end_of_all_is_noted(town: Town) -> None:
    case = tell(town, "fires-1")
    assert tell(town, "fires-2", Fault(group=LAG.group, title="检测积压", text="partition=4", level="red")) == case
    assert town.only().level == "red"
    assert over(town, "over-1") == case
    assert town.only().flags == ["recovered", "supervised"]
    assert over(town, "over-1") == case
    assert tell(town, "fires-3") == case
    assert town.only().flags == ["supervised"]
    assert town.moves() == ["report", "supervise", "joined", "recovered", "joined"]


def test_after_the_close_it_opens_another_case_and_the_end_of_nothing_is_nothing(town: Town) -> None:
    assert over(town, "over-0") is None
    first = tell(town, "fires-1")
    town.do("void", "supervisor", first, reason="误报")
    assert over(town, "over-1") is None
    assert tell(town, "fires-1") == first
    assert tell(town, "fires-2") not in (None, first)


def test_it_never_meets_a_case_of_the_city(town: Town) -> None:
    town.raised(rule="waste.seen", grid=GRID)
    tell(town, "fires-1")
    assert len(town.cases()) == 2
    assert sorted(case.category for case in town.cases())[-1] == "0698"


@pytest.mark.parametrize(
    ("role", "area", "code"),
    [("operator", "", "role"), ("supervisor", "", "role"), ("sensor", GRID[:9], "other_area"), ("admin", "", None)],
)
def test_only_machines_of_the_whole_city_and_admins_tell_it(town: Town, role: str, area: str, code: str | None) -> None:
    if code is None:
        assert tell(town, "k", role=role, area=area)
        return
    with pytest.raises(Refused) as refusal:
        tell(town, "k", role=role, area=area)
    assert refusal.value.code == code
    assert town.cases() == []


def test_a_rerun_tells_the_same(town: Town, tmp_path: Path) -> None:
    town.raised()
    tell(town, "fires-1")
    tell(town, "fires-2", Fault(group=LAG.group, title="检测积压", text="partition=4", level="red"))
    town.escalated()
    over(town, "over-1")
    assert verify(town.store, town.log, town.casework.plans, Settings(), tmp_path) == []
