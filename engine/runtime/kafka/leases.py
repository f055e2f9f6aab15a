"""One worker at a time: a lease in the database, by the database's clock; a dead worker's runs out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor

from sqlalchemy import ColumnElement, func, or_, type_coerce
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.types import BigInteger

from engine.casework.errors import StoreAway
from engine.casework.log_schema import lease
from engine.casework.store import Store
from engine.runtime.errors import TryAgain

_log = logging.getLogger(__name__)


class Lease:
    """The right to do one thing, held for `seconds` after each `renew`."""

    def __init__(self, store: Store, name: str, holder: str, *, seconds: float = 10.0) -> None:
        self._store = store
        self._name = name
        self._holder = holder
        self._seconds = seconds
        self._until = 0.0

    @property
    def held(self) -> bool:
        """Tell whether it is ours still; by this machine's clock, and no longer than the database grants it."""
        return time.monotonic() < self._until

    def renew(self) -> bool:
        """Take it or keep it; False when another worker has it. Raises StoreAway."""
        asked = time.monotonic()
        mine = {"holder": self._holder, "until_t": _now_ms() + int(self._seconds * 1000)}
        free = or_(lease.c.holder == self._holder, lease.c.until_t <= _now_ms())
        taking = insert(lease).values(name=self._name, **mine)
        taking = taking.on_conflict_do_update(index_elements=[lease.c.name], set_=mine, where=free)
        with self._store.beside() as db:
            got = db.execute(taking.returning(lease.c.name)).first() is not None
        self._until = asked + self._seconds if got else 0.0
        return got

    def give_up(self) -> None:
        """Let another worker have it at once. Raises StoreAway."""
        self._until = 0.0
        ours = (lease.c.name == self._name) & (lease.c.holder == self._holder)
        with self._store.beside() as db:
            db.execute(lease.delete().where(ours))


def _now_ms() -> ColumnElement[int]:
    return type_coerce(func.floor(func.extract("epoch", func.clock_timestamp()) * 1000), BigInteger)


class UnderLease:
    """Do some work while a lease is held; another worker's death, or ours, moves it."""

    def __init__(self, lease: Lease, what: str, work: Callable[[], Awaitable[None]], threads: Executor) -> None:
        self._lease = lease
        self._what = what
        self._work = work
        self._threads = threads
        self.held = False

    async def run(self, *, period_s: float = 3.0) -> None:
        """Try to get the lease and work under it until cancelled; what the work raises for good passes through."""
        working: asyncio.Task[None] | None = None
        try:
            while True:
                await self._renew()
                if self.held and working is None:
                    _log.info("%s: this worker does it now", self._what)
                    working = asyncio.ensure_future(self._work())
                elif not self.held and working is not None:
                    _log.warning("%s: left to another worker", self._what)
                    await _ended(working)
                    working = None
                if working is None:
                    await asyncio.sleep(period_s)
                else:
                    await asyncio.wait([working], timeout=period_s)
                    if working.done():
                        working.result()
                        raise RuntimeError(f"{self._what} ended by itself")
        finally:
            if working is not None:
                await _ended(working)
                await self._leave()

    async def _renew(self) -> None:
        try:
            self.held = await asyncio.get_running_loop().run_in_executor(self._threads, self._lease.renew)
        except (StoreAway, TryAgain) as fault:
            if self.held and not self._lease.held:
                _log.warning("%s: %s", self._what, fault)
            self.held = self._lease.held

    async def _leave(self) -> None:
        try:
            async with asyncio.timeout(2.0):
                await asyncio.get_running_loop().run_in_executor(self._threads, self._lease.give_up)
        except (StoreAway, TimeoutError) as fault:
            _log.info("%s: the lease runs out by itself (%s)", self._what, fault)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled() and task.exception() is not None:
        _log.warning("ended with %s", task.exception())
