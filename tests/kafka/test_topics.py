"""The topics of a city, on a real broker."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from engine.casework.log_schema import log_identity
from engine.runtime.errors import BrokerAway, BrokerRefused
from engine.runtime.gaps import Gap
from engine.runtime.kafka.accepted import accept
from engine.runtime.kafka.client import Connection
from engine.runtime.kafka.topics import Mended, Wanted, describe, make, mend, wanted
from tests.contract.command import tongguan
from tests.parts.broker import DAY_MS, Broker
from tests.parts.ports import free_ports
from tests.parts.postgres import Database

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


def test_settings_that_are_weaker_than_wanted_are_mended_and_others_left(broker: Broker) -> None:
    config = broker.config()
    asked = wanted(config, least_ms=DAY_MS)[0]
    weaker = {"message.timestamp.type": "CreateTime", "retention.ms": "1000", "segment.bytes": "20000000"}
    broker.make((Wanted(asked.name, asked.partitions, 1, {**asked.settings, **weaker}),))
    keep = asked.settings["retention.ms"]
    assert asyncio.run(mend(broker.connection, [asked])) == (
        Mended(asked.name, "retention.ms", "1000", keep),
        Mended(asked.name, "message.timestamp.type", "CreateTime", "LogAppendTime"),
    )
    found = asyncio.run(describe(broker.connection, [asked.name]))[asked.name]
    assert asked.settings.items() <= found.settings.items()
    assert found.settings["segment.bytes"] == "20000000"
    shorter = replace(asked, settings={**asked.settings, "retention.ms": "5000", "max.message.bytes": "1000"})
    assert asyncio.run(mend(broker.connection, [shorter])) == ()


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"partitions": 5}, "has 4 partitions, 5 are wanted; with another number sensors would move"),
        ({"log_time": "record"}, "its time is the log's own; a player's log .* needs a topic_prefix"),
    ],
    ids=["partitions", "clock"],
)
def test_what_cannot_be_mended_is_refused_and_nothing_is_changed(
    broker: Broker, other: dict[str, object], said: str
) -> None:
    config = broker.config()
    broker.create_topics(config)
    before = asyncio.run(describe(broker.connection, [topic.name for topic in wanted(config, least_ms=0)]))
    changed = broker.config(topic_prefix=config.topic_prefix, retention_age="99d", **other)
    with pytest.raises(BrokerRefused, match=rf"city\.readings: {said}"):
        asyncio.run(mend(broker.connection, wanted(changed, least_ms=0)))
    assert asyncio.run(describe(broker.connection, before)) == before


def test_readings_are_kept_as_long_as_the_rules_look_back_and_a_players_log_for_good(broker: Broker) -> None:
    config = broker.config(retention_age="1d")
    assert wanted(config, least_ms=9 * DAY_MS)[0].settings["retention.ms"] == str(9 * DAY_MS)
    assert wanted(config, least_ms=0)[0].settings["retention.ms"] == str(DAY_MS)
    player = wanted(broker.config(log_time="record"), least_ms=0)[0]
    assert (player.settings["retention.ms"], player.settings["message.timestamp.type"]) == ("-1", "CreateTime")


def test_copies_are_three_and_two_of_them_in_sync_unless_one_broker_is_meant(broker: Broker) -> None:
    three = wanted(broker.config(single_node=False), least_ms=0)
    assert {(topic.replication, topic.settings["min.insync.replicas"]) for topic in three} == {(3, "2")}
    one = wanted(broker.config(), least_ms=0)
    assert {(topic.replication, topic.settings["min.insync.replicas"]) for topic in one} == {(1, "1")}
    with pytest.raises(BrokerRefused, match=r"only 1 broker.*--single-node"):
        asyncio.run(make(broker.connection, three))


@pytest.mark.needs("postgres")
def test_the_command_makes_lists_mends_and_notes_the_partitions(
    broker: Broker, database: Database, tmp_path: Path
) -> None:
    def said(*arguments: str, prefix: str, code: int = 0) -> str:
        common = ("--broker", broker.bootstrap, "--topic-prefix", prefix)
        done = tongguan("topics", *arguments, *common, folder=tmp_path, code=code)
        return (done.stderr if code else done.stdout).decode()

    prefix = broker.config().topic_prefix
    create = ("create", "--single-node", "--database", database.url, "--partitions")
    assert f"{prefix}city.readings: made, partitions 3, copies 1" in said(*create, "3", prefix=prefix)
    with database.store.read() as db:
        assert [(row.stream, row.partitions) for row in db.execute(log_identity.select())] == [("city.readings", 3)]
    assert said(*create, "3", prefix=prefix) == "every topic is there, as it must be\n"
    assert "keep partitions = 3" in said("create", "--single-node", "--partitions", "4", prefix=prefix, code=1)
    first = f"{prefix}city.readings    3           1       LogAppendTime  30.0 d                0"
    assert first in said("list", prefix=prefix)
    refused = said(*create, "4", prefix=f"{prefix}x.", code=1)
    assert "the database knows a log of 3 partitions; got 4" in refused
    accept(database.store, Gap("city.readings", 3, 0, -1, "no sensor moved", "tester", 1))
    assert "city.readings: made, partitions 4" in said(*create, "4", prefix=f"{prefix}y.")
    assert "not there" in said("list", prefix=f"{prefix}x.")
