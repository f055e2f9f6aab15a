"""From MQTT to an engine over HTTP: what the MQTT broker was told to be safe is in the log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.runtime.log import Stream
from tests.bridge.running import Publisher, Running, first_seen, marks_of, wait_until
from tests.parts.mqtt import Mosquitto
from tests.town import Town, open_town

pytestmark = pytest.mark.needs("mosquitto")


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    folder = tmp_path / "town"
    folder.mkdir()
    with open_town(folder) as running:
        yield running


@pytest.fixture
def bridge(tmp_path: Path, mosquitto: Mosquitto, town: Town) -> Iterator[Running]:
    running = Running(tmp_path / "bridge", [mosquitto.url, "--to", town.url], {"TONGGUAN_TOKEN": town.token("sensor")})
    running.start()
    try:
        yield running
    finally:
        running.stop()


def stored(town: Town) -> list[bytes]:
    """Return the values of the readings log."""
    return list(town.engine.journal.read(Stream.READINGS, 0, 0, limit_bytes=256 << 20).values)


def test_readings_arrays_and_lines_arrive_in_order_and_are_acknowledged(
    town: Town, mosquitto: Mosquitto, bridge: Running
) -> None:
    wait_until(lambda: bridge.value("mqtt_connected"), "the session")
    publisher = Publisher(mosquitto)
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
    publisher.close()
