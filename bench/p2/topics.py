"""The topics of the benchmark: readings filled once and kept, outputs new for each run."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.producer.message_accumulator import BatchBuilder

from bench.p2.batches import PARTITIONS, Batch, Stream
from bench.p2.job import Said

FORMAT = 2
"""Raised when the same stream gives other records."""
OUTPUT_CONFIG = {"retention.ms": "-1", "message.timestamp.type": "LogAppendTime"}
ON_THE_WAY = 8
"""Batches of a partition that wait for their acknowledgement while filling."""


class _Ready(BatchBuilder):  # type: ignore[misc]
    """A batch that is written already."""

    def __init__(self, batch: Batch) -> None:
        self._buffer = batch.data
        self._relative_offset = batch.records
        self._closed = True


async def create(broker: str, name: str, partitions: int, config: dict[str, str]) -> None:
    """Create a topic, in place of one of that name."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        if name in await admin.list_topics():
            await admin.delete_topics([name])
        await _until(admin, name, there=False)
        made = await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=config)])
        if made.topic_errors[0][1]:
            raise SystemExit(f"topic {name} could not be made: {made.topic_errors[0]}")
        await _until(admin, name, there=True)
    finally:
        await admin.close()


async def _until(admin: AIOKafkaAdminClient, name: str, *, there: bool, seconds: float = 30) -> None:
    """Wait until the broker lists a topic, or does not."""
    until = time.monotonic() + seconds
    while (name in await admin.list_topics()) is not there:
        if time.monotonic() > until:
            raise SystemExit(f"topic {name} did not {'appear' if there else 'go'} within {seconds} s")
        await asyncio.sleep(0.05)


async def clear(broker: str, keep: set[str]) -> None:
    """Delete all topics but those to keep and Kafka's own."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        old = [name for name in await admin.list_topics() if name not in keep and not name.startswith("__")]
        if old:
            await admin.delete_topics(old)
    finally:
        await admin.close()


async def fill(broker: str, name: str, stream: Stream, config: dict[str, str]) -> None:
    """Write a stream's readings into a topic made for them."""
    await create(broker, name, PARTITIONS, config)
    producer = AIOKafkaProducer(bootstrap_servers=broker, acks="all", linger_ms=0)
    await producer.start()
    try:
        waiting: deque[asyncio.Future[object]] = deque()
        records = 0
        batches = stream.batches()
        while group := await asyncio.to_thread(_some, batches):
            for batch in group:
                records += batch.records
                waiting.append(await producer.send_batch(_Ready(batch), name, partition=batch.partition))
                if len(waiting) > ON_THE_WAY * PARTITIONS:
                    await waiting.popleft()
        for sent in waiting:
            await sent
    finally:
        await producer.stop()
    async with end_of(broker, name) as end:
        if (found := await end()) != records:
            raise SystemExit(f"{name} has {found} records; must have {records}")


def _some(batches: Iterator[Batch]) -> list[Batch]:
    """Take batches for all partitions, interleaved."""
    group = list(islice(batches, 4096))
    by_partition = [[batch for batch in group if batch.partition == number] for number in range(PARTITIONS)]
    longest = max(map(len, by_partition))
    return [part[row] for row in range(longest) for part in by_partition if row < len(part)]


@dataclass(frozen=True, slots=True)
class Kept:
    """What a filled topic is known by, beside it in the cache."""

    path: Path

    def has(self, name: str, stream: Stream) -> bool:
        return bool(self._read().get(name) == _named(stream))

    def names(self) -> set[str]:
        """Return the topics that are filled."""
        return set(self._read())

    def note(self, name: str, stream: Stream) -> None:
        self.path.write_text(json.dumps({**self._read(), name: _named(stream)}))

    def forget(self, name: str) -> None:
        self.path.write_text(json.dumps({key: value for key, value in self._read().items() if key != name}))

    def _read(self) -> dict[str, object]:
        return dict(json.loads(self.path.read_text())) if self.path.exists() else {}


def _named(stream: Stream) -> dict[str, object]:
    return {"format": FORMAT, **{key: value for key, value in asdict(stream).items() if key != "town"}}


@asynccontextmanager
async def end_of(broker: str, name: str) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """Give what tells how many records a topic has had."""
    consumer = AIOKafkaConsumer(name, bootstrap_servers=broker, group_id=None, enable_auto_commit=False)
    await consumer.start()

    async def end() -> int:
        return sum((await consumer.end_offsets(consumer.assignment())).values())

    try:
        yield end
    finally:
        await consumer.stop()


@dataclass(frozen=True, slots=True)
class Told:
    """One change as the output topic has it, and when the broker took it."""

    said: Said
    at_ms: int


class _Wire(msgspec.Struct):
    """A change on the wire. Marks and stills beside it have no `change`; Pathway's updates have a `diff`."""

    sensor: str = ""
    kind: str = ""
    change: str | None = None
    level: str | None = None
    previous: str | None = None
    t: int = 0
    since: int | None = None
    value: float | None = None
    lon: float | None = None
    lat: float | None = None
    diff: int = 1


async def told(broker: str, name: str) -> list[Told]:
    """Read all changes of an output topic in its order."""
    consumer = AIOKafkaConsumer(
        name, bootstrap_servers=broker, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        tps = consumer.assignment()
        upto = await consumer.end_offsets(tps)
        decode = msgspec.json.Decoder(_Wire).decode
        found = []
        while any([await consumer.position(tp) < upto[tp] for tp in tps]):
            for records in (await consumer.getmany(timeout_ms=1_000, max_records=20_000)).values():
                for record in records:
                    wire = decode(record.value)
                    if wire.change is None or wire.diff < 0:
                        continue
                    said = Said(wire.sensor, wire.kind, wire.change, wire.level, wire.previous, wire.t, wire.since,
                                wire.value, wire.lon, wire.lat)  # fmt: skip
                    found.append(Told(said, record.timestamp))
        return found
    finally:
        await consumer.stop()
