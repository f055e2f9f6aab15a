"""Messages into city.readings: each reading to its home partition, as frames."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence

from engine.casework.errors import StoreAway
from engine.runtime.bridge.payloads import Message, Topic, array, frames, pieces
from engine.runtime.bridge.sinks import Away, Sent
from engine.runtime.errors import BrokerRefused, Refused, RuntimeFault
from engine.runtime.kafka.client import Connection
from engine.runtime.kafka.homes import Homes
from engine.runtime.kafka.sending import Record, Sender
from engine.runtime.kafka.topics import describe
from rules.registry import Registry


class KafkaSink:
    """The log on Kafka, by an idempotent producer that waits for every replica in sync.

    Sensors of one gateway of the registry have one partition. What is no reading goes as it is to partition 0, for
    detect to reject.
    """

    def __init__(
        self,
        connection: Connection,
        log_topic: str,
        topic: Topic,
        registry: Registry,
        agreed: Callable[[], int | None] = lambda: None,
    ) -> None:
        """`agreed` is how many partitions the log had when it was first met, if that is known: added ones are nobody's
        home."""
        self._connection = connection
        self._log_topic = log_topic
        self._topic = topic
        self._registry = registry
        self._sender = Sender(connection, "tongguan-bridge")
        self._agreed = agreed
        self._homes: Homes | None = None

    async def send(self, messages: Sequence[Message]) -> Sent:
        """Deliver messages. Raises Refused when the broker turns us away, or has no such topic, from the first."""
        homes = self._homes
        try:
            if homes is None:
                homes = Homes(self._registry, await self._partitions())
            records = list(self._records(messages, homes))
            await self._sender.send([record for record, _ in records])
        except Refused as fault:
            if self._homes is None:
                raise
            raise Away(str(fault)) from fault
        except (RuntimeFault, StoreAway) as fault:
            raise Away(str(fault)) from fault
        self._homes = homes
        return Sent(readings=sum(number for _, number in records))

    async def _partitions(self) -> int:
        found = await describe(self._connection, [self._log_topic])
        if self._log_topic not in found:
            raise BrokerRefused(
                f"broker {self._connection.bootstrap}: no topic {self._log_topic}; `tongguan topics create` makes it"
            )
        return await asyncio.to_thread(self._agreed) or found[self._log_topic].partitions

    def _records(self, messages: Sequence[Message], homes: Homes) -> Iterator[tuple[Record, int]]:
        """Yield records, each with its number of readings; those of one partition in the order of the messages."""
        whole: list[bytes] = []
        for message in messages:
            for piece in pieces(message, self._topic):
                if piece.whole:
                    whole.append(piece.text)
                    continue
                yield from self._framed(whole, homes)
                whole = []
                yield Record(self._log_topic, piece.text, partition=0), 1
        yield from self._framed(whole, homes)

    def _framed(self, texts: Sequence[bytes], homes: Homes) -> Iterator[tuple[Record, int]]:
        for frame in frames(texts):
            left = len(frame)
            for part in homes.parts(array(frame)):
                # the readings of a frame are counted once, with its first record
                yield Record(self._log_topic, part.value, part.key, part.partition), left
                left = 0

    async def close(self) -> None:
        """Let the producer go."""
        await self._sender.stop()
