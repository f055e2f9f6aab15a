"""What detect said, on its way into the log: in order, each batch acknowledged by every replica in sync.

One idempotent producer. A lane a stream and partition: whatever came while a batch was on its way, and until
`BREATH_S` after it was sent, is the next batch, so nothing lingers when little is said, and batches grow when much is.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiokafka import errors as kafka_errors

from engine.clock import wall_clock_ms
from engine.detect.last_values import LastValue
from engine.runtime.errors import LogFailed
from engine.runtime.kafka.client import Connection
from engine.runtime.kafka.packing import Laid, Packed, of_values

QUEUE_BYTES = 32 << 20
RETRY_S = 0.2
BREATH_S = 0.02
_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Said:
    """How many runs of records that were said together are not in the log yet, and who waits for that."""

    left: int
    done: asyncio.Future[None]


@dataclass(slots=True, eq=False)
class _Run:
    """Records for one stream and partition that were said together; those before `at` are with the client."""

    records: Packed
    said: _Said
    at: int = 0


@dataclass(slots=True)
class _Lane:
    """Runs for one stream and partition that wait, and the task that sends them."""

    topic: str
    partition: int
    waiting: deque[_Run] = field(default_factory=deque)
    some: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Producing:
    """Send appends; `failed` is done when the producer is beyond help and what was said must be said again."""

    def __init__(
        self,
        connection: Connection,
        prefix: str = "",
        *,
        queue_bytes: int = QUEUE_BYTES,
    ) -> None:
        self._connection = connection
        self._prefix = prefix
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

    def say(self, told: Iterable[Packed], values: Sequence[LastValue] = ()) -> asyncio.Future[None]:
        """Queue records in order, and last values under their keys; the future is done when all are in the log.

        After a failure it is cancelled: nothing may come into the log before what is missing.
        """
        said = _Said(0, asyncio.get_running_loop().create_future())
        if self.failed.done():
            said.done.cancel()
            return said.done
        for records in told:
            self._put(records, said)
        if values:
            self._put(of_values(values, self._prefix), said)
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

    def _put(self, records: Packed, said: _Said) -> None:
        stream, partition = records.stream, records.partition
        lane = self._lanes.get((stream, partition))
        if lane is None:
            lane = self._lanes[stream, partition] = _Lane(self._prefix + stream, partition)
            lane.task = asyncio.get_running_loop().create_task(self._run(lane), name=f"produce {stream}/{partition}")
            lane.task.add_done_callback(self._ended)
        said.left += 1
        lane.waiting.append(_Run(records, said))
        lane.some.set()
        self.queued += records.size

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
        builder, now_ms = Laid(), wall_clock_ms()
        sent: list[_Run] = []
        while lane.waiting:
            run = lane.waiting[0]
            run.at = builder.take(run.records, run.at, now_ms)
            if run.at < len(run.records.end):
                break
            sent.append(lane.waiting.popleft())
        builder.close()
        await (await self._submitted(builder, lane))
        for run in sent:
            self.queued -= run.records.size
            run.said.left -= 1
            if not run.said.left:
                self._open.discard(run.said)
                if not run.said.done.done():
                    run.said.done.set_result(None)
        if self.queued <= self._queue_bytes // 2:
            self._room.set()

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
