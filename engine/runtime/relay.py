"""The one relay of the outbox: gives positions after commit, copies to city.cases, wakes who listens.

Positions and offsets of city.cases rise together; the cursor `relay` moves in the commit of the copy, so that each
message is in the stream once. Subscribers read from the store by position: a slow one costs nothing here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from engine.casework.service import Casework, OutboxRow
from engine.runtime.crashpoints import CrashPoint, crash_point
from engine.runtime.listeners import Listeners
from engine.runtime.log import Append, CursorMove, Entry, Log, Stream

READER = "relay"
BATCH = 1000
IDLE_S = 0.25


class Relay:
    """Relay what casework and people's moves put into the outbox.

    `clock` gives the log time in ms of city.cases on a player's clock; None: the log's own clock does.
    """

    def __init__(self, log: Log, casework: Casework, clock: Callable[[], int] | None = None) -> None:
        self._log = log
        self._casework = casework
        self._clock = clock
        self._work = threading.Event()
        self._listeners = Listeners()
        self.position = log.cursor(READER, 0)

    def wake(self) -> None:
        """Say that there may be new rows; from any thread."""
        self._work.set()

    def run(self, stopping: threading.Event) -> None:
        """Relay until `stopping` is set; also without being woken, every quarter of a second."""
        while not stopping.is_set():
            self._work.wait(IDLE_S)
            self._work.clear()
            while self.step():
                pass

    def step(self) -> bool:
        """Give positions and publish what has one; False when there was nothing."""
        crash_point(CrashPoint.RELAY_BEFORE)
        if self._casework.assign_positions(BATCH):
            crash_point(CrashPoint.RELAY_AFTER)
        rows = self._casework.read_outbox(self.position, BATCH)
        if not rows:
            return False
        log_time = self._clock() if self._clock else None
        entries = [Entry(row.payload, row.case, log_time) for row in rows]
        move = CursorMove(READER, 0, self.position, rows[-1].position)
        self._log.commit([Append(Stream.CASES, 0, entries)], [move]).result()
        crash_point(CrashPoint.RELAY_PUBLISHED)
        self.position = rows[-1].position
        self._listeners.tell()
        return True

    def idle(self) -> bool:
        """Tell whether everything in the outbox has been published."""
        return not self._casework.counts().outbox_pending and not self._casework.read_outbox(self.position, 1)

    # ---- for subscribers

    def read(self, after: int, limit: int) -> Sequence[OutboxRow]:
        """Return published messages with a position above `after`, ascending."""
        return [row for row in self._casework.read_outbox(after, limit) if row.position <= self.position]

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` (it returns at once) after each publication; return what ends that."""
        return self._listeners.subscribe(listener)
