"""Checkpoints: two complete generations, each chunk checked, and nothing believed that does not fit."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.runtime.checkpoints import CHUNK_BYTES, Checkpoint, CheckpointStore, is_due, open_checkpoints


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CheckpointStore]:
    store = CheckpointStore(tmp_path / "checkpoints.db", "journal-1")
    yield store
    store.close()


def state(position: int, size: int = 10) -> Checkpoint:
    return Checkpoint(position, bytes([position % 256]) * size, "plan", "detector-1")


def positions(store: CheckpointStore, upto: int = 1 << 60) -> list[int]:
    return [checkpoint.position for checkpoint in store.usable(0, upto=upto)]


def change(store: CheckpointStore, sql: str) -> None:
    with sqlite3.connect(store.path) as connection:
        connection.execute(sql)
    connection.close()


def test_the_newest_comes_first_and_two_are_kept(store: CheckpointStore) -> None:
    for position in (5, 6, 7):
        store.write(0, state(position))
    assert list(store.usable(0, upto=100)) == [state(7), state(6)]
    assert store.oldest_position(0) == 6


def test_until_there_are_two_the_log_is_needed_from_its_start(store: CheckpointStore) -> None:
    assert store.oldest_position(0) == 0
    store.write(0, state(5))
    assert store.oldest_position(0) == 0


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_no_row_is_larger_than_a_chunk_and_all_rows_together_are_the_state(store: CheckpointStore, size: int) -> None:
    store.write(0, state(5, size))
    with sqlite3.connect(store.path) as connection:
        sizes = [row[0] for row in connection.execute("SELECT length(data) FROM checkpoint")]
    connection.close()
    assert max(sizes) <= CHUNK_BYTES
    assert next(store.usable(0, upto=100)) == state(5, size)


def test_partitions_are_apart(store: CheckpointStore) -> None:
    store.write(0, state(5))
    store.write(1, state(9))
    assert positions(store) == [5]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM checkpoint WHERE generation = 2 AND chunk = 1",
        "UPDATE checkpoint SET data = X'00' WHERE generation = 2 AND chunk = 0",
        "UPDATE checkpoint SET position = 4 WHERE generation = 2",
        "UPDATE checkpoint SET plan = 'other' WHERE generation = 2",
        "UPDATE checkpoint SET format = 'other' WHERE generation = 2",
    ],
    ids=["torn", "data", "position", "plan", "format"],
)
def test_a_damaged_newest_gives_way_to_the_older(store: CheckpointStore, sql: str) -> None:
    store.write(0, state(5))
    store.write(0, state(6, 2 * CHUNK_BYTES))
    change(store, sql)
    assert positions(store) == [5]


def test_one_that_is_ahead_of_the_journal_is_passed_over(store: CheckpointStore) -> None:
    store.write(0, state(5))
    store.write(0, state(6))
    assert positions(store, upto=5) == [5]


def test_one_of_another_journal_is_passed_over(store: CheckpointStore) -> None:
    store.write(0, state(5))
    other = CheckpointStore(store.path, "journal-2")
    assert positions(other) == []
    other.close()


def test_a_torn_one_does_not_push_out_the_last_complete_ones(store: CheckpointStore) -> None:
    for position in (5, 6, 7):
        store.write(0, state(position, 2 * CHUNK_BYTES))
    change(store, "DELETE FROM checkpoint WHERE generation = 3 AND chunk = 1")
    store.write(0, state(8))
    assert positions(store) == [8, 6]


def test_a_damaged_file_is_moved_aside(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints.db"
    path.write_bytes(b"damaged" * 1_000)
    store = open_checkpoints(path, "journal-1")
    assert positions(store) == []
    store.close()
    assert (tmp_path / "checkpoints.db.damaged").read_bytes() == b"damaged" * 1_000


@pytest.mark.parametrize(
    ("elapsed_s", "replay_s", "size", "due"),
    [
        (4.9, 1.0, 100, False),
        (5.0, 1.0, 100, True),
        (5.0, 1.0, 50_000_000, False),
        (9.9, 1.0, 50_000_000, False),
        (10.0, 1.0, 50_000_000, True),
        (70.0, 60.0, 900_000_000, True),
        (70.0, 59.9, 900_000_000, False),
    ],
)
def test_the_interval_grows_with_the_size_but_never_over_a_minute_of_replay(
    elapsed_s: float, replay_s: float, size: int, due: bool
) -> None:
    assert is_due(elapsed_s, replay_s, size) is due
