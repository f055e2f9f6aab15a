"""The topics of a city: how each must be set up, making and mending them, and looking at them."""

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
TIME: Final = "message.timestamp.type"
AT_LEAST: Final = frozenset({"retention.ms", "retention.bytes", "max.message.bytes"})
ONE_LOG: Final = ("city.readings", "city.alerts")
"""Topics whose number of partitions says who is judged where."""
OF_THE_TOPIC: Final = 1
HINTS: Final[dict[Any, str]] = {
    kafka_errors.InvalidReplicationFactorError: " (one broker is meant: --single-node)",
}
FENCED: Final = "currently fenced"
"""What the broker says where a topic cannot be made for the moment only; the code is that of too few brokers."""
_COMING: Final = frozenset(
    (
        kafka_errors.NoError.errno,
        kafka_errors.UnknownTopicOrPartitionError.errno,
        kafka_errors.LeaderNotAvailableError.errno,
    )
)


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
    out_of_sync: int
    settings: Mapping[str, str]
    own: Mapping[str, str]
    """Those of the settings that were made for this topic."""


@dataclass(frozen=True, slots=True)
class Mended:
    """A setting of a topic that was not as it must be."""

    topic: str
    setting: str
    was: str
    now: str


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


def misfits(asked: Wanted, found: Found) -> list[str]:
    """Return what is wrong with a topic and cannot be mended while it has records."""
    said = []
    if asked.partitions != found.partitions and asked.name.endswith(ONE_LOG):
        said.append(
            f"{asked.name}: has {found.partitions} partitions, {asked.partitions} are wanted; with another number "
            f"sensors would move to partitions without their state: keep partitions = {found.partitions}, or begin "
            "another log under another topic_prefix"
        )
    if (asked.settings.get(TIME), found.settings.get(TIME)) == ("CreateTime", "LogAppendTime"):
        said.append(
            f"{asked.name}: its time is the log's own; a player's log (log_time = 'record') needs a topic_prefix"
        )
    return said


def lacking(asked: Wanted, found: Found) -> dict[str, str]:
    """Return the settings that do not hold, as they must be; more room or longer keeping than asked for is right."""
    return {
        name: value
        for name, value in asked.settings.items()
        if name in found.settings and not _holds(name, value, found.settings[name], found.replication)
    }


def _holds(name: str, asked: str, found: str, replication: int) -> bool:
    if name == "min.insync.replicas":
        return int(found) >= min(int(asked), max(1, replication - 1))
    if name in AT_LEAST and asked != str(FOREVER):
        return found == str(FOREVER) or int(found) >= int(asked)
    return found == asked


async def mend(connection: Connection, topics: Iterable[Wanted]) -> tuple[Mended, ...]:
    """Set the settings of topics that are there as they must be, and return what was changed.

    BrokerRefused says what cannot be changed (`misfits`), before anything is.
    """
    asked = {topic.name: topic for topic in topics}
    async with connection.opened(connection.admin()) as admin:
        try:
            found = await _described(admin, asked)
            faults = [fault for name, topic in found.items() for fault in misfits(asked[name], topic)]
            if faults:
                raise BrokerRefused("\n".join(faults))
            changes = {name: lacking(asked[name], topic) for name, topic in found.items()}
            # the request replaces all settings of a topic
            resources = [
                ConfigResource(ConfigResourceType.TOPIC, name, {**found[name].own, **change})
                for name, change in changes.items()
                if change
            ]
            if resources:
                for response in await admin.alter_configs(resources):
                    _refuse_faults(
                        (row["resource_name"], row["error_code"], row["error_message"])
                        for row in response.to_object()["resources"]
                    )
                await _held(admin, asked, [resource.name for resource in resources])
        except (kafka_errors.KafkaError, OSError, TimeoutError) as error:
            raise connection.fault(error) from error
    return tuple(
        Mended(name, setting, found[name].settings[setting], value)
        for name, change in changes.items()
        for setting, value in change.items()
    )


def _refuse_faults(rows: Iterable[tuple[str, int, str | None]]) -> None:
    """Raise BrokerRefused with what the broker says of each (topic, code, text) that it refused."""
    faults = [
        f"{name}: {text or kafka_errors.for_code(code).message}" + HINTS.get(kafka_errors.for_code(code), "")
        for name, code, text in rows
        if code not in (kafka_errors.NoError.errno, kafka_errors.TopicAlreadyExistsError.errno)
    ]
    if faults:
        raise BrokerRefused("\n".join(faults))


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
    """Make topics, again while brokers are fenced: the controller has not heard of them for a moment."""
    wanted = {topic.name: topic for topic in topics}
    made: list[str] = []
    end = asyncio.get_running_loop().time() + READY_S
    while wanted:
        new = [NewTopic(t.name, t.partitions, t.replication, topic_configs=dict(t.settings)) for t in wanted.values()]
        said = (await admin.create_topics(new)).to_object()["topic_errors"]
        fenced = {row["topic"] for row in said if FENCED in (row["error_message"] or "")}
        if asyncio.get_running_loop().time() > end:
            fenced = set()
        _refuse_faults(
            (row["topic"], row["error_code"], row["error_message"]) for row in said if row["topic"] not in fenced
        )
        made += [row["topic"] for row in said if row["error_code"] == kafka_errors.NoError.errno]
        wanted = {name: topic for name, topic in wanted.items() if name in fenced}
        if wanted:
            await asyncio.sleep(0.1)
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


async def _held(admin: Any, asked: Mapping[str, Wanted], names: Iterable[str]) -> None:
    """Wait until the brokers know the settings that were made."""
    names = set(names)
    end = asyncio.get_running_loop().time() + READY_S
    while True:
        found = await _described(admin, names)
        waiting = sorted(name for name in names if name not in found or lacking(asked[name], found[name]))
        if not waiting:
            return
        if asyncio.get_running_loop().time() > end:
            raise BrokerAway(f"the new settings of {', '.join(waiting)} do not hold within {READY_S:g} s")
        await asyncio.sleep(0.1)


async def _described(admin: Any, names: Iterable[str]) -> dict[str, Found]:
    rows = {row["topic"]: row for row in await admin.describe_topics(list(names))}
    _refuse_faults((name, row["error_code"], None) for name, row in rows.items() if row["error_code"] not in _COMING)
    rows = {name: row for name, row in rows.items() if row["error_code"] == 0 and row["partitions"]}
    if not rows:
        return {}
    entries: dict[str, list[dict[str, Any]]] = {}
    for response in await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in rows]):
        for resource in response.to_object()["resources"]:
            entries[resource["resource_name"]] = resource["config_entries"]
    return {name: _found(name, row["partitions"], entries.get(name, [])) for name, row in rows.items()}


def _found(name: str, partitions: list[dict[str, Any]], entries: list[dict[str, Any]]) -> Found:
    return Found(
        name,
        len(partitions),
        min(len(one["replicas"]) for one in partitions),
        sum(1 for one in partitions if one["leader"] < 0),
        sum(1 for one in partitions if len(one["isr"]) < len(one["replicas"])),
        {entry["config_names"]: entry["config_value"] for entry in entries},
        {entry["config_names"]: entry["config_value"] for entry in entries if entry["config_source"] == OF_THE_TOPIC},
    )
