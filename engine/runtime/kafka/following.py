"""The last values of city.sensors, for people: the compacted topic from its beginning, and then whatever comes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

import msgspec
from aiokafka import errors as kafka_errors

from engine.detect.last_values import LastValue
from engine.runtime.kafka.client import Connection
from engine.runtime.sensors import LastKnown

PAUSE_S = 1.0
FETCH_MS = 500
RECORDS = 5_000
_decoder = msgspec.json.Decoder(LastValue)
_log = logging.getLogger(__name__)


class Following:
    """Learn what city.sensors says, for as long as `run` runs; with the broker away what is known stays."""

    def __init__(self, connection: Connection, topic: str, known: LastKnown) -> None:
        self._connection = connection
        self._topic = topic
        self._known = known

    async def run(self) -> None:
        """Follow until cancelled; a fault is told once, and everything is read anew."""
        told = ""
        while True:
            consumer = self._connection.consumer(client_id="tongguan-values")
            consumer.subscribe([self._topic])
            try:
                async with self._connection.opened(consumer):
                    await self._follow(consumer)
            except Exception as error:  # noqa: BLE001 - nothing is decided by these values
                if str(error) != told:
                    _log.warning("last values of %s: %s", self._topic, error)
                told = str(error)
            await asyncio.sleep(PAUSE_S)

    async def _follow(self, consumer: Any) -> None:
        await _to_beginning(consumer)
        while True:
            try:
                found = await consumer.getmany(timeout_ms=FETCH_MS, max_records=RECORDS)
            except kafka_errors.OffsetOutOfRangeError:  # made anew, or compacted away meanwhile
                await _to_beginning(consumer)
                continue
            for records in found.values():
                self._known.learn(_values(record.value for record in records))


async def _to_beginning(consumer: Any) -> None:
    for partition, first in (await consumer.beginning_offsets(consumer.assignment())).items():
        consumer.seek(partition, first)


def _values(texts: Iterable[bytes | None]) -> Iterable[LastValue]:
    for text in texts:
        try:
            if text is not None:
                yield _decoder.decode(text)
        except msgspec.DecodeError:
            continue
