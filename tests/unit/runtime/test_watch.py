"""A thread of the engine that ends ends the process."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from engine.runtime.watch import Threads

DYING = """
import logging, threading
from engine.runtime.errors import {error}
from engine.runtime.watch import Threads, end_process
logging.basicConfig()
threads = Threads(end_process)
def work():
    raise {error}("journal.db: what to do")
threads.start("detect", work)
threading.Event().wait(60)
"""


@pytest.mark.parametrize(("error", "code"), [("DiskFull", 75), ("LogFailed", 75), ("Corrupt", 1), ("CursorMoved", 75)])
def test_the_process_ends_at_once_with_the_code_of_the_fault(error: str, code: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", DYING.format(error=error)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == code
    assert "thread detect: journal.db: what to do" in ended.stderr


def test_any_other_error_is_told_whole_and_means_try_again() -> None:
    script = DYING.format(error="Corrupt").replace('raise Corrupt("journal.db: what to do")', 'raise KeyError("bug")')
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.returncode == 75
    assert "KeyError: 'bug'" in ended.stderr


def deaths() -> tuple[Threads, list[str], threading.Event]:
    told: list[str] = []
    happened = threading.Event()

    def on_death(name: str, error: BaseException) -> None:
        told.append(f"{name}: {error}")
        happened.set()

    return Threads(on_death), told, happened


def test_ending_by_itself_counts_as_dying() -> None:
    threads, told, happened = deaths()
    threads.start("relay", lambda: None)
    assert happened.wait(30)
    assert told == ["relay: relay ended by itself"]
    assert not threads.alive()


def test_a_watched_thread_of_somebody_else_that_ends_is_told() -> None:
    threads, told, happened = deaths()
    other = threading.Thread(target=lambda: None, name="http")
    other.start()
    threads.watch(other)
    threads.start("watch", threads.watching)
    assert happened.wait(30)
    assert told == ["watch: thread http ended by itself"]


def test_at_the_end_threads_may_end() -> None:
    threads, told, _ = deaths()
    threads.start("ticker", lambda: threads.stopping.wait(30) and None)
    assert threads.alive()
    threads.stopping.set()
    assert threads.join(30) == []
    assert told == []
