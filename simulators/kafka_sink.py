"""Readings into Kafka: each at its home partition, as Kafka's own partitioner computes it, in large lz4 batches."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

import uvloop
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder

from simulators.errors import SinkBusy, SinkError

BATCH_BYTES = 512 << 10
LINGER_S = 0.05
PATIENCE_S = 120.0
PAUSE_S = 0.5
REQUEST_MS = 10_000
SENSOR = b'{"sensor":"'
TICK = b'{"kind":"tick"'
TICK_KEY = b"#tick"
T = TypeVar("T")


class KafkaSink:
    """Lines to one topic; `send` returns when they are on their way, `close` when every one is acknowledged by all.

    `connect` are the arguments by which every client of aiokafka finds its broker; `gateways` names the gateway of the
    sensors that have one. `frame` readings go into a record. Where the topic keeps the time that a record brings
    (`players_clock`), records carry the time of their arrival and ticks go to every partition; elsewhere the log has a
    clock and a ticker of its own, and ticks are left out. A broker that is away is waited for as long as `patience_s`.
    """

    def __init__(
        self,
        connect: Mapping[str, Any],
        topic: str,
        gateways: Mapping[str, str],
        *,
        frame: int = 1,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._connect, self._topic, self._frame, self._patience_s = dict(connect), topic, frame, patience_s
        self._keys = {sensor.encode(): gateway.encode() for sensor, gateway in gateways.items()}
        self._homes: dict[bytes, tuple[bytes, int]] = {}
        self._batches: dict[int, BatchBuilder] = {}
        self._frames: dict[int, list[bytes]] = {}
        self._under_way: set[asyncio.Future[Any]] = set()
        self._failed: BaseException | None = None
        self._submitted: Future[None] | None = None
        self._submitted_at = time.monotonic()
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what concerns the caller is raised
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="kafka", daemon=True)
        self._thread.start()
        try:
            self._producer, self.partitions, self.players_clock = self._opened()
        except BaseException:
            self._end()
            raise

    # ---- what the player calls

    def send(self, lines: Sequence[bytes], arrives_ms: Sequence[int] | None = None) -> None:
        """Deliver readings; `arrives_ms` (ms, ascending) are the times of their arrival."""
        times = arrives_ms if self.players_clock else None
        for at, line in enumerate(lines):
            t_ms = None if times is None else times[at]
            if line.startswith(TICK):
                self._tick(line, t_ms)
                continue
            key, partition = self._home(line)
            if self._frame == 1:
                self._append(partition, key, line, t_ms)
                continue
            frame = self._frames.setdefault(partition, [])
            frame.append(line)
            if len(frame) >= self._frame:
                self._append(partition, None, b"\n".join(self._frames.pop(partition)), t_ms)
        self._close_frames(times[-1] if times is not None and len(times) else None)
        if time.monotonic() - self._submitted_at >= LINGER_S:
            self._submit(list(self._batches))

    def close(self) -> None:
        """Wait until everything is acknowledged, and leave."""
        try:
            self._submit(list(self._batches))
            self._wait_for_room()
            self._run(self._settled(), self._patience_s)
            self._raise_failure()
            self._run(self._producer.stop(), self._patience_s)
        finally:
            self._end()

    # ---- batches

    def _home(self, line: bytes) -> tuple[bytes, int]:
        """Return key and partition of a reading that begins as ours do: with its sensor."""
        sensor = line[len(SENSOR) : line.index(b'"', len(SENSOR))]
        home = self._homes.get(sensor)
        if home is None:
            key = self._keys.get(sensor, sensor)
            partition = DefaultPartitioner()(key, range(self.partitions), None)
            home = self._homes[sensor] = key, int(partition)
        return home

    def _tick(self, line: bytes, t_ms: int | None) -> None:
        if not self.players_clock:
            return
        self._close_frames(t_ms)
        for partition in range(self.partitions):
            self._append(partition, TICK_KEY, line, t_ms)

    def _close_frames(self, t_ms: int | None) -> None:
        for partition, frame in self._frames.items():
            self._append(partition, None, b"\n".join(frame), t_ms)
        self._frames.clear()

    def _append(self, partition: int, key: bytes | None, value: bytes, t_ms: int | None) -> None:
        batch = self._batches.get(partition)
        if batch is None:
            batch = self._batches[partition] = self._producer.create_batch()
        if batch.append(key=key, value=value, timestamp=t_ms) is None:
            self._submit([partition])
            batch = self._batches[partition] = self._producer.create_batch()
            batch.append(key=key, value=value, timestamp=t_ms)

    def _submit(self, partitions: Sequence[int]) -> None:
        """Hand batches over; at most one more a partition waits while one is on its way."""
        self._wait_for_room()
        batches = [(partition, self._batches.pop(partition)) for partition in partitions]
        if len(partitions) != 1:
            self._submitted_at = time.monotonic()
        if batches:
            self._submitted = asyncio.run_coroutine_threadsafe(self._hand_over(batches), self._loop)

    def _wait_for_room(self) -> None:
        self._raise_failure()
        if self._submitted is not None:
            try:
                self._submitted.result(self._patience_s)
            except (TimeoutError, KafkaError) as error:
                raise self._busy(error) from error

    def _raise_failure(self) -> None:
        if self._failed is not None:
            raise SinkError(f"{self._topic}: readings were not taken: {self._failed!r}") from self._failed

    def _busy(self, error: BaseException) -> SinkBusy:
        where = self._connect.get("bootstrap_servers")
        return SinkBusy(f"{where} took no readings for {self._patience_s:.0f} s: {type(error).__name__} {error}")

    # ---- in the loop's thread

    async def _hand_over(self, batches: Sequence[tuple[int, BatchBuilder]]) -> None:
        for partition, batch in batches:
            while True:
                with suppress(KafkaTimeoutError):  # the broker is away: who waits for this has the patience
                    done = await self._producer.send_batch(batch, self._topic, partition=partition)
                    break
            self._under_way.add(done)
            done.add_done_callback(self._arrived)

    def _arrived(self, done: asyncio.Future[Any]) -> None:
        self._under_way.discard(done)
        self._failed = self._failed or done.exception()

    async def _settled(self) -> None:
        if self._under_way:
            await asyncio.wait(self._under_way)

    async def _open(self) -> tuple[AIOKafkaProducer, int, bool]:
        producer = AIOKafkaProducer(
            **self._connect,
            client_id="tongguan-simulate",
            acks="all",
            enable_idempotence=True,
            compression_type="lz4",
            linger_ms=0,
            max_batch_size=BATCH_BYTES,
            max_request_size=2 * BATCH_BYTES,
            request_timeout_ms=REQUEST_MS,
            retry_backoff_ms=100,
            metadata_max_age_ms=60_000,
        )
        try:
            partitions, keeps_players_time = await self._topic_as_it_is()
            await producer.start()
            return producer, partitions, keeps_players_time
        except BaseException:
            await producer.stop()
            raise

    async def _topic_as_it_is(self) -> tuple[int, bool]:
        """Return how many partitions the topic has, and whether its records keep the time that they bring."""
        admin = AIOKafkaAdminClient(**self._connect, client_id="tongguan-simulate", request_timeout_ms=REQUEST_MS)
        try:
            await admin.start()
            (topic,) = await admin.describe_topics([self._topic])
            if topic["error_code"]:
                raise for_code(topic["error_code"])(self._topic)
            asked = ConfigResource(ConfigResourceType.TOPIC, self._topic, {"message.timestamp.type": ""})
            (answer,) = await admin.describe_configs([asked])
        finally:
            await admin.close()
        _, _, _, _, entries = answer.resources[0]
        kept = any(name == "message.timestamp.type" and value == "CreateTime" for name, value, *_ in entries)
        return len(topic["partitions"]), kept

    # ---- the thread

    def _opened(self) -> tuple[AIOKafkaProducer, int, bool]:
        until = time.monotonic() + self._patience_s
        while True:
            try:
                return self._run(self._open(), self._patience_s)
            except (UnknownTopicOrPartitionError, TopicAuthorizationFailedError) as error:
                missing = f"the topic {self._topic} is not there, or not ours; `tongguan topics create` makes it"
                raise SinkError(missing) from error
            except (KafkaError, TimeoutError, OSError) as error:
                if time.monotonic() + PAUSE_S > until:
                    raise self._busy(error) from error
                time.sleep(PAUSE_S)

    def _run(self, work: Coroutine[Any, Any, T], timeout_s: float) -> T:
        done = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return done.result(timeout_s)
        except TimeoutError as error:
            done.cancel()
            raise self._busy(error) from error

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PAUSE_S)
