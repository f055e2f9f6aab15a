"""The one relay of the outbox: gives positions after commit, tells each destination in their order.

Each destination has a cursor of its own (table destination) and a task of its own: a dead one delays nobody. The cursor
moves behind what was acknowledged; a crash between tells a message again, under the same id. One worker relays at a
time, under a lease.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol, TypeVar

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from engine.casework.errors import StoreAway
from engine.casework.log_schema import destination
from engine.casework.outbox import OutboxRow
from engine.casework.service import Casework
from engine.casework.store import Store
from engine.clock import wall_clock_ms
from engine.runtime.crashpoints import CrashPoint, crash_point
from engine.runtime.errors import RuntimeFault
from engine.runtime.kafka.sending import Record, Sender
from engine.runtime.kafka.webhooks import NotTaken

BATCH = 500
IDLE_S = 0.25
LONGEST_PAUSE_S = 300.0
_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class Destination(Protocol):
    """Where messages go. A new one begins with the first message ever (`from_start`) or with the next."""

    name: str
    from_start: bool

    async def send(self, rows: Sequence[OutboxRow]) -> int:
        """Tell messages in order; return how many of them, from the first, were acknowledged (at least one).

        Raises NotTaken or a RuntimeFault when not even the first was.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


Headers = Callable[[OutboxRow], tuple[tuple[str, bytes], ...]]


class CasesTopic:
    """city.cases: key case id, one partition a case, so in order a case."""

    def __init__(self, sender: Sender, topic: str, headers: Headers) -> None:
        self.name = "city.cases"
        self.from_start = True
        self._sender = sender
        self._topic = topic
        self._headers = headers

    async def send(self, rows: Sequence[OutboxRow]) -> int:
        """Write all of them."""
        await self._sender.send(
            [Record(self._topic, row.payload, row.case.encode(), headers=self._headers(row)) for row in rows]
        )
        return len(rows)

    async def close(self) -> None:
        """Let go of the producer."""
        await self._sender.stop()


@dataclass(slots=True)
class Progress:
    """How far a destination is told; `failed` times in a row without success, `detail` the last fault."""

    position: int = 0
    failed: int = 0
    next_t: int = 0
    detail: str = ""


class Relay:
    """Relay the outbox to destinations; `run` is to be called under a lease."""

    def __init__(
        self,
        casework: Casework,
        destinations: Sequence[Destination],
        still_ours: Callable[[], bool],
        threads: Executor,
        *,
        first_pause_s: float = 1.0,
    ) -> None:
        self._casework = casework
        self._store: Store = casework.store
        self._destinations = destinations
        self._ours = still_ours
        self._threads = threads
        self._first_pause_s = first_pause_s
        self._work = asyncio.Event()
        self._given = asyncio.Condition()
        self._last = 0
        self.progress = {one.name: Progress() for one in destinations}

    def wake(self) -> None:
        """Say that there may be new messages; in the loop's thread."""
        self._work.set()

    def waiting(self, name: str) -> int:
        """Return how many messages a destination has not been told."""
        return max(0, self._last - self.progress[name].position)

    async def run(self) -> None:
        """Relay until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._number())
            for one in self._destinations:
                group.create_task(self._tell(one))

    async def _number(self) -> None:
        """Give positions to what was committed, and tell the destinations' tasks."""
        while True:
            try:
                crash_point(CrashPoint.RELAY_BEFORE)
                while await self._in_thread(lambda: self._casework.assign_positions(1000)):
                    crash_point(CrashPoint.RELAY_AFTER)
                _, last = await self._in_thread(self._casework.positions)
            except StoreAway as fault:
                _log.debug("the outbox waits: %s", fault)
                await asyncio.sleep(1.0)
                continue
            if last != self._last:
                self._last = last
                async with self._given:
                    self._given.notify_all()
            try:
                await asyncio.wait_for(self._work.wait(), IDLE_S)
            except TimeoutError:
                continue
            self._work.clear()

    async def _tell(self, one: Destination) -> None:
        """Tell one destination everything, however long that takes."""
        progress = self.progress[one.name]
        try:
            await self._again(lambda: self._load(one, progress))
            while True:
                await self._until_due(progress)
                rows = await self._again(lambda: self._casework.read_outbox(progress.position, BATCH))
                if not rows:
                    async with self._given:
                        await self._given.wait_for(lambda: self._last > progress.position)
                elif self._ours():
                    await self._some(one, progress, rows)
                else:
                    await asyncio.sleep(IDLE_S)
        finally:
            await one.close()

    async def _some(self, one: Destination, progress: Progress, rows: Sequence[OutboxRow]) -> None:
        before = progress.position
        try:
            told = await one.send(rows)
            crash_point(CrashPoint.RELAY_PUBLISHED)
        except (NotTaken, RuntimeFault) as fault:
            self._note_failure(one, progress, str(fault))
        else:
            if progress.failed:
                _log.info("%s: takes messages again", one.name)
            progress.position = rows[told - 1].position
            progress.failed, progress.next_t, progress.detail = 0, 0, ""
        await self._again(lambda: self._keep(one, progress, before))

    def _note_failure(self, one: Destination, progress: Progress, why: str) -> None:
        pause = min(self._first_pause_s * 2**progress.failed, LONGEST_PAUSE_S)
        if not progress.failed:
            _log.warning("%s: %s; trying again, others are not delayed", one.name, why)
        progress.failed = min(progress.failed + 1, 60)
        progress.next_t = wall_clock_ms() + int(pause * 1000)
        progress.detail = why[:500]

    @staticmethod
    async def _until_due(progress: Progress) -> None:
        left = (progress.next_t - wall_clock_ms()) / 1000
        if left > 0:
            await asyncio.sleep(min(left, LONGEST_PAUSE_S))

    def _load(self, one: Destination, progress: Progress) -> None:
        """Take over the cursor of the worker before us; a new destination gets one."""
        table = destination.c
        with self._store.beside() as db:
            row = db.execute(
                select(table.position, table.failed, table.next_t, table.detail).where(table.name == one.name)
            ).first()
            if row is not None:
                progress.position, progress.failed = row.position, row.failed
                progress.next_t, progress.detail = row.next_t or 0, row.detail or ""
                return
        progress.position = 0 if one.from_start else self._casework.positions()[1]
        with self._store.beside() as db:
            new = insert(destination).values(name=one.name, position=progress.position, failed=0)
            db.execute(new.on_conflict_do_nothing())

    def _keep(self, one: Destination, progress: Progress, before: int) -> None:
        """Move the cursor from where we saw it; another worker's is left alone, and taken over."""
        table = destination.c
        kept = {name: getattr(progress, name) for name in ("position", "failed", "next_t", "detail")}
        swap = update(destination).where(table.name == one.name, table.position == before).values(**kept)
        with self._store.beside() as db:
            if db.execute(swap).rowcount == 1:
                return
        _log.warning("%s: another worker tells it", one.name)
        self._load(one, progress)

    async def _again(self, work: Callable[[], _T]) -> _T:
        """Do something with the database, however long it is away."""
        while True:
            try:
                return await self._in_thread(work)
            except StoreAway as fault:
                _log.debug("the relay waits: %s", fault)
                await asyncio.sleep(1.0)

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
