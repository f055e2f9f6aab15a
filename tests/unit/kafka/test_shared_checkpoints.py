"""Checkpoints of workers in one database: two generations, compare-and-swap, starts that died, skips."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update

from engine.casework.log_schema import checkpoint, skip
from engine.casework.schema import audit
from engine.casework.store import Store, upgrade
from engine.runtime.checkpoints import Checkpoint
from engine.runtime.kafka.checkpoints import Checkpoints, Head, Identity, Superseded
from engine.runtime.kafka.partition import Snapshot


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path / "cases.db")
    upgrade(store)
    yield store
    store.close()


def worker(store: Store, name: str = "w1") -> Checkpoints:
    return Checkpoints(store, name, lambda: 1_000, chunk_bytes=10)


def snapshot(position: int, data: bytes = b"0123456789abcdef") -> Snapshot:
    return Snapshot(Checkpoint(position, data, "p" * 64, "detect-1"), 900, f"{position - 1}:900:0a0b0c0d")


def test_what_was_written_is_read_newest_first_and_two_are_kept(store: Store) -> None:
    checkpoints = worker(store)
    head = Head()
    for position in (10, 20, 30):
        head = checkpoints.write(7, head.generation, snapshot(position, b"x" * position))
    assert head == Head(3, 30, 900, "29:900:0a0b0c0d")
    assert checkpoints.look(7).head == head
    assert [(one.position, one.data) for one in checkpoints.generations(7)] == [(30, b"x" * 30), (20, b"x" * 20)]
    assert list(checkpoints.generations(8)) == []


def test_an_empty_state_is_a_state(store: Store) -> None:
    worker(store).write(7, 0, snapshot(1, b""))
    assert [one.data for one in worker(store).generations(7)] == [b""]


@pytest.mark.parametrize("expected", [0, 1, 3])
def test_who_has_not_read_the_head_does_not_move_it(store: Store, expected: int) -> None:
    checkpoints, zombie = worker(store), worker(store, "zombie")
    for generation in (0, 1):
        checkpoints.write(7, generation, snapshot(10 * (generation + 1)))
    with pytest.raises(Superseded, match="worker w1 has moved on") as lost:
        zombie.write(7, expected, snapshot(99))
    assert lost.value.by == checkpoints.writer
    assert (lost.value.head.generation, lost.value.head.position) == (2, 20)
    assert checkpoints.look(7).head.position == 20
    assert [one.position for one in checkpoints.generations(7)] == [20, 10]


@pytest.mark.parametrize("damage", ["a chunk is lost", "a chunk is another", "the position is another"])
def test_a_damaged_generation_is_passed_over(store: Store, damage: str) -> None:
    checkpoints = worker(store)
    for generation in (0, 1):
        checkpoints.write(7, generation, snapshot(10 * (generation + 1)))
    newest = checkpoint.c.generation == 2, checkpoint.c.chunk == 1
    with store.write() as db:
        if damage == "a chunk is lost":
            db.execute(delete(checkpoint).where(*newest))
        elif damage == "a chunk is another":
            db.execute(update(checkpoint).where(*newest).values(data=b"broken"))
        else:
            db.execute(update(checkpoint).where(checkpoint.c.generation == 2).values(position=21))
    assert [one.position for one in checkpoints.generations(7)] == [10]


def test_starts_that_did_not_live_to_a_checkpoint_are_counted(store: Store) -> None:
    one, two = worker(store), worker(store, "w2")
    assert one.look(7).attempts == 0
    for died, checkpoints in enumerate((one, two, one)):
        assert checkpoints.look(7).attempts == died
        checkpoints.starts(7, 0, again=False)
    one.starts(7, 0, again=True)
    assert two.look(7).attempts == 3
    one.write(7, 0, snapshot(10))
    assert two.look(7).attempts == 0
    two.starts(7, 10, again=False)
    two.starts(8, 0, again=False)
    one.lived()
    assert (one.look(7).attempts, one.look(8).attempts) == (1, 1)
    two.lived()
    assert (one.look(7).attempts, one.look(8).attempts) == (0, 0)


def test_a_start_from_another_checkpoint_is_the_first(store: Store) -> None:
    checkpoints = worker(store)
    checkpoints.starts(7, 0, again=False)
    worker(store, "w2").write(7, 0, snapshot(10))
    checkpoints.starts(7, 10, again=False)
    assert checkpoints.look(7).attempts == 1


def test_a_record_passed_over_is_on_the_list_of_all_and_in_the_audit_once(store: Store) -> None:
    worker(store).pass_over(7, 41, "raises: why")
    worker(store, "w2").pass_over(7, 41, "raises: why")
    assert worker(store).look(7).skips == frozenset({41})
    assert worker(store).look(8).skips == frozenset()
    with store.read() as db:
        assert [tuple(row) for row in db.execute(select(skip))] == [
            ("city.readings", 7, 41, "raises: why", "system", 1_000)
        ]
        said = [(row.actor, row.action, row.subject, row.detail) for row in db.execute(select(audit))]
    assert said == [("system", "skip", "city.readings/7/41", "raises: why")]


def test_a_log_is_known_as_it_was_first_met(store: Store) -> None:
    assert worker(store).agree(4, None) == Identity(4, None)
    assert worker(store, "w2").agree(8, "x") == Identity(4, None)
