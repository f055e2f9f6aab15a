"""A worker whose connections are open and bring nothing any more: it notices, goes on, and loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from engine.runtime.kafka.client import Connection
from tests.kafka.city import City
from tests.kafka.flow import Flow, Plans, expected, readings, town_plan, until
from tests.kafka.proxy import Proxy, ProxyBeside
from tests.parts.broker import GIVEN, Broker
from tests.parts.postgres import Database

pytestmark = [pytest.mark.needs("kafka"), pytest.mark.needs("postgres"), pytest.mark.timeout(600)]
T0 = 1_784_000_000_000
MINUTE = 60_000


@pytest.fixture
def city(broker: Broker, database: Database, tmp_path: Path) -> Iterator[City]:
    with City(broker, database, tmp_path, log_time="record") as made:
        yield made


def tell(city: City, minutes: range) -> None:
    """Let every sensor say something each minute, over and under its thresholds in turn."""
    said = []
    for minute in minutes:
        t_ms = T0 + minute * MINUTE
        for number in range(1, 5):
            over = (minute // 3 + number) % 2
            said.append(city.reading(f"GM-{number}", "gas.methane", 30.0 * over + number, t_ms))
            said.append(city.reading(f"DL-{number}", "drain.level", 50.0 + 60.0 * over, t_ms))
    city.feed(said)
    city.tick(t_ms + MINUTE // 2)


def test_a_silent_database_is_away_by_name_and_all_goes_on_behind_it(city: City) -> None:
    url = make_url(city.database.url)
    with Proxy(url.port or 5432).beside() as proxy:
        led = url.set(port=proxy.proxy.port, query={"options": "-c statement_timeout=2000"})
        city.settings["database"] = led.render_as_string(hide_password=False)
        city.write_settings()
        goes_on(city, proxy, "case store: ")


def test_a_silent_broker_is_away_by_name_and_all_goes_on_behind_it(city: City, broker: Broker) -> None:
    if broker.behind is None:
        pytest.skip(f"{GIVEN}={broker.bootstrap} has no listener for a proxy")
    with Proxy(*broker.behind).beside() as proxy:
        city.settings["broker"] = f"127.0.0.1:{proxy.proxy.port}"
        city.write_settings()
        goes_on(city, proxy, "broker 127.0.0.1:")


def test_a_consumer_made_anew_in_the_silence_waits_for_its_end(broker: Broker, database: Database) -> None:
    if broker.behind is None:
        pytest.skip(f"{GIVEN}={broker.bootstrap} has no listener for a proxy")
    flow, proxy = Flow(broker, database, partitions=2), Proxy(*broker.behind)
    plan, records = town_plan(), readings(41, 1_000)

    async def story() -> None:
        await flow.begin(plan)
        await proxy.start()
        through = Connection(f"127.0.0.1:{proxy.port}")
        async with flow.running(Plans(plan), connection=through) as worker:
            await flow.play(records[:500])
            await flow.judged(worker)
            await proxy.silence()
            rebuilding = asyncio.ensure_future(worker._rebuild())
            await until(lambda: worker.away, "it says that the broker does not answer")
            await proxy.speak()
            await flow.play(records[500:])
            await flow.finish(T0 + 60 * MINUTE)
            await rebuilding
            await flow.judged(worker)
        await proxy.cut()
        assert await flow.changes() == expected(plan, records)

    asyncio.run(story())


def goes_on(city: City, proxy: ProxyBeside, what: str) -> None:
    """Tell a story with a silence in it, in which `what` is named as what does not answer."""
    city.set_plan()
    worker = city.start("w1")
    tell(city, range(6))
    city.settle()
    proxy.silence()
    tell(city, range(6, 12))
    city.until(lambda: any(what in reason for reason in worker.ready()["reasons"]), "it says who does not answer")
    proxy.speak()
    tell(city, range(12, 18))
    city.tick(T0 + 60 * MINUTE)
    city.settle()
    assert worker.alive
    assert worker.ready()["reasons"] == []
    assert city.changes() == city.expected()
    city.stop()
    assert city.recomputed() == []
