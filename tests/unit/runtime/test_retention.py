"""What the journal may let go of, and what it must keep."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.runtime.journal import Journal
from engine.runtime.log import Entry, Stream
from engine.runtime.readings import plan_record
from engine.runtime.retention import Retention, Trimmer

HOUR = 3_600_000
ALWAYS = 1 << 60


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Two days of readings, one a minute, a plan record in front and every hour."""
    journal = Journal(tmp_path / "journal.db", clock=lambda: 0)
    entries = []
    for minute in range(48 * 60):
        if minute % 60 == 0:
            entries.append(plan_record("0" * 64, minute * 60_000))
        entries.append(Entry(b"x" * 100, None, minute * 60_000))
    journal.append(Stream.READINGS, 0, entries)
    journal.append(Stream.ALERTS, 0, [Entry(b"a", None, hour * HOUR) for hour in range(48)])
    yield journal
    journal.close()


def trimmed(journal: Journal, keep: Retention, *, readings: int = ALWAYS, alerts: int = ALWAYS) -> tuple[int, int]:
    """Trim once; return the first offsets kept of readings and of alerts."""
    Trimmer(journal, keep, readings_done=lambda: readings, alerts_done=lambda: alerts).trim(threading.Event())
    return journal.start(Stream.READINGS, 0), journal.start(Stream.ALERTS, 0)


def test_old_records_go_and_what_is_kept_begins_with_a_plan_record(journal: Journal) -> None:
    first, alerts = trimmed(journal, Retention(24 * HOUR, 1 << 40, 0))
    kept = journal.read(Stream.READINGS, 0, first - 1, limit_bytes=1)
    assert kept.keys[0] == "#plan"
    # the newest reading is of 47:59; 23:59 and older may go, but the plan record of 23:00 must stay
    assert int(kept.log_time[0]) == 23 * HOUR
    assert alerts == 24


def test_what_a_rebuild_needs_stays_however_small_the_age(journal: Journal) -> None:
    first, _ = trimmed(journal, Retention(HOUR, 1 << 40, 40 * HOUR))
    kept = journal.read(Stream.READINGS, 0, first - 1, limit_bytes=1)
    assert int(kept.log_time[0]) == 7 * HOUR


@pytest.mark.parametrize(("readings", "start"), [(0, 1), (60, 1), (61, 62), (130, 123)])
def test_what_a_checkpoint_needs_stays(journal: Journal, readings: int, start: int) -> None:
    assert trimmed(journal, Retention(HOUR, 1 << 40, 0), readings=readings)[0] == start


def test_alerts_that_casework_has_not_applied_stay(journal: Journal) -> None:
    assert trimmed(journal, Retention(HOUR, 1 << 40, 0), alerts=5)[1] == 6


def test_a_journal_that_is_too_large_gives_up_its_oldest_before_their_age(journal: Journal) -> None:
    first, _ = trimmed(journal, Retention(1 << 50, 100_000, 0))
    assert 1 < first < 48 * 61


def test_the_newest_record_of_a_stream_is_never_let_go(journal: Journal) -> None:
    for _ in range(100):
        trimmed(journal, Retention(0, 1, 0))
    assert journal.start(Stream.ALERTS, 0) == 48
    assert journal.start(Stream.READINGS, 0) <= journal.end(Stream.READINGS, 0)
