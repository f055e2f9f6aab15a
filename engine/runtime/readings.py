"""The one way into city.readings: readings, ticks and plan records, each durable before it is answered.

A partition begins with a plan record; another follows when the plan is another one, and every hour of log time, so
that whatever is kept of the log names its plan.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

import orjson

from engine.detect.decode.frames import LARGEST_RECORD_BYTES, split
from engine.detect.decode.reasons import Refusal
from engine.runtime.backlog import Backlog
from engine.runtime.errors import LogTimeMissing, Overloaded
from engine.runtime.journal import Journal
from engine.runtime.log import Append, Appended, CursorMove, Entry, Stream

PLAN_KEY = "#plan"
TICK_KEY = "#tick"
REPEAT_MS = 3_600_000
LOG_TIME_BYTES = 24


def plan_record(digest: str, t_ms: int) -> Entry:
    """Return the record from which on a partition is judged by a plan; its log time is its own time."""
    return Entry(orjson.dumps({"kind": "plan", "digest": digest, "t": t_ms}), PLAN_KEY, t_ms)


def tick_record(t_ms: int) -> Entry:
    """Return a tick; its log time is its own time."""
    return Entry(orjson.dumps({"kind": "tick", "t": t_ms}), TICK_KEY, t_ms)


class Readings:
    """Append to one partition of city.readings under one plan.

    `clock` (ms) is the log time of what brings none; on a player's clock (`player` set) every append must bring it.
    When detect has more than `backlog_bytes` before it, readings are refused for a while.
    """

    def __init__(
        self,
        journal: Journal,
        partition: int,
        digest: str,
        *,
        clock: Callable[[], int],
        player: bool,
        backlog: Backlog,
        backlog_bytes: int,
    ) -> None:
        self._journal = journal
        self._partition = partition
        self._digest = digest
        self._clock = clock
        self._player = player
        self._backlog = backlog
        self._backlog_bytes = backlog_bytes
        self._lock = threading.Lock()
        self._plan, self._plan_time = self._last_plan()

    def append(
        self, values: Sequence[bytes], *, keys: Sequence[str | None] | None = None, log_time: int | None = None
    ) -> Appended:
        """Append records (each a reading or a frame) and return once they are durable.

        Raises Overloaded (nothing was stored), LogTimeMissing on a player's clock, and what the journal raises.
        """
        if not values:
            return Appended(1, 0, 0)
        waiting = self._backlog.bytes
        if waiting > self._backlog_bytes:
            raise Overloaded(5, f"detect has {waiting >> 20} MiB of readings before it")
        entries = [Entry(value, key, log_time) for value, key in zip(values, keys or [None] * len(values), strict=True)]
        return self.submit(entries, log_time, must=False).result()[0]

    def tick(self, t_ms: int) -> Appended:
        """Append a tick and return once it is durable."""
        return self.submit([tick_record(t_ms)], t_ms, must=True).result()[0]

    def announce(self, t_ms: int) -> None:
        """Append the plan record if the partition does not stand under this plan yet."""
        if self._plan != self._digest:
            self.submit([], t_ms, must=True).result()

    def submit(self, entries: Sequence[Entry], log_time: int | None, *, must: bool) -> Future[list[Appended]]:
        """Queue records, a plan record first where one is due."""
        if log_time is None and self._player:
            raise LogTimeMissing("on a player's clock (--log-time record) every record must bring its log time")
        with self._lock:
            now = self._clock() if log_time is None else log_time
            if self._plan == self._digest and now - self._plan_time < REPEAT_MS:
                return self._commit(entries, [], must)
            t_ms = max(now, self._journal.last_log_time(Stream.READINGS, self._partition))
            first = CursorMove("plan", self._partition, None, None)
            done = self._commit([plan_record(self._digest, t_ms), *entries], [first], must)
            self._plan, self._plan_time = self._digest, t_ms
        done.add_done_callback(self._forget_if_failed)
        return done

    def _commit(self, entries: Sequence[Entry], cursors: Sequence[CursorMove], must: bool) -> Future[list[Appended]]:
        done = self._journal.commit([Append(Stream.READINGS, self._partition, entries)], cursors, must=must)
        size = sum(len(entry.value) for entry in entries)

        def count(done: Future[list[Appended]]) -> None:
            if done.exception() is None:
                self._backlog.appended(done.result()[0].last_offset, size)

        done.add_done_callback(count)
        return done

    def _forget_if_failed(self, done: Future[list[Appended]]) -> None:
        if done.exception() is not None:
            self._plan = None

    def _last_plan(self) -> tuple[str | None, int]:
        position = self._journal.cursor("plan", self._partition)
        if position < self._journal.start(Stream.READINGS, self._partition):
            return None, 0
        found = self._journal.read(Stream.READINGS, self._partition, position - 1, limit_bytes=1, upto=position)
        record = orjson.loads(found.values[0])
        return str(record["digest"]), int(found.log_time[0])


def frames_that_fit(frame: bytes, readings: int) -> list[bytes]:
    """Split a frame that would pass a record's limit once each of its readings carries its log time (an export).

    What cannot be split stays whole: detect rejects it as it would have.
    """
    if len(frame) + readings * LOG_TIME_BYTES <= LARGEST_RECORD_BYTES:
        return [frame]
    try:
        parts = split(frame)
    except Refusal:
        return [frame]
    texts = [frame[first:after] for first, after in parts.spans]
    if not parts.framed or len(texts) < 2:
        return [frame]
    middle = len(texts) // 2
    return [b"[" + b",".join(half) + b"]" for half in (texts[:middle], texts[middle:])]
