"""The table of moves: from every state, by every role."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.casework.counter import allowed
from engine.casework.desk import Desk
from engine.casework.errors import Refused
from engine.casework.model import Move, State
from engine.casework.people import Role

from .conftest import MINUTE, Town, actor

# spec/cases.md, "States and moves", as it stands there
TABLE: dict[str, tuple[str, str]] = {
    "accept": ("reported", "operator"),
    "reject": ("reported accepted", "operator"),
    "file": ("accepted", "operator"),
    "dispatch": ("filed returned", "dispatcher"),
    "return": ("dispatched", "handler"),
    "start": ("dispatched", "handler"),
    "finish": ("handling", "handler"),
    "verify": ("handled", "inspector"),
    "close": ("verified", "supervisor"),
    "extend": ("dispatched handling", "supervisor"),
    "suspend": ("dispatched handling", "supervisor"),
    "resume": ("suspended", "supervisor"),
    "supervise": ("*open", "supervisor"),
    "merge": ("*open", "supervisor"),
    "unmerge": ("merged", "supervisor"),
    "void": ("*open", "supervisor"),
    "reopen": ("closed", "supervisor"),
    "comment": ("*any", "operator dispatcher handler inspector supervisor admin"),
    "attach": ("*any", "operator dispatcher handler inspector supervisor admin"),
}
CLOSED = {"rejected", "closed", "void", "merged"}
ARGS: dict[str, dict[str, object]] = {
    "reject": {"reason": "不属于城市管理"},
    "return": {"reason": "非我单位职责"},
    "extend": {"reason": "管材未到", "due": 1_790_000_000_000},
    "void": {"reason": "误报"},
    "reopen": {"reason": "复发"},
    "merge": {"into": "WO-20250101-AAAAAAAAAA"},
    "comment": {"note": "已电话核实"},
    "attach": {"photos": ["https://city.example/1.jpg"]},
}


def states_of(move: str) -> set[str]:
    """Return the states from which the table lets a move begin."""
    words = TABLE[move][0]
    everything = {str(state) for state in State}
    return {"*any": everything, "*open": everything - CLOSED}.get(words) or set(words.split())


def reach(town: Town, state: str) -> str:
    """Bring a case that an inspector closes to a state, by moves of people."""
    if state == "merged":
        town.raised("other", rule="fire.smoke")
        other = town.only().id
    town.raised("a", rule="fire.smoke")
    case = next(view.id for view in town.cases() if view.sensor == "sensor-a")
    steps: dict[str, list[tuple[str, str, dict[str, object]]]] = {
        "accepted": [("accept", "operator", {})],
        "filed": [("file", "operator", {})],
        "dispatched": [("dispatch", "dispatcher", {"department": "drainage"})],
        "returned": [("return", "handler", {"reason": "非我单位职责"})],
        "handling": [("start", "handler", {})],
        "handled": [("finish", "handler", {})],
        "verified": [("verify", "inspector", {})],
        "closed": [("close", "supervisor", {})],
        "rejected": [("reject", "operator", {"reason": "重复"})],
        "suspended": [("suspend", "supervisor", {})],
        "void": [("void", "supervisor", {"reason": "误报"})],
        "merged": [("merge", "supervisor", {"into": other})] if state == "merged" else [],
        "reported": [],
    }
    line = ["accepted", "filed", "dispatched", "handling", "handled", "verified", "closed"]
    before = {"rejected": 0, "void": 0, "merged": 0, "reported": 0, "returned": 3, "suspended": 3}
    way = line[: before[state]] if state in before else line[: line.index(state)]
    for name in [*way, state]:
        for move, role, args in steps[name]:
            town.do(move, role, case, **args)
    assert town.story(case).case.state == state
    return case


@pytest.mark.parametrize("state", [str(state) for state in State])
def test_every_move_that_the_table_does_not_name_for_a_state_is_refused_and_changes_nothing(
    town: Town, state: str
) -> None:
    case = reach(town, state)
    before = town.story(case)
    for move, (_, roles) in TABLE.items():
        if state in states_of(move):
            continue
        with pytest.raises(Refused) as refusal:
            town.do(move, roles.split()[0], case, **ARGS.get(move, {}))
        assert (move, refusal.value.status, refusal.value.code) == (move, 409, "not_now")
    assert town.story(case) == before


@pytest.mark.parametrize("state", [str(state) for state in State])
def test_what_a_person_may_do_now_is_what_the_table_says_for_state_and_role(town: Town, state: str) -> None:
    reached = reach(town, state)
    with town.store.read() as db:
        desk = Desk(db)
        desk.load_cases([reached])
    for role in set(Role) - {Role.SYSTEM}:
        expected = {move for move, (_, roles) in TABLE.items() if role in roles.split() and state in states_of(move)}
        assert (role, set(allowed(desk.cases[reached], actor(role)))) == (role, expected)


@pytest.mark.parametrize("move", TABLE)
def test_a_role_that_the_table_does_not_name_is_forbidden_the_move_and_nothing_changes(town: Town, move: str) -> None:
    case = reach(town, sorted(states_of(move))[0])
    before = town.story(case)
    for role in {role.value for role in Role} - set(TABLE[move][1].split()):
        with pytest.raises(Refused) as refusal:
            town.do(move, role, case, **ARGS.get(move, {}))
        assert (role, refusal.value.status) == (role, 403)
    assert town.story(case) == before


def test_the_table_of_the_engine_names_the_same_moves() -> None:
    assert {str(move) for move in Move} == {*TABLE, "report"}


def test_a_move_raises_the_version_and_an_alert_that_joins_does_not(town: Town) -> None:
    town.raised(rule="fire.smoke")
    seen = town.only().version
    town.escalated(rule="fire.smoke")
    assert town.do("accept", "operator", expected_version=seen).version == seen + 1
    with pytest.raises(Refused, match="version_changed") as refusal:
        town.do("file", "operator", expected_version=seen)
    assert refusal.value.status == 412


def test_the_same_request_sent_twice_is_done_once(town: Town) -> None:
    town.raised(rule="fire.smoke")
    first = town.do("accept", "operator", idempotency_key="k-1", note="已核实")
    again = town.do("accept", "operator", idempotency_key="k-1", note="已核实")
    assert (again.state, again.version, again.seq) == (first.state, first.version, first.seq)
    with pytest.raises(Refused) as refusal:
        town.do("file", "operator", idempotency_key="k-1")
    assert (refusal.value.status, refusal.value.code) == (422, "key_reused")


def test_a_case_that_does_not_exist_is_not_found(town: Town) -> None:
    with pytest.raises(Refused) as refusal:
        town.do("accept", "operator", "WO-20250101-AAAAAAAAAA")
    assert refusal.value.status == 404


@pytest.mark.parametrize(
    ("move", "args", "code"),
    [
        ("fly", {}, "no_such_move"),
        ("accept", {"department": "gas"}, "bad_args"),
        ("accept", {"note": 5}, "bad_args"),
        ("accept", {"note": "x" * 4001}, "bad_args"),
        ("accept", {"note": "\x00"}, "bad_args"),
        ("reject", {}, "reason_required"),
        ("void", {}, "reason_required"),
        ("merge", {}, "into_required"),
        ("merge", {"into": "WO-20250101-AAAAAAAAAA"}, "no_such_case"),
        ("comment", {}, "note_required"),
        ("attach", {}, "photos_required"),
        ("attach", {"photos": ["javascript:alert(1)"]}, "bad_args"),
        ("attach", {"photos": ["https://a.example/" + "x" * 2048]}, "bad_args"),
        ("attach", {"photos": ["https://a.example/1.jpg"] * 21}, "bad_args"),
    ],
)
def test_arguments_that_do_not_fit_a_move_are_refused(
    town: Town, move: str, args: dict[str, object], code: str
) -> None:
    town.raised(rule="fire.smoke")
    before = town.story()
    role = TABLE[move][1].split()[0] if move in TABLE else "operator"
    with pytest.raises(Refused) as refusal:
        town.do(move, role, **args)
    assert (refusal.value.status, refusal.value.code) == (422, code)
    assert town.story() == before


def test_a_returned_case_goes_to_another_department_which_leads_from_then_on(town: Town) -> None:
    case = reach(town, "returned")
    seen = town.do("dispatch", "dispatcher", case, department="municipal")
    assert (seen.state, seen.department, seen.department_title) == ("dispatched", "municipal", "市政设施管理处")
    assert [(order.department, order.state) for order in seen.work_orders] == [("municipal", "dispatched")]
    with pytest.raises(Refused) as refusal:
        town.do("start", "handler", case)
    assert (refusal.value.status, refusal.value.code) == (403, "other_department")


def test_a_case_with_two_work_orders_is_handled_when_both_are(town: Town) -> None:
    case = reach(town, "filed")
    one, two = actor("handler", "drainage"), actor("handler", "municipal")
    town.do("dispatch", "dispatcher", case, departments=["drainage", "municipal"])
    assert town.do("start", "handler", case, by=one).state == "handling"
    assert town.do("start", "handler", case, by=two).state == "handling"
    assert town.do("finish", "handler", case, by=one).state == "handling"
    with pytest.raises(Refused, match="not_now"):
        town.do("finish", "handler", case, by=one)
    assert town.do("finish", "handler", case, by=two, work_order=f"{case}/2").state == "handled"


def test_one_of_two_departments_can_give_its_work_order_back_while_the_other_works(town: Town) -> None:
    case = reach(town, "filed")
    town.do("dispatch", "dispatcher", case, departments=["drainage", "municipal"])
    town.do("start", "handler", case)
    seen = town.do("return", "handler", case, by=actor("handler", "municipal"), reason="找不到位置")
    assert (seen.state, [order.state for order in seen.work_orders]) == ("handling", ["handling", "returned"])
    town.do("finish", "handler", case)
    seen = town.do("dispatch", "dispatcher", case, department="traffic")
    assert [(order.department, order.state) for order in seen.work_orders] == [
        ("drainage", "handled"),
        ("traffic", "dispatched"),
    ]


def test_a_suspended_case_resumes_where_it_was(town: Town) -> None:
    for state in ("dispatched", "handling"):
        fresh = Town(town.store)
        fresh.log, fresh.seqs = town.log, town.seqs
        case = reach_again(fresh, state)
        fresh.do("suspend", "supervisor", case)
        assert fresh.do("resume", "supervisor", case).state == state
        fresh.do("void", "supervisor", case, reason="测试")


def reach_again(town: Town, state: str) -> str:
    """Bring a fresh case to `dispatched` or `handling`."""
    town.t += 60 * MINUTE
    name = f"again-{state}"
    town.raised(name)
    case = next(view.id for view in town.cases() if view.sensor == f"sensor-{name}")
    if state == "handling":
        town.do("start", "handler", case)
    return case


def test_verify_fail_sends_the_work_back_and_counts_it(town: Town) -> None:
    case = reach(town, "handled")
    seen = town.do("verify", "inspector", case, result="fail", reason="仍有积水")
    assert (seen.state, seen.rework, [order.state for order in seen.work_orders]) == ("handling", 1, ["handling"])
    assert town.story(case).events[-1].title == "返工"


def test_a_closed_case_can_be_reopened_for_thirty_days(town: Town) -> None:
    case = reach(town, "closed")
    town.t += 30 * 24 * 60 * MINUTE
    assert town.do("reopen", "supervisor", case, reason="复发").state == "handling"
    finish: list[Callable[[], object]] = [
        lambda: town.do("finish", "handler", case),
        lambda: town.do("verify", "inspector", case),
        lambda: town.do("close", "supervisor", case),
    ]
    for step in finish:
        step()
    town.t += 30 * 24 * 60 * MINUTE + 1
    with pytest.raises(Refused) as refusal:
        town.do("reopen", "supervisor", case, reason="复发")
    assert (refusal.value.status, refusal.value.code) == (409, "too_late")


def test_extend_gives_a_new_due_time_and_overdue_follows_from_it(town: Town) -> None:
    case = reach(town, "dispatched")
    town.do("extend", "supervisor", case, due=town.t + 1000, reason="等待配件")
    assert [view.id for view in town.cases(overdue=True, now_ms=town.t + 1001)] == [case]
    assert town.cases(overdue=True, now_ms=town.t + 1000) == []


def test_supervise_flags_the_case_with_its_note(town: Town) -> None:
    case = reach(town, "reported")
    assert town.do("supervise", "supervisor", case, note="两小时内办结").flags == ["supervised"]
    assert town.story(case).events[-1].note == "两小时内办结"
