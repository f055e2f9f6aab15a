"""Last values from city.sensors into the case store, for charts and a case's story; nothing is decided by them.

What is kept of them is said in keeping.py. One worker does it at a time; its cursor moves after the store has them, so
that a crash between repeats some, and the store keeps each once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from functools import partial
from typing import Any, TypeVar

import msgspec
from aiokafka import TopicPartition
from aiokafka import errors as kafka_errors

from engine.casework.errors import StoreAway
from engine.casework.service import Casework
from engine.detect.last_values import LastValue
from engine.runtime.errors import RuntimeFault
from engine.runtime.kafka.client import Connection
from engine.runtime.kafka.cursors import cursor_of, keep_cursor
from engine.runtime.keeping import Chosen

PAUSE_S = 5.0
FETCH_MS = 2_000
RECORDS = 5_000
_T = TypeVar("_T")
_decoder = msgspec.json.Decoder(LastValue)
_log = logging.getLogger(__name__)


class KeptValues:
    """Follow city.sensors into the case store; `run` is to be called under a lease."""

    def __init__(self, connection: Connection, topic: str, casework: Casework, threads: Executor) -> None:
        self._connection = connection
        self._topic = topic
        self._casework = casework
        self._threads = threads
        self._chosen = Chosen()

    async def run(self) -> None:
        """Keep values until cancelled; with the broker or the database away it begins anew every few seconds."""
        told = ""
        while True:
            try:
                await self._follow()
            except (StoreAway, RuntimeFault, kafka_errors.KafkaError, OSError) as fault:
                if str(fault) != told:
                    _log.warning("values for charts are not kept now: %s", fault)
                told = str(fault)
            await asyncio.sleep(PAUSE_S)

    async def _follow(self) -> None:
        consumer = self._connection.consumer(client_id="tongguan-charts")
        consumer.subscribe([self._topic])
        async with self._connection.opened(consumer):
            await self._seek(consumer)
            while True:
                found = await consumer.getmany(timeout_ms=FETCH_MS, max_records=RECORDS)
                for partition, records in found.items():
                    await self._keep(partition, records)

    async def _seek(self, consumer: Any) -> None:
        """Go where the cursors say; nothing depends on what the log no longer has."""
        partitions = consumer.assignment()
        starts: Mapping[TopicPartition, int] = await consumer.beginning_offsets(partitions)
        ends: Mapping[TopicPartition, int] = await consumer.end_offsets(partitions)
        for partition in partitions:
            kept = await self._in_thread(partial(cursor_of, self._casework.store, _name(partition)))
            start, end = starts[partition], ends[partition]
            consumer.seek(partition, kept if kept is not None and start <= kept <= end else start)

    async def _keep(self, partition: TopicPartition, records: list[Any]) -> None:
        chosen = list(self._chosen.of(_values(record.value for record in records)))
        name, position = _name(partition), records[-1].offset + 1

        def keep() -> None:
            self._casework.keep_values(chosen)
            keep_cursor(self._casework.store, name, position)
            now = self._chosen.trim_due(max((value.t for value in chosen), default=0))
            if now is not None:
                self._casework.trim_values(now_ms=now)

        await self._in_thread(keep)

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _name(partition: TopicPartition) -> str:
    return f"values:{partition.partition}"


def _values(texts: Iterable[bytes | None]) -> Iterable[LastValue]:
    for text in texts:
        try:
            if text is not None:
                yield _decoder.decode(text)
        except msgspec.DecodeError:
            continue
