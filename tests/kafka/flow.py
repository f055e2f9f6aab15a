"""A city's readings on the player's clock in a real log, workers that judge them, and what they should say."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import TopicPartition

from engine.detect.batch import RecordBatch
from engine.detect.changes import encode
from engine.detect.detector import Detector
from engine.detect.last_values import LastValue
from engine.detect.output import Output
from engine.runtime.export import reading_line
from engine.runtime.kafka.client import Connection
from engine.runtime.kafka.means import Limits
from engine.runtime.kafka.telemetry import Telemetry
from engine.runtime.kafka.topics import Topics, make, wanted
from engine.runtime.readings import plan_record, tick_record
from rules.load import LIBRARY, load_rules
from rules.partition import home_partition
from rules.plan import Plan
from tests.parts.broker import DAY_MS, Broker
from tests.parts.postgres import Database

START = 1_780_000_000_000
MAX_DELAY_MS = 30_000
PATIENCE_S = 90.0
PLAYER = Limits(checkpoint_s=0.3, retry_s=0.2, player=True)


def town_plan(max_delay_ms: int = MAX_DELAY_MS, *, version: int = 0) -> Plan:
    """Methane and bins, from the shipped rules; another version is another plan of the same rules."""
    loaded = load_rules([LIBRARY / "gas" / "methane_leak.yaml", LIBRARY / "waste" / "bin_full.yaml"])
    assert not loaded.faults
    return Plan(loaded.rules, max_delay_ms=max_delay_ms + version)


@dataclass(frozen=True, slots=True)
class Record:
    """A record of city.readings with its log time."""

    log_time: int
    value: bytes
    sensor: str


def readings(seed: int, count: int, *, sensors: int = 40, max_delay_ms: int = MAX_DELAY_MS) -> list[Record]:
    """Methane that wanders over its thresholds, two readings a second; arrival disordered up to `max_delay_ms`."""
    dice = random.Random(seed)
    level = [dice.uniform(0, 30) for _ in range(sensors)]
    found = []
    for number in range(count):
        sensor = dice.randrange(sensors)
        level[sensor] = min(80.0, max(0.0, level[sensor] + dice.gauss(0, 8)))
        t = START + number * 500
        said = {"sensor": f"G{sensor:04d}", "kind": "gas.methane", "t": t, "v": round(level[sensor], 2)}
        found.append((t + dice.randrange(max_delay_ms) if max_delay_ms else t, number, said))
    found.sort(key=lambda row: row[:2])
    return [Record(at, json.dumps(said).encode(), str(said["sensor"])) for at, _, said in found]


def expected(plan: Plan, records: Sequence[Record]) -> list[dict[str, Any]]:
    """Return the changes that `tongguan detect` prints of the same records, without their evidence."""
    lines = [reading_line(record.value, record.log_time) for record in records]
    detector = Detector(offline_plan=plan, marks=False)
    output = detector.step(RecordBatch.from_lines(b"\n".join(lines) + b"\n"))
    items = [*output.items, *detector.finish().items]
    return sorted((bare(json.loads(encode(item))) for item in items), key=change_order)


def bare(change: dict[str, Any]) -> dict[str, Any]:
    """Leave out which records were behind it."""
    return {name: value for name, value in change.items() if name != "evidence"}


def change_order(change: dict[str, Any]) -> tuple[str, int]:
    return change["episode"], change["seq"]


@dataclass
class Heard:
    """What the worker counts, for tests to wait for."""

    steps: int = 0
    readings: int = 0
    checkpoints: int = 0
    outputs: list[Output] = field(default_factory=list)

    def detected(self, batch: RecordBatch, output: Output, last: Sequence[LastValue], seconds: float) -> None:  # noqa: ARG002
        self.steps += 1
        self.readings += output.counts.readings.total()

    def checkpointed(self, seconds: float, size_bytes: int) -> None:  # noqa: ARG002
        self.checkpoints += 1


class Plans:
    """Plans at hand."""

    def __init__(self, *plans: Plan) -> None:
        self.plans = {plan.digest: plan for plan in plans}

    def get(self, digest: str) -> Plan | None:
        return self.plans.get(digest)


async def until(true: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < deadline, f"not within {patience_s:g} s: {what}"
        await asyncio.sleep(0.02)


@dataclass
class Flow:
    """A topic of readings and what was written to it; `partitions` of city.readings."""

    broker: Broker
    database: Database
    partitions: int = 4
    topics: Topics = field(default_factory=Topics)
    group: str = "tongguan"

    def __post_init__(self) -> None:
        config = self.broker.config(partitions=self.partitions, log_time="record")
        self.topics = self.broker.create_topics(config)
        self.group = f"{self.topics.prefix}workers"

    @property
    def connection(self) -> Connection:
        return self.broker.connection

    def telemetry(self, plans: Plans, name: str = "w1", **more: Any) -> Telemetry:
        """Return a worker's service, not started."""
        observer, connection = more.pop("observer", Heard()), more.pop("connection", self.connection)
        settings: dict[str, Any] = {"limits": PLAYER, "session_ms": 6_000, "look_s": 0.5} | more
        return Telemetry(
            connection, self.topics, self.database.store, plans, observer, name=name, group=self.group, **settings
        )

    @asynccontextmanager
    async def running(self, plans: Plans, name: str = "w1", **more: Any) -> AsyncIterator[Telemetry]:
        """Run a worker's service."""
        telemetry = self.telemetry(plans, name, **more)
        await telemetry.start()
        try:
            yield telemetry
        finally:
            await telemetry.stop()

    async def write(self, records: Iterable[tuple[int, int, bytes]]) -> None:
        """Append (partition, log time, value)."""
        async with self.connection.opened(self.connection.producer(linger_ms=5)) as producer:
            sent = [
                await producer.send(self.topics.readings, value, partition=partition, timestamp_ms=log_time)
                for partition, log_time, value in records
            ]
            await asyncio.gather(*sent)

    async def begin(self, plan: Plan, t_ms: int = START) -> None:
        """Put a plan in force on every partition."""
        value = plan_record(plan.digest, t_ms).value
        await self.write((partition, t_ms, value) for partition in range(self.partitions))

    async def play(self, records: Iterable[Record]) -> None:
        """Append readings, each at home."""
        await self.write((home_partition(r.sensor, self.partitions), r.log_time, r.value) for r in records)

    async def finish(self, t_ms: int) -> None:
        """Let everything go that waits: a tick after all."""
        value = tick_record(t_ms).value
        await self.write((partition, t_ms, value) for partition in range(self.partitions))

    async def ends(self) -> dict[int, int]:
        """Return the end of each partition."""
        tps = [TopicPartition(self.topics.readings, partition) for partition in range(self.partitions)]
        async with self.connection.opened(self.connection.consumer()) as consumer:
            return {tp.partition: end for tp, end in (await consumer.end_offsets(tps)).items()}

    async def judged(self, *workers: Telemetry) -> None:
        """Wait until the workers have judged everything, and it is in the log."""
        ends = await self.ends()

        def done() -> bool:
            for worker in workers:
                if worker.failed.done():
                    worker.failed.result()
            at = {number: at for worker in workers for number, at in worker.positions.items()}
            return at == ends

        await until(done, f"positions at {ends}; {[worker.status() for worker in workers]}")
        for worker in workers:
            await worker.producing.flush()

    async def recreate(self) -> None:
        """Delete the topic of readings and make it anew."""
        async with self.connection.opened(self.connection.admin()) as admin:
            await admin.delete_topics([self.topics.readings])
        config = self.broker.config(partitions=self.partitions, log_time="record", topic_prefix=self.topics.prefix)
        await make(self.connection, wanted(config, least_ms=DAY_MS))

    async def read(self, topic: str) -> list[bytes]:
        """Return all values of a topic's partition 0."""
        tp = TopicPartition(topic, 0)
        found: list[bytes] = []
        async with self.connection.opened(self.connection.consumer()) as consumer:
            consumer.assign([tp])
            end = (await consumer.end_offsets([tp]))[tp]
            consumer.seek(tp, (await consumer.beginning_offsets([tp]))[tp])
            while await consumer.position(tp) < end:
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found += [record.value for record in records]
        return found

    async def changes(self) -> list[dict[str, Any]]:
        """Return the changes told, each once, without evidence; said twice must be the same bytes."""
        told: dict[str, bytes] = {}
        for value in await self.read(self.topics.alerts):
            said = json.loads(value)
            if "change" in said:
                assert told.setdefault(said["id"], value) == value
        return sorted((bare(json.loads(value)) for value in told.values()), key=change_order)
