"""The whole engine in one process on one data folder: journal → detect → casework → relay.

journal.db       the log (journal.py)
checkpoints.db   detect's state (checkpoints.py)
cases.db         the case store (engine.casework)
lock             whose folder it is
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sqlalchemy.exc import DBAPIError

from engine.casework.plans import StoredPlans
from engine.casework.service import AlertRecord, Applied, Casework, Settings
from engine.casework.store import Store, upgrade
from engine.casework.trimming import KEEP_MS, let_go, told
from engine.clock import wall_clock_ms
from engine.detect.batch import RecordBatch
from engine.detect.last_values import LastValue
from engine.detect.output import Output
from engine.runtime.backlog import Backlog
from engine.runtime.caseworking import Caseworking
from engine.runtime.checkpoints import CHUNK_BYTES, LEAST_INTERVAL_S, open_checkpoints
from engine.runtime.crashpoints import CrashPoint, crash_point
from engine.runtime.detecting import READER, WAITING_BYTES, Detecting
from engine.runtime.journal import Journal
from engine.runtime.keeping import Keeping
from engine.runtime.lock import FolderLock
from engine.runtime.log import Stream
from engine.runtime.plans import JournalPlans
from engine.runtime.readings import Readings
from engine.runtime.relay import Relay
from engine.runtime.retention import Retention, Trimmer, rebuild_ms
from engine.runtime.sensors import LastKnown
from engine.runtime.sqlite import fault_of
from engine.runtime.ticker import tick_until
from engine.runtime.watch import OnDeath, Threads, end_process
from rules.plan import Plan

PARTITION = 0
BEHIND_S = 5.0
_log = logging.getLogger(__name__)


class Observer(Protocol):
    """Who counts what the engine does, after each commit; called from the engine's threads."""

    def detected(self, batch: RecordBatch, output: Output, last: Sequence[LastValue], seconds: float) -> None:
        """Take note of one step of detect."""
        ...

    def checkpointed(self, seconds: float, size_bytes: int) -> None:
        """Take note of one checkpoint."""
        ...

    def applied(self, records: Sequence[AlertRecord], applied: Applied, seconds: float) -> None:
        """Take note of one batch of casework."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of memory and disk. `queue_bytes` wait for the journal's writer, `backlog_bytes` for detect, and
    `waiting_bytes` in detect for their order.

    `checkpoint_s` and `chunk_bytes` are what checkpoints.py says; a test may want them small.
    """

    queue_bytes: int = 64 << 20
    backlog_bytes: int = 512 << 20
    waiting_bytes: int = WAITING_BYTES
    retention_age_ms: int = 30 * 86_400_000
    retention_bytes: int = 20 << 30
    checkpoint_s: float = LEAST_INTERVAL_S
    chunk_bytes: int = CHUNK_BYTES


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the engine is: times in ms, `waiting` records and `behind_s` seconds that detect is behind."""

    ready: bool
    alive: bool
    clock_ms: int | None
    log_ms: int | None
    waiting: int
    behind_s: float
    overloaded: bool
    faults: tuple[str, ...]


class Embedded:
    """One engine on one folder under one plan.

    Opening raises what errors.py calls Refused or TryAgain; then nothing was started. `player`: the log runs on a
    player's clock, who brings the log time of every record and writes the ticks. `destinations` are the names of those
    who are told of messages beside the log: none is let go of before they had it.
    """

    def __init__(
        self,
        folder: Path,
        plan: Plan,
        observers: Sequence[Observer] = (),
        *,
        player: bool = False,
        limits: Limits = Limits(),
        clock: Callable[[], int] = wall_clock_ms,
        on_death: OnDeath = end_process,
    ) -> None:
        self.folder = folder
        self.plan = plan
        self.player = player
        self.destinations: Sequence[str] = ()
        self._clock = clock
        self._limits = limits
        self._observers = tuple(observers)
        self._threads = Threads(lambda name, error: on_death(name, self._named(error)))
        self._closing = ExitStack()
        with ExitStack() as opened:
            try:
                self._open(opened)
            except DBAPIError as error:
                raise self._named(error) from error
            self._closing = opened.pop_all()

    def _named(self, error: BaseException) -> BaseException:
        """Turn what the database under the case store says into a fault that names the file and what to do."""
        if isinstance(error, DBAPIError) and isinstance(error.orig, sqlite3.Error):
            return fault_of(self.folder / "cases.db", error.orig)
        return error

    def _open(self, opened: ExitStack) -> None:
        lock = FolderLock(self.folder)
        opened.callback(lock.release)
        log_clock = (lambda: 0) if self.player else self._clock
        self.journal = Journal(self.folder / "journal.db", clock=log_clock, queue_bytes=self._limits.queue_bytes)
        opened.callback(self.journal.close)
        self.journal.agree_on_clock("record" if self.player else "commit")
        self.plans = JournalPlans(self.journal)
        self.plans.store(self.plan)
        path, limits = self.folder / "checkpoints.db", self._limits
        checkpoints = open_checkpoints(path, self.journal.identity, chunk_bytes=limits.chunk_bytes)
        opened.callback(checkpoints.close)
        self.store = Store.open(self.folder / "cases.db")
        opened.callback(self.store.close)
        upgrade(self.store)
        stored = StoredPlans(self.store)
        stored.add(self.plan, t_ms=self._clock())
        self.casework = Casework(
            self.store,
            stored,
            Settings(partitions=1),
            before_commit=lambda: crash_point(CrashPoint.CASEWORK_BEFORE),
            after_commit=lambda: crash_point(CrashPoint.CASEWORK_AFTER),
        )
        self.sensors = LastKnown()
        self.relay = Relay(self.journal, self.casework, self.now_ms if self.player else None)
        self._caseworking = Caseworking(self.journal, self.casework, self, self.relay.wake)
        judged = self.journal.cursor(READER, PARTITION)
        end = self.journal.end(Stream.READINGS, PARTITION)
        waiting = self.journal.bytes_after(Stream.READINGS, PARTITION, judged)
        self.backlog = Backlog(end, judged, waiting)
        self.intake = Readings(
            self.journal,
            PARTITION,
            self.plan.digest,
            clock=self._clock,
            player=self.player,
            backlog=self.backlog,
            backlog_bytes=self._limits.backlog_bytes,
        )
        self._detecting = Detecting(
            self.journal,
            PARTITION,
            self.plans,
            checkpoints,
            self,
            player=self.player,
            waiting_bytes=limits.waiting_bytes,
            checkpoint_s=limits.checkpoint_s,
        )

    # ---- life

    def start(self) -> None:
        """Start the threads; the readings log then stands under the plan (a player's: with its first record)."""
        stopping = self._threads.stopping
        if not self.player:
            self.intake.announce(self._clock())
            self._threads.start("ticker", lambda: tick_until(stopping, [self.intake], self._clock))
        self.watch(self.journal.thread)
        self._threads.start("watch", self._threads.watching)
        self._threads.start("detect", lambda: self._detecting.run(stopping))
        self._threads.start("casework", lambda: self._caseworking.run(stopping))
        self._threads.start("relay", lambda: self.relay.run(stopping))
        self._threads.start("values", lambda: Keeping(self.journal, self.casework).run(stopping))
        threading.Thread(target=self.sensors.remember, args=(self.journal, stopping), name="last values").start()
        self._threads.start("retention", lambda: self._trimmer().run(stopping))

    def watch(self, thread: threading.Thread) -> None:
        """End the process too when this thread of somebody else ends before `stop`."""
        self._threads.watch(thread)

    def stopping(self) -> None:
        """Say that the end begins: from now on a thread may end."""
        self._threads.stopping.set()

    def stop(self, timeout_s: float = 30.0) -> None:
        """End the threads (detect writes a last checkpoint), flush and close every file; twice does nothing more."""
        self._threads.stopping.set()
        self.relay.wake()
        left = self._threads.join(timeout_s)
        if left:
            _log.error("still at work after %g s: %s", timeout_s, ", ".join(left))
        self._closing.close()

    def drain(self, timeout_s: float) -> bool:
        """Wait until everything appended so far is judged, applied and relayed; False when the time is up."""
        deadline = time.monotonic() + timeout_s
        pause = threading.Event()
        while not self._idle():
            if time.monotonic() > deadline or not self.alive():
                return False
            pause.wait(0.02)
        return True

    def _idle(self) -> bool:
        journal = self.journal
        return (
            journal.cursor(READER, PARTITION) == journal.end(Stream.READINGS, PARTITION)
            and not self.backlog.records
            and self._caseworking.position == journal.end(Stream.ALERTS, 0)
            and self.relay.idle()
        )

    def alive(self) -> bool:
        """Return False once a thread of the engine has ended that must not."""
        return self._threads.alive()

    def _trimmer(self) -> Trimmer:
        limits = self._limits
        keep = Retention(limits.retention_age_ms, limits.retention_bytes, rebuild_ms(self.plan))
        return Trimmer(
            self.journal,
            keep,
            readings_done=lambda: self._detecting.needed_from,
            alerts_done=lambda: self._caseworking.position,
            messages=self.forget,
        )

    def forget(self) -> int:
        """Let go of messages that everybody had, after a week or as long as the log keeps records; return how many."""
        had = self.relay.position
        if self.destinations:
            had = min(had, told(self.store, self.destinations))
        return let_go(self.store, had, now_ms=self.now_ms(), keep_ms=min(KEEP_MS, self._limits.retention_age_ms))

    # ---- what is going on

    def now_ms(self) -> int:
        """Return the time of people's moves: the machine's clock, or on a player's clock casework's C."""
        if not self.player:
            return self._clock()
        return self.casework.clock() or self.journal.last_log_time(Stream.READINGS, PARTITION)

    def progress(self) -> Progress:
        """Return how far the engine is; cheap."""
        alive, behind_s = self.alive(), self.backlog.behind_s()
        dead = self._threads.dead
        faults = [f"{dead[0]}: {dead[1]}"] if dead else []
        if self._detecting.fault:
            faults.append(self._detecting.fault)
        return Progress(
            ready=alive and behind_s < BEHIND_S and not faults,
            alive=alive,
            clock_ms=self.casework.clock(),
            log_ms=self.journal.last_log_time(Stream.READINGS, PARTITION) or None,
            waiting=self.backlog.records,
            behind_s=behind_s,
            overloaded=self.backlog.bytes > self._limits.backlog_bytes or self.journal.is_full(),
            faults=tuple(faults),
        )

    # ---- what the loops tell

    def detected(self, batch: RecordBatch, output: Output, last: Sequence[LastValue], seconds: float) -> None:
        """Pass on one step of detect."""
        self.backlog.judged(int(batch.offset[-1]), int(batch.end[-1] - batch.start[0]))
        self.sensors.learn(last)
        for observer in self._observers:
            observer.detected(batch, output, last, seconds)

    def checkpointed(self, seconds: float, size_bytes: int) -> None:
        """Pass on one checkpoint."""
        for observer in self._observers:
            observer.checkpointed(seconds, size_bytes)

    def applied(self, records: Sequence[AlertRecord], applied: Applied, seconds: float) -> None:
        """Pass on one batch of casework."""
        for observer in self._observers:
            observer.applied(records, applied, seconds)
