"""The topics of a city: how each must be set up, making them, and looking at them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import errors as kafka_errors
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from engine.runtime.config import Config, duration_ms
from engine.runtime.errors import BrokerAway, BrokerRefused
from engine.runtime.kafka.client import LARGEST_RECORD_BYTES, Connection

RECORD_BYTES: Final = 2 << 20
"""Of a batch on the wire, frames of 1 MiB and their keys among it."""
FOREVER: Final = -1
LONG_MAX: Final = (1 << 63) - 1
SEGMENT_MS: Final = 3_600_000
READY_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Topics:
    """The names of a city's topics; several cities on one broker have a prefix each."""

    prefix: str = ""

    @property
    def readings(self) -> str:
        return f"{self.prefix}city.readings"

    @property
    def alerts(self) -> str:
        return f"{self.prefix}city.alerts"

    @property
    def cases(self) -> str:
        return f"{self.prefix}city.cases"

    @property
    def commands(self) -> str:
        return f"{self.prefix}city.commands"

    @property
    def sensors(self) -> str:
        return f"{self.prefix}city.sensors"

    @property
    def shadow(self) -> str:
        return f"{self.prefix}city.shadow"

    @property
    def quarantine(self) -> str:
        return f"{self.prefix}city.quarantine"

    @property
    def late(self) -> str:
        return f"{self.prefix}city.late"

    def all(self) -> tuple[str, ...]:
        """Return every name, `readings` first."""
        return (
            self.readings,
            self.alerts,
            self.cases,
            self.commands,
            self.sensors,
            self.shadow,
            self.quarantine,
            self.late,
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a topic must be; `settings` are those of Kafka."""

    name: str
    partitions: int
    replication: int
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """How a topic is; `settings` are all that hold, the broker's defaults among them."""

    name: str
    partitions: int
    replication: int
    leaderless: int
    settings: Mapping[str, str]


def wanted(config: Config, *, least_ms: int) -> tuple[Wanted, ...]:
    """Return how each topic must be by the settings.

    Records are kept for `retention_age`, and never for less than `least_ms` (retention.rebuild_ms of the plan). On a
    player's clock the readings are kept for good: Kafka would judge their age by that clock.
    """
    topics = Topics(config.topic_prefix)
    replication = 1 if config.single_node else config.replication
    keep = max(duration_ms(config.retention_age), least_ms)
    every = {
        "cleanup.policy": "delete",
        "retention.ms": str(keep),
        "retention.bytes": "-1",
        "compression.type": "producer",
        "max.message.bytes": str(RECORD_BYTES),
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": str(max(1, min(2, replication - 1))),
        "unclean.leader.election.enable": "false",
    }
    large = every | {"max.message.bytes": str(LARGEST_RECORD_BYTES + (1 << 20))}
    player = every | {
        "retention.ms": str(FOREVER),
        "message.timestamp.type": "CreateTime",
        "message.timestamp.before.max.ms": str(LONG_MAX),
        "message.timestamp.after.max.ms": str(LONG_MAX),
    }
    settings = {
        topics.readings: player if config.log_time == "record" else every,
        topics.sensors: every | {"cleanup.policy": "compact", "segment.ms": str(SEGMENT_MS)},
        topics.quarantine: large,
        topics.late: large,
    }
    return tuple(
        Wanted(name, config.partitions if name == topics.readings else 1, replication, settings.get(name, every))
        for name in topics.all()
    )


async def describe(connection: Connection, names: Iterable[str]) -> dict[str, Found]:
    """Return how those topics are that exist."""
    async with connection.opened(connection.admin()) as admin:
        return await _described(admin, names)


async def make(connection: Connection, topics: Iterable[Wanted]) -> tuple[str, ...]:
    """Make those that do not exist, wait until all of them have leaders, and return the names of the new ones.

    BrokerRefused says why the broker does not make one.
    """
    asked = {topic.name: topic for topic in topics}
    async with connection.opened(connection.admin()) as admin:
        try:
            there = await _described(admin, asked)
            missing = [topic for name, topic in asked.items() if name not in there]
            made = await _make(admin, missing) if missing else ()
            await _ready(admin, asked)
        except (kafka_errors.KafkaError, OSError, TimeoutError) as error:
            raise connection.fault(error) from error
    return made


async def _make(admin: Any, topics: Iterable[Wanted]) -> tuple[str, ...]:
    new = [NewTopic(t.name, t.partitions, t.replication, topic_configs=dict(t.settings)) for t in topics]
    said = (await admin.create_topics(new)).to_object()["topic_errors"]
    faults, made = [], []
    for topic in said:
        error = kafka_errors.for_code(topic["error_code"])
        if error is kafka_errors.NoError:
            made.append(topic["topic"])
        elif error is not kafka_errors.TopicAlreadyExistsError:
            faults.append(f"{topic['topic']}: {topic['error_message'] or error.message}")
    if faults:
        raise BrokerRefused("\n".join(faults))
    return tuple(made)


async def _ready(admin: Any, names: Iterable[str]) -> None:
    """Wait until each topic is known and each of its partitions has a leader."""
    names = set(names)
    end = asyncio.get_running_loop().time() + READY_S
    while True:
        found = await _described(admin, names)
        waiting = sorted(name for name in names if name not in found or found[name].leaderless)
        if not waiting:
            return
        if asyncio.get_running_loop().time() > end:
            raise BrokerAway(f"no leader for partitions of {', '.join(waiting)} within {READY_S:g} s")
        await asyncio.sleep(0.1)


async def _described(admin: Any, names: Iterable[str]) -> dict[str, Found]:
    rows = {
        row["topic"]: row["partitions"]
        for row in await admin.describe_topics(list(names))
        if row["error_code"] == 0 and row["partitions"]
    }
    if not rows:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in rows]
    settings: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs(resources):
        for resource in response.to_object()["resources"]:
            settings[resource["resource_name"]] = {
                entry["config_names"]: entry["config_value"] for entry in resource["config_entries"]
            }
    return {
        name: Found(
            name,
            len(partitions),
            min(len(partition["replicas"]) for partition in partitions),
            sum(1 for partition in partitions if partition["leader"] < 0),
            settings.get(name, {}),
        )
        for name, partitions in rows.items()
    }
