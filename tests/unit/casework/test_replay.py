"""The same alerts log and the same moves of people give the same cases, however the log was cut and whatever failed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, update

from engine.casework import schema
from engine.casework.counter import Report
from engine.casework.desk import Desk
from engine.casework.errors import OffsetGap, Refused
from engine.casework.model import Move
from engine.casework.projection import project
from engine.casework.queries import events_of
from engine.casework.replay import CannotRerun, differences, rerun, verify
from engine.casework.service import Casework, Settings
from engine.casework.store import Store

from .conftest import GRID, MINUTE, RULES, Town, actor

MEMORY = Path("/dev/shm")
ARGS: dict[str, dict[str, Any]] = {
    "reject": {"reason": "r"},
    "return": {"reason": "r"},
    "void": {"reason": "r"},
    "reopen": {"reason": "r"},
    "comment": {"note": "n"},
    "attach": {"photos": ["https://city.example/1.jpg"]},
    "dispatch": {"department": "drainage"},
    "extend": {"due": 1_800_000_000_000, "reason": "r"},
}
WHO = {
    "operator": ["accept", "reject", "file"],
    "dispatcher": ["dispatch"],
    "handler": ["start", "finish", "return"],
    "inspector": ["verify"],
    "supervisor": ["close", "extend", "suspend", "resume", "supervise", "merge", "unmerge", "void", "reopen"],
}

signals = st.tuples(st.sampled_from(sorted(RULES)), st.integers(0, 2))
changes = st.tuples(st.just("change"), signals, st.sampled_from(["yellow", "red", None, None]), st.booleans())
marks = st.tuples(st.just("mark"), st.integers(0, 20 * MINUTE))
stills = st.tuples(st.just("still"), signals)
broken = st.just(("broken",))
moves = st.tuples(
    st.just("move"),
    st.sampled_from([(role, move) for role, names in WHO.items() for move in names]),
    st.integers(0, 7),
    st.integers(0, 7),
    st.booleans(),
)
walks = st.tuples(st.just("walk"), st.integers(0, 7))
reports = st.tuples(st.just("report"), st.sampled_from(["0103", "0405", "0101"]), st.booleans())
stories = st.lists(st.one_of(changes, marks, stills, broken, moves, walks, reports, changes, marks), max_size=40)
cuts = st.lists(st.integers(1, 12), min_size=1, max_size=8)


class Play:
    """Writes a story into a town: records are applied in batches as `cut` says, and before each thing people do."""

    def __init__(self, town: Town, cut: list[int]) -> None:
        self.town = town
        self.cut = cut
        self.applied = 0
        self.open: dict[tuple[str, int], str] = {}
        self.number = 0

    def go(self, story: list[tuple[Any, ...]]) -> None:
        for step in story:
            getattr(self, step[0])(*step[1:])
            waiting = len(self.town.log) - self.applied
            if waiting >= self.cut[self.applied % len(self.cut)]:
                self.flush()
        self.flush()

    def flush(self) -> None:
        if self.applied < len(self.town.log):
            self.applied = self.town.casework.apply(self.town.log[self.applied :]).cursor

    def change(self, signal: tuple[str, int], level: str | None, by_reading: bool) -> None:
        rule, sensor = signal
        self.town.t += 1000
        known = self.open.get(signal)
        given = {"rule": rule, "sensor": f"s{sensor}", "lat": 30.1 + sensor * 0.0004, "cause": "reading"}
        if known is None:
            self.number += 1
            name = self.open[signal] = f"{rule}-{self.number}"
            self.town.write(self.town.change(name, "raised", level or "blue", **given))
        elif level is None:
            del self.open[signal]
            given["cause"] = "reading" if by_reading else "plan"
            self.town.write(self.town.change(known, "cleared", None, **given))
        else:
            self.town.write(self.town.change(known, "escalated", level, **given))

    def mark(self, ms: int) -> None:
        self.town.t += ms
        self.town.write({"mark": self.town.t, "partition": 0, "plan": "0123456789ab"})

    def still(self, signal: tuple[str, int]) -> None:
        name = self.open.get(signal)
        if name is not None:
            self.town.write({"still": f"ep_{name}", "t": self.town.t, "value": 3.5})

    def broken(self) -> None:
        self.town.write(b'{"mark": "never"}')

    def move(self, who: tuple[str, str], which: int, other: int, fail: bool) -> None:
        role, move = who
        self.flush()
        cases = self.town.cases()
        if not cases:
            return
        args = dict(ARGS.get(move, {}))
        case = cases[which % len(cases)]
        if move == Move.MERGE:
            args["into"] = cases[other % len(cases)].id
        if move == Move.VERIFY and fail:
            args |= {"result": "fail", "reason": "r"}
        self.try_move(case.id, move, role, case.department, args)

    def try_move(self, case: str, move: str, role: str, department: str | None, args: dict[str, Any]) -> None:
        by = actor(role, department if role == "handler" else None)
        with suppress(Refused):
            self.town.do(move, role, case, by=by, **args)

    def walk(self, which: int) -> None:
        """Bring a case to `handled`."""
        self.flush()
        cases = self.town.cases()
        if cases:
            case = cases[which % len(cases)]
            for role, move in (
                ("operator", "accept"),
                ("operator", "file"),
                ("dispatcher", "dispatch"),
                ("handler", "start"),
                ("handler", "finish"),
            ):
                now = self.town.story(case.id).case
                self.try_move(case.id, move, role, now.department, ARGS.get(move, {}))

    def report(self, category: str, placed: bool) -> None:
        self.flush()
        self.number += 1
        place = {"lon": 120.1, "lat": 30.1, "grid": GRID} if placed else {}
        report = Report(category=category, text="积水", contact_name="张三", contact_phone="13812345678", **place)
        key = f"report-{self.number}"
        self.town.casework.report(report, actor("operator"), idempotency_key=key, t_ms=self.town.t)


@contextmanager
def stores(empty: Path) -> Iterator[tuple[Store, Store]]:
    """Yield two empty stores, in memory where there is room: a sync to disk is none of what is tested here."""
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        two = [Store.open(shutil.copy(empty, Path(folder) / name)) for name in ("one.db", "two.db")]
        try:
            yield two[0], two[1]
        finally:
            for store in two:
                store.close()


@given(story=stories, cut=cuts)
def test_a_rerun_of_the_log_and_of_peoples_moves_gives_the_same_store(
    empty: Path, story: list[tuple[Any, ...]], cut: list[int]
) -> None:
    with stores(empty) as (one, two):
        town = Town(one)
        Play(town, cut).go(story)
        rerun(one, town.log, two, town.casework.plans, town.casework.settings)
        assert differences(one, two) == []
        with one.read() as db:
            desk = Desk(db)
            desk.load_cases(case.id for case in town.cases())
            assert [project(events_of(db, case)) for case in desk.cases] == list(desk.cases.values())


@given(story=stories, cut=cuts, lost=st.sets(st.integers(0, 30)))
def test_commits_that_fail_and_are_tried_again_leave_no_trace(
    empty: Path, story: list[tuple[Any, ...]], cut: list[int], lost: set[int]
) -> None:
    with stores(empty) as (one, two):
        town, count = Town(one), iter(range(10_000))

        def fail() -> None:
            if next(count) in lost:
                raise OSError("torn")

        town.casework = Again(one, town.casework.plans, before_commit=fail)
        Play(town, cut).go(story)
        rerun(one, town.log, two, town.casework.plans, town.casework.settings)
        assert differences(one, two) == []


class Again(Casework):
    """Casework whose process is started anew after each failed commit."""

    def apply(self, records: Any) -> Any:
        while True:
            try:
                return Casework.apply(self, records)
            except OSError:
                self._seen = None


def test_verify_finds_nothing_on_a_sound_store_and_names_what_was_changed_by_hand(town: Town, tmp_path: Path) -> None:
    case = town.handled()
    town.later(MINUTE)
    plans = town.casework.plans
    assert verify(town.store, town.log, plans, Settings(), tmp_path) == []
    with town.store.write() as db:
        db.execute(update(schema.cases).values(department="nobody"))
    assert [str(found) for found in verify(town.store, town.log, plans, Settings())] == [
        f"cases {case}: department: 'nobody' became 'drainage'"
    ]
    with town.store.write() as db:
        db.execute(update(schema.cases).values(department="drainage"))
        db.execute(delete(schema.timer))
    assert [str(found) for found in verify(town.store, town.log, plans, Settings())] == [
        f"timer {case}/verify: only after the rerun"
    ]


def test_a_log_that_ends_before_the_store_or_begins_after_its_start_cannot_be_rerun(town: Town) -> None:
    town.handled()
    with pytest.raises(CannotRerun, match="ends at offset 1"):
        verify(town.store, town.log[:1], town.casework.plans, Settings())
    with pytest.raises(OffsetGap):
        verify(town.store, town.log[1:], town.casework.plans, Settings())
