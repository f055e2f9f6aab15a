"""The way of a process into city.readings: what `append` returned from is on every replica in sync.

The producer is idempotent, keeps trying while the broker is away, and is made anew when it cannot go on. What it holds
is bounded: beyond that, and while what came before is stuck, callers are told to come back later.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from typing import Any

from aiokafka import errors as kafka_errors

from engine.runtime.errors import BrokerAway, Overloaded, RuntimeFault
from engine.runtime.kafka.background import Background
from engine.runtime.kafka.client import Connection
from engine.runtime.kafka.homes import Part
from engine.runtime.kafka.topics import describe

LINGER_MS = 5
PATIENCE_S = 10.0
PAUSE_S = 1.0
FLUSH_S = 5.0
CALLERS = 24
"""At most so many wait for the broker at once: the threads of the others are for people."""
_log = logging.getLogger(__name__)


class Intake:
    """Append to one topic. `partitions` is None until the broker was reached for the first time."""

    def __init__(
        self,
        background: Background,
        connection: Connection,
        topic: str,
        *,
        limit_bytes: int,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._background = background
        self._connection = connection
        self._topic = topic
        self._limit_bytes = limit_bytes
        self.patience_s = patience_s
        self._lock = threading.Lock()
        self._callers = threading.BoundedSemaphore(CALLERS)
        self._held = 0
        self._since: dict[Future[None], float] = {}
        self._producer: Any = None
        self._broken: asyncio.Event | None = None
        self.partitions: int | None = None
        self.away: str | None = f"broker {connection.bootstrap}: not reached yet"
        """Why nothing can be appended now, in a sentence; None while all is well."""
        self._keeping = background.start(self._keep())

    # ---- from any thread

    def append(self, parts: Sequence[Part], log_time: int | None = None) -> None:
        """Append records and return once they are durable; `log_time` (ms) on a player's clock.

        Raises Overloaded: nothing was stored. Raises BrokerAway: some of it may be stored yet; to send it again does
        no harm, since detect knows a reading that comes twice.
        """
        producer = self._producer
        if producer is None:
            raise BrokerAway(self.away or "the broker is away")
        size = sum(len(part.value) + 100 for part in parts)
        if not self._callers.acquire(blocking=False):
            raise Overloaded(1, "too many callers wait for the broker")
        try:
            done = self._begin(producer, parts, log_time, size)
            done.result(self.patience_s)
        except FutureTimeout as error:
            raise BrokerAway(f"the broker took no readings for {self.patience_s:.0f} s") from error
        except CancelledError as error:
            raise BrokerAway("this process is going down") from error
        finally:
            self._callers.release()

    def stuck_s(self) -> float:
        """Return for how many seconds the oldest of what is under way has been so."""
        with self._lock:
            return time.monotonic() - min(self._since.values()) if self._since else 0.0

    def _begin(self, producer: Any, parts: Sequence[Part], log_time: int | None, size: int) -> Future[None]:
        stuck_s = self.stuck_s()
        if stuck_s > self.patience_s:
            raise Overloaded(5, f"the broker has taken nothing for {stuck_s:.0f} s")
        with self._lock:
            if self._held + size > self._limit_bytes and self._held:
                raise Overloaded(2, f"{self._held >> 20} MiB of readings wait for the broker")
            self._held += size
        done = self._background.start(self._send(producer, parts, log_time))
        with self._lock:
            self._since[done] = time.monotonic()
        done.add_done_callback(lambda done: self._let_go(done, size))
        return done

    def _let_go(self, done: Future[None], size: int) -> None:
        with self._lock:
            self._held -= size
            self._since.pop(done, None)

    # ---- in the loop

    async def _send(self, producer: Any, parts: Sequence[Part], log_time: int | None) -> None:
        try:
            sent = [
                await producer.send(
                    self._topic, part.value, key=part.key, partition=part.partition, timestamp_ms=log_time
                )
                for part in parts
            ]
            await asyncio.gather(*sent)
        except kafka_errors.KafkaTimeoutError as error:
            raise BrokerAway(f"broker {self._connection.bootstrap}: took no readings in time") from error
        except kafka_errors.KafkaError as error:
            if producer is self._producer and self._broken is not None:
                self._broken.set()
            raise BrokerAway(str(self._connection.fault(error))) from error

    async def _keep(self) -> None:
        """Have a producer, for as long as this runs."""
        while True:
            producer = None
            try:
                producer = await self._made()
                self._broken = asyncio.Event()
                self._producer, self.away = producer, None
                await self._broken.wait()
                _log.warning("the producer of readings cannot go on, a new one takes over")
            except RuntimeFault as fault:
                if self.away != str(fault):
                    _log.warning("%s", fault)
                self.away = str(fault)
            finally:
                self._producer = None
                if producer is not None:
                    with suppress(TimeoutError, kafka_errors.KafkaError):
                        await asyncio.wait_for(producer.stop(), FLUSH_S)
            await asyncio.sleep(PAUSE_S)

    async def _made(self) -> Any:
        found = await describe(self._connection, [self._topic])
        if self._topic not in found:
            raise BrokerAway(f"broker {self._connection.bootstrap}: no topic {self._topic}; `tongguan topics create`")
        producer = self._connection.producer(client_id="tongguan-serve", linger_ms=LINGER_MS)
        try:
            await producer.start()
        except (kafka_errors.KafkaError, OSError, TimeoutError) as error:
            await producer.stop()
            raise await self._connection.why(error) from error
        self.partitions = found[self._topic].partitions
        return producer

    def close(self) -> None:
        """Flush for a few seconds, and leave."""
        self._keeping.cancel()
        with suppress(FutureTimeout, CancelledError, RuntimeFault):
            self._keeping.result(FLUSH_S + 1)
