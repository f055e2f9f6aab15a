"""A partition of the log from its first record to its present end, for commands that read it once."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from aiokafka import TopicPartition
from aiokafka import errors as kafka_errors

from engine.runtime.errors import Unusable
from engine.runtime.kafka.client import Connection

ANSWER_MS = 1_000


@dataclass(frozen=True, slots=True)
class Kept:
    """A record as the log has it; `log_time` in ms."""

    offset: int
    log_time: int
    value: bytes


async def history(connection: Connection, topic: str, partition: int) -> AsyncGenerator[Kept]:
    """Yield the records that are there now. Unusable names a partition that is not."""
    consumer = connection.consumer(client_id="tongguan-history", max_poll_records=5_000)
    at = TopicPartition(topic, partition)
    consumer.assign([at])
    async with connection.opened(consumer):
        if partition not in (await _partitions(connection, topic)):
            raise Unusable(f"broker {connection.bootstrap}: no partition {partition} of {topic}")
        try:
            position = (await consumer.beginning_offsets([at]))[at]
            end = (await consumer.end_offsets([at]))[at]
            consumer.seek(at, position)
            while position < end:
                for record in (await consumer.getmany(at, timeout_ms=ANSWER_MS)).get(at, ()):
                    if record.offset < end:
                        yield Kept(record.offset, record.timestamp, record.value or b"")
                position = await consumer.position(at)
        except (kafka_errors.KafkaError, OSError, TimeoutError) as error:
            raise connection.fault(error) from error


async def _partitions(connection: Connection, topic: str) -> set[int]:
    async with connection.opened(connection.admin()) as admin:
        (found,) = await admin.describe_topics([topic])
        return {row["partition"] for row in found["partitions"]}
