"""The same alerts log and the same moves of people give the same cases, however the log was cut and whatever failed."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from engine.casework import schema
from engine.casework.counter import Report, allowed
from engine.casework.desk import Desk
from engine.casework.errors import OffsetGap, Refused
from engine.casework.model import CaseState, Move, Note, State
from engine.casework.people import Actor
from engine.casework.projection import project
from engine.casework.queries import events_of
from engine.casework.replay import CannotRerun, differences, rerun, verify
from engine.casework.service import Casework, Settings
from engine.casework.store import Store

from .conftest import GRID, MINUTE, RULES, Town, actor

MEMORY = Path("/dev/shm")
ROLES = ["operator", "dispatcher", "handler", "inspector", "supervisor"]
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
WORK = [
    ("accept", "operator"),
    ("file", "operator"),
    ("dispatch", "dispatcher"),
    ("start", "handler"),
    ("finish", "handler"),
]
WEIGHTS = {"comment": 1, "attach": 1, "supervise": 1, "void": 1, "suspend": 8, "resume": 20}
BEFORE_HANDLED = [State.REPORTED, State.ACCEPTED, State.FILED, State.DISPATCHED, State.HANDLING]

SIGNALS = [(rule, sensor) for rule in ["water.road_ponding"] * 2 + sorted(RULES) for sensor in (1, 2)]
STEPS = {"change": 30, "mark": 18, "still": 6, "work": 12, "move": 28, "report": 6, "broken": 3}

seeds = st.integers(0, 2**32)
lengths = st.integers(10, 45)
cuts = st.lists(st.integers(1, 12), min_size=1, max_size=8)


class Play:
    """Writes a story, drawn from a seed, into a town: records are applied in batches as `cut` says, and before each
    thing that people do."""

    def __init__(self, town: Town, seed: int, cut: list[int]) -> None:
        self.town = town
        self.chance = Random(seed)
        self.cut = cut
        self.applied = 0
        self.open: dict[tuple[str, int], str] = {}
        self.number = 0

    def go(self, length: int) -> None:
        for _ in range(length):
            (step,) = self.chance.choices(list(STEPS), list(STEPS.values()))
            getattr(self, step)()
            if len(self.town.log) - self.applied >= self.cut[self.applied % len(self.cut)]:
                self.flush()
        self.flush()

    def flush(self) -> None:
        if self.applied < len(self.town.log):
            self.applied = self.town.casework.apply(self.town.log[self.applied :]).cursor

    def change(self) -> None:
        self.town.t += 1000
        if self.open and self.chance.random() < 0.5:
            signal = self.chance.choice(sorted(self.open))
        else:
            signal = self.chance.choice(SIGNALS)
        rule, sensor = signal
        known = self.open.get(signal)
        given = {"rule": rule, "sensor": f"s{sensor}", "lat": 30.1 + sensor * 0.0004, "cause": "reading"}
        if known is None:
            self.number += 1
            name = self.open[signal] = f"{rule}-{self.number}"
            self.town.write(self.town.change(name, "raised", self.chance.choice(["blue", "yellow"]), **given))
        elif self.chance.random() < 0.7:
            del self.open[signal]
            given["cause"] = self.chance.choice(["reading", "reading", "plan"])
            self.town.write(self.town.change(known, "cleared", None, **given))
        else:
            self.town.write(self.town.change(known, "escalated", self.chance.choice(["orange", "red"]), **given))

    def mark(self) -> None:
        self.town.t += self.chance.choice([1000, 11 * MINUTE, 31 * MINUTE])
        self.town.write({"mark": self.town.t, "partition": 0, "plan": "0123456789ab"})

    def still(self) -> None:
        if self.open:
            name = self.chance.choice(sorted(self.open.values()))
            self.town.write({"still": f"ep_{name}", "t": self.town.t, "value": 3.5})

    def broken(self) -> None:
        self.number += 1
        self.town.write(b'{"mark": "never", "number": %d}' % self.number)

    def cases(self) -> list[CaseState]:
        """Return all cases as they stand, by id, after everything written so far."""
        self.flush()
        with self.town.store.read() as db:
            desk = Desk(db)
            desk.load_cases(db.execute(select(schema.cases.c.id)).scalars())
        return sorted(desk.cases.values(), key=lambda case: case.id)

    def move(self) -> None:
        """Make one of the moves that somebody may make on a case now."""
        cases = self.cases()
        if not cases:
            return
        case = self.chance.choice(cases)
        possible = {move: role for role in ROLES for move in allowed(case, self.who(case, role))}
        names = sorted(possible)
        (move,) = self.chance.choices(names, [WEIGHTS.get(name, 4) for name in names])
        args = dict(ARGS.get(move, {}))
        if move == Move.MERGE:
            args["into"] = self.chance.choice(cases).id
        if move == Move.VERIFY:
            args |= self.chance.choice([{}, {"result": "fail", "reason": "r"}, {"override": True, "reason": "r"}])
        with suppress(Refused):  # merged into itself, still active, not by this role
            self.town.do(move, possible[move], case.id, by=self.who(case, possible[move]), **args)

    def who(self, case: CaseState, role: str) -> Actor:
        return actor(role, case.department if role == "handler" else None)

    def work(self) -> None:
        """Bring a case on its way to `handled`, more or less far."""
        ready = [case for case in self.cases() if case.state in BEFORE_HANDLED]
        if ready:
            case = self.chance.choice(ready)
            at = BEFORE_HANDLED.index(case.state)
            for move, role in WORK[at : self.chance.choice([at + 1, 5, 5])]:
                department = "drainage" if move == "dispatch" else case.department
                self.town.do(move, role, case.id, by=self.who(case, role), **ARGS.get(move, {}))
                case.department = department

    def report(self) -> None:
        self.flush()
        self.number += 1
        place = self.chance.choice([{}, {"lon": 120.1, "lat": 30.1, "grid": GRID}])
        category = self.chance.choice(["0103", "0405", "0101"])
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


@given(seed=seeds, length=lengths, cut=cuts)
def test_a_rerun_of_the_log_and_of_peoples_moves_gives_the_same_store(
    empty: Path, seed: int, length: int, cut: list[int]
) -> None:
    with stores(empty) as (one, two):
        town = Town(one)
        Play(town, seed, cut).go(length)
        rerun(one, town.log, two, town.casework.plans, town.casework.settings)
        assert differences(one, two) == []
        with one.read() as db:
            desk = Desk(db)
            desk.load_cases(case.id for case in town.cases())
            assert [project(events_of(db, case)) for case in desk.cases] == list(desk.cases.values())


@given(seed=seeds, length=lengths, cut=cuts, lost=st.sets(st.integers(0, 30)))
def test_commits_that_fail_and_are_tried_again_leave_no_trace(
    empty: Path, seed: int, length: int, cut: list[int], lost: set[int]
) -> None:
    with stores(empty) as (one, two):
        town, count = Town(one), iter(range(10_000))

        def fail() -> None:
            if next(count) in lost:
                raise OSError("torn")

        town.casework = Again(one, town.casework.plans, before_commit=fail)
        Play(town, seed, cut).go(length)
        rerun(one, town.log, two, town.casework.plans, town.casework.settings)
        assert differences(one, two) == []


def test_the_stories_hold_every_kind_of_event_often_enough_to_mean_something(empty: Path) -> None:
    seen: Counter[str] = Counter()
    for seed in range(40):
        with stores(empty) as (one, _):
            town = Town(one)
            Play(town, seed, [3]).go(45)
            events = [event for case in town.cases() for event in town.story(case.id).events]
            seen.update({" ".join((event.move, event.data.get("result", "-"), event.role)) for event in events})
    wanted = [*(str(move) for move in Move), *(str(note) for note in Note)]
    wanted += ["verify pass system", "verify fail system", "close - system", "verify pass inspector"]
    rare = {
        name for name in wanted if sum(n for text, n in seen.items() if text.startswith(f"{name} ") or text == name) < 2
    }
    assert rare == set(), seen


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


def test_people_and_the_alerts_log_at_the_same_time_leave_a_store_that_a_rerun_gives_again(town: Town) -> None:
    for name in range(4):
        town.raised(str(name), rule="fire.smoke")
    ids = [case.id for case in town.cases()]
    changes = [town.write(town.change(f"x{n % 7}-{n}", "raised", "red", sensor=f"s{n % 7}")) for n in range(60)]

    def people(case: str) -> None:
        for move, role in WORK[:2]:
            town.do(move, role, case)
        for n in range(8):
            town.do("comment", "operator", case, note=str(n))

    with ThreadPoolExecutor(5) as pool:
        waiting = [pool.submit(people, case) for case in ids]
        for at in range(0, 60, 3):
            town.casework.apply(changes[at : at + 3])
        for one in waiting:
            one.result()
    assert len(town.cases()) == 11
    assert town.casework.counts().moves["comment"] == 32
    assert verify(town.store, town.log, town.casework.plans, Settings()) == []
