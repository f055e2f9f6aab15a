"""From MQTT to an engine over HTTP: what the MQTT broker was told to be safe is in the log."""

from __future__ import annotations

import resource
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from threading import Thread

import pytest

from engine.api.app import create_app
from engine.api.server import Listener, bind
from engine.runtime.bridge.spool import Spool
from engine.runtime.log import Stream
from engine.runtime.quarantine import rows
from tests.bridge.running import Publisher, Running, first_seen, marks_of, wait_until
from tests.parts.mqtt import Mosquitto
from tests.town import Town, open_town

pytestmark = pytest.mark.needs("mosquitto")
SENSORS = [f"BN-{n}" for n in range(5)]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with open_town(tmp_path_factory.mktemp("town")) as running:
        yield running


@pytest.fixture
def new_bridge(tmp_path: Path, mosquitto: Mosquitto, town: Town) -> Iterator[Callable[..., Running]]:
    made: list[Running] = []

    def make(*more: str) -> Running:
        arguments = [mosquitto.url, "--to", town.url, *more]
        made.append(Running(tmp_path / "bridge", arguments, {"TONGGUAN_TOKEN": town.token("sensor")}))
        return made[-1]

    yield make
    for one in made:
        if one.process is not None:
            one.stop()


@pytest.fixture
def bridge(new_bridge: Callable[..., Running]) -> Running:
    running = new_bridge()
    running.start()
    wait_until(lambda: running.value("mqtt_connected"), "the session")
    return running


@pytest.fixture
def publisher(mosquitto: Mosquitto) -> Iterator[Publisher]:
    gateway = Publisher(mosquitto)
    yield gateway
    gateway.close()


@contextmanager
def away(town: Town) -> Iterator[None]:
    """Let the engine's listener go away, and come back on the same port."""
    port = town.listener.port
    town.listener.stop()
    try:
        yield
    finally:
        app = create_app(town.services)
        town.listener = Listener(app, bind("127.0.0.1", port), before_stop=app.close)
        town.listener.start()


def stored(town: Town) -> list[bytes]:
    """Return the values of the readings log."""
    return list(town.engine.journal.read(Stream.READINGS, 0, 0, limit_bytes=256 << 20).values)


def test_readings_arrays_and_lines_arrive_in_order_and_are_acknowledged(
    town: Town, publisher: Publisher, bridge: Running
) -> None:
    for number in range(300):
        publisher.reading("BN-E", number)
    line = b'{"sensor":"BN-E","kind":"waste.fill","t":1,"v":1,"attrs":{"mark":"L/%d"}}'
    publisher.raw("city/readings/x", b"\n".join(line % n for n in range(3)))
    publisher.raw("city/readings/x", b"[" + b", ".join(line % n for n in range(3, 6)) + b"]")
    publisher.flush()
    wait_until(lambda: bridge.value("readings_total") == 306, "all readings in the log")
    assert first_seen(marks_of(stored(town))) == {"BN-E": list(range(300)), "L": list(range(6))}
    assert bridge.value("acknowledged_total") == bridge.value("messages_total") == 302
    assert bridge.ready() == (200, "")
    assert bridge.stop() == 0


def publish(publisher: Publisher, prefix: str, numbers: range, **more: object) -> None:
    """Publish readings of five sensors in turn."""
    for number in numbers:
        publisher.reading(f"{prefix}-{number % 5}", number, **more)


def arrived(town: Town, publisher: Publisher, prefix: str) -> bool:
    """Say whether everything that was acknowledged to the publisher is in the log."""
    return {mark for mark in publisher.acknowledged if mark.startswith(prefix)} <= set(marks_of(stored(town)))


def in_order(town: Town, prefix: str) -> bool:
    """Say whether each sensor's readings were first seen in the order in which they were published."""
    seen = {sensor: n for sensor, n in first_seen(marks_of(stored(town))).items() if sensor.startswith(prefix)}
    return bool(seen) and all(numbers == sorted(numbers) for numbers in seen.values())


def test_killed_again_and_again_under_load_it_loses_nothing_and_keeps_the_order(
    town: Town, publisher: Publisher, bridge: Running
) -> None:
    random = Random(7)
    load = Thread(target=publish, args=(publisher, "KL", range(4_000)))
    load.start()
    for _ in range(8):
        enough = bridge.value("messages_total") + random.randint(1, 300)
        wait_until(lambda: bridge.value("messages_total") >= enough or not load.is_alive(), "some messages")  # noqa: B023
        bridge.kill()
        bridge.start()
    load.join()
    publisher.flush()
    assert len(publisher.acknowledged) == 4_000
    wait_until(lambda: arrived(town, publisher, "KL"), "every acknowledged reading in the log")
    assert in_order(town, "KL")


def test_while_the_engine_is_away_messages_wait_on_disk_also_through_a_kill(
    town: Town, publisher: Publisher, bridge: Running
) -> None:
    with away(town):
        publish(publisher, "AW", range(500))
        publisher.flush()
        wait_until(lambda: bridge.value("spool_messages") == 500, "all on disk")
        assert bridge.value("acknowledged_total") == 500
        assert bridge.value("log_connected") == 0
        status, reasons = bridge.ready()
        assert status == 503
        assert "messages wait on disk" in reasons
        bridge.kill()
        bridge.start()
        publish(publisher, "AW", range(500, 600))
        wait_until(lambda: bridge.value("spool_messages") == 600, "the later ones behind them")
    wait_until(lambda: bridge.value("spool_messages") == 0, "an empty spool")
    publish(publisher, "AW", range(600, 700))
    wait_until(lambda: arrived(town, publisher, "AW") and len(publisher.acknowledged) == 700, "everything in the log")
    assert in_order(town, "AW")
    assert bridge.ready() == (200, "")


