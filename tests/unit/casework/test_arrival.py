"""What alert changes do to cases."""

from __future__ import annotations

import hashlib
from base64 import b32encode

import pytest

from engine.casework import merging
from engine.casework.counter import Report
from engine.casework.directory import Directory, Office, RuleEntry
from engine.casework.errors import CursorLost, OffsetGap, PlanUnknown
from engine.casework.plans import FixedPlans
from engine.casework.service import AlertFilter, AlertRecord, Casework
from engine.casework.store import Store
from rules.model import Auto, CaseSpec

from .conftest import GRID, MINUTE, OTHER_GRID, PLAN, T0, Town, actor, directory

LAT_50_M = 50 / 111_195.0797  # degrees of latitude on a sphere of the mean earth radius


@pytest.mark.parametrize(
    ("rule", "state", "moves"),
    [
        ("fire.smoke", "reported", ["report"]),
        ("gas.methane_leak", "filed", ["report", "accept", "file"]),
        ("water.road_ponding", "dispatched", ["report", "accept", "file", "dispatch"]),
    ],
)
def test_a_raise_opens_a_case_and_the_system_goes_as_far_as_auto_says(
    town: Town, rule: str, state: str, moves: list[str]
) -> None:
    town.raised(rule=rule)
    assert (town.only().state, town.moves()) == (state, moves)
    assert {(e.actor, e.role, e.person, e.t, e.position) for e in town.story().events} == {
        ("system", "system", False, T0, 1)
    }


def test_the_case_id_is_the_local_date_of_the_raise_and_fifty_bits_of_the_hash_of_its_id(town: Town) -> None:
    late = 1_760_025_600_000  # 2025-10-10 00:00 in Asia/Shanghai, still the 9th in UTC
    town.raised(t=late)
    expected = b32encode(hashlib.sha256(b"ep_a:0").digest())[:10].decode()
    assert town.only().id == f"WO-20251010-{expected}"


def test_a_case_knows_its_rule_place_grid_office_and_priority(town: Town) -> None:
    town.raised(rule="fire.smoke", level="yellow")
    seen = town.only()
    assert (seen.title, seen.category_title, seen.rule, seen.sensor) == (
        "烟雾报警",
        "烟雾报警",
        "fire.smoke",
        "sensor-a",
    )
    assert (seen.lon, seen.lat, seen.grid, seen.grid_name, seen.officer) == (
        120.1,
        30.1,
        GRID,
        "南门社区第一网格",
        "王芳",
    )
    assert seen.priority == 2
    town.escalated(rule="fire.smoke", level="red")
    assert town.only().priority == 1


def test_an_escalation_is_an_event_of_the_case_and_its_level_is_that_of_its_highest_open_alert(town: Town) -> None:
    town.raised(rule="waste.seen", level="yellow")
    town.raised("b", rule="waste.seen", level="red")
    assert (town.only().level, town.moves()) == ("red", ["report", "alert"])
    town.cleared("b", rule="waste.seen")
    assert (town.only().level, town.only().peak) == ("yellow", "red")
    town.feed(town.change("a", "escalated", "orange", rule="waste.seen"))
    assert town.only().level == "orange"
    town.feed(town.change("a", "downgraded", "blue", rule="waste.seen"))
    assert town.only().level == "blue"


def test_a_rule_without_a_case_block_warns_and_opens_nothing(town: Town) -> None:
    town.raised(rule="rain.warning")
    assert town.cases() == []
    assert [alert.case for alert in town.casework.alerts(AlertFilter(), actor("viewer")).alerts] == [None]


def test_a_second_episode_of_one_sensor_and_rule_joins_its_open_case(town: Town) -> None:
    town.raised()
    town.cleared()
    town.raised("b", sensor="sensor-a")
    town.raised("c", sensor="sensor-a", rule="gas.methane_leak")
    alerts = {str(case.rule): len(town.story(case.id).alerts) for case in town.cases()}
    assert alerts == {"water.road_ponding": 2, "gas.methane_leak": 1}


