"""The one way into city.readings: a plan record first and every hour, the right log time, a bounded backlog."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from engine.runtime.backlog import Backlog
from engine.runtime.errors import LogTimeMissing, Overloaded
from engine.runtime.journal import Journal
from engine.runtime.log import Entry, Stream
from engine.runtime.quarantine import replay, rows
from engine.runtime.raw import raw_text
from engine.runtime.readings import REPEAT_MS, Readings

NOW = 1_700_000_000_000


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.db", clock=lambda: NOW)
    yield journal
    journal.close()


def intake(
    journal: Journal,
    digest: str = "a" * 64,
    *,
    player: bool = False,
    backlog: Backlog | None = None,
    clock: Callable[[], int] = lambda: NOW,
) -> Readings:
    backlog = backlog or Backlog(0, 0, 0)
    return Readings(journal, 0, digest, clock=clock, player=player, backlog=backlog, backlog_bytes=1_000)


def log(journal: Journal) -> list[tuple[str, int]]:
    """Return each record as (its digest, its kind or its text; log time)."""
    found = journal.read(Stream.READINGS, 0, 0, limit_bytes=1 << 30)
    told = []
    for value, log_time in zip(found.values, found.log_time.tolist(), strict=True):
        record = orjson.loads(value) if value.startswith(b"{") else value.decode()
        told.append((record if isinstance(record, str) else record.get("digest", record["kind"])[:4], log_time))
    return told


def test_the_first_record_of_a_partition_is_its_plan(journal: Journal) -> None:
    intake(journal).append([b"x"])
    assert log(journal) == [("aaaa", NOW), ("x", NOW)]


def test_the_same_plan_is_not_announced_again_after_a_restart_and_another_one_is(journal: Journal) -> None:
    intake(journal).announce(NOW)
    again = intake(journal)
    again.announce(NOW + 1)
    again.append([b"x"])
    other = intake(journal, "b" * 64)
    other.announce(NOW + 2)
    other.append([b"y"])
    assert [name for name, _ in log(journal)] == ["aaaa", "x", "bbbb", "y"]


def test_the_plan_is_repeated_every_hour_of_log_time(journal: Journal) -> None:
    readings = intake(journal, player=True)
    for after in (0, REPEAT_MS - 1, REPEAT_MS, REPEAT_MS + 1, 2 * REPEAT_MS):
        readings.append([b"x"], log_time=NOW + after)
    assert [name for name, _ in log(journal)] == ["aaaa", "x", "x", "aaaa", "x", "x", "aaaa", "x"]


def test_a_tick_carries_the_time_that_it_has_in_the_log(journal: Journal) -> None:
    readings = intake(journal)
    readings.append([b"x"])
    readings.tick(NOW + 5)
    found = journal.read(Stream.READINGS, 0, 2, limit_bytes=1 << 20)
    assert (found.values[0], found.log_time.tolist()) == (b'{"kind":"tick","t":%d}' % (NOW + 5), [NOW + 5])


def test_a_plan_record_never_stands_before_the_log_time_that_was_reached(journal: Journal) -> None:
    journal.append(Stream.READINGS, 0, [Entry(b"x", None, NOW + 50)])
    intake(journal).announce(NOW)
    assert log(journal)[-1] == ("aaaa", NOW + 50)


def test_on_a_players_clock_a_record_without_log_time_is_refused(journal: Journal) -> None:
    with pytest.raises(LogTimeMissing, match="every record must bring its log time"):
        intake(journal, player=True).append([b"x"])
    assert log(journal) == []


def test_readings_are_refused_while_detect_has_too_much_before_it(journal: Journal) -> None:
    backlog = Backlog(0, 0, 0)
    readings = intake(journal, backlog=backlog)
    readings.append([b"x" * 1_001])
    with pytest.raises(Overloaded) as refused:
        readings.append([b"y"])
    assert refused.value.retry_after_s == 5
    readings.tick(NOW)
    backlog.judged(journal.end(Stream.READINGS, 0), 1_001 + 200)
    readings.append([b"z"])
    assert [name for name, _ in log(journal)] == ["aaaa", "x" * 1_001, "tick", "z"]


def test_the_backlog_knows_records_bytes_and_how_long_the_oldest_waits() -> None:
    backlog = Backlog(10, 7, 30)
    assert (backlog.records, backlog.bytes, backlog.behind_s() >= 0) == (3, 30, True)
    backlog.appended(12, 20)
    backlog.judged(12, 50)
    assert (backlog.records, backlog.bytes, backlog.behind_s()) == (0, 0, 0.0)


def rejected(index: int, reason: str, raw: bytes) -> Entry:
    row = {"reason": reason, "topic": Stream.READINGS, "partition": 0, "offset": 1, "index": index, "raw": raw.decode()}
    return Entry(orjson.dumps(row))


def test_what_was_rejected_comes_back_once_and_it_is_known_who_brought_it(journal: Journal) -> None:
    stuck = [rejected(0, "bad_kind", b'{"kind":"gas.new"}'), rejected(1, "bad_time", b'{"t":null}')]
    journal.append(Stream.QUARANTINE, 0, stuck)
    for _ in range(2):
        for row in rows(journal, reason="bad_kind"):
            replay(journal, row, actor="officer", at_ms=9)
    first = next(iter(rows(journal)))
    assert replay(journal, first, actor="another", at_ms=10) is None
    assert [(row.offset, row.said["reason"], row.replayed_as) for row in rows(journal)] == [
        (1, "bad_kind", 1),
        (2, "bad_time", None),
    ]
    assert [name for name, _ in log(journal)] == ["gas."]
    assert journal.replays() == {1: (1, "officer", 9)}


def test_two_who_replay_the_same_row_at_once_bring_it_back_once(journal: Journal) -> None:
    journal.append(Stream.QUARANTINE, 0, [rejected(0, "bad_kind", b"x")])
    seen_by_both = next(iter(rows(journal)))
    assert [replay(journal, seen_by_both, actor=who, at_ms=9) for who in ("one", "two")] == [1, None]


def test_control_records_never_come_back(journal: Journal) -> None:
    journal.append(Stream.QUARANTINE, 0, [rejected(0, "control_in_frame", b'{"kind":"tick","t":1}')])
    assert replay(journal, next(iter(rows(journal))), actor="officer", at_ms=9) is None


def test_bytes_that_are_no_text_come_back_as_they_were(journal: Journal) -> None:
    said = {"reason": "bad_utf8", "partition": 0, "index": 0} | raw_text(b"\xff\x00x")
    journal.append(Stream.QUARANTINE, 0, [Entry(orjson.dumps(said))])
    replay(journal, next(iter(rows(journal))), actor="officer", at_ms=9)
    assert journal.read(Stream.READINGS, 0, 0, limit_bytes=10).values == [b"\xff\x00x"]
