"""What the API asks for, given by Kafka and PostgreSQL; several processes may serve side by side."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import select

from engine.api.services import Judged, Overloaded, Status, StreamEvent, Unavailable
from engine.casework.errors import StoreAway
from engine.casework.log_schema import checkpoint_head
from engine.casework.service import Casework
from engine.clock import wall_clock_ms
from engine.commands.in_force import RunningPlan
from engine.commands.services import event_of
from engine.runtime import errors
from engine.runtime.gaps import Gap, banner, unread
from engine.runtime.kafka.accepted import accepted, agreed
from engine.runtime.kafka.bounds import Bounds, Offsets, Watching
from engine.runtime.kafka.homes import Homes
from engine.runtime.kafka.intake import Intake
from engine.runtime.kafka.places import place
from engine.runtime.kafka.refusals import partitions_added
from engine.runtime.listeners import Listeners
from engine.runtime.log import Stream

POLL_S = 0.25
LOOK_S = 1.0
BEHIND_S = 15.0
_log = logging.getLogger(__name__)


class KafkaIntake:
    """Readings to their home partitions; judged first as detect will judge them."""

    def __init__(
        self,
        intake: Intake,
        running: RunningPlan,
        known: Callable[[], int | None],
        log_time: Callable[[], int | None],
    ) -> None:
        """`known` is how many partitions the log had when it was first met: added ones are nobody's home.

        `log_time` gives what records bring with them (ms): on a player's clock its time, else None.
        """
        self._intake = intake
        self._running = running
        self._known = known
        self._log_time = log_time
        self._homes: tuple[str, Homes] | None = None

    def judge(self, body: bytes) -> Judged:
        """Return how many readings a body has and which detect will reject."""
        return self._running.now.judge.judge(body)

    def append(self, body: bytes, readings: int) -> None:  # noqa: ARG002
        """Append a body, a frame for each home partition; durable on return."""
        try:
            self._intake.append(self._homes_now().parts(body), self._log_time())
        except errors.Overloaded as error:
            raise Overloaded(str(error), error.retry_after_s) from error
        except errors.RuntimeFault as error:
            raise Unavailable(str(error)) from error

    def _homes_now(self) -> Homes:
        plan, there = self._running.now.plan, self._intake.partitions
        if there is None:
            raise Unavailable(self._intake.away or "the broker was not reached yet")
        partitions = self._known() or there
        if there < partitions:
            raise Unavailable(f"city.readings has {there} partitions, and had {partitions}: it is another topic")
        homes = self._homes
        if homes is None or homes[0] != plan.digest or homes[1].partitions != partitions:
            homes = self._homes = plan.digest, Homes(plan.registry, partitions)
        return homes[1]


class DatabaseRelay:
    """The outbox as events of the stream; whoever gives positions is another process, so the database is asked."""

    def __init__(self, casework: Casework) -> None:
        self._casework = casework
        self._listeners = Listeners()
        self._first, self._last = casework.positions()

    def run(self, stopping: threading.Event) -> None:
        """Look for new positions until `stopping` is set; with the database away the streams stay open and wait."""
        while not stopping.wait(POLL_S):
            try:
                self._first, last = self._casework.positions()
            except StoreAway:
                continue
            if last != self._last:
                self._last = last
                self._listeners.tell()

    def read(self, after: int, limit: int) -> list[StreamEvent]:
        """Return published events after a position."""
        try:
            return [event_of(row) for row in self._casework.read_outbox(after, limit)]
        except StoreAway:
            return []

    def first(self) -> int:
        """Return the smallest position kept."""
        return self._first

    def last(self) -> int:
        """Return the largest position given: another process may have shown it already, so the database is asked."""
        with suppress(StoreAway):
            return self._casework.positions()[1]
        return self._last

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` when there are new positions."""
        return self._listeners.subscribe(wake)


@dataclass(frozen=True, slots=True)
class Stored:
    """What the database says of the engine, at a moment of the machine's monotonic clock."""

    at_s: float
    clock_ms: int | None
    cursor: int
    heads: Offsets
    log_ms: int | None
    gaps: tuple[Gap, ...]
    partitions: int | None
    """How many the readings had when they were first met."""


