"""From MQTT into the log on Kafka."""

from __future__ import annotations

import asyncio
import resource
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from threading import Thread

import orjson
import pytest
from aiokafka.admin import NewPartitions

from engine.runtime.bridge.kafka_sink import KafkaSink
from engine.runtime.bridge.payloads import Message, Topic
from rules.partition import home_partition
from rules.registry import Registry
from tests.bridge.running import Publisher, Running, first_seen, marks_of, now_ms, wait_until
from tests.kafka.city import City
from tests.parts.broker import Broker
from tests.parts.mqtt import Mosquitto
from tests.parts.postgres import Database

pytestmark = [pytest.mark.needs("kafka"), pytest.mark.needs("postgres"), pytest.mark.needs("mosquitto")]
GATEWAYS = """sensor,kind,lon,lat,gateway
GW-1,waste.fill,120.8,29.6,box-7
GW-2,waste.fill,120.8,29.6,box-7
GW-3,waste.fill,120.8,29.6,box-7
"""


@pytest.fixture
def city(broker: Broker, database: Database, tmp_path: Path) -> Iterator[City]:
    with City(broker, database, tmp_path) as made:
        yield made


@pytest.fixture
def bridge(city: City, mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Running]:
    (tmp_path / "gateways.csv").write_text(GATEWAYS)
    arguments = [
        mosquitto.url,
        "--to",
        f"kafka://{city.broker.bootstrap}",
        "--registry",
        str(tmp_path / "gateways.csv"),
    ]
    running = Running(tmp_path / "bridge", arguments, {"TONGGUAN_TOPIC_PREFIX": city.config.topic_prefix})
    running.start()
    wait_until(lambda: running.value("mqtt_connected"), "the session")
    yield running
    running.stop()


@pytest.fixture
def publisher(mosquitto: Mosquitto) -> Iterator[Publisher]:
    gateway = Publisher(mosquitto)
    yield gateway
    gateway.close()


def stored(city: City) -> list[bytes]:
    return [row.value for row in city.records(city.topics.readings)]


def settled(city: City, publisher: Publisher, bridge: Running) -> None:
    """Wait until everything that was published is in the log, and see that it is, in each sensor's order."""
    publisher.flush()
    wait_until(lambda: bridge.value("spool_messages") == 0 and bridge.value("log_connected"), "an empty spool")
    wait_until(lambda: publisher.acknowledged <= set(marks_of(stored(city))), "every reading in the log")
    for numbers in first_seen(marks_of(stored(city))).values():
        assert numbers == sorted(numbers)


def test_partitions_that_were_added_are_no_sensors_home_where_the_workers_know_better(city: City) -> None:
    async def story() -> None:
        connection = city.broker.connection
        async with connection.opened(connection.admin()) as admin:
            await admin.create_partitions({city.topics.readings: NewPartitions(total_count=7)})
        sink = KafkaSink(connection, city.topics.readings, Topic("city/{sensor}"), Registry(), lambda: 4)
        texts = [orjson.dumps({"sensor": f"S-{n}", "kind": "waste.fill", "t": 1, "v": 1}) for n in range(40)]
        await sink.send([Message(f"city/S-{n}", text) for n, text in enumerate(texts)])
        await sink.close()

    asyncio.run(story())
    homes = {one["sensor"]: row.partition for row in city.records(city.topics.readings) for one in row.said}
    assert homes == {f"S-{n}": home_partition(f"S-{n}", 4) for n in range(40)}


def test_readings_of_a_frame_go_to_the_home_of_their_sensor_or_its_gateway(
    city: City, bridge: Running, publisher: Publisher
) -> None:
    sensors = [f"S-{n}" for n in range(40)] + ["GW-1", "GW-2", "GW-3"]
    frame = [{"sensor": s, "kind": "waste.fill", "t": 1, "v": 1, "attrs": {"mark": f"{s}/0"}} for s in sensors]
    publisher.raw("city/readings/x", orjson.dumps(frame), "frame")
    wait_until(lambda: bridge.value("readings_total") == 43, "the frame in the log")
    homes = {
        reading["sensor"]: row.partition
        for row in city.records(city.topics.readings)
        for reading in orjson.loads(row.value)
    }
    assert homes == {s: home_partition("box-7" if s.startswith("GW") else s, 4) for s in sensors}
    assert len(set(homes.values())) == 4


