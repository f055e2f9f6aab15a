"""Exercises (演练): they stand beside real cases and never among them."""

from __future__ import annotations

import pytest

from engine.casework.case_table import table
from engine.casework.counter import Report
from engine.casework.errors import Refused
from engine.casework.overview import overview
from engine.casework.queries import AlertFilter, CaseFilter

from .conftest import GRID, T0, Town, actor

OF = {"by sensor": "water.road_ponding", "by grid": "waste.seen", "by place": "water.near"}


def report(town: Town, drill: bool, key: str) -> str:
    given = Report(category="0103", grid=GRID, drill=drill, text="垃圾满溢")
    return town.casework.report(given, actor("operator"), idempotency_key=key, t_ms=town.t).id


@pytest.mark.parametrize("rule", list(OF.values()), ids=list(OF))
def test_an_exercise_of_the_same_place_opens_a_case_of_its_own(town: Town, rule: str) -> None:
    town.raised("a", rule=rule)
    town.raised("b", rule=rule, sensor="exercise")
    town.raised("c", rule=rule, sensor="exercise", seq=0)
    drills, real = town.cases(drill=True), town.cases(drill=False)
    assert (len(drills), len(real)) == (1, 1)
    assert drills[0].flags == ["drill"]


def test_alerts_of_exercises_are_listed_apart(town: Town) -> None:
    town.raised("a", rule="gas.methane_leak")
    town.raised("b", rule="gas.methane_leak", sensor="exercise")
    listed = {
        drill: {one.episode for one in town.casework.alerts(AlertFilter(drill=drill), actor("viewer")).alerts}
        for drill in (False, True, None)
    }
    assert listed == {False: {"ep_a"}, True: {"ep_b"}, None: {"ep_a", "ep_b"}}


def test_a_report_joins_what_is_as_real_as_it(town: Town) -> None:
    real, drill = report(town, False, "k1"), report(town, True, "k2")
    assert real != drill
    assert (report(town, False, "k3"), report(town, True, "k4")) == (real, drill)


def test_an_exercise_cannot_be_merged_into_a_real_case_nor_the_other_way_round(town: Town) -> None:
    real, drill = report(town, False, "k1"), report(town, True, "k2")
    for one, other in ((real, drill), (drill, real)):
        with pytest.raises(Refused, match="cannot_merge"):
            town.do("merge", "supervisor", one, into=other)


def test_figures_leave_exercises_out(town: Town) -> None:
    town.raised("a", "yellow", rule="gas.methane_leak")
    before = town.casework.counts()
    town.raised("b", "red", rule="gas.methane_leak", sensor="exercise", cause="absent")
    report(town, True, "k1")
    after = town.casework.counts()
    assert (after.cases, after.alerts, after.moves) == (before.cases, before.alerts, before.moves)
    assert town.casework.silent_by_street() == {}
    with town.store.read() as db:
        seen = overview(db, actor("supervisor"), "", T0)
    assert (seen.open, seen.drills, seen.levels.get("red", 0)) == (1, 2, 0)


def test_an_export_marks_them(town: Town) -> None:
    report(town, False, "k1")
    report(town, True, "k2")
    who = actor("supervisor")

    def lines(**where: object) -> list[list[str]]:
        text = b"".join(table(town.casework, CaseFilter(**where), who, tz="Asia/Shanghai", english=False))  # type: ignore[arg-type]
        return [line.split(",") for line in text.decode("utf-8-sig").splitlines()]

    head, *rows = lines()
    assert head[:2] == ["案件编号", "演练"]
    assert sorted(row[1] for row in rows) == ["", "演练"]
    assert [row[1] for row in lines(drill=True)[1:]] == ["演练"]
