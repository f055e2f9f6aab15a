"""The telemetry service on a real broker and a real database."""

from __future__ import annotations

import asyncio

import pytest

from tests.kafka.flow import START, Flow, Plans, expected, readings, town_plan
from tests.parts.broker import Broker
from tests.parts.postgres import Database

pytestmark = [pytest.mark.needs("kafka"), pytest.mark.needs("postgres")]
LATER = START + 100_000_000


def test_a_log_over_partitions_gives_the_changes_of_the_same_records_in_one_file(
    broker: Broker, database: Database
) -> None:
    flow, plan, records = Flow(broker, database), town_plan(), readings(1, 20_000)

    async def story() -> None:
        await flow.begin(plan)
        async with flow.running(Plans(plan)) as worker:
            await flow.play(records)
            await flow.finish(LATER)
            await flow.judged(worker)
        assert await flow.changes() == expected(plan, records)

    asyncio.run(story())
