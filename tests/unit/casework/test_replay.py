"""The same alerts log and the same moves of people give the same cases, however the log was cut and whatever failed."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, update

from engine.casework import schema
from engine.casework.desk import Desk
from engine.casework.errors import OffsetGap
from engine.casework.model import Move, Note
from engine.casework.projection import project
from engine.casework.queries import events_of
from engine.casework.replay import CannotRerun, differences, rerun, verify
from engine.casework.service import Casework, Settings

from .conftest import MINUTE, Town
from .play import WORK, Play, cuts, lengths, seeds, stores


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
