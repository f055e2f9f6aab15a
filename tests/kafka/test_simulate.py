"""`tongguan simulate --to kafka://…`: each reading at home, on the log's clock or on the player's."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from engine.runtime.kafka.client import Connection
from engine.runtime.kafka.history import Kept, history
from engine.runtime.kafka.topics import Topics
from rules.civil import CITY_TZ
from rules.kinds import load_kinds
from rules.registry import Registry
from rules.registry_file import load_registry
from simulators.errors import SinkBusy, SinkError
from simulators.kafka_sink import KafkaSink
from tests.kafka.serving import ROOT
from tests.parts.broker import Broker

pytestmark = [pytest.mark.needs("kafka"), pytest.mark.timeout(600)]
STORY = ("--starts", "2026-07-01T17:00:00+08:00", "--no-prelude", "--duration", "2m", "--sensors", "300")
PARTITIONS = 4


def simulate(to: str, *more: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "engine.cli", "simulate", *STORY, "--to", to, *more], cwd=ROOT, check=True, timeout=300
    )


def stored(broker: Broker, topics: Topics) -> list[list[Kept]]:
    """Return the records of every partition of city.readings."""
    return [asyncio.run(_all(broker.connection, topics.readings, partition)) for partition in range(PARTITIONS)]


async def _all(connection: Connection, topic: str, partition: int) -> list[Kept]:
    return [kept async for kept in history(connection, topic, partition)]


def played(tmp_path: Path) -> tuple[list[bytes], Registry]:
    """Return the same story from a file, and the registry of its sensors."""
    simulate(str(tmp_path / "story.ndjson"), "--registry", str(tmp_path / "registry.csv"))
    lines = (tmp_path / "story.ndjson").read_bytes().splitlines()
    return lines, load_registry(tmp_path / "registry.csv", load_kinds(), CITY_TZ)


def sensor_of(line: bytes) -> str:
    return str(orjson.loads(line)["sensor"])


def test_on_the_logs_clock_every_reading_is_once_at_home_and_in_order(broker: Broker, tmp_path: Path) -> None:
    topics = broker.create_topics()
    simulate(f"kafka://{broker.bootstrap}?prefix={topics.prefix}")
    lines, registry = played(tmp_path)
    came = [[record.value for record in partition] for partition in stored(broker, topics)]
    at_home = [
        [line for line in lines if registry.home_partition(sensor_of(line), PARTITIONS) == partition]
        for partition in range(PARTITIONS)
    ]
    assert came == at_home
    assert any(registry.home_key(sensor_of(line)) != sensor_of(line) for line in lines), "some are behind a gateway"


def test_on_the_players_clock_records_bring_their_time_and_ticks_come_to_every_partition(
    broker: Broker, tmp_path: Path
) -> None:
    topics = broker.create_topics(log_time="record")
    simulate(f"kafka://{broker.bootstrap}?prefix={topics.prefix}")
    simulate(str(tmp_path / "timed.ndjson"), "--log-t")
    lines, _ = played(tmp_path)
    timed = (tmp_path / "timed.ndjson").read_bytes().splitlines()
    times = {line: orjson.loads(late)["log_t"] for line, late in zip(lines, timed, strict=True)}
    ticks = []
    for records in stored(broker, topics):
        assert [record.log_time for record in records] == sorted(record.log_time for record in records)
        beats = [record for record in records if record.value.startswith(b'{"kind":"tick"')]
        assert [record.log_time for record in beats] == [orjson.loads(record.value)["t"] for record in beats]
        ticks.append([record.log_time for record in beats])
        for record in records:
            assert record in beats or record.log_time == times.pop(record.value)
    assert times == {}
    assert len(ticks[0]) == 12, "every ten seconds of two minutes"
    assert ticks == [ticks[0]] * PARTITIONS


def test_frames_hold_as_many_readings_as_asked(broker: Broker, tmp_path: Path) -> None:
    topics = broker.create_topics()
    simulate(f"kafka://{broker.bootstrap}?prefix={topics.prefix}", "--frame", "5")
    lines, registry = played(tmp_path)
    frames = [[record.value.splitlines() for record in partition] for partition in stored(broker, topics)]
    assert sorted(line for partition in frames for frame in partition for line in frame) == sorted(lines)
    assert max(len(frame) for partition in frames for frame in partition) == 5
    for number, partition in enumerate(frames):
        assert {registry.home_partition(sensor_of(line), PARTITIONS) for frame in partition for line in frame} == {
            number
        }


def test_a_missing_topic_is_named_with_the_command_that_makes_it(broker: Broker) -> None:
    with pytest.raises(SinkError, match=r"nowhere\.city\.readings is not there.*tongguan topics create"):
        KafkaSink(broker.connection.kwargs(), "nowhere.city.readings", {})


def test_a_broker_that_is_away_is_waited_for_and_then_named() -> None:
    with pytest.raises(SinkBusy, match=r"127\.0\.0\.1:9.*took no readings"):
        KafkaSink(Connection("127.0.0.1:9").kwargs(), "city.readings", {}, patience_s=1)
