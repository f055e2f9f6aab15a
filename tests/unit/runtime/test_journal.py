"""The embedded log: gap-free, durable when answered, monotone in time, and honest about damage."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.runtime.errors import AlreadyReplayed, Corrupt, CursorMoved, LogClosed, Overloaded, Trimmed, Unusable
from engine.runtime.journal import Journal
from engine.runtime.log import Append, CursorMove, Entry, Replayed, Stream

READINGS, ALERTS = Stream.READINGS, Stream.ALERTS


class Clock:
    """A clock that is set by hand, in ms."""

    def __init__(self) -> None:
        self.now = 1_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(tmp_path: Path, clock: Clock) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.db", clock=clock)
    yield journal
    journal.close()


def entries(*values: str) -> list[Entry]:
    return [Entry(value.encode()) for value in values]


def values(journal: Journal, stream: str = READINGS, after: int = 0) -> list[tuple[int, bytes]]:
    found = journal.read(stream, 0, after, limit_bytes=1 << 30)
    return list(zip(found.offset.tolist(), found.values, strict=True))


def test_offsets_count_from_one_without_gaps_in_each_partition_of_each_stream(journal: Journal) -> None:
    first = journal.append(READINGS, 0, entries("a", "b"))
    journal.append(READINGS, 1, entries("other"))
    journal.append(ALERTS, 0, entries("alert"))
    second = journal.append(READINGS, 0, entries("c"))
    assert (first.first_offset, first.last_offset, second.first_offset) == (1, 2, 3)
    assert values(journal) == [(1, b"a"), (2, b"b"), (3, b"c")]
    assert values(journal, ALERTS) == [(1, b"alert")]


def test_log_times_never_go_back_whatever_the_clock_or_the_player_says(journal: Journal, clock: Clock) -> None:
    for now, given in ((5_000, None), (3_000, None), (3_000, 9_000), (7_000, None), (7_000, 8_000), (20_000, None)):
        clock.now = now
        journal.append(READINGS, 0, [Entry(b"x", None, given)])
    found = journal.read(READINGS, 0, 0, limit_bytes=1 << 20)
    assert found.log_time.tolist() == [5_000, 5_000, 9_000, 9_000, 9_000, 20_000]


def test_a_second_opening_finds_everything_and_goes_on_counting(tmp_path: Path, clock: Clock) -> None:
    first = Journal(tmp_path / "journal.db", clock=clock)
    first.append(READINGS, 0, entries("a"))
    identity = first.identity
    first.close()
    clock.now = 10
    again = Journal(tmp_path / "journal.db", clock=clock)
    assert again.identity == identity
    assert again.append(READINGS, 0, entries("b")).log_time == 1_000
    assert values(again) == [(1, b"a"), (2, b"b")]
    again.close()


def test_many_appenders_at_once_get_disjoint_offsets_and_all_records_are_there(journal: Journal) -> None:
    got: list[tuple[int, bytes]] = []
    lock = threading.Lock()

    def work(name: int) -> None:
        for number in range(40):
            value = b"%d-%d" % (name, number)
            at = journal.append(READINGS, 0, [Entry(value)]).first_offset
            with lock:
                got.append((at, value))

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == values(journal)
    assert [offset for offset, _ in sorted(got)] == list(range(1, 321))


def test_appenders_that_come_while_a_commit_is_under_way_share_the_next_one(tmp_path: Path) -> None:
    entered, go_on, commits = threading.Event(), threading.Event(), []

    def slow_clock() -> int:
        commits.append(1)
        entered.set()
        go_on.wait(10)
        return 1

    journal = Journal(tmp_path / "journal.db", clock=slow_clock)
    waiting = [journal.commit([Append(READINGS, 0, entries("first"))])]
    assert entered.wait(10)
    waiting += [journal.commit([Append(READINGS, 0, entries(str(number)))]) for number in range(50)]
    go_on.set()
    assert [done.result()[0].first_offset for done in waiting] == list(range(1, 52))
    assert len(commits) == 2
    journal.close()


def test_appends_and_the_cursor_that_covers_them_are_one_commit(journal: Journal) -> None:
    journal.commit([Append(ALERTS, 0, entries("a"))], [CursorMove("detect", 0, 0, 7)]).result()
    with pytest.raises(CursorMoved, match="stands at 7, not at 0"):
        journal.commit([Append(ALERTS, 0, entries("b"))], [CursorMove("detect", 0, 0, 8)]).result()
    assert journal.cursor("detect", 0) == 7
    assert values(journal, ALERTS) == [(1, b"a")]


def test_a_refused_cursor_takes_no_other_appender_along(tmp_path: Path) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def slow_clock() -> int:
        entered.set()
        go_on.wait(10)
        return 1

    journal = Journal(tmp_path / "journal.db", clock=slow_clock)
    journal.commit([Append(READINGS, 0, entries("first"))])
    assert entered.wait(10)
    refused = journal.commit([Append(ALERTS, 0, entries("no"))], [CursorMove("detect", 0, 3, 4)])
    taken = journal.commit([Append(ALERTS, 0, entries("yes"))])
    go_on.set()
    assert taken.result()[0].first_offset == 1
    assert isinstance(refused.exception(), CursorMoved)
    journal.close()


def test_readers_stop_near_their_limit_and_at_the_end_they_asked_for(journal: Journal) -> None:
    journal.append(READINGS, 0, [Entry(b"x" * 100) for _ in range(300)])
    assert 0 < len(journal.read(READINGS, 0, 0, limit_bytes=1)) < 300
    found = journal.read(READINGS, 0, 10, limit_bytes=1 << 20, upto=12)
    assert found.offset.tolist() == [11, 12]
    assert len(journal.read(READINGS, 0, 300, limit_bytes=1 << 20)) == 0


def test_records_become_one_padded_batch(journal: Journal) -> None:
    journal.append(READINGS, 0, entries("ab", "", "cde"))
    batch = journal.read(READINGS, 0, 0, limit_bytes=1 << 20).batch()
    assert [batch.text(record) for record in range(len(batch))] == [b"ab", b"", b"cde"]
    assert len(batch.data) >= int(batch.end[-1]) + 64
    assert batch.offset.tolist() == [1, 2, 3]


def damage(path: Path, sql: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(sql)
    connection.close()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE journal SET value = X'42' WHERE offset = 2",
        "UPDATE journal SET value = 'b' WHERE offset = 2",
        "UPDATE journal SET log_time = 1 WHERE offset = 2",
        "UPDATE journal SET key = 'k' WHERE offset = 2",
        "UPDATE journal SET crc = crc + 1 WHERE offset = 2",
    ],
    ids=["value", "type", "log_time", "key", "crc"],
)
def test_a_damaged_record_is_named_with_file_stream_and_offset(tmp_path: Path, clock: Clock, sql: str) -> None:
    path = tmp_path / "journal.db"
    journal = Journal(path, clock=clock)
    journal.append(READINGS, 0, entries("a", "b", "c"))
    damage(path, sql)
    with pytest.raises(Corrupt, match=r"journal\.db: city\.readings/0 offset 2 is damaged \(crc\)"):
        values(journal)
    journal.close()


@pytest.mark.parametrize("lost", [1, 3], ids=["first", "last"])
def test_a_lost_end_is_found_at_the_next_start(tmp_path: Path, clock: Clock, lost: int) -> None:
    path = tmp_path / "journal.db"
    journal = Journal(path, clock=clock)
    journal.append(READINGS, 0, entries("a", "b", "c"))
    journal.close()
    damage(path, f"DELETE FROM journal WHERE offset = {lost}")
    with pytest.raises(Corrupt, match="should hold offsets 1 to 3"):
        Journal(path, clock=clock)


def test_a_lost_record_in_the_middle_is_found_when_read(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "journal.db"
    journal = Journal(path, clock=clock)
    journal.append(READINGS, 0, entries("a", "b", "c"))
    damage(path, "DELETE FROM journal WHERE offset = 2")
    with pytest.raises(Corrupt, match="no record at offset 2"):
        values(journal)
    journal.close()


def test_a_torn_tail_of_the_write_ahead_file_loses_only_what_was_never_acknowledged(
    tmp_path: Path, clock: Clock
) -> None:
    journal = Journal(tmp_path / "journal.db", clock=clock)
    journal.append(READINGS, 0, entries("acknowledged"))
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("journal.db", "journal.db-wal"):
        (copy / name).write_bytes((tmp_path / name).read_bytes())
    whole = (copy / "journal.db-wal").stat().st_size
    journal.append(READINGS, 0, [Entry(b"torn" * 5_000)])
    torn = (tmp_path / "journal.db-wal").read_bytes()
    journal.close()
    for cut in (whole, whole + 24, whole + 2_000, whole + 4_120 + 17, len(torn) - 1):
        (copy / "journal.db-wal").write_bytes(torn[:cut])
        (copy / "journal.db-shm").unlink(missing_ok=True)
        base = (copy / "journal.db").read_bytes()
        again = Journal(copy / "journal.db", clock=clock)
        assert values(again) == [(1, b"acknowledged")]
        again.close()
        (copy / "journal.db").write_bytes(base)


@pytest.mark.parametrize("content", [b"not a database, but long enough to be read as one" * 40, b"\0" * 5_000])
def test_a_file_that_is_no_journal_is_refused_by_name(tmp_path: Path, clock: Clock, content: bytes) -> None:
    (tmp_path / "journal.db").write_bytes(content)
    with pytest.raises(Corrupt, match=r"journal\.db: the file is damaged; restore it"):
        Journal(tmp_path / "journal.db", clock=clock)


def test_a_database_of_somebody_else_is_refused(tmp_path: Path, clock: Clock) -> None:
    damage(tmp_path / "journal.db", "CREATE TABLE theirs (x)")
    with pytest.raises(Unusable, match="not one of ours"):
        Journal(tmp_path / "journal.db", clock=clock)


def test_a_journal_of_a_newer_release_is_refused(tmp_path: Path, clock: Clock) -> None:
    Journal(tmp_path / "journal.db", clock=clock).close()
    damage(tmp_path / "journal.db", "PRAGMA user_version = 99")
    with pytest.raises(Unusable, match="newer release"):
        Journal(tmp_path / "journal.db", clock=clock)


def test_what_does_not_fit_the_queue_is_refused_and_what_must_go_in_goes_in(tmp_path: Path) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def slow_clock() -> int:
        entered.set()
        go_on.wait(10)
        return 1

    journal = Journal(tmp_path / "journal.db", clock=slow_clock, queue_bytes=1_000)
    first = journal.commit([Append(READINGS, 0, entries("first"))])
    assert entered.wait(10)
    large = [Append(READINGS, 0, [Entry(b"x" * 900)])]
    with pytest.raises(Overloaded) as refused:
        journal.commit(large, must=False)
    must = journal.commit(large)
    go_on.set()
    assert refused.value.retry_after_s >= 1
    assert (first.result()[0].last_offset, must.result()[0].last_offset) == (1, 2)
    journal.close()


def test_trimming_keeps_counting_and_names_what_is_gone(journal: Journal) -> None:
    journal.append(READINGS, 0, [Entry(b"x") for _ in range(100)])
    assert journal.trim(READINGS, 0, 60, most=50) == 51
    assert journal.trim(READINGS, 0, 60) == 61
    with pytest.raises(Trimmed, match="kept from offset 61; 1 was asked for"):
        journal.read(READINGS, 0, 0, limit_bytes=10)
    assert journal.trim(READINGS, 0, 1_000) == 101
    assert journal.append(READINGS, 0, entries("next")).first_offset == 101


def test_an_emptied_partition_counts_on_after_a_restart(tmp_path: Path, clock: Clock) -> None:
    journal = Journal(tmp_path / "journal.db", clock=clock)
    journal.append(READINGS, 0, entries("a", "b"))
    journal.trim(READINGS, 0, 2)
    journal.close()
    again = Journal(tmp_path / "journal.db", clock=clock)
    assert again.append(READINGS, 0, entries("c")).first_offset == 3
    again.close()


@pytest.mark.parametrize(("time", "offset"), [(10, 0), (11, 2), (20, 2), (21, 3), (99, 4)])
def test_the_last_record_before_a_time_is_found(journal: Journal, time: int, offset: int) -> None:
    journal.append(READINGS, 0, [Entry(b"x", None, at) for at in (10, 10, 20, 30)])
    assert journal.offset_before(READINGS, 0, time) == offset


def test_a_waiter_is_woken_by_the_commit(journal: Journal) -> None:
    woken: list[bool] = []
    waiter = threading.Thread(target=lambda: woken.append(journal.wait(READINGS, 0, 0, timeout_s=30)))
    waiter.start()
    journal.append(READINGS, 0, entries("a"))
    waiter.join(30)
    assert woken == [True]
    assert not journal.wait(READINGS, 0, 1, timeout_s=0)


def test_two_openings_of_one_file_do_not_give_an_offset_twice(journal: Journal, clock: Clock) -> None:
    other = Journal(journal.path, clock=clock)
    offsets = [one.append(READINGS, 0, entries("x")).first_offset for one in (journal, other, other, journal, other)]
    assert offsets == [1, 2, 3, 4, 5]
    other.close()


def test_what_was_replayed_once_is_refused_the_second_time(journal: Journal) -> None:
    again = [Append(READINGS, 0, entries("fixed"))]
    journal.commit(again, replays=[Replayed(4, "officer", 99)]).result()
    with pytest.raises(AlreadyReplayed, match="quarantine 4 was replayed by officer as record 1"):
        journal.commit(again, replays=[Replayed(4, "another", 100)]).result()
    assert values(journal) == [(1, b"fixed")]
    assert journal.replays() == {4: (1, "officer", 99)}


def test_a_closed_log_takes_nothing(tmp_path: Path, clock: Callable[[], int]) -> None:
    journal = Journal(tmp_path / "journal.db", clock=clock)
    journal.close()
    with pytest.raises(LogClosed):
        journal.append(READINGS, 0, entries("late"))


def test_plans_are_kept_under_their_digest(journal: Journal) -> None:
    journal.store_plan("d1", b"canonical")
    journal.store_plan("d1", b"canonical")
    assert journal.plan("d1") == b"canonical"
    assert journal.plan("d2") is None


def test_a_journal_cut_in_half_is_refused_by_name(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "journal.db"
    journal = Journal(path, clock=clock)
    journal.append(READINGS, 0, [Entry(bytes(4_000)) for _ in range(200)])
    journal.close()
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(Corrupt, match=r"journal\.db: the file is damaged; restore it from a copy"):
        values(Journal(path, clock=clock))


def test_a_journal_can_be_opened_again_and_again_while_it_is_written(journal: Journal, clock: Clock) -> None:
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            journal.append(READINGS, 0, [Entry(b"x"), Entry(b"y")])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(60):
            other = Journal(journal.path, clock=clock)
            assert other.end(READINGS, 0) % 2 == 0
            other.close()
    finally:
        done.set()
        writer.join(30)
