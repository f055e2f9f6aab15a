"""What casework and commands ask of the log beside the events that the agent brings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import google_crc32c
from aiokafka import TopicPartition
from aiokafka import errors as kafka_errors

from engine.runtime.errors import BrokerAway
from engine.runtime.kafka.client import Connection

ANSWER_S = 15.0
LOOK_MS = 1_000


def fingerprint_of(log_time: int, value: bytes) -> str:
    """Name a record by its log time and the CRC-32C of its bytes."""
    return f"{log_time}:{google_crc32c.value(value):08x}"


class Asked:
    """One partition, asked on a connection of its own: none of the agent's, which may be the one that is stuck."""

    def __init__(self, connection: Connection, topic: str, partition: int = 0) -> None:
        self._connection = connection
        self._partition = TopicPartition(topic, partition)

    async def bounds(self) -> tuple[int, int]:
        """Return the first offset kept and the one behind the last that can be read. Raises BrokerAway."""
        async with self._consumer() as consumer:
            return await self._bounds(consumer)

    async def next_offset(self, position: int) -> int:
        """Return the offset of the first record at or behind a position that somebody wrote; the end if there is none.

        Between lie the log's own marks, aborted transactions, and what was compacted away.
        """
        async with self._consumer() as consumer:
            start, end = await self._bounds(consumer)
            if position >= end:
                return position
            consumer.seek(self._partition, max(position, start))
            while await consumer.position(self._partition) < end:
                found = await consumer.getmany(self._partition, timeout_ms=LOOK_MS, max_records=1)
                for records in found.values():
                    return int(records[0].offset)
            return end

    async def fingerprint(self, offset: int) -> str:
        """Return by what the record at an offset is known again, empty if there is none. Raises BrokerAway."""
        async with self._consumer() as consumer:
            consumer.seek(self._partition, offset)
            while await consumer.position(self._partition) <= offset:
                found = await consumer.getmany(self._partition, timeout_ms=LOOK_MS, max_records=1)
                for record in found.get(self._partition, ()):
                    same = record.offset == offset
                    return fingerprint_of(record.timestamp, record.value or b"") if same else ""
            return ""

    async def last_log_time(self) -> int:
        """Return the log time (ms) of the last record, 0 if there is none. Raises BrokerAway."""
        async with self._consumer() as consumer:
            start, end = await self._bounds(consumer)
            back, last = 1, 0
            while end > start and not last:
                consumer.seek(self._partition, max(start, end - back))
                while await consumer.position(self._partition) < end:
                    found = await consumer.getmany(self._partition, timeout_ms=LOOK_MS)
                    last = max((record.timestamp for records in found.values() for record in records), default=last)
                if end - back <= start:
                    break
                back *= 16
            return last

    async def _bounds(self, consumer: Any) -> tuple[int, int]:
        starts = await consumer.beginning_offsets([self._partition])
        ends = await consumer.end_offsets([self._partition])
        return starts[self._partition], ends[self._partition]

    @asynccontextmanager
    async def _consumer(self) -> AsyncIterator[Any]:
        consumer = self._connection.consumer(client_id="tongguan-asks")
        consumer.assign([self._partition])
        try:
            async with asyncio.timeout(ANSWER_S), self._connection.opened(consumer):
                yield consumer
        except TimeoutError as error:
            raise BrokerAway(f"{self._partition.topic}: no answer in {ANSWER_S:g} s") from error
        except (kafka_errors.KafkaError, OSError) as error:
            raise self._connection.fault(error) from error