def test_different_rules_of_one_category_meet_in_one_grid_and_not_in_another(town: Town) -> None:
    town.raised("a", rule="waste.full")
    town.raised("b", rule="waste.seen")
    town.raised("c", rule="waste.seen", grid=OTHER_GRID)
    assert sorted(len(town.story(case.id).alerts) for case in town.cases()) == [1, 2]


def test_by_grid_but_outside_every_grid_merges_by_sensor(town: Town) -> None:
    town.raised("a", rule="waste.seen", grid=None)
    town.raised("b", rule="waste.seen", grid=None)
    town.raised("c", rule="waste.seen", grid=None, sensor="sensor-a")
    assert len(town.cases()) == 2


@pytest.mark.parametrize(("after", "cases"), [(30 * MINUTE, 1), (30 * MINUTE + 1, 2)])
def test_past_within_a_case_gives_its_key_up(town: Town, after: int, cases: int) -> None:
    town.raised("a", rule="waste.full")
    town.t += after
    town.raised("b", rule="waste.full")
    assert len(town.cases()) == cases


def test_each_change_of_a_case_counts_as_its_last_for_within(town: Town) -> None:
    town.raised("a", rule="waste.full", level="blue")
    town.t += 20 * MINUTE
    town.escalated("a", rule="waste.full")
    town.t += 20 * MINUTE
    town.raised("b", rule="waste.full")
    assert len(town.cases()) == 1


@pytest.mark.parametrize(("part", "cases"), [(0.99, 1), (1.01, 2)])
def test_near_joins_within_the_distance_of_the_anchor(town: Town, part: float, cases: int) -> None:
    town.raised("a", rule="water.near")
    town.raised("b", rule="water.near", lat=30.1 + part * LAT_50_M)
    assert len(town.cases()) == cases


def test_the_anchor_of_a_case_never_moves(town: Town) -> None:
    town.raised("a", rule="water.near")
    town.raised("b", rule="water.near", lat=30.1 + 0.9 * LAT_50_M)
    town.raised("c", rule="water.near", lat=30.1 + 1.5 * LAT_50_M)
    assert len(town.cases()) == 2


def test_near_takes_the_nearest_then_the_oldest(town: Town) -> None:
    town.raised("south", rule="water.near", lat=30.1)
    town.t += 1
    town.raised("north", rule="water.near", lat=30.1 + 1.2 * LAT_50_M)
    town.t += 1
    town.raised("b", rule="water.near", lat=30.1 + 0.7 * LAT_50_M)
    assert {view.sensor: len(town.story(view.id).alerts) for view in town.cases()} == {
        "sensor-south": 1,
        "sensor-north": 2,
    }


def test_near_past_within_opens_another_case(town: Town) -> None:
    town.raised("a", rule="water.near")
    town.t += 30 * MINUTE + 1
    town.raised("b", rule="water.near")
    assert len(town.cases()) == 2


def test_a_change_of_an_episode_stays_with_its_case_wherever_the_case_went(town: Town) -> None:
    town.raised()
    case = town.only().id
    town.do("void", "supervisor", reason="误报")
    town.escalated()
    assert (town.only().state, town.moves(case)[-1], town.only().level) == ("void", "alert", "red")
    town.raised("b", sensor="sensor-a")
    assert len(town.cases()) == 2


def test_a_suspended_case_takes_nothing_new_in_and_resumes_with_the_key_if_it_is_free(town: Town) -> None:
    town.raised()
    frozen = town.only().id
    town.do("suspend", "supervisor")
    town.raised("b", sensor="sensor-a")
    live = next(case.id for case in town.cases() if case.id != frozen)
    town.do("resume", "supervisor", frozen)
    town.raised("c", sensor="sensor-a")
    assert len(town.story(live).alerts) == 2
    town.do("void", "supervisor", live, reason="重复")
    town.do("suspend", "supervisor", frozen)
    town.do("resume", "supervisor", frozen)
    town.raised("d", sensor="sensor-a")
    assert len(town.story(frozen).alerts) == 2


