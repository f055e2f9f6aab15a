"""The one relay of the outbox: gives positions after commit, and lets destinations be told in their order.

One worker relays at a time, under a lease.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import TypeVar

from engine.casework.errors import StoreAway
from engine.casework.outbox import OutboxRow
from engine.casework.service import Casework
from engine.runtime.crashpoints import CrashPoint, crash_point
from engine.runtime.kafka.sending import Record, Sender
from engine.runtime.notify.telling import IDLE_S, Sent, Telling

_T = TypeVar("_T")
_log = logging.getLogger(__name__)

Headers = Callable[[OutboxRow], tuple[tuple[str, bytes], ...]]


class CasesTopic:
    """city.cases: key case id, one partition a case, so in order a case."""

    def __init__(self, sender: Sender, topic: str, headers: Headers) -> None:
        self.name = "city.cases"
        self.from_start = True
        self._sender = sender
        self._topic = topic
        self._headers = headers

    async def send(self, rows: Sequence[OutboxRow]) -> Sent:
        """Write all of them."""
        await self._sender.send(
            [Record(self._topic, row.payload, row.case.encode(), headers=self._headers(row)) for row in rows]
        )
        return Sent(len(rows))

    async def close(self) -> None:
        """Let go of the producer."""
        await self._sender.stop()


class Relay:
    """Number the outbox and let its destinations be told; `run` is to be called under a lease."""

    def __init__(self, casework: Casework, telling: Telling, threads: Executor) -> None:
        self._casework = casework
        self._threads = threads
        self._work = asyncio.Event()
        self.telling = telling

    def wake(self) -> None:
        """Say that there may be new messages; in the loop's thread."""
        self._work.set()

    async def run(self) -> None:
        """Relay until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._number())
            group.create_task(self.telling.run())

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
            await self.telling.published(last)
            try:
                await asyncio.wait_for(self._work.wait(), IDLE_S)
            except TimeoutError:
                continue
            self._work.clear()

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
