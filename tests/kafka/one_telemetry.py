"""A telemetry service in a process of its own that ends when everything is judged."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from aiokafka import TopicPartition

from engine.casework.store import Store
from engine.runtime.kafka.client import Connection
from engine.runtime.kafka.telemetry import Telemetry
from engine.runtime.kafka.topics import Topics
from rules.plan import Plan
from tests.kafka.flow import PLAYER, Heard, Plans


async def main(bootstrap: str, prefix: str, database: str, plan_file: str) -> None:
    plan = Plan.from_canonical(Path(plan_file).read_bytes())
    store, topics, connection = Store.connect(database), Topics(prefix), Connection(bootstrap)
    telemetry = Telemetry(
        connection,
        topics,
        store,
        Plans(plan),
        Heard(),
        name="w1",
        group=f"{prefix}workers",
        limits=PLAYER,
        session_ms=6_000,
    )
    await telemetry.start()
    tps = [TopicPartition(topics.readings, number) for number in range(2)]
    async with connection.opened(connection.consumer()) as consumer:
        ends = {tp.partition: end for tp, end in (await consumer.end_offsets(tps)).items()}
    while telemetry.positions != ends:
        if telemetry.failed.done():
            telemetry.failed.result()
        await asyncio.sleep(0.05)
    await telemetry.stop()
    store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
