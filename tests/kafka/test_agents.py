"""The agents' app, made anew while it works."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from engine.api.metrics import Metrics
from engine.commands.counting import Counted
from engine.runtime.kafka.agents import REBUILDS, AgentsFailed
from engine.runtime.kafka.worker import Worker
from tests.kafka.city import PATIENCE_S, City
from tests.parts.broker import Broker
from tests.parts.postgres import Database

pytestmark = [pytest.mark.needs("kafka"), pytest.mark.needs("postgres"), pytest.mark.timeout(600)]


async def until(true: Callable[[], object], what: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():
            await asyncio.sleep(0.05)
    assert true(), what


@asynccontextmanager
async def running(city: City) -> AsyncIterator[tuple[Worker, asyncio.Task[None]]]:
    """Run a worker in this process, once casework is its own."""
    worker = Worker(city.config, Counted(Metrics(CollectorRegistry())))
    stopping = asyncio.Event()
    task = asyncio.create_task(worker.run(stopping))
    try:
        await until(lambda: task.done() or worker.status(), "it works")
        await until(lambda: task.done() or owned(worker), "casework is its own")
        yield worker, task
    finally:
        stopping.set()
        await asyncio.wait([task])


def owned(worker: Worker) -> bool:
    now = worker.status()
    return now is not None and now.casework.position is not None


def test_casework_goes_on_with_an_app_made_anew(broker: Broker, database: Database, tmp_path: Path) -> None:
    with City(broker, database, tmp_path, partitions=2) as city:
        city.set_plan()

        async def lived() -> None:
            async with running(city) as (worker, task):
                for number in range(1, 3):
                    await until(lambda: not owned(worker) or worker.agents.rebuild(), "it ends")
                    await until(lambda: owned(worker), "it begins anew")
                    reading = city.reading(f"DL-{number}", "drain.level", 120)
                    await asyncio.to_thread(city.feed, [reading])
                    await until(lambda number=number: len(city.cases()) == number, "a case")
                assert not task.done()

        asyncio.run(lived())
        assert city.changes() == city.expected()


def test_an_app_that_fails_again_and_again_ends_the_process(broker: Broker, database: Database, tmp_path: Path) -> None:
    with City(broker, database, tmp_path, partitions=2) as city:
        city.set_plan()

        async def lived() -> None:
            async with running(city) as (worker, task):
                for _ in range(REBUILDS + 1):
                    await until(lambda: task.done() or owned(worker), "it began")
                    await until(lambda: task.done() or not owned(worker) or worker.agents.rebuild(), "it ends")
                await asyncio.wait([task], timeout=PATIENCE_S)
                with pytest.raises(AgentsFailed) as failed:
                    task.result()
                assert failed.value.exit_code == 75

        asyncio.run(lived())
