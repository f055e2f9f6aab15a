"""What detect said, on its way into the log: in order, each batch acknowledged by every replica in sync.

One idempotent producer. A lane a stream and partition: whatever came while a batch was on its way, and until
`BREATH_S` after it was sent, is the next batch, so nothing lingers when little is said, and batches grow when much is.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import msgspec
from aiokafka import errors as kafka_errors

from engine.detect.last_values import LastValue
from engine.runtime.errors import LogFailed
from engine.runtime.kafka.client import Connection
from engine.runtime.log import Append, Entry, Stream

QUEUE_BYTES = 32 << 20
RETRY_S = 0.2
BREATH_S = 0.02
_encode = msgspec.json.Encoder().encode
_log = logging.getLogger(__name__)

Header = tuple[str, bytes]
Headers = Callable[[str, Entry], Sequence[Header]]


@dataclass(slots=True, eq=False)
class _Said:
    """How many runs of records that were said together are not in the log yet, and who waits for that."""

    left: int
    done: asyncio.Future[None]


@dataclass(slots=True, eq=False)
class _Run:
    """Records for one stream and partition that were said together; those before `at` are with the client."""

    entries: Sequence[Entry]
    size: int
    said: _Said
    at: int = 0


@dataclass(slots=True)
class _Lane:
    """Runs for one stream and partition that wait, and the task that sends them."""

    topic: str
    stream: str
    partition: int
    waiting: deque[_Run] = field(default_factory=deque)
    some: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Producing:
    """Send appends; `failed` is done when the producer is beyond help and what was said must be said again."""

    def __init__(
        self,
        connection: Connection,
        topic_of: Callable[[str], str],
        headers: Headers,
        *,
        queue_bytes: int = QUEUE_BYTES,
    ) -> None:
        self._connection = connection
        self._topic_of = topic_of
        self._headers = headers
        self._queue_bytes = queue_bytes
        self._producer: Any = None
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._open: set[_Said] = set()
        self._room = asyncio.Event()
        self._started = asyncio.Event()
        self.queued = 0
        self._room.set()
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        """Connect. BrokerAway or BrokerRefused say why not."""
        producer = self._connection.producer(linger_ms=0)
        try:
            await producer.start()
        except (kafka_errors.KafkaError, OSError, TimeoutError) as error:
            with suppress(Exception):
                await producer.stop()
            raise await self._connection.why(error) from error
        self._producer = producer
        self._started.set()

    async def stop(self) -> None:
        """End; what was not flushed is let go of."""
        tasks = [lane.task for lane in self._lanes.values() if lane.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for said in self._open:
            said.done.cancel()
        self._open.clear()
        self._lanes.clear()
        self._room.set()
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(kafka_errors.KafkaError, asyncio.TimeoutError):
                await asyncio.wait_for(producer.stop(), 5.0)

    def say(self, appends: Iterable[Append], values: Iterable[LastValue] = ()) -> asyncio.Future[None]:
        """Queue appends in order, and last values under their keys; the future is done when all are in the log.

        After a failure it is cancelled: nothing may come into the log before what is missing.
        """
        said = _Said(0, asyncio.get_running_loop().create_future())
        if self.failed.done():
            said.done.cancel()
            return said.done
        for append in appends:
            self._put(append, said)
        told = [Entry(_encode(one), f"{one.sensor}|{one.kind}", None, one) for one in values]
        if told:
            self._put(Append(Stream.SENSORS, 0, told), said)
        if said.left:
            self._open.add(said)
        else:
            said.done.set_result(None)
        if self.queued > self._queue_bytes and not self.failed.done():
            self._room.clear()
        return said.done

    async def room(self) -> None:
        """Wait until less than the bound is queued."""
        await self._room.wait()

    async def flush(self) -> None:
        """Wait until all that was said so far is in the log. LogFailed when it will not come there."""
        waiting = [said.done for said in self._open]
        if waiting:
            done = asyncio.get_running_loop().create_task(_all(waiting))
            await asyncio.wait([self.failed, done], return_when=asyncio.FIRST_COMPLETED)
            done.cancel()
        if self.failed.done():
            raise LogFailed("the producer failed; what was said since the last checkpoint is said again")

    def _put(self, append: Append, said: _Said) -> None:
        stream, partition = append.stream, append.partition
        lane = self._lanes.get((stream, partition))
        if lane is None:
            lane = self._lanes[stream, partition] = _Lane(self._topic_of(stream), stream, partition)
            lane.task = asyncio.get_running_loop().create_task(self._run(lane), name=f"produce {stream}/{partition}")
            lane.task.add_done_callback(self._ended)
        size = append.size
        said.left += 1
        lane.waiting.append(_Run(append.entries, size, said))
        lane.some.set()
        self.queued += size

    async def _run(self, lane: _Lane) -> None:
        await self._started.wait()
        now = asyncio.get_running_loop().time
        while True:
            await lane.some.wait()
            next_s = now() + BREATH_S
            await self._send(lane)
            await asyncio.sleep(max(0.0, next_s - now()))
            if not lane.waiting:
                lane.some.clear()

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("%s: what is said does not come into the log: %r", task.get_name(), error)
            if not self.failed.done():
                self.failed.set_result(None)
            self._room.set()

    async def _send(self, lane: _Lane) -> None:
        """Send what waits, as much as fits into a batch, and wait until it is in the log."""
        builder = self._producer.create_batch()
        sent: list[_Run] = []
        while lane.waiting and self._filled(builder, lane, lane.waiting[0]):
            sent.append(lane.waiting.popleft())
        builder.close()
        await (await self._submitted(builder, lane))
        for run in sent:
            self.queued -= run.size
            run.said.left -= 1
            if not run.said.left:
                self._open.discard(run.said)
                if not run.said.done.done():
                    run.said.done.set_result(None)
        if self.queued <= self._queue_bytes // 2:
            self._room.set()

    def _filled(self, builder: Any, lane: _Lane, run: _Run) -> bool:
        """Put the rest of a run into a batch; False when there is no room for all of it."""
        for entry in islice(run.entries, run.at, None):
            key = None if entry.key is None else entry.key.encode()
            headers = list(self._headers(lane.stream, entry))
            if builder.append(timestamp=entry.log_time, key=key, value=entry.value, headers=headers) is None:
                return False
            run.at += 1
        return True

    async def _submitted(self, builder: Any, lane: _Lane) -> asyncio.Future[Any]:
        """Hand a batch to the client, again while it does not know where the partition is."""
        while True:
            try:
                future: asyncio.Future[Any] = await self._producer.send_batch(
                    builder, lane.topic, partition=lane.partition
                )
            except (kafka_errors.KafkaTimeoutError, kafka_errors.KafkaConnectionError) as error:
                _log.warning("%s: no answer from the broker, tried again (%s)", lane.topic, error)
                await asyncio.sleep(RETRY_S)
            else:
                return future


async def _all(waiting: Sequence[asyncio.Future[None]]) -> None:
    await asyncio.wait(waiting)
