"""A simulated city over MQTT."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from engine.runtime.bridge.payloads import Message, Topic, pieces
from engine.runtime.bridge.source import Source, broker_of
from simulators.errors import SinkBusy, SinkError
from simulators.mqtt_sink import MqttSink
from tests.parts.mqtt import Mosquitto
from tests.parts.ports import free_port

LINES = [b'{"sensor":"S-%d","kind":"waste.fill","t":1,"v":1}' % n for n in range(2_345)]


@pytest.mark.needs("mosquitto")
def test_lines_go_out_in_order_also_through_a_restart_of_the_broker(mosquitto: Mosquitto) -> None:
    broker = broker_of(mosquitto.url, user="", password="", ca="", cert="", key="", client_id="one", v5=True)
    source, found, ready = Source(broker, "city/readings/#"), list[Message](), threading.Event()

    async def take() -> None:
        batches = source.batches()
        waiting = asyncio.ensure_future(anext(batches))
        while not source.connected:
            await asyncio.sleep(0.01)
        ready.set()
        while sum(len(pieces(one, Topic("#"))) for one in found) < 2 * len(LINES):
            batch = await waiting
            found.extend(batch.messages)
            batch.acknowledge(len(batch.messages))
            waiting = asyncio.ensure_future(anext(batches))
        waiting.cancel()

    taking = threading.Thread(target=lambda: asyncio.run(asyncio.wait_for(take(), 60)))
    taking.start()
    assert ready.wait(30)
    sink = MqttSink(mosquitto.url)
    sink.send(LINES)
    mosquitto.stop()
    mosquitto.start()
    sink.send(LINES)
    sink.close()
    taking.join()
    seen = list(dict.fromkeys(piece.text for one in found for piece in pieces(one, Topic("#"))))
    assert seen == LINES
    assert {one.topic for one in found} == {"city/readings/simulator"}


def test_a_broker_that_is_away_is_waited_for_so_long() -> None:
    sink = MqttSink(f"mqtt://127.0.0.1:{free_port()}", patience_s=0.2)
    with pytest.raises(SinkBusy, match="took no readings"):
        sink.send(LINES[:1])
    sink.close()


@pytest.mark.needs("mosquitto")
def test_a_broker_that_does_not_let_us_in_is_named(tmp_path: Path) -> None:
    closed = Mosquitto(tmp_path, free_port(), "allow_anonymous false\n")
    closed.start()
    sink = MqttSink(closed.url)
    with pytest.raises(SinkError, match="does not let us in"):
        sink.send(LINES[:1])
    sink.close()
    closed.stop()