def test_an_exercise_never_merges_with_the_real_thing(town: Town) -> None:
    town.raised("a", rule="waste.seen")
    town.raised("b", rule="waste.seen", sensor="exercise")
    town.raised("c", rule="water.near")
    town.raised("d", rule="water.near", sensor="exercise")
    assert sorted((case.category, case.drill) for case in town.cases()) == [
        ("0103", False),
        ("0103", True),
        ("0405", False),
        ("0405", True),
    ]
    assert [case.flags for case in town.cases(drill=True)] == [["drill"], ["drill"]]


def test_a_change_that_was_already_seen_changes_nothing(town: Town) -> None:
    first = town.change("a", "raised", "yellow")
    town.feed(first)
    before = town.story()
    assert town.feed(first).repeats == 1
    assert town.story() == before


def test_a_change_of_a_shadow_rule_opens_nothing(town: Town) -> None:
    town.raised(shadow=True)
    assert town.cases() == []


BROKEN = {
    "no json": b"{",
    "not an object": b"[]",
    "not utf-8": b'{"change": "\xff"}',
    "no fields": b'{"change": "raised"}',
    "an unknown change": b'{"id":"e:0","episode":"e","seq":0,"change":"melted"}',
    "a mark without a partition": b'{"mark": 5}',
    "a mark before all time": b'{"mark": -5, "partition": 0}',
    "a lone surrogate": b'{"mark": "\\ud800", "partition": 0}',
}


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN)
def test_a_record_that_cannot_be_processed_is_kept_and_opens_a_case_for_the_supervisor(town: Town, raw: bytes) -> None:
    applied = town.feed(raw)
    assert (applied.cursor, sum(applied.quarantined.values())) == (1, 1)
    seen = town.only()
    assert (seen.title, seen.state, seen.flags) == ("告警无法处理", "reported", ["supervised"])
    assert "第 1 条" in str(seen.text)
    town.raised("after")
    assert len(town.cases()) == 2


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"rule": "no.such_rule"}, "unknown_rule"),
        ({"change": "escalated", "seq": 1}, "unknown_episode"),
        ({"level": None}, "bad_change"),
        ({"seq": 3}, "bad_change"),
        ({"t": 10**18}, "bad_change"),
    ],
)
def test_a_change_that_makes_no_sense_is_quarantined_by_reason(
    town: Town, given: dict[str, object], reason: str
) -> None:
    assert town.feed(town.change("a", "raised", "yellow") | given).quarantined == {reason: 1}


def test_many_unprocessable_records_of_one_reason_tell_the_supervisor_in_one_case(town: Town) -> None:
    for broken in (b"{", b"{{", b"{ "):
        town.feed(broken)
    town.feed(b"[]")
    assert sorted(town.story(case.id).case.seq for case in town.cases()) == [2, 4]
    assert town.casework.counts().quarantine == {"bad_json": 3, "bad_change": 1}


def test_a_missing_change_is_told_to_the_supervisor_and_the_next_is_still_applied(town: Town) -> None:
    town.raised()
    assert town.feed(town.change("a", "cleared", None, seq=2)).quarantined == {"sequence_gap": 1}
    assert sorted((case.category, case.level) for case in town.cases()) == [("0403", None), ("0699", "orange")]


