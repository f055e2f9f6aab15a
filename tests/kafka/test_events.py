"""What workers write has the headers of CloudEvents that docs/asyncapi.yaml describes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from jsonschema import Draft202012Validator

from tests.contract import asyncapi
from tests.kafka.city import City
from tests.parts.broker import Broker
from tests.parts.postgres import Database

pytestmark = [pytest.mark.needs("kafka"), pytest.mark.needs("postgres"), pytest.mark.timeout(900)]


async def headers(broker: Broker, topic: str) -> list[dict[str, str]]:
    """Return the headers of every record of a topic's partition."""
    async with broker.connection.opened(broker.connection.consumer()) as consumer:
        here = TopicPartition(topic, 0)
        consumer.assign([here])
        consumer.seek(here, 0)
        end = (await consumer.end_offsets([here]))[here]
        found: list[dict[str, str]] = []
        while await consumer.position(here) < end:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                found += [{name: value.decode() for name, value in record.headers} for record in records]
        return found


def test_records_of_workers_carry_the_headers_that_are_described(
    broker: Broker, database: Database, tmp_path: Path
) -> None:
    with City(broker, database, tmp_path) as city:
        city.set_plan()
        city.start("w1")
        city.feed([city.reading("DL-1", "drain.level", 120), city.reading("DL-1", "drain.level", 1e9)])
        city.settle()
        for stream, topic in (
            ("alerts", city.topics.alerts),
            ("cases", city.topics.cases),
            ("sensors", city.topics.sensors),
            ("quarantine", city.topics.quarantine),
        ):
            channel = asyncapi.document()["channels"][stream]
            described = [Draft202012Validator(one["headers"]) for one in channel["messages"].values()]
            told = asyncio.run(headers(broker, topic))
            assert told, stream
            for one in told:
                assert any(schema.is_valid(one) for schema in described), (stream, one)
                assert one["ce_source"] == f"/tongguan/{topic}"
