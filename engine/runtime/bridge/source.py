"""Messages of an MQTT broker over a persistent session, each acknowledged when the caller says so.

aiomqtt acknowledges by itself, before the application has done anything. `_Manual` is the one place that reaches
below it, to paho's manual acknowledgement; a test fails when either changes.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from urllib.parse import unquote, urlsplit

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY, CleanStartOption
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from engine.runtime.bridge.payloads import Message
from engine.runtime.errors import Refused

_log = logging.getLogger("tongguan.bridge")
NEVER_EXPIRES = 0xFFFF_FFFF
UNACKNOWLEDGED = 1_000
BATCH_MESSAGES = 2_000
BATCH_BYTES = 2 << 20
LONGEST_PAUSE_S = 30.0
NOT_LET_IN = frozenset({4, 5, 134, 135, 140})
"""CONNACK codes of user, password or permission, in 3.1.1 and in 5."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the messages come from, and how we are let in. `tls` null: in the clear."""

    host: str
    port: int
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    client_id: str = "tongguan-bridge"
    protocol: aiomqtt.ProtocolVersion = aiomqtt.ProtocolVersion.V5


def broker_of(url: str, *, user: str, password: str, ca: str, cert: str, key: str, client_id: str, v5: bool) -> Broker:
    """Read `mqtt://user:password@host:1883` or `mqtts://…`; what the URL leaves open comes from the settings.

    Raises Refused.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Refused(f"SOURCE: must be mqtt://host:port or mqtts://host:port; {error}") from None
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise Refused(f"SOURCE: must be mqtt://host:port or mqtts://host:port; got {url.rpartition('@')[2]}")
    secure = parts.scheme == "mqtts"
    return Broker(
        parts.hostname,
        port or (8883 if secure else 1883),
        unquote(parts.username) if parts.username else user or None,
        unquote(parts.password) if parts.password else password or None,
        _tls(ca, cert, key) if secure else None,
        client_id,
        aiomqtt.ProtocolVersion.V5 if v5 else aiomqtt.ProtocolVersion.V311,
    )


def _tls(ca: str, cert: str, key: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca or None)
        if cert:
            context.load_cert_chain(cert, key or None)
    except (OSError, ssl.SSLError) as error:
        raise Refused(f"mqtt_ca, mqtt_cert, mqtt_key: must be PEM files that fit together; {error}") from error
    return context


class _Inbox(asyncio.Queue[aiomqtt.Message]):
    """Messages that came and were not taken yet.

    Those to be acknowledged are bounded by the broker; of the others (QoS 0) there is room for `most`, then they are
    counted and dropped.
    """

    def __init__(self, most: int, dropped: Callable[[], None], maxsize: int = 0) -> None:
        super().__init__(maxsize)
        self._most = most
        self._dropped = dropped

    def put_nowait(self, item: aiomqtt.Message) -> None:
        if item.qos == 0 and self.qsize() >= self._most:
            self._dropped()
            return
        super().put_nowait(item)


class _Manual(aiomqtt.Client):
    """aiomqtt's client with paho's manual acknowledgement, which it does not show."""

    def acknowledge_by_hand(self) -> None:
        """Acknowledge nothing from now on but by `acknowledge`."""
        self._client.manual_ack_set(True)

    def acknowledge(self, message: aiomqtt.Message) -> None:
        """Send PUBACK; on a connection that is gone nothing happens, and the broker sends the message again."""
        self._client.ack(message.mid, message.qos)


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages in the order in which they came; `acknowledge(n)` tells the broker that the next n are safe."""

    messages: Sequence[Message]
    acknowledge: Callable[[int], None]


class Source:
    """A broker and a topic filter; connects again, with pauses, for as long as `batches` is read.

    `connected` tells whether a session is up; `fault` says why not; `dropped` counts QoS 0 messages without room.
    """

    def __init__(self, broker: Broker, topic_filter: str) -> None:
        self._broker = broker
        self._filter = topic_filter
        self.connected = False
        self.fault: str | None = "not connected yet"
        self.dropped = 0

    async def batches(self) -> AsyncIterator[Batch]:
        """Yield what comes, as much as is there. Raises Refused when the broker does not let us in at first."""
        pause_s, ever = 0.5, False
        while True:
            try:
                async with self._client() as client:
                    granted = await client.subscribe(self._filter, qos=1)
                    _check(granted, self._filter)
                    self.connected, self.fault, pause_s, ever = True, None, 0.5, True
                    _log.info("subscribed to %s at %s:%d", self._filter, self._broker.host, self._broker.port)
                    while True:
                        yield await _batch(client)
            except aiomqtt.MqttError as error:
                self.connected, self.fault = False, f"{self._broker.host}:{self._broker.port}: {error}"
                if not ever and isinstance(error, MqttConnectError) and _code(error) in NOT_LET_IN:
                    raise Refused(f"{self.fault}; mqtt_user and mqtt_password say who we are") from error
                _log.warning("MQTT: %s; again in %g s", self.fault, pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    def _client(self) -> _Manual:
        broker, v5 = self._broker, self._broker.protocol == aiomqtt.ProtocolVersion.V5
        properties, clean_start = None, MQTT_CLEAN_START_FIRST_ONLY
        if v5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = NEVER_EXPIRES
            properties.ReceiveMaximum = UNACKNOWLEDGED
            clean_start = _NEVER_CLEAN
        client = _Manual(
            broker.host,
            broker.port,
            username=broker.user,
            password=broker.password,
            identifier=broker.client_id,
            protocol=broker.protocol,
            clean_session=None if v5 else False,
            clean_start=clean_start,
            properties=properties,
            tls_context=broker.tls,
            keepalive=30,
            queue_type=functools.partial(_Inbox, UNACKNOWLEDGED, self._drop),  # type: ignore[arg-type]
        )
        client.acknowledge_by_hand()
        return client

    def _drop(self) -> None:
        self.dropped += 1


_NEVER_CLEAN: CleanStartOption = False


def _code(error: MqttConnectError) -> int:
    return error.rc.value if isinstance(error.rc, ReasonCode) else error.rc or 0


def _check(granted: Sequence[object], topic_filter: str) -> None:
    codes = [int(getattr(code, "value", code)) for code in granted]  # type: ignore[call-overload]
    if any(code >= 128 for code in codes):
        raise aiomqtt.MqttError(f"the broker refuses the subscription to {topic_filter} (code {codes[0]})")


async def _batch(client: _Manual) -> Batch:
    """Wait for a message, and take with it what else is there."""
    found: list[aiomqtt.Message] = []
    size = 0
    queue = client.messages
    while not found or (len(queue) and len(found) < BATCH_MESSAGES and size < BATCH_BYTES):
        message = await anext(aiter(queue))
        found.append(message)
        size += len(message.payload)

    left = iter(found)

    def acknowledge(number: int) -> None:
        for message in islice(left, number):
            if message.qos:
                with suppress(OSError):
                    client.acknowledge(message)

    return Batch([Message(str(message.topic), bytes(message.payload)) for message in found], acknowledge)
