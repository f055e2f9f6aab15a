"""Tokens, and what each person sees."""

from __future__ import annotations

from itertools import product

import pytest
from sqlalchemy import select

from engine.casework import tokens
from engine.casework.counter import Report
from engine.casework.desk import Desk
from engine.casework.errors import Refused
from engine.casework.people import READERS, Actor, Role, visible
from engine.casework.schema import audit, token
from engine.casework.service import AlertFilter, CaseFilter
from engine.casework.store import Store

from .conftest import GRID, OTHER_GRID, T0, Town, actor


def test_a_token_is_kept_as_a_hash_and_tells_who_comes(store: Store) -> None:
    secret = tokens.create_token(
        store, name="值班长", role="supervisor", area="330100", department="command", now_ms=T0
    )
    assert len(secret) >= 43
    with store.read() as db:
        assert secret not in str(db.execute(select(token)).all())
    found = Actor(name="值班长", role=Role.SUPERVISOR, area="330100", department="command")
    assert tokens.who(store, secret, now_ms=T0) == found
    assert tokens.who(store, secret[:-1], now_ms=T0) is None
    assert tokens.who(store, "", now_ms=T0) is None


def test_two_tokens_are_never_the_same(store: Store) -> None:
    made = {tokens.create_token(store, name="x", role="viewer", now_ms=T0) for _ in range(20)}
    assert len(made) == 20


def test_an_expired_or_revoked_token_is_nobody(store: Store) -> None:
    short = tokens.create_token(store, name="a", role="viewer", expires_t=T0 + 10, now_ms=T0)
    gone = tokens.create_token(store, name="b", role="viewer", now_ms=T0)
    assert tokens.revoke_token(store, 2, now_ms=T0)
    assert not tokens.revoke_token(store, 2, now_ms=T0)
    assert tokens.who(store, short, now_ms=T0 + 9) is not None
    assert tokens.who(store, short, now_ms=T0 + 10) is None
    assert tokens.who(store, gone, now_ms=T0) is None


