"""Telling destinations of what was published, each in order and at its own pace: a dead one delays nobody.

Each destination has a cursor of its own (table destination) and a task of its own. The cursor moves behind what was
taken, together with its receipts; a crash between tells a message again, under the same id.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from engine.casework.bulk import insert_rows
from engine.casework.errors import StoreAway
from engine.casework.log_schema import destination
from engine.casework.outbox import OutboxRow
from engine.casework.receipts import keep
from engine.casework.service import Casework
from engine.clock import wall_clock_ms
from engine.runtime.crashpoints import CrashPoint, crash_point
from engine.runtime.errors import RuntimeFault

BATCH = 500
IDLE_S = 0.25
LONGEST_PAUSE_S = 300.0
_T = TypeVar("_T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of telling: how many messages, from the first, are done with; the tries; why the next one is not
    (empty: nothing is wrong); and how long to wait at least."""

    done: int
    receipts: Sequence[dict[str, Any]] = field(default=())
    fault: str = ""
    pause_ms: int = 0


class Destination(Protocol):
    """Where messages go. A new one begins with the first message ever (`from_start`) or with the next."""

    name: str
    from_start: bool

    async def send(self, rows: Sequence[OutboxRow]) -> Sent:
        """Tell messages in order. Raises a RuntimeFault when not even the first was taken."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


@dataclass(slots=True)
class Progress:
    """How far a destination is told; `failed` times in a row without success, `detail` the last fault."""

    position: int = 0
    failed: int = 0
    next_t: int = 0
    detail: str = ""


class Telling:
    """Tell destinations while `still_ours` says that it is our turn."""

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
        self._store = casework.store
        self._destinations = destinations
        self._ours = still_ours
        self._threads = threads
        self._first_pause_s = first_pause_s
        self._given = asyncio.Condition()
        self._last = 0
        self.progress = {one.name: Progress() for one in destinations}

    def waiting(self, name: str) -> int:
        """Return how many messages a destination has not been told."""
        return max(0, self._last - self.progress[name].position)

    async def published(self, last: int) -> None:
        """Say that there are messages up to this position."""
        if last != self._last:
            self._last = last
            async with self._given:
                self._given.notify_all()

    async def run(self) -> None:
        """Tell until cancelled."""
        async with asyncio.TaskGroup() as group:
            for one in self._destinations:
                group.create_task(self._tell(one))

    async def _tell(self, one: Destination) -> None:
        """Tell one destination everything, however long that takes."""
        progress = self.progress[one.name]
        try:
            await self.patiently(lambda: self._load(one, progress))
            while True:
                await self._until_due(progress)
                rows = await self.patiently(lambda: self._casework.read_outbox(progress.position, BATCH))
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
            sent = await one.send(rows)
        except RuntimeFault as fault:
            sent = Sent(0, fault=str(fault))
        if sent.done:
            crash_point(CrashPoint.RELAY_PUBLISHED)
            if progress.failed:
                _log.info("%s: takes messages again", one.name)
            progress.position = rows[sent.done - 1].position
            progress.failed, progress.next_t, progress.detail = 0, 0, ""
        if sent.fault:
            self._note_failure(one, progress, sent.fault)
        if sent.pause_ms:
            progress.next_t = max(progress.next_t, wall_clock_ms() + sent.pause_ms)
        await self.patiently(lambda: self._keep(one, progress, before, sent.receipts))

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
        """Take over the cursor of whoever told before us; a new destination gets one."""
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
        new = {"name": one.name, "position": progress.position, "failed": 0, "next_t": None, "detail": None}
        with self._store.beside() as db:
            insert_rows(db, destination, [new], known=True)

    def _keep(self, one: Destination, progress: Progress, before: int, receipts: Sequence[dict[str, Any]]) -> None:
        """Move the cursor from where we saw it; another's is left alone, and taken over."""
        table = destination.c
        kept = {name: getattr(progress, name) for name in ("position", "failed", "next_t", "detail")}
        swap = update(destination).where(table.name == one.name, table.position == before).values(**kept)
        with self._store.beside() as db:
            keep(db, receipts)
            if db.execute(swap).rowcount == 1:
                return
        _log.warning("%s: another worker tells it", one.name)
        self._load(one, progress)

    async def patiently(self, work: Callable[[], _T]) -> _T:
        """Do something with the database, however long it is away or locked."""
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
            except (StoreAway, OperationalError) as fault:
                _log.debug("telling waits: %s", fault)
                await asyncio.sleep(1.0)
