"""Which plan is in force: set by one command, written into every partition of the readings log, repeated hourly.

The database names the plan (table plan_now); records of it are written under a lock on that row, and always of the plan
that the row names. So a repetition cannot bring an old plan back, and a command that died between the row and the
records is finished by the next repetition.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from engine.casework import schema
from engine.casework.errors import StoreAway
from engine.casework.log_schema import plan_now
from engine.casework.plans import StoredPlans
from engine.casework.store import Store
from engine.runtime.errors import Refused, TryAgain
from engine.runtime.kafka.sending import Record, Sender
from engine.runtime.readings import PLAN_KEY, plan_record
from rules.errors import PlanUnreadable
from rules.plan import Plan

KEPT = 4
REPEAT_S = 3_600.0
LOOK_S = 10.0
WRITE_S = 10.0  # shorter than the database lets a transaction stand still
_NOW = "plan"
_log = logging.getLogger(__name__)


class NoPlanStored(Refused):
    """A plan that the database has not got."""


class DatabasePlans:
    """The plans of the database; satisfies detect's PlanSource. Any thread may ask; StoreAway is passed on.

    A plan that this release cannot read (of other semantics) is as good as missing: `unreadable` says why.
    """

    def __init__(self, store: Store) -> None:
        self._stored = StoredPlans(store)
        self._known: dict[str, Plan] = {}
        self._lock = threading.Lock()
        self.unreadable: dict[str, str] = {}

    def get(self, digest: str) -> Plan | None:
        """Return the plan of a digest, None if the database has not got it or this release does not know its words."""
        with self._lock:
            if digest in self._known:
                return self._known[digest]
        try:
            plan = self._stored.plan(digest)
        except PlanUnreadable as fault:
            if digest not in self.unreadable:
                _log.error(
                    "plan %s: %s; partitions under it are left to workers of another release", digest[:12], fault
                )
            self.unreadable[digest] = str(fault)
            return None
        if plan is None or plan.digest != digest:
            return None
        self.unreadable.pop(digest, None)
        with self._lock:
            self._known[digest] = plan
            while len(self._known) > KEPT:
                del self._known[next(iter(self._known))]
        return plan


@dataclass(frozen=True, slots=True)
class Now:
    """The plan in force, since when (ms), and who set it."""

    digest: str
    set_t: int
    actor: str


def plan_in_force(store: Store) -> Now | None:
    """Return what plan_now says. Raises StoreAway."""
    columns = (plan_now.c.digest, plan_now.c.set_t, plan_now.c.actor)
    with store.read() as db:
        row = db.execute(select(*columns).where(plan_now.c.name == _NOW)).first()
    return Now(*row) if row is not None else None


def name_plan(store: Store, plan: Plan, actor: str, t_ms: int) -> bool:
    """Store a plan and name it as the one in force, audited; False when it was so already."""
    StoredPlans(store).add(plan, t_ms=t_ms)
    with store.write() as db:
        before = _locked_digest(db)
        row = {"digest": plan.digest, "set_t": t_ms, "actor": actor}
        if before is None:
            db.execute(insert(plan_now), [{"name": _NOW, **row}])
        elif before == plan.digest:
            return False
        else:
            db.execute(update(plan_now).where(plan_now.c.name == _NOW).values(**row))
        detail = f"before: {before or 'none'}"
        said = {"t": t_ms, "actor": actor, "action": "plan.set", "subject": plan.digest, "detail": detail}
        db.execute(insert(schema.audit), [said])
    return True


def _locked_digest(db: Connection) -> str | None:
    found: str | None = db.execute(
        select(plan_now.c.digest).where(plan_now.c.name == _NOW).with_for_update()
    ).scalar_one_or_none()
    return found


LogTimes = Callable[[list[int]], Awaitable[list[int]]]
"""Give the log time (ms) of a record to be written to each of these partitions."""


class PlanWriter:
    """Write records of the plan in force into every partition of `topic` (city.readings)."""

    def __init__(self, store: Store, sender: Sender, topic: str, log_times: LogTimes, threads: Executor) -> None:
        self._store = store
        self._sender = sender
        self._topic = topic
        self._log_times = log_times
        self._threads = threads

    async def write(self) -> tuple[str, int]:
        """Write them, durable on return; return the digest and the number of partitions.

        Raises NoPlanStored when none was ever set, StoreAway and BrokerAway.
        """
        partitions = await self._sender.partitions(self._topic)
        times = await self._log_times(partitions)
        loop = asyncio.get_running_loop()

        def in_turn() -> str:
            with self._turn() as digest:
                records = [
                    Record(self._topic, plan_record(digest, t).value, PLAN_KEY.encode(), partition, t)
                    for partition, t in zip(partitions, times, strict=True)
                ]
                writing = asyncio.run_coroutine_threadsafe(self._sender.send(records), loop)
                writing.result(WRITE_S + 2.0)
            return digest

        digest = await loop.run_in_executor(self._threads, in_turn)
        return digest, len(partitions)

    @contextlib.contextmanager
    def _turn(self) -> Iterator[str]:
        """Hold the row that names the plan; nobody can name another one meanwhile."""
        with self._store.beside() as db:
            digest = _locked_digest(db)
            if digest is None:
                raise NoPlanStored("no plan is in force; set one with `tongguan plan set`")
            yield digest


class Repeater:
    """Repeat the plan hourly, and at once when another one was named, while `owns` says that it is our turn."""

    def __init__(
        self, store: Store, writer: PlanWriter, owns: Callable[[], bool], clock: Callable[[], float], threads: Executor
    ) -> None:
        self._store = store
        self._writer = writer
        self._owns = owns
        self._clock = clock
        self._threads = threads
        self._written: tuple[str, float] | None = None

    async def run(self) -> None:
        """Look every ten seconds until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            if not self._owns():
                self._written = None
                continue
            try:
                await self.step()
            except (StoreAway, TryAgain) as fault:
                _log.warning("the plan is not repeated now: %s", fault)

    async def step(self) -> bool:
        """Write the plan if it is due."""
        now = await asyncio.get_running_loop().run_in_executor(self._threads, plan_in_force, self._store)
        if now is None:
            return False
        if self._written is not None and self._written[0] == now.digest and self._clock() - self._written[1] < REPEAT_S:
            return False
        digest, partitions = await self._writer.write()
        self._written = digest, self._clock()
        _log.info("plan %s is repeated in %d partitions", digest[:12], partitions)
        return True
