"""The telemetry service of a worker: its share of city.readings, judged where the group says.

The group only says which partitions are ours. Where to read on is what the checkpoint says; what the group keeps as
committed offsets is for those who look at lag.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any, TypeVar

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka import errors as kafka_errors

from engine.casework.errors import StoreAway
from engine.casework.store import Store
from engine.clock import wall_clock_ms
from engine.detect.detector import PlanSource
from engine.runtime.errors import BrokerAway, LogFailed, OffLog, Refused, RuntimeFault, TryAgain
from engine.runtime.kafka import refusals
from engine.runtime.kafka.added import Partitions
from engine.runtime.kafka.checkpoints import Checkpoints, Writer
from engine.runtime.kafka.client import Connection
from engine.runtime.kafka.fetching import SESSION_MS, BatchConsumer, end_offsets
from engine.runtime.kafka.judging import Judging
from engine.runtime.kafka.means import Limits, Observer
from engine.runtime.kafka.producing import Producing
from engine.runtime.kafka.restoring import CalmPlans
from engine.runtime.kafka.status import PartitionStatus, status_of
from engine.runtime.kafka.topics import Topics
from engine.runtime.kafka.watchdog import Watchdog

LIMITS = Limits()
QUEUE_BYTES = 64 << 20
LOOK_S = 5.0
COMMIT_S = 1.0
TRIES = 3
COUNT_LOOKS = 6
RETRY_S = 1.0
REBUILD_S = 0.1
HAND_OVER_S = 10.0
REVOKE_S = 2.0
REPLAY_S = 0.5
FETCH_MS = 500
_log = logging.getLogger(__name__)
T = TypeVar("T")


class Namesake(Refused):
    """Two workers under one name."""


class Telemetry(ConsumerRebalanceListener):  # type: ignore[misc]
    """Judge the partitions that the group gives to this worker, from `start` to `stop`.

    `failed` is done, with an error of exit code 75 or 1, when the process must end.
    """

    def __init__(
        self,
        connection: Connection,
        topics: Topics,
        store: Store,
        plans: PlanSource,
        observer: Observer,
        *,
        name: str,
        group: str = "tongguan",
        limits: Limits = LIMITS,
        threads: int = 1,
        session_ms: int = SESSION_MS,
        clock: Callable[[], int] = wall_clock_ms,
        look_s: float = LOOK_S,
    ) -> None:
        self.prefix = topics.prefix
        self.limits = limits
        self.plans: PlanSource = CalmPlans(plans)
        self.checkpoints = Checkpoints(store, name, clock)
        self.partitions = Partitions(connection, topics.readings, self.checkpoints, self.database)
        self.observer = observer
        self.rebuilt = 0
        self.away = ""
        self._connection = connection
        self._topics = topics
        self._name = name
        self._group = group
        self._session_ms = session_ms
        self._look_s = look_s
        self._cpu = ThreadPoolExecutor(threads, "detect")
        self._database = ThreadPoolExecutor(4, "checkpoints")
        self._judging: dict[int, Judging] = {}
        self._counted = 0
        self._ends: dict[int, int] = {}
        self._queued = 0
        self._room = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._consumer: BatchConsumer | None = None
        self._reading: BatchConsumer | None = None
        """The same, once it can be asked: it is connected."""
        self._fatal_producers = 0
        self._stopping = False

    # ---- life

    async def start(self) -> None:
        """Join the group. BrokerAway or BrokerRefused say why not."""
        loop = asyncio.get_running_loop()
        self.failed: asyncio.Future[None] = loop.create_future()
        self._room.set()
        self.producing = self._new_producing()
        await self.producing.start()
        await self._join()
        for name, work in (
            ("fetch", self._fetching()),
            ("watch", self._watching()),
            ("commit", self._committing()),
            ("produce", self._minding()),
        ):
            task = loop.create_task(work, name=name)
            task.add_done_callback(self.ended)
            self._tasks.append(task)

    async def stop(self, timeout_s: float = HAND_OVER_S) -> None:
        """Keep every partition's state, leave the group, and end."""
        self._stopping = True
        for task in self._tasks[:-1]:
            task.cancel()
        await asyncio.gather(*(judging.close(timeout_s, keep=True) for judging in self._judging.values()))
        self._judging.clear()
        with suppress(asyncio.TimeoutError, StoreAway):
            await asyncio.wait_for(self.database(self.checkpoints.lived), REVOKE_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._leave()
        await self.producing.stop()
        self._cpu.shutdown(wait=False)
        self._database.shutdown(wait=False)

    def ended(self, task: asyncio.Task[None]) -> None:
        """Take note of a task's end; one that fails ends the process."""
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._stopping:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if not self.failed.done():
            _log.critical("telemetry: %s", error, exc_info=None if isinstance(error, RuntimeFault) else error)
            fault = error if isinstance(error, RuntimeFault) else TryAgain(f"telemetry: {error!r}")
            self.failed.set_exception(fault)

    # ---- what others ask

    @property
    def assigned(self) -> set[int]:
        """Return the partitions that are ours now."""
        return set(self._judging)

    @property
    def positions(self) -> dict[int, int]:
        """Return the next offset to judge of each partition that was taken over."""
        return {n: judging.position for n, judging in self._judging.items() if judging.position is not None}

    def status(self) -> list[PartitionStatus]:
        """Return how the partitions of ours are, and those that nobody may read; cheap."""
        added = (n for n in self.partitions.unread if n not in self._judging)
        nobodys = [refusals.partitions_added(n, self.partitions.known) for n in added]
        return [
            *(status_of(judging, self._ends.get(n)) for n, judging in sorted(self._judging.items())),
            *(PartitionStatus(one.partition, refusal=one) for one in nobodys),
        ]

    # ---- the group

    async def _join(self) -> None:
        consumer = BatchConsumer(
            self._connection,
            group=self._group,
            instance=self._name,
            client_id=self._name,
            session_ms=self._session_ms,
            heartbeat_ms=self._session_ms // 3,
        )
        consumer.subscribe([self._topics.readings], self)
        self._consumer, self._counted = consumer, 0
        await consumer.start()
        self._reading = consumer

    async def _leave(self) -> None:
        consumer, self._consumer, self._reading = self._consumer, None, None
        if consumer is not None:
            with suppress(kafka_errors.KafkaError, RuntimeFault, TimeoutError, OSError):
                async with asyncio.timeout(10.0):
                    await consumer.stop()

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:  # noqa: ARG002
        """Keep what it would take long to judge again: somebody else may have to."""
        if not self._judging:
            return
        heavy = [judging.save() for judging in self._judging.values() if judging.replay_s > REPLAY_S]
        with suppress(asyncio.TimeoutError, StoreAway):
            async with asyncio.timeout(REVOKE_S):
                await asyncio.gather(self.database(self.checkpoints.lived), *heavy)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Let go of what is no longer ours, take over what is new, and go on with what stays."""
        numbers = {tp.partition for tp in assigned}
        if self._stopping:
            return
        self._reading = self._consumer
        for number in numbers:
            self.pause(number)
            self.seek(number, 0)
        gone = [self._judging.pop(number) for number in self.assigned - numbers]
        for number in sorted(numbers):
            if number in self._judging:
                self._judging[number].reassigned()
            else:
                self._judging[number] = Judging(number, self)
        _log.info("partitions of %s: %s", self._name, ", ".join(map(str, sorted(numbers))) or "none")
        for judging in gone:
            asyncio.get_running_loop().create_task(judging.close(HAND_OVER_S, keep=False))

    # ---- loops

    async def _fetching(self) -> None:
        while True:
            await self._room.wait()
            if self._reading is None:  # it is being made anew
                await asyncio.sleep(REBUILD_S)
                continue
            try:
                found = await self._reading.fetch(timeout_ms=FETCH_MS)
            except OffLog as error:
                for _, number in error.positions:
                    if number in self._judging:
                        self.pause(number)
                        self._judging[number].off_log()
                continue
            except BrokerAway as error:
                _log.warning("%s", error)
                await asyncio.sleep(RETRY_S)
                continue
            for raw in found:
                if raw.partition in self._judging and self._judging[raw.partition].offer(raw):
                    self._queued += len(raw.data)
            if self._queued > QUEUE_BYTES:
                self._room.clear()

    async def _committing(self) -> None:
        told: dict[int, int] = {}
        while True:
            await asyncio.sleep(COMMIT_S)
            now = self.positions
            moved = {self._tp(n): at for n, at in now.items() if told.get(n) != at}
            if moved and self._reading is not None:
                with suppress(kafka_errors.KafkaError, RuntimeFault, TimeoutError):
                    told = now if await self._reading.commit(moved) else told

    async def _minding(self) -> None:
        """Make the producer anew when it is beyond help, and say again what was said since the last checkpoints."""
        while True:
            await asyncio.wait([self.producing.failed])
            self._fatal_producers += 1
            if self._fatal_producers > TRIES:
                raise LogFailed(f"the producer failed {self._fatal_producers} times in a row")
            failed, self.producing = self.producing, self._new_producing()
            for judging in self._judging.values():
                judging.restart()
            await failed.stop()
            while True:
                try:
                    await self.producing.start()
                    break
                except BrokerAway as error:
                    _log.warning("%s", error)
                    await asyncio.sleep(RETRY_S)

    async def _watching(self) -> None:
        """Compare with the ends that another connection tells; make a consumer anew under which a partition stands."""
        watchdog = Watchdog()
        for looks in count():
            await asyncio.sleep(self._look_s)
            try:
                ends = await end_offsets(self._connection, map(self._tp, self._judging))
                if looks % COUNT_LOOKS == 0:
                    await self._count()
            except (BrokerAway, TimeoutError) as error:
                self.away = f"the log's ends cannot be read: {error}"
                _log.warning("%s", self.away)
                continue
            self.away = ""
            self._ends = {tp.partition: end for tp, end in ends.items()}
            places = {n: judging.place for n, judging in self._judging.items()}
            stuck = watchdog.look({n: place for n, place in places.items() if place is not None}, self._ends)
            if stuck:
                _log.error("partitions %s do not move though the log goes on; a new consumer", stuck)
                self.rebuilt += 1
                await self._rebuild()

    async def _count(self) -> None:
        """Look whether partitions were added; a leader of the group that came back gives them to nobody unasked."""
        with suppress(StoreAway):
            now = await self.partitions.count()
            if now not in (0, self._counted) and self._reading is not None:
                self._reading.subscribe([self._topics.readings], self)
            self._counted = now

    async def _rebuild(self) -> None:
        """Go on with a new consumer; if it finds no broker, the next looks say so."""
        await self._leave()
        try:
            await self._join()
        except BrokerAway as error:
            _log.warning("%s", error)
            await self._leave()

    # ---- what the partitions share

    async def cpu(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run work that needs the processor, in turn."""
        return await asyncio.get_running_loop().run_in_executor(self._cpu, work, *arguments)

    async def database(self, work: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Run work that waits for the database."""
        return await asyncio.get_running_loop().run_in_executor(self._database, partial(work, *arguments, **named))

    async def bounds(self, number: int) -> tuple[int, int]:
        """Return the log's first offset and the one behind its last. BrokerAway."""
        consumer, tp = self._reading, self._tp(number)
        if consumer is None:
            raise BrokerAway("the consumer is being made anew")
        try:
            return (await consumer.begins([tp]))[tp], (await consumer.ends([tp]))[tp]
        except (kafka_errors.KafkaError, TimeoutError, OSError) as error:
            raise self._connection.fault(error) from error

    async def agreed(self) -> int:
        """Return how many partitions the log had when it was first met. StoreAway, BrokerAway."""
        return await self.partitions.agreed()

    def seek(self, number: int, position: int) -> None:
        """Let the log be read from a position."""
        self._on_consumer("seek", number, position)

    def pause(self, number: int) -> None:
        """Fetch nothing more of a partition."""
        self._on_consumer("pause", number)

    def resume(self, number: int) -> None:
        """Fetch a partition again."""
        self._on_consumer("resume", number)

    def _on_consumer(self, what: str, number: int, *more: int) -> None:
        tp = self._tp(number)
        if self._consumer is not None and tp in self._consumer.assignment():
            getattr(self._consumer, what)(tp, *more)

    def took(self, size_bytes: int) -> None:
        """Take note that fetched bytes are judged."""
        self._queued -= size_bytes
        if self._queued <= QUEUE_BYTES // 2:
            self._room.set()

    def share(self) -> int:
        """Return how many partitions share what checkpoints may write."""
        return max(1, len(self._judging))

    def superseded(self, by: Writer) -> None:
        """End when it is a younger process of our own name: two of them would take the partitions from each other."""
        mine = self.checkpoints.writer
        if by.name == mine.name and (by.began_ms, by.nonce) > (mine.began_ms, mine.nonce):
            self._fail(Namesake(f"another worker was started as {mine.name!r}; give each a --name of its own"))

    def kept(self) -> None:
        """Take note that what was said came into the log."""
        self._fatal_producers = 0

    def _tp(self, number: int) -> TopicPartition:
        return TopicPartition(self._topics.readings, number)

    def _new_producing(self) -> Producing:
        return Producing(self._connection, self.prefix)
