"""The broker: does it answer, what does it speak, and are the topics as they must be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiokafka import errors as kafka_errors

from engine.runtime.config import Config
from engine.runtime.doctor.database import Known
from engine.runtime.doctor.finding import CREATE, Finding, fail, ok, warn
from engine.runtime.errors import BrokerRefused, RuntimeFault
from engine.runtime.gaps import unread
from engine.runtime.kafka.client import Connection
from engine.runtime.kafka.topics import TIME, Found, Topics, Wanted, describe, lacking, misfits
from engine.runtime.log import Stream
from engine.runtime.retention import DAY_MS

FETCH = 1
RELEASES = {18: "4.1", 17: "3.9", 16: "3.7", 15: "3.5", 13: "3.1", 12: "2.7"}
"""From which release on a broker speaks a version of Fetch."""
OLDEST_FETCH = 12
COPIES = 3
IN_SYNC = 2


async def look_at_broker(connection: Connection) -> tuple[list[Finding], int]:
    """Return what was found, and how many brokers there are; 0: none answers."""
    try:
        spoken = await connection.speaks()
        async with connection.opened(connection.admin()) as admin:
            cluster = await admin.describe_cluster()
    except RuntimeFault as fault:
        return [_away(connection, fault)], 0
    except (kafka_errors.KafkaError, OSError, TimeoutError) as error:
        return [_away(connection, connection.fault(error))], 0
    brokers = len(cluster["brokers"])
    newest = spoken.get(FETCH, (0, 0))[1]
    release = next((name for version, name in RELEASES.items() if newest >= version), "")
    said = f"{connection.bootstrap} answers; {brokers} brokers, Kafka {release} or later"
    if newest < OLDEST_FETCH:
        return [
            warn("broker", f"{connection.bootstrap} is older than Kafka 2.7", "use Apache Kafka 3.5 or later")
        ], brokers
    return [ok("broker", said)], brokers


def _away(connection: Connection, fault: RuntimeFault) -> Finding:
    if isinstance(fault, BrokerRefused):
        return fail("broker", str(fault), "tongguan doctor --print-config    # and set what the line above names")
    host, _, port = connection.servers[0].rpartition(":")
    return fail(
        "broker",
        str(fault),
        f"nc -vz {host} {port}    # does it run, is the address right, does a firewall stand between",
    )


async def look_at_topics(
    connection: Connection, config: Config, asked: Sequence[Wanted], known: Known, *, need_ms: int
) -> tuple[list[Finding], Mapping[str, Found]]:
    """Return what was found, and the topics.

    `need_ms`: how far a rebuild of detect's state reaches back; `known`: to the database.
    """
    names = Topics(config.topic_prefix)
    try:
        found = await describe(connection, names.all())
    except RuntimeFault as fault:
        return [fail("topics", str(fault), "ask who keeps the broker for the right to describe these topics")], {}
    missing = [topic.name for topic in asked if topic.name not in found]
    findings = [
        fail("topics", f"missing: {', '.join(missing)}", CREATE)
        if missing
        else ok("topics", f"all {len(asked)} are there")
    ]
    if names.readings in found:
        findings += _partitions(found[names.readings], config, known)
        findings += _time(found[names.readings], config)
        findings.append(_retention(found[names.readings], need_ms))
    for topic in asked:
        if topic.name in found:
            findings += _settings(topic, found[topic.name])
    findings += _copies([found[name] for name in names.all() if name in found], config)
    return findings, found


def _partitions(readings: Found, config: Config, known: Known) -> list[Finding]:
    has, noted = readings.partitions, known.partitions
    if noted is not None and (has < noted or unread(known.gaps, Stream.READINGS, noted, has)):
        return [
            fail(
                "partitions",
                f"{readings.name} has {has} partitions, the database knows a log of {noted}: sensors have moved",
                f"{CREATE} --topic-prefix NEW. --partitions {noted}    # another log; then set topic_prefix for all",
            )
        ]
    if config.partitions != has:
        said = f"{readings.name} has {has} partitions, the settings say {config.partitions}"
        return [warn("partitions", said, f"echo 'partitions = {has}' >> tongguan.toml")]
    return [
        ok("partitions", f"{readings.name} has {has}, as the database knows" if noted else f"{readings.name} has {has}")
    ]


def _time(readings: Found, config: Config) -> list[Finding]:
    has = readings.settings.get(TIME)
    wants = "CreateTime" if config.log_time == "record" else "LogAppendTime"
    if has == wants:
        return [ok("log time", f"{readings.name}: {TIME}={has}")]
    if wants == "LogAppendTime":
        said = f"{readings.name}: {TIME}={has}: whoever writes decides what time it is; workers refuse it"
        return [fail("log time", said, CREATE)]
    said = f"{readings.name}: {TIME}={has}, but log_time = 'record' wants the player's time"
    return [fail("log time", said, f"{CREATE} --topic-prefix drill. --log-time record    # a log of its own")]


def _retention(readings: Found, need_ms: int) -> Finding:
    keep, size = (int(readings.settings.get(name, -1)) for name in ("retention.ms", "retention.bytes"))
    need = f"the longest window of the plan and a day are {need_ms / DAY_MS:.1f} d"
    if 0 <= keep < need_ms:
        return fail("retention", f"{readings.name} is kept for {keep / DAY_MS:.1f} d; {need}", CREATE)
    if size >= 0:
        return fail(
            "retention", f"{readings.name} is cut at {size} bytes a partition, whatever its age; {need}", CREATE
        )
    return ok(
        "retention", f"{readings.name} is kept {'for good' if keep < 0 else f'for {keep / DAY_MS:.1f} d'}; {need}"
    )


def _settings(asked: Wanted, found: Found) -> list[Finding]:
    """Look at what the other looks leave out."""
    told = {"min.insync.replicas"}
    if asked.name.endswith("city.readings"):
        told |= {name for name in asked.settings if name.startswith(("message.timestamp.", "retention."))}
    wrong = {name: value for name, value in lacking(asked, found).items() if name not in told}
    findings = [
        warn("settings", f"{asked.name}: {name} is {found.settings[name]}, must be {value}", CREATE)
        for name, value in wrong.items()
    ]
    if asked.name.endswith("city.alerts") and misfits(asked, found):
        said = f"{asked.name} has {found.partitions} partitions: cases are made from one ordered stream"
        findings.append(
            fail("partitions", said, f"{CREATE} --topic-prefix NEW.    # another log; then set topic_prefix")
        )
    return findings


def _copies(topics: Sequence[Found], config: Config) -> list[Finding]:
    findings = []
    dead = [topic for topic in topics if topic.leaderless]
    if dead:
        said = ", ".join(f"{topic.name} ({topic.leaderless})" for topic in dead)
        findings.append(fail("leaders", f"partitions without a leader: {said}", "start the brokers that have them"))
    behind = [topic.name for topic in topics if topic.out_of_sync]
    if behind:
        said = f"copies are behind: {', '.join(behind)}"
        findings.append(warn("in sync", said, "look at the brokers that are down or slow"))
    if config.single_node:
        return [*findings, ok("copies", "one broker is meant (single_node)")]
    few = sorted({topic.replication for topic in topics if topic.replication < COPIES})
    loose = [topic.name for topic in topics if int(topic.settings.get("min.insync.replicas", 1)) < IN_SYNC]
    if few:
        said = f"{few[0]} copies of a record, where {COPIES} outlive a broker that is lost while another is down"
        more = (
            "kafka-reassign-partitions.sh --execute --reassignment-json-file FILE    # or, where one broker is meant: "
        )
        findings.append(fail("copies", said, more + "echo 'single_node = true' >> tongguan.toml"))
    elif loose:
        said = f"min.insync.replicas < {IN_SYNC}: what is acknowledged may stand on one disk: {', '.join(loose)}"
        findings.append(fail("copies", said, f"{CREATE} --replication {COPIES}"))
    elif topics:
        findings.append(ok("copies", f"{COPIES} and more, {IN_SYNC} in sync before anything is acknowledged"))
    return findings
