"""Detect repeats itself: a worker died before its checkpoint, or did not know that another had taken over.

Whatever stretch of a partition's changes, marks and stills comes again, the cases are those of the log without it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Table, select

from engine.casework import merging, schema
from engine.casework.alertlog import Change
from engine.casework.counter import Report
from engine.casework.replay import Command, commands
from engine.casework.service import AlertRecord, Applied, Casework, Settings
from engine.casework.store import Store
from rules.model import CaseSpec
from tests.parts import postgres

from .conftest import MINUTE, T0, Town
from .play import Play, cuts, lengths, seeds, stores

PARTITIONS = 2
ORDERED: dict[Table, tuple[str, ...]] = {
    schema.cursor: ("name",),
    schema.mark: ("partition",),
    schema.incident: ("id",),
    schema.cases: ("id",),
    schema.work_order: ("case", "n"),
    schema.case_event: ("case", "seq"),
    schema.case_key: ("key",),
    schema.move_total: ("move",),
    schema.episode: ("id",),
    schema.report: ("id",),
    schema.timer: ("case", "name"),
    schema.command: ("id",),
    schema.quarantine: ("offset",),
    schema.change: ("offset",),
    schema.outbox: ("id",),
}
segments = st.lists(st.integers(0, 2**32), min_size=1, max_size=4)


class Again:
    """A log with stretches repeated, as a second writer would write them between the records of the first."""

    def __init__(self, log: list[AlertRecord], partition: list[int], seeds: list[int]) -> None:
        order = list(range(len(log)))
        for seed in seeds:
            chance = Random(seed)
            own = [n for n in range(len(log)) if partition[n] == chance.randrange(PARTITIONS)]
            if own:
                first = chance.randrange(len(own))
                self._insert(order, own[first : first + chance.randint(1, 12)], chance)
        self.log = [AlertRecord(at, log[n].value, log[n].log_time) for at, n in enumerate(order, start=1)]
        self._first = [order.index(n) + 1 for n in range(len(log))]

    def _insert(self, order: list[int], stretch: list[int], chance: Random) -> None:
        at = 0
        for n in stretch:
            at = chance.randint(max(at, order.index(n)) + 1, len(order))
            order.insert(at, n)

    def upto(self, position: int, chance: Random) -> int:
        """Return an offset at which the first `position` records have been there once, and not the next."""
        if position == 0:
            return 0
        end = self._first[position] - 1 if position < len(self._first) else len(self.log)
        return chance.randint(self._first[position - 1], end)

    def original(self, offset: int) -> int:
        """Return how many records of the log without repetition had been there at an offset."""
        return bisect_right(self._first, offset)


def play_again(town: Town, again: Again, into: Store, cut: list[int], seed: int) -> list[Applied]:
    """Apply a repeated log, and do what people did where they did it."""
    other = Casework(into, town.casework.plans, town.casework.settings)
    chance = Random(seed)
    done: list[Applied] = []

    def feed(upto: int) -> None:
        while other.cursor() < upto:
            at = other.cursor()
            done.append(other.apply(again.log[at : min(upto, at + cut[at % len(cut)])]))

    for command in commands(town.store):
        feed(again.upto(command.position, chance))
        do(other, command)
    feed(len(again.log))
    return done


def do(casework: Casework, command: Command) -> None:
    """Do what a person did."""
    if command.move == "report":
        told = Report(**command.args)
        casework.report(told, command.actor, idempotency_key=command.key, t_ms=command.t)
        return
    args = {"args": command.args, "idempotency_key": command.key, "t_ms": command.t}
    casework.move(command.case, command.move, command.actor, **args)


def content(store: Store, again: Again | None = None) -> dict[str, list[dict[str, Any]]]:
    """Return all rows, offsets as they would be without the repetition."""

    def original(value: Any) -> Any:
        return again.original(int(value)) if again is not None else int(value)

    def plain(name: str, value: Any) -> Any:
        if name in ("offset", "position") and value is not None:
            return original(value)
        text = value.decode() if isinstance(value, bytes) else value
        if isinstance(text, str):
            return re.sub(r'(第 |"offset":|"position":)(\d+)', lambda found: f"{found[1]}{original(found[2])}", text)
        return text

    with store.read() as db:
        return {
            table.name: [
                {name: plain(name, value) for name, value in row._asdict().items()}
                for row in db.execute(select(table).order_by(*(table.c[name] for name in key)))
            ]
            for table, key in ORDERED.items()
        }


def check(one: Store, two: Store, seed: int, length: int, cut: list[int], repeats: list[int]) -> None:
    town = Town(one, Settings(partitions=PARTITIONS))
    story = Play(town, seed, cut, PARTITIONS)
    story.go(length)
    again = Again(town.log, story.partition, repeats)
    done = play_again(town, again, two, cut, seed)
    assert content(two, again) == content(one)
    figures = [applied.changes + applied.marks + applied.stills + applied.repeats for applied in done]
    assert sum(figures) + sum(sum(applied.quarantined.values()) for applied in done) >= len(again.log)


@given(seed=seeds, length=lengths, cut=cuts, repeats=segments)
def test_stretches_of_a_partition_that_come_again_change_nothing(
    empty: Path, seed: int, length: int, cut: list[int], repeats: list[int]
) -> None:
    with stores(empty) as (one, two):
        check(one, two, seed, length, cut, repeats)


@pytest.mark.needs("postgres")
@settings(max_examples=20)
@given(seed=seeds, length=lengths, cut=cuts, repeats=segments)
def test_stretches_that_come_again_change_nothing_on_postgresql_either(
    postgres_pair: tuple[Store, Store], seed: int, length: int, cut: list[int], repeats: list[int]
) -> None:
    for store in postgres_pair:
        postgres.empty(store)
    check(*postgres_pair, seed, length, cut, repeats)


def test_a_change_that_comes_again_is_counted_and_nothing_else(town: Town) -> None:
    town.raised()
    town.escalated()
    events = town.story().events
    applied = town.casework.apply([town.write(record.value) for record in town.log[:]])
    assert (applied.repeats, applied.changes, applied.events) == (2, 0, 0)
    assert town.story().events == events


def test_an_older_mark_moves_neither_the_clock_nor_the_plan_nor_any_timer(town: Town) -> None:
    town.handled()
    town.mark(T0 + 5 * MINUTE)
    with town.store.read() as db:
        before = db.execute(select(schema.cursor.c.clock, schema.cursor.c.plan)).one()
    applied = town.feed({"mark": T0 + MINUTE, "partition": 0, "plan": "f" * 12})
    assert (applied.marks, applied.repeats, applied.clock) == (0, 1, T0 + 5 * MINUTE)
    with town.store.read() as db:
        assert db.execute(select(schema.cursor.c.clock, schema.cursor.c.plan)).one() == before
    assert town.casework.marks() == {0: T0 + 5 * MINUTE}


def test_a_mark_that_comes_again_lets_no_check_pass_before_its_time(town: Town) -> None:
    town.raised()
    town.later(MINUTE)
    town.do("start", "handler")
    town.cleared()
    town.t -= 30 * MINUTE
    town.do("finish", "handler", note="已抽排")
    town.t += 30 * MINUTE
    before = town.moves()
    town.mark()
    assert town.moves() == before


def test_a_still_that_comes_again_neither_moves_the_value_nor_when_the_sensor_was_heard(town: Town) -> None:
    town.raised()
    for minutes in (1, 2):
        town.still(value=10.0 + minutes, t=T0 + minutes * MINUTE)
    applied = town.still(value=11.0, t=T0 + MINUTE)
    assert (applied.stills, applied.repeats) == (0, 1)
    with town.store.read() as db:
        row = db.execute(select(schema.episode.c.heard_t, schema.episode.c.value)).one()
    assert tuple(row) == (T0 + 2 * MINUTE, 12.0)


def test_a_record_that_was_set_aside_is_set_aside_once(town: Town) -> None:
    broken = town.change("a", "escalated", "red", seq=4)
    assert town.feed(broken).quarantined == {"unknown_episode": 1}
    again = town.casework.apply([town.write(town.log[0].value), town.write(town.log[0].value)])
    assert (again.repeats, again.quarantined, again.events) == (2, {}, 0)
    assert town.casework.counts().quarantine == {"unknown_episode": 1}
    assert [case.category for case in town.cases()] == ["0699"]


def test_what_failed_by_a_fault_of_the_engine_is_not_done_when_it_comes_again_later(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = merging.key_of

    def broken(spec: CaseSpec, change: Change, drill: bool) -> str | None:
        assert change.sensor != "sensor-bad", "not so"
        return real(spec, change, drill)

    with monkeypatch.context() as patched:
        patched.setattr(merging, "key_of", broken)
        assert town.raised("bad").quarantined == {"engine_fault": 1}
    assert town.casework.apply([town.write(town.log[0].value)]).repeats == 1
    assert [case.category for case in town.cases()] == ["0699"]