def test_a_full_spool_acknowledges_nothing_and_the_mqtt_broker_keeps_the_messages(
    town: Town, publisher: Publisher, new_bridge: Callable[..., Running]
) -> None:
    bridge = new_bridge("--spool-size", "2MiB")
    bridge.start()
    wait_until(lambda: bridge.value("mqtt_connected"), "the session")
    with away(town):
        publish(publisher, "FU", range(1_000), site="x" * 5_000)
        publisher.flush()
        wait_until(lambda: bridge.value("no_room"), "a full spool")
        assert 0 < bridge.value("acknowledged_total") < 1_000
        assert bridge.value("spool_bytes") <= 2 << 20
        assert "nothing is acknowledged" in bridge.ready()[1]
        bridge.kill()
        bridge.start()
    wait_until(lambda: arrived(town, publisher, "FU"), "everything in the log")
    assert in_order(town, "FU")
    wait_until(lambda: bridge.ready() == (200, ""), "all well again")


def test_a_disk_that_gets_full_and_has_room_again_loses_nothing(
    town: Town, publisher: Publisher, new_bridge: Callable[..., Running]
) -> None:
    bridge = new_bridge()

    def small() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, resource.RLIM_INFINITY))

    bridge.start(before=small)
    wait_until(lambda: bridge.value("mqtt_connected"), "the session")
    with away(town):
        publish(publisher, "DF", range(1_000), site="x" * 5_000)
        publisher.flush()
        wait_until(lambda: bridge.value("no_room"), "a full disk")
        assert 0 < bridge.value("acknowledged_total") < 1_000
        assert "spool.db: writing failed" in bridge.ready()[1]
        assert bridge.process is not None
        resource.prlimit(bridge.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        wait_until(lambda: bridge.value("acknowledged_total") == 1_000, "room again")
    wait_until(lambda: arrived(town, publisher, "DF"), "everything in the log")
    assert in_order(town, "DF")


SMALL_DISK = 'mount -t tmpfs -o size=3m tmpfs "$0" && exec "$@"'


def test_on_a_small_disk_that_is_full_and_then_grows_the_same(
    town: Town, publisher: Publisher, new_bridge: Callable[..., Running]
) -> None:
    bridge = new_bridge()
    disk = bridge.folder / "spool"
    disk.mkdir(parents=True)
    if not may_mount(disk):
        pytest.skip("a small disk needs unshare and a user namespace")
    bridge.start(wrap=["unshare", "-rm", "sh", "-c", SMALL_DISK, str(disk)])
    wait_until(lambda: bridge.value("mqtt_connected"), "the session")
    with away(town):
        publish(publisher, "TF", range(1_000), site="x" * 5_000)
        publisher.flush()
        wait_until(lambda: bridge.value("no_room"), "a full disk")
        assert 0 < bridge.value("acknowledged_total") < 1_000
        assert "no room left on the device" in bridge.ready()[1]
        assert bridge.process is not None
        inside = ["nsenter", "-t", str(bridge.process.pid), "-m", "-U", "--preserve-credentials"]
        subprocess.run([*inside, "mount", "-o", "remount,size=200m", str(disk)], check=True)
        wait_until(lambda: bridge.value("acknowledged_total") == 1_000, "room again")
    wait_until(lambda: arrived(town, publisher, "TF"), "everything in the log")
    assert in_order(town, "TF")


def may_mount(folder: Path) -> bool:
    """Say whether this machine lets us have a small disk of our own."""
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return False
    tried = subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", str(folder)], check=False)
    return tried.returncode == 0


def test_what_is_no_reading_ends_in_quarantine_and_stops_nothing(
    town: Town, publisher: Publisher, bridge: Running
) -> None:
    before = len(list(rows(town.engine.journal)))
    poison = [
        b"",
        b"   ",
        b"not json",
        b"\xff\xfe\x00",
        b'{"sensor":"BN-Q"',
        b"[1,2",
        b"[]",
        b"[3]",
        b'{"kind":"tick","t":1}',
    ]
    for payload in poison:
        publisher.raw("city/readings/x", payload)
    publisher.raw("city/readings/x", b"x" * 3_000_000)
    publisher.reading("BN-Q", 1)
    publisher.flush()
    wait_until(lambda: arrived(town, publisher, "BN-Q/"), "the reading behind them")
    town.settle()
    said = [row.said for row in rows(town.engine.journal)][before:]
    assert sorted(one["reason"] for one in said) == sorted(
        ["not_an_object"] * 5 + ["not_an_object", "control_in_frame"]
    )
    assert any("not json" in str(one.get("raw")) for one in said)
    assert bridge.value("refused_total") == 0


def test_a_token_of_one_area_has_the_readings_of_another_kept_aside_and_the_rest_goes_on(
    town: Town, publisher: Publisher, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    secret = town.token("sensor", area="330683001")
    bridge = Running(tmp_path / "area", [mosquitto.url, "--to", town.url], {"TONGGUAN_TOKEN": secret})
    bridge.start()
    wait_until(lambda: bridge.value("mqtt_connected"), "the session")
    for number in range(20):
        publisher.reading("DL-W" if number % 5 == 0 else "BN-E", number, kind="waste.fill")
    wait_until(lambda: bridge.value("readings_total") == 16, "the readings of the area")
    assert bridge.value("refused_total") == 4
    assert bridge.stop() == 0
    spool = Spool(tmp_path / "area" / "spool", 1 << 30)
    assert spool.refused == 4
    spool.close()
