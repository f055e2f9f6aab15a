"""The topics of a city, on a real broker."""

from __future__ import annotations

import asyncio

import pytest

from engine.runtime.errors import BrokerAway
from engine.runtime.kafka.client import Connection
from engine.runtime.kafka.topics import describe, make, wanted
from tests.parts.broker import DAY_MS, Broker, free_ports

pytestmark = pytest.mark.needs("kafka")


def test_topics_are_made_as_wanted_and_once(broker: Broker) -> None:
    config = broker.config(partitions=3)
    topics = wanted(config, least_ms=DAY_MS)
    assert asyncio.run(make(broker.connection, topics)) == tuple(topic.name for topic in topics)
    assert asyncio.run(make(broker.connection, topics)) == ()
    found = asyncio.run(describe(broker.connection, [topic.name for topic in topics]))
    for topic in topics:
        there = found[topic.name]
        assert (there.partitions, there.replication, there.leaderless) == (topic.partitions, 1, 0)
        assert topic.settings.items() <= there.settings.items()


def test_a_broker_that_is_away_is_said_to_be_away() -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    with pytest.raises(BrokerAway, match=address):
        asyncio.run(describe(Connection(address), ["city.readings"]))
