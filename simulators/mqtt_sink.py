"""Readings to an MQTT broker at QoS 1, some lines a message; from there `tongguan bridge` brings them into the log."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from simulators.errors import SinkBusy, SinkError

TOPIC = "city/readings/simulator"
MESSAGE_READINGS = 500
MESSAGE_BYTES = 200_000
PATIENCE_S = 120.0
IN_FLIGHT = 100


class MqttSink:
    """Lines to `mqtt://user:password@host:port/topic` (`mqtts://`: TLS); `send` returns when the broker has them all.

    paho connects again by itself and sends again what was not acknowledged; a broker that is away is waited for as long
    as `patience_s`.
    """

    def __init__(self, to: str, *, patience_s: float = PATIENCE_S) -> None:
        parts = urlsplit(to)
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.query:
            raise SinkError(f"--to must be mqtt://host[:port][/topic]; got {to.rpartition('@')[2]}")
        self._topic = parts.path.strip("/") or TOPIC
        self._where = f"{parts.hostname}:{parts.port or (8883 if parts.scheme == 'mqtts' else 1883)}"
        self._patience_s = patience_s
        self._waiting: set[int] = set()
        self._early: set[int] = set()
        self._changed = threading.Condition()
        self._refused: str | None = None
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._client.max_inflight_messages_set(IN_FLIGHT)
        self._client.on_connect = self._connected
        self._client.on_publish = self._published
        if parts.username:
            self._client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        if parts.scheme == "mqtts":
            self._client.tls_set()
        self._client.connect_async(parts.hostname, parts.port or (8883 if parts.scheme == "mqtts" else 1883))
        self._client.loop_start()

    def send(self, lines: Sequence[bytes], arrives_ms: Sequence[int] | None = None) -> None:  # noqa: ARG002
        """Deliver readings. Raises SinkError when the broker turns us away, SinkBusy when it does not answer."""
        for message in _messages(lines):
            mid = self._client.publish(self._topic, b"\n".join(message), qos=1).mid
            with self._changed:
                if mid in self._early:
                    self._early.discard(mid)
                else:
                    self._waiting.add(mid)
                self._until(lambda: len(self._waiting) < IN_FLIGHT)
        with self._changed:
            self._until(lambda: not self._waiting)

    def _until(self, true: Any) -> None:
        if not self._changed.wait_for(lambda: self._refused is not None or true(), self._patience_s):
            raise SinkBusy(f"the MQTT broker {self._where} took no readings for {self._patience_s:.0f} s")
        if self._refused is not None:
            raise SinkError(f"the MQTT broker {self._where} does not let us in: {self._refused}")

    def _connected(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        with self._changed:
            self._refused = str(reason) if reason.is_failure else None
            self._changed.notify_all()

    def _published(self, _client: Any, _data: Any, mid: int, _reason: Any, _properties: Any) -> None:
        with self._changed:
            if mid in self._waiting:
                self._waiting.discard(mid)
            else:
                self._early.add(mid)
            self._changed.notify_all()

    def close(self) -> None:
        """Leave the broker."""
        self._client.disconnect()
        self._client.loop_stop()


def _messages(lines: Sequence[bytes]) -> Iterator[list[bytes]]:
    message: list[bytes] = []
    size = 0
    for line in lines:
        if message and (len(message) >= MESSAGE_READINGS or size + len(line) >= MESSAGE_BYTES):
            yield message
            message, size = [], 0
        message.append(line)
        size += len(line) + 1
    if message:
        yield message