class ClusterHealth:
    """How the whole engine is, from the database and the bounds of the log; looked at once a second."""

    def __init__(
        self,
        casework: Casework,
        watching: Watching,
        intake: Intake,
        running: RunningPlan,
        alive: Callable[[], bool],
    ) -> None:
        self._casework = casework
        self._watching = watching
        self._intake = intake
        self._running = running
        self._alive = alive
        self._stored: Stored | None = None
        self._away: str | None = None
        self._refusals: tuple[str, ...] = ()

    def run(self, stopping: threading.Event) -> None:
        """Look until `stopping` is set."""
        while True:
            self._look()
            if stopping.wait(LOOK_S):
                return

    def _look(self) -> None:
        before = self._stored
        try:
            self._stored = self._read()
        except StoreAway as fault:
            if self._away is None:
                _log.warning("%s", fault)
            self._away = str(fault)
            return
        if self._away is not None:
            _log.info("the database answers again")
        self._away = None
        bounds = self._watching.latest()
        # the log must have been looked at later than the database: an older end would seem to be too early
        if before is not None and bounds is not None and bounds.at_s > before.at_s:
            self._refusals = refusals(before, bounds)

    def _read(self) -> Stored:
        at_s = time.monotonic()
        columns = (checkpoint_head.c.partition, checkpoint_head.c.position, checkpoint_head.c.log_time)
        with self._casework.store.read() as db:
            heads = db.execute(select(*columns)).all()
            gaps = accepted(db)
            known = agreed(db)
        return Stored(
            at_s,
            self._casework.clock(),
            self._casework.cursor(),
            {row.partition: row.position for row in heads},
            max((row.log_time for row in heads), default=None),
            gaps,
            known,
        )

    # ---- what the API asks

    def status(self) -> Status:
        """Return the present figures."""
        stored, bounds = self._stored, self._watching.latest()
        judged = judged_by(stored, bounds)
        behind_s = self._watching.behind_s(judged)
        faults = [*self._refusals, *self._absences()]
        reasons = [*faults]
        if behind_s >= BEHIND_S:
            reasons.append(f"检测滞后 {behind_s:.0f} 秒 / detect is {behind_s:.0f} s behind")
        overloaded = self._intake.stuck_s() > self._intake.patience_s
        if overloaded:
            reasons.append("读数过多，暂缓接收 / too many readings, come back later")
        return Status(
            ready=not self._absences() and not overloaded and self._alive(),
            clock_ms=stored.clock_ms if stored else None,
            log_ms=stored.log_ms if stored else None,
            waiting=sum(bounds.waiting(judged).values()) if bounds else 0,
            behind_s=behind_s,
            overloaded=overloaded,
            plan=self._running.now.plan.short,
            reasons=tuple(reasons),
            faults=tuple(faults),
            gaps=banner(stored.gaps, wall_clock_ms()) if stored else (),
        )

    def _absences(self) -> list[str]:
        away = []
        if self._away is not None:
            away.append("数据库无应答，暂不能办理 / the database does not answer")
        if self._intake.away is not None:
            away.append("消息平台无应答，暂不接收读数 / the broker does not answer, no readings are taken")
        return away

    def partitions(self) -> int | None:
        """Return how many partitions the readings had when they were first met, None before that."""
        return self._stored.partitions if self._stored else None

    def waiting(self) -> dict[int, int]:
        """Return how many records of each partition are not judged."""
        bounds = self._watching.latest()
        return bounds.waiting(judged_by(self._stored, bounds)) if bounds else {}

    def alive(self) -> bool:
        """Return False when a thread of this process has ended that must not."""
        return self._alive()


def judged_by(stored: Stored | None, bounds: Bounds | None) -> dict[int, int]:
    """Return how far each partition is known to be judged: a checkpoint, or later what its worker said."""
    judged = dict(stored.heads) if stored else {}
    for partition, position in (bounds.judged if bounds else {}).items():
        judged[partition] = max(position, judged.get(partition, 0))
    return judged


def refusals(stored: Stored, bounds: Bounds) -> tuple[str, ...]:
    """Return what the workers cannot pass over: positions that the log no longer has, with the command that goes on."""
    places = [
        place(Stream.READINGS, partition, position, bounds.first[partition], bounds.end[partition], stored.gaps)
        for partition, position in sorted(stored.heads.items())
        if partition in bounds.end
    ]
    places.append(place(Stream.ALERTS, 0, stored.cursor + 1, bounds.alerts_first, bounds.alerts_end, stored.gaps))
    said = [one.refusal for one in places if one.refusal]
    if stored.partitions is not None:
        added = unread(stored.gaps, Stream.READINGS, stored.partitions, len(bounds.end))
        said += [partitions_added(number, stored.partitions).text for number in added]
    return tuple(said)