def test_the_list_of_tokens_shows_no_secret_and_each_change_is_audited(store: Store) -> None:
    assert not tokens.has_tokens(store)
    tokens.create_token(store, name="a", role="handler", department="gas", now_ms=T0)
    tokens.revoke_token(store, 1, now_ms=T0 + 1)
    (view,) = tokens.list_tokens(store)
    assert (view.name, view.role, view.department, view.created_t, view.revoked_t) == (
        "a",
        "handler",
        "gas",
        T0,
        T0 + 1,
    )
    assert tokens.has_tokens(store)
    with store.read() as db:
        assert [row.action for row in db.execute(select(audit).order_by(audit.c.id))] == [
            "token.create",
            "token.revoke",
        ]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"role": "system"}, "bad_role"),
        ({"role": "citizen"}, "bad_role"),
        ({"role": "king"}, "bad_role"),
        ({"area": "33x"}, "bad_area"),
        ({"area": "1" * 16}, "bad_area"),
        ({"name": ""}, "bad_name"),
        ({"name": "a\nb"}, "bad_name"),
        ({"department": ""}, "bad_name"),
        ({"expires_t": T0}, "bad_expiry"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused(store: Store, given: dict[str, object], code: str) -> None:
    with pytest.raises(Refused) as refusal:
        tokens.create_token(store, **({"name": "a", "role": "viewer", "now_ms": T0} | given))  # type: ignore[arg-type]
    assert refusal.value.code == code
    assert not tokens.has_tokens(store)


def test_lists_show_exactly_the_cases_that_are_visible_one_by_one(town: Town) -> None:
    town.raised("a", rule="waste.seen", grid=GRID)
    town.raised("b", rule="waste.seen", grid=OTHER_GRID)
    town.raised("c", rule="water.road_ponding", grid=OTHER_GRID)
    town.raised("d", rule="gas.methane_leak", grid=None)
    town.raised("e", rule="fire.smoke", grid=GRID)
    for move, role in (("accept", "operator"), ("file", "operator")):
        town.do(move, role, next(case.id for case in town.cases() if case.rule == "fire.smoke"))
    smoke = next(case.id for case in town.cases() if case.rule == "fire.smoke")
    town.do("dispatch", "dispatcher", smoke, departments=["drainage", "gas"])
    with town.store.read() as db:
        desk = Desk(db)
        desk.load_cases(case.id for case in town.cases())
    seen = set()
    for role, area, department in product(Role, ("", "330100001", "330100002", GRID, "44"), (None, "gas", "drainage")):
        who = Actor(name="x", role=role, area=area, department=department)
        listed = {case.id for case in town.casework.cases(CaseFilter(), who, limit=1000).cases}
        assert listed == {case.id for case in desk.cases.values() if visible(who, case).allowed}
        for case in desk.cases:
            assert (town.casework.case(case, who) is not None) == (case in listed)
        seen.add(len(listed))
    assert seen == {0, 1, 2, 5}


def test_a_case_without_a_grid_is_seen_by_those_of_the_whole_city_only(town: Town) -> None:
    town.raised(grid=None)
    assert len(town.casework.cases(CaseFilter(), actor("viewer")).cases) == 1
    assert town.casework.cases(CaseFilter(), actor("viewer", area="33")).cases == []


def test_a_move_outside_the_own_area_or_department_is_forbidden(town: Town) -> None:
    town.raised()
    for who, code in (
        (actor("supervisor", area="330100002"), "other_area"),
        (actor("supervisor", department="gas"), "other_department"),
        (actor("handler", department="gas"), "other_department"),
    ):
        move = "start" if who.role == Role.HANDLER else "supervise"
        with pytest.raises(Refused) as refusal:
            town.do(move, "", by=who)
        assert (refusal.value.status, refusal.value.code) == (403, code)
    assert town.do("supervise", "", by=actor("supervisor", area=GRID[:9])).flags == ["supervised"]


def test_alerts_and_changes_are_those_of_the_own_area(town: Town) -> None:
    town.raised("a")
    town.raised("b", grid=OTHER_GRID)
    town.raised("c", grid=None)
    assert {a.episode for a in town.casework.alerts(AlertFilter(), actor("viewer", area=GRID)).alerts} == {"ep_a"}
    assert len(town.casework.alerts(AlertFilter(), actor("viewer")).alerts) == 3
    assert [c.change["episode"] for c in town.casework.changes(actor("viewer", area=GRID))] == ["ep_a"]
    assert town.casework.changes(actor("sensor")) == []
    assert town.casework.alerts(AlertFilter(), actor("sensor")).alerts == []


def test_contact_data_is_plain_for_those_who_work_on_cases_and_masked_for_all_others(town: Town) -> None:
    report = Report(category="0101", text="垃圾", contact_name="欧阳小明", contact_phone="13812345678")
    case = town.casework.report(report, actor("operator"), idempotency_key="r1", t_ms=T0).id
    for role in READERS - {Role.SYSTEM}:
        detail = town.casework.case(case, Actor(name="x", role=role))
        assert detail is not None
        shown = (detail.reports[0].contact_name, detail.reports[0].contact_phone)
        plain = role in ("operator", "dispatcher", "handler", "inspector", "supervisor")
        assert shown == (("欧阳小明", "13812345678") if plain else ("欧***", "138****5678"))


def test_contact_data_never_goes_out_with_events(town: Town) -> None:
    report = Report(category="0101", text="垃圾", contact_name="欧阳小明", contact_phone="13812345678")
    case = town.casework.report(report, actor("operator"), idempotency_key="r1", t_ms=T0).id
    town.do("accept", "operator", case)
    town.casework.assign_positions()
    everything = (
        b"".join(row.payload for row in town.casework.read_outbox(0, 100)) + repr(town.story(case).events).encode()
    )
    assert "欧阳".encode() not in everything
    assert b"13812345678" not in everything