def test_a_fault_of_the_engine_on_one_record_sets_that_record_aside_and_applies_the_others(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = merging.holder

    def broken(desk: object, key: str, *rest: object) -> object:
        if "sensor-bad" in key:
            raise ZeroDivisionError("not so")
        return real(desk, key, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(merging, "holder", broken)
    records = [town.write(town.change(name, "raised", "yellow")) for name in ("a", "bad", "b")]
    applied = town.casework.apply(records)
    assert (applied.quarantined, applied.cursor) == ({"engine_fault": 1}, 3)
    assert sorted(str(case.sensor) for case in town.cases()) == ["None", "sensor-a", "sensor-b"]


def test_an_unknown_plan_stops_casework_by_name_and_nothing_is_applied(town: Town) -> None:
    town.raised()
    records = [
        town.write(town.change("b", "raised", "yellow")),
        town.write(town.change("c", "raised", "red", plan="f" * 12)),
    ]
    with pytest.raises(PlanUnknown, match="offset 3: plan ffffffffffff"):
        town.casework.apply(records)
    assert (town.casework.cursor(), len(town.cases())) == (1, 1)


def test_records_that_were_applied_are_skipped_and_a_gap_is_named(town: Town) -> None:
    town.raised()
    town.mark()
    assert town.casework.apply(town.log).skipped == 2
    with pytest.raises(OffsetGap, match="offset 3; got 5"):
        town.casework.apply([AlertRecord(5, b"{}", T0)])
    with pytest.raises(OffsetGap, match="offset 4; got 5"):
        town.casework.apply([town.write(town.change("b", "raised", "red")), AlertRecord(5, b"{}", T0)])
    assert town.casework.cursor() == 2


def test_a_second_writer_loses_the_swap_and_nothing_of_his_is_applied(town: Town, store: Store) -> None:
    other = Casework(store, town.casework.plans)
    assert other.cursor() == 0
    town.raised()
    with pytest.raises(CursorLost):
        other.apply(town.log)
    assert (other.cursor(), len(town.cases())) == (1, 1)
    assert other.apply([town.write(town.change("b", "raised", "red"))]).cursor == 2
    with pytest.raises(CursorLost):
        town.casework.apply(town.log[1:])


def test_what_a_failed_commit_would_have_done_is_done_by_the_next_try(store: Store) -> None:
    def fail() -> None:
        raise OSError("no space left on device")

    town = Town(store)
    broken = Casework(store, town.casework.plans, before_commit=fail)
    record = town.write(town.change("a", "raised", "yellow"))
    with pytest.raises(OSError, match="no space"):
        broken.apply([record])
    assert (town.casework.cursor(), town.cases()) == (0, [])
    assert town.casework.apply([record]).opened == 1


def test_a_change_names_the_plan_that_says_how_its_case_is_made(town: Town) -> None:
    newer = Directory(
        "fedcba987654", {"water.road_ponding": RuleEntry("积水", 2, CaseSpec("0404", "traffic", Auto.REPORT))}
    )
    town.casework.plans = FixedPlans([directory(PLAN), newer])
    town.raised("a")
    town.raised("b", plan="fedcba987654")
    assert sorted((str(case.department), case.state) for case in town.cases()) == [
        ("drainage", "dispatched"),
        ("traffic", "reported"),
    ]


def test_a_category_may_name_further_departments_each_with_a_work_order(town: Town) -> None:
    rules = {"fire.flame": RuleEntry("明火", 1, CaseSpec("0402", "fire", Auto.DISPATCH))}
    town.casework.plans = FixedPlans([Directory(PLAN, rules)])
    town.raised(rule="fire.flame")
    assert [(order.department, order.state) for order in town.only().work_orders] == [
        ("fire", "dispatched"),
        ("emergency", "dispatched"),
    ]


def test_the_office_of_a_grid_leads_where_nobody_else_does_and_is_called_by_its_name(town: Town) -> None:
    office = Office("新北社区第101网格", "330683001", "姜杰磊", "剡湖街道")
    town.casework.plans = FixedPlans([Directory(PLAN, {}, {GRID: office})])
    report = Report(category="0101", grid=GRID)
    seen = town.casework.report(report, actor("operator"), idempotency_key="k", t_ms=town.t)
    assert (seen.department, seen.department_title, seen.officer) == ("330683001", "剡湖街道", "姜杰磊")
    for move, role in (("accept", "operator"), ("file", "operator"), ("dispatch", "dispatcher")):
        seen = town.do(move, role)
    assert [(order.department_title, order.officer) for order in seen.work_orders] == [("剡湖街道", "姜杰磊")]


def test_a_log_that_counts_anew_is_applied_from_its_first_offset_and_what_was_set_aside_stays(town: Town) -> None:
    town.feed(b"{")
    town.raised("a")
    town.casework.go_to(2, 0)
    town.log.clear()
    town.feed(b"{{")
    town.raised("a", seq=0)
    assert town.raised("b").opened == 1
    assert town.casework.cursor() == 3
    assert town.casework.counts().quarantine == {"bad_json": 2}
