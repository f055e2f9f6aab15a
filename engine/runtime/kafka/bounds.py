"""Where the log begins and ends and how far the workers are, looked at once a second, for whoever shows it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiokafka import TopicPartition
from aiokafka import errors as kafka_errors

from engine.runtime.kafka.client import Connection

PERIOD_S = 1.0
ANSWER_S = 15.0
KEPT = 600
_log = logging.getLogger(__name__)

Offsets = Mapping[int, int]
"""By partition, the next offset."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """One look. `first` and `end` of the readings, `alerts_first` and `alerts_end` of city.alerts/0; `judged` is what
    the workers said of themselves, and may be a moment old."""

    at_s: float
    first: Offsets = field(default_factory=dict)
    end: Offsets = field(default_factory=dict)
    judged: Offsets = field(default_factory=dict)
    alerts_first: int = 0
    alerts_end: int = 0

    def waiting(self, judged: Offsets) -> dict[int, int]:
        """Return how many records of each partition are not judged, given how far it is known to be."""
        return {p: max(0, end - max(judged.get(p, 0), self.first.get(p, 0))) for p, end in self.end.items()}


def behind_s(looks: Sequence[Bounds], judged: Offsets) -> float:
    """Return the age of the oldest record that is not judged, from looks in order; of older ones, that of the first."""
    if not looks or not any(looks[-1].waiting(judged).values()):
        return 0.0
    behind = 0.0
    for partition in looks[-1].end:
        reached = (look for look in reversed(looks) if look.end.get(partition, 0) <= judged.get(partition, 0))
        behind = max(behind, looks[-1].at_s - next(reached, looks[0]).at_s)
    return behind


class Watching:
    """Look at the bounds of the log for as long as `run` runs; any thread may ask for the latest."""

    def __init__(self, connection: Connection, readings: str, alerts: str, group: str) -> None:
        self._connection = connection
        self._readings = readings
        self._alerts = TopicPartition(alerts, 0)
        self._group = group
        self._looks: deque[Bounds] = deque(maxlen=KEPT)
        self.away: str | None = "the broker was not reached yet"

    def latest(self) -> Bounds | None:
        """Return the latest look, None before the first."""
        return self._looks[-1] if self._looks else None

    def behind_s(self, judged: Offsets) -> float:
        """Return how long ago the oldest record that is not judged came in, as far as was looked."""
        return behind_s(list(self._looks), judged)

    async def run(self) -> None:
        """Look once a second until cancelled; with the broker away, `away` says why."""
        while True:
            try:
                await self._look_on()
            except Exception as error:  # noqa: BLE001 - told by health, and tried again
                said = str(self._connection.fault(error))
                if said != self.away:
                    _log.warning("%s", said)
                self.away = said
            await asyncio.sleep(PERIOD_S)

    async def _look_on(self) -> None:
        consumer = self._connection.consumer(client_id="tongguan-bounds")
        consumer.subscribe([self._readings, self._alerts.topic])
        async with self._connection.opened(consumer), self._connection.opened(self._connection.admin()) as admin:
            partitions = sorted(consumer.assignment())
            consumer.pause(*partitions)
            while True:
                async with asyncio.timeout(ANSWER_S):
                    look = await self._look(consumer, admin, partitions)
                self._looks.append(look)
                self.away = None
                await asyncio.sleep(PERIOD_S)

    async def _look(self, consumer: Any, admin: Any, partitions: list[TopicPartition]) -> Bounds:
        judged = await self._judged(admin)
        first, end = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        return Bounds(
            time.monotonic(),
            first={p.partition: at for p, at in first.items() if p.topic == self._readings},
            end={p.partition: at for p, at in end.items() if p.topic == self._readings},
            judged=judged,
            alerts_first=first.get(self._alerts, 0),
            alerts_end=end.get(self._alerts, 0),
        )

    async def _judged(self, admin: Any) -> dict[int, int]:
        """Return what the group of the workers has noted; nothing before there ever was one."""
        with suppress(kafka_errors.GroupCoordinatorNotAvailableError):
            noted = await admin.list_consumer_group_offsets(self._group)
            return {p.partition: at.offset for p, at in noted.items() if p.topic == self._readings and at.offset >= 0}
        return {}
