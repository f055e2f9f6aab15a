"""How many partitions city.readings had when it was first met, and those that were added since."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from engine.runtime.errors import BrokerAway
from engine.runtime.gaps import unread
from engine.runtime.kafka.checkpoints import Checkpoints
from engine.runtime.kafka.client import Connection
from engine.runtime.kafka.topics import describe
from engine.runtime.log import Stream

Database = Callable[..., Awaitable[Any]]


class Partitions:
    """Those agreed on in the database, and, as of the last `count`, those that nobody accepted."""

    def __init__(self, connection: Connection, topic: str, checkpoints: Checkpoints, database: Database) -> None:
        self._connection = connection
        self._topic = topic
        self._checkpoints = checkpoints
        self._database = database
        self._agreed: int | None = None
        self.unread: list[int] = []

    @property
    def known(self) -> int:
        """Return how many were agreed on, 0 before that was asked."""
        return self._agreed or 0

    async def agreed(self) -> int:
        """Return how many the log had when it was first met. StoreAway, BrokerAway."""
        if self._agreed is None:
            self._agreed = (await self._database(self._checkpoints.agree, await self._now(), None)).partitions
        return self._agreed

    async def count(self) -> int:
        """Return how many the log has, 0 while those are the ones agreed on. StoreAway, BrokerAway."""
        now = await self._now()
        if self._agreed is None or now <= self._agreed:
            return 0
        self.unread = unread(await self._database(self._checkpoints.gaps), Stream.READINGS, self._agreed, now)
        return now

    async def _now(self) -> int:
        found = await describe(self._connection, [self._topic])
        if self._topic not in found:
            raise BrokerAway(f"no topic {self._topic}; `tongguan topics create` makes it")
        return found[self._topic].partitions
