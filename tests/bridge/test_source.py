"""Messages of a real mosquitto: what is acknowledged is gone, what is not comes again; and who is let in."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiomqtt
import paho.mqtt.client as paho
import pytest

from engine.runtime.bridge.source import Batch, Broker, Source, broker_of
from engine.runtime.errors import Refused
from tests.bridge.running import Publisher, Running, wait_until
from tests.parts.mqtt import Mosquitto
from tests.parts.ports import free_port

BOTH = pytest.mark.parametrize("v5", [True, False], ids=["MQTT 5", "MQTT 3.1.1"])
PATIENCE_S = 20.0


def test_what_we_touch_below_aiomqtt_is_as_it_was() -> None:
    """If this fails, look at `_Manual`: paho's manual acknowledgement is reached through aiomqtt's own client."""
    assert list(inspect.signature(paho.Client.ack).parameters) == ["self", "mid", "qos"]
    assert list(inspect.signature(paho.Client.manual_ack_set).parameters) == ["self", "on"]
    source = inspect.getsource(aiomqtt.Client)
    assert "self._client: mqtt.Client = mqtt.Client(" in source
    assert "self._queue.put_nowait(m)" in source
    assert {"mid", "qos", "topic", "payload"} <= set(inspect.signature(aiomqtt.Message.__init__).parameters)


def broker(mosquitto: Mosquitto, *, v5: bool = True) -> Broker:
    return broker_of(mosquitto.url, user="", password="", ca="", cert="", key="", client_id="one", v5=v5)


async def taken(source: Source, number: int, then: Callable[[Batch], None], publish: Callable[[], None]) -> list[str]:
    """Read until `number` messages came, publishing once there is a session; hand each batch to `then`."""
    found: list[str] = []
    batches = source.batches()
    try:
        async with asyncio.timeout(PATIENCE_S):
            while len(found) < number:
                waiting = asyncio.ensure_future(anext(batches))
                while not source.connected and not waiting.done():
                    await asyncio.sleep(0.01)
                publish()
                publish = _nothing
                batch = await waiting
                found += [message.payload.decode() for message in batch.messages]
                then(batch)
    finally:
        await batches.aclose()  # type: ignore[attr-defined]
    return found


def _nothing() -> None:
    """Publish nothing more."""


def _leave(_batch: Batch) -> None:
    """Acknowledge nothing."""


@BOTH
@pytest.mark.needs("mosquitto")
def test_what_was_not_acknowledged_comes_again_in_order_and_what_was_does_not(mosquitto: Mosquitto, v5: bool) -> None:
    publisher = Publisher(mosquitto)

    def publish(names: Sequence[str]) -> None:
        for name in names:
            publisher.raw("t/x", name.encode(), name)

    def first_two(batch: Batch) -> None:
        nonlocal left
        number = min(left, len(batch.messages))
        left -= number
        batch.acknowledge(number)

    left, sent = 2, [str(n) for n in range(6)]
    one = Source(broker(mosquitto, v5=v5), "t/#")
    assert asyncio.run(taken(one, 6, first_two, lambda: publish(sent))) == sent
    publish(["while away"])
    publisher.flush()
    mosquitto.stop()
    mosquitto.start()
    other = Source(broker(mosquitto, v5=v5), "t/#")
    assert asyncio.run(taken(other, 5, lambda batch: batch.acknowledge(9), _nothing)) == [*sent[2:], "while away"]
    third = Source(broker(mosquitto, v5=v5), "t/#")
    again = Publisher(mosquitto, "later")
    assert asyncio.run(taken(third, 1, _leave, lambda: again.raw("t/x", b"new", "new"))) == ["new"]
    publisher.close()
    again.close()


@pytest.mark.needs("mosquitto")
def test_messages_of_qos_0_without_room_are_dropped_and_counted(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.runtime.bridge.source.UNACKNOWLEDGED", 5)
    publisher = Publisher(mosquitto)
    source = Source(broker(mosquitto), "t/#")

    async def drop() -> None:
        batches = source.batches()
        waiting = asyncio.ensure_future(anext(batches))
        while not source.connected:
            await asyncio.sleep(0.01)
        publisher.raw("t/x", b"first")
        await waiting
        for _ in range(50):
            publisher.raw("t/x", b"fast", qos=0)
        async with asyncio.timeout(PATIENCE_S):
            while source.dropped < 45:
                await asyncio.sleep(0.01)
        await batches.aclose()  # type: ignore[attr-defined]

    asyncio.run(drop())
    assert source.dropped == 45
    publisher.close()


@pytest.fixture
def secured(tmp_path: Path) -> Any:
    """A mosquitto that wants TLS and a password, and its certificate."""
    folder = tmp_path / "secured"
    folder.mkdir()
    subject = "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    _openssl(folder, f"req -x509 -newkey rsa:2048 -nodes -days 2 -keyout key.pem -out cert.pem {subject}")
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(folder / "users"), "bridge", "secret"], check=True)
    more = (
        f"certfile {folder}/cert.pem\nkeyfile {folder}/key.pem\nallow_anonymous false\npassword_file {folder}/users\n"
    )
    running = Mosquitto(folder, free_port(), more)
    running.start()
    yield running
    running.stop()


def _openssl(folder: Path, arguments: str) -> None:
    subprocess.run(["openssl", *arguments.split()], cwd=folder, check=True, capture_output=True)


@pytest.mark.needs("mosquitto")
def test_a_broker_that_wants_tls_and_a_password_lets_in_who_has_both(secured: Mosquitto, tmp_path: Path) -> None:
    url = secured.url.replace("mqtt://", "mqtts://")
    known = {"TONGGUAN_MQTT_USER": "bridge", "TONGGUAN_MQTT_CA": str(secured.folder / "cert.pem")}
    good = Running(tmp_path / "good", [url, "--to", "http://127.0.0.1:9"], known | {"TONGGUAN_MQTT_PASSWORD": "secret"})
    good.start()
    wait_until(lambda: good.value("mqtt_connected"), "a session")
    assert good.stop() == 0
    wrong = Running(tmp_path / "wrong", [url, "--to", "http://127.0.0.1:9"], known | {"TONGGUAN_MQTT_PASSWORD": "no"})
    wrong.start()
    assert wrong.process is not None
    assert wrong.process.wait(PATIENCE_S) == 1
    assert "mqtt_user and mqtt_password say who we are" in wrong.log.read_text()
    stranger = Running(tmp_path / "stranger", [url, "--to", "http://127.0.0.1:9"])
    stranger.start()
    wait_until(lambda: "certificate" in stranger.ready()[1], "a certificate that nobody vouches for")
    stranger.stop()


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:1883", "http://127.0.0.1", "mqtt://", "mqtt://h:99999", "mqtt://h/topic", "mqtt://u:secret@h/topic"],
)
def test_a_source_that_is_none_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(Refused) as refusal:
        broker_of(url, user="", password="", ca="", cert="", key="", client_id="c", v5=True)
    assert "must be mqtt://host:port" in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_the_url_says_who_we_are_before_the_settings_do() -> None:
    given = {"user": "u", "password": "p", "ca": "", "cert": "", "key": "", "client_id": "c", "v5": True}
    assert broker_of("mqtt://h", **given) == Broker("h", 1883, "u", "p", None, "c")  # type: ignore[arg-type]
    found = broker_of("mqtts://a%40b:c%3Ad@h", **given)  # type: ignore[arg-type]
    assert replace(found, tls=None) == Broker("h", 8883, "a@b", "c:d", None, "c")
    assert found.tls is not None
    assert "c:d" not in repr(found)
