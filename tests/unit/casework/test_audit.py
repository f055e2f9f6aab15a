"""The audit: each move, login, export and reading of personal data is a line; the database keeps them as they are."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from engine.casework import audit
from engine.casework.errors import Refused
from engine.casework.schema import audit as table
from engine.casework.schema import case_event
from engine.casework.store import Store
from engine.clock import wall_clock_ms

from .conftest import Town, actor

DAY_MS = 86_400_000


def test_every_move_of_people_and_of_the_system_is_a_line(town: Town) -> None:
    town.handled()
    case = town.only().id
    town.cleared()
    town.later(3_600_000)
    with town.store.read() as db:
        moves = [(row.move, row.actor, row.role) for row in db.execute(select(case_event).order_by(case_event.c.seq))]
        found = audit.page(db, audit.Wanted(subject=case), None, 1000).lines[::-1]
    told = [(move, who, role) for move, who, role in moves if move != "alert"]
    assert [(line.action.removeprefix("case."), line.actor, line.role) for line in found] == told
    assert found[-1].detail.endswith(" closed")


@pytest.mark.parametrize("name", ["audit", "case_event"])
def test_the_database_refuses_to_change_or_delete_a_line(town: Town, name: str) -> None:
    town.raised()
    rows = {"audit": table, "case_event": case_event}[name]
    for statement in (
        update(rows).values(actor="somebody else"),
        delete(rows),
        text(f"UPDATE {name} SET actor = 'x' WHERE actor = 'system'"),
        text(f"DELETE FROM {name}"),
    ):
        with pytest.raises(DBAPIError, match=f"{name}: rows are"), town.store.write() as db:
            db.execute(statement)
    with town.store.read() as db:
        assert db.execute(select(func.count()).select_from(rows)).scalar_one() == len(town.moves())


def test_postgresql_does_not_empty_the_table_either(town: Town) -> None:
    if town.store.engine.dialect.name != "postgresql":
        return
    town.raised()
    with pytest.raises(DBAPIError, match="audit: rows are kept"), town.store.write() as db:
        db.execute(text("TRUNCATE audit"))


def test_only_lines_older_than_the_retention_go_and_never_those_of_six_months(store: Store) -> None:
    now = wall_clock_ms()
    ages = {"young": 1, "of five months": 150, "of 183 days": 183, "of 185 days": 185, "old": 400}
    with store.write() as db:
        db.execute(insert(table), [audit.row(now - days * DAY_MS, name, "x", "y") for name, days in ages.items()])

    def left() -> list[str]:
        return [line.actor for line in audit.lines(store, audit.Wanted())]

    assert audit.trim(store, now, 365 * DAY_MS) == 1
    assert left() == ["young", "of five months", "of 183 days", "of 185 days"]
    assert audit.trim(store, now, 0) == 1
    assert left() == ["young", "of five months", "of 183 days"]


def test_lines_are_found_by_time_actor_action_and_subject_and_come_in_pages(store: Store) -> None:
    rows = [audit.row(1000 + n, f"a{n % 2}", ("login", "case.accept")[n % 2], f"s{n % 3}") for n in range(6)]
    with store.write() as db:
        db.execute(insert(table), rows)

    def times(**wanted: object) -> list[int]:
        with store.read() as db:
            return [line.t - 1000 for line in audit.page(db, audit.Wanted(**wanted), None, 10).lines]  # type: ignore[arg-type]

    assert times() == [5, 4, 3, 2, 1, 0]
    assert times(since=1001, until=1003) == [2, 1]
    assert times(actor="a1", subject="s0") == [3]
    assert times(action="case.") == [5, 3, 1]
    with store.read() as db:
        first = audit.page(db, audit.Wanted(), None, 4)
        rest = audit.page(db, audit.Wanted(), first.cursor, 4)
    assert ([line.t - 1000 for line in rest.lines], rest.cursor) == ([1, 0], None)
    with store.read() as db, pytest.raises(Refused):
        audit.page(db, audit.Wanted(), "no number", 4)


def test_the_time_of_a_line_is_the_machines_whatever_clock_the_cases_run_on(town: Town) -> None:
    town.casework._wall_ms = lambda: 42
    town.raised()
    town.do("comment", "operator", note="看过")
    assert {line.t for line in audit.lines(town.store, audit.Wanted(action="case."))} == {42}


def test_a_photo_a_reader_and_a_handover_leave_their_lines(town: Town) -> None:
    town.casework.note(actor("supervisor"), "export.cases", "cases.csv")
    (line,) = audit.lines(town.store, audit.Wanted(action="export"))
    assert (line.actor, line.role, line.subject) == ("a supervisor", "supervisor", "cases.csv")
