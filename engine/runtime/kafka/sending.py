"""Records that must be in the log before one goes on: one idempotent producer, made anew after a fault."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import errors as kafka_errors

from engine.runtime.errors import BrokerAway
from engine.runtime.kafka.client import Connection

TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Record:
    """One record to be written; `partition` None: where its key says, `t_ms` None: now."""

    topic: str
    value: bytes
    key: bytes | None = None
    partition: int | None = None
    t_ms: int | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


class Sender:
    """Write records of one task; `send` is not to be called twice at once."""

    def __init__(self, connection: Connection, client_id: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._connection = connection
        self._client_id = client_id
        self._timeout_s = timeout_s
        self._producer: Any = None

    async def send(self, records: Sequence[Record]) -> None:
        """Write records, each partition's in the order given; all are on every replica in sync on return.

        Raises BrokerAway: some may have been written, and will be again when they are sent again.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                producer = await self._started()
                sent = [await self._one(producer, record) for record in records]
                await asyncio.gather(*sent)
        except (kafka_errors.KafkaError, OSError, TimeoutError) as error:
            await self._drop()
            if isinstance(error, TimeoutError):
                raise BrokerAway(f"broker {self._connection.bootstrap}: no answer in {self._timeout_s:g} s") from error
            raise self._connection.fault(error) from error
        except asyncio.CancelledError:
            await self._drop()
            raise

    async def partitions(self, topic: str) -> list[int]:
        """Return the numbers of a topic's partitions. Raises BrokerAway."""
        try:
            async with asyncio.timeout(self._timeout_s):
                producer = await self._started()
                return sorted(await producer.partitions_for(topic))
        except (kafka_errors.KafkaError, OSError, TimeoutError) as error:
            await self._drop()
            raise self._connection.fault(error) from error

    async def stop(self) -> None:
        """Let go of the connection."""
        await self._drop()

    async def _started(self) -> Any:
        if self._producer is None:
            self._producer = self._connection.producer(client_id=self._client_id, linger_ms=5)
            await self._producer.start()
        return self._producer

    @staticmethod
    async def _one(producer: Any, record: Record) -> Any:
        return await producer.send(
            record.topic,
            record.value,
            key=record.key,
            partition=record.partition,
            timestamp_ms=record.t_ms,
            headers=list(record.headers),
        )

    async def _drop(self) -> None:
        """Forget the producer. What it could not write must not come later either: its sender is ended, not flushed."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        sender = getattr(producer, "_sender", None)
        if sender is not None:
            await sender.close()
        await producer.stop()