def test_killed_under_load_and_with_the_broker_away_it_loses_nothing_and_keeps_the_order(
    city: City, bridge: Running, publisher: Publisher
) -> None:
    random = Random(3)

    def load() -> None:
        for number in range(3_000):
            publisher.reading(f"K-{number % 7}", number)

    loading = Thread(target=load)
    loading.start()
    for _ in range(3):
        enough = bridge.value("messages_total") + random.randint(1, 300)
        wait_until(lambda: bridge.value("messages_total") >= enough or not loading.is_alive(), "some messages")  # noqa: B023
        bridge.kill()
        bridge.start()
    loading.join()
    settled(city, publisher, bridge)
    city.broker.stop()
    try:
        for number in range(3_000, 3_500):
            publisher.reading(f"K-{number % 7}", number)
        publisher.flush()
        wait_until(lambda: bridge.value("spool_messages") == 500, "all on disk")
        bridge.kill()
        bridge.start()
    finally:
        city.broker.start()
    for number in range(3_500, 3_600):
        publisher.reading(f"K-{number % 7}", number)
    settled(city, publisher, bridge)
    assert len(publisher.acknowledged) == 3_600


def test_malformed_payloads_are_rejected_by_a_worker_and_the_others_are_judged(
    city: City, bridge: Running, publisher: Publisher
) -> None:
    city.set_plan()
    city.start("w1")
    poison = [b"not json", b"\xff\xfe\x00", b'{"sensor":"GM-1"', b"[1,2", b"[3]", b'{"kind":"tick","t":4102444800000}']
    for payload in poison:
        publisher.raw("city/readings/x", payload, str(payload))
    publisher.raw("city/readings/x", b"x" * 3_000_000, "large")
    publisher.reading("GM-1", 1, kind="gas.methane", v=60)
    publisher.flush()
    wait_until(lambda: city.changes(), "the change of the reading behind them")
    city.settle()
    assert bridge.value("refused_total") == 0
    said = Counter(row.said["reason"] for row in city.records(city.topics.quarantine))
    assert sum(said.values()) == len(poison) + 1
    assert said["control_in_frame"] == said["frame_too_large"] == 1


def test_with_the_broker_away_and_the_bridge_s_disk_full_every_change_is_told_that_the_readings_make(
    city: City, bridge: Running, publisher: Publisher
) -> None:
    bridge.stop()
    bridge.start(before=small_files)
    city.set_plan()
    numbers, begun = Counter[str](), now_ms()

    def publish(count: int) -> None:
        for n in range(count):
            sensor, value = f"DL-{n % 4 + 1}", (95, 115, 70, 20)[numbers["all"] // 4 % 4]
            numbers.update(["all", sensor])
            # no two of a sensor in one millisecond: they would count as one
            t_ms = begun + numbers["all"]
            reading = city.reading(sensor, "drain.level", value, t_ms, attrs={"filling": "x" * 5_000})
            reading["attrs"]["mark"] = f"{sensor}/{numbers[sensor]}"
            publisher.raw("city/readings/x", orjson.dumps(reading), reading["attrs"]["mark"])

    publish(40)
    settled(city, publisher, bridge)
    city.broker.stop()
    try:
        publish(1_000)
        publisher.flush()
        wait_until(lambda: bridge.value("no_room"), "a full disk")
        assert 40 < bridge.value("acknowledged_total") < 1_040
    finally:
        city.broker.start()
    assert bridge.process is not None
    resource.prlimit(bridge.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    publish(40)
    settled(city, publisher, bridge)
    city.start("w1")
    city.settle()
    assert city.changes() == city.expected()
    raised = [rows for rows in city.changes().values() if rows[0]["change"] == "raised"]
    # each sensor goes from 20 over the yellow line once in four of its readings
    assert len(raised) == 1_080 // 16 * 4 + min(1_080 % 16, 4)


def small_files() -> None:
    """Let no file of this process grow beyond 2 MiB, until it is allowed to."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, resource.RLIM_INFINITY))


def test_a_broker_without_the_topic_is_refused_with_the_command_that_makes_it(
    broker: Broker, mosquitto: Mosquitto, publisher: Publisher, tmp_path: Path
) -> None:
    arguments = [mosquitto.url, "--to", f"kafka://{broker.bootstrap}"]
    bridge = Running(tmp_path / "bridge", arguments, {"TONGGUAN_TOPIC_PREFIX": "nowhere."})
    bridge.start()
    wait_until(lambda: bridge.value("mqtt_connected"), "the session")
    publisher.reading("S-1", 1)
    assert bridge.process is not None
    assert bridge.process.wait(60) == 1
    assert "`tongguan topics create` makes it" in bridge.log.read_text()
