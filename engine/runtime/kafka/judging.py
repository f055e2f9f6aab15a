"""One partition in the hands of this worker: taken over, judged, kept, and handed on.

All its work is one task after another: what was fetched is judged in a thread, what that says is queued for the log, and
now and then the state is kept, after everything said up to it is in the log.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from engine.casework.errors import StoreAway
from engine.detect.batch import RecordBatch
from engine.detect.detector import Detector, PlanSource
from engine.detect.errors import CheckpointUnreadable, PlanMissing
from engine.detect.last_values import LastValue
from engine.detect.output import Output
from engine.runtime.checkpoints import Checkpoint, is_due
from engine.runtime.errors import BrokerAway, Damaged, LogFailed, LogTimeMissing
from engine.runtime.kafka import refusals
from engine.runtime.kafka.checkpoints import Checkpoints, Head, Kept, Superseded
from engine.runtime.kafka.partition import WAITING_BYTES, Partition, Snapshot, Step
from engine.runtime.kafka.producing import Producing
from engine.runtime.kafka.records import RawFetch, decode
from engine.runtime.kafka.refusals import GAPS, Refusal

PARTITION_BYTES = 8 << 20
GATHER_BYTES = 1 << 20
RETRY_S = 3.0
VALUES_S = 5.0
_log = logging.getLogger(__name__)
T = TypeVar("T")


class Observer(Protocol):
    """Who counts what detect says; called on the loop after it is in the log."""

    def detected(self, batch: RecordBatch, output: Output, last: Sequence[LastValue], seconds: float) -> None:
        """Take note of one step; `batch` has positions and times, not the bytes."""
        ...

    def checkpointed(self, seconds: float, size_bytes: int) -> None:
        """Take note of a written checkpoint."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of memory and time; `checkpoint_s` is what checkpoints.is_due calls `least_s`."""

    checkpoint_s: float = 5.0
    waiting_bytes: int = WAITING_BYTES
    partition_bytes: int = PARTITION_BYTES
    retry_s: float = RETRY_S
    player: bool = False


class Means(Protocol):
    """What partitions share in a worker."""

    limits: Limits
    plans: PlanSource
    checkpoints: Checkpoints
    observer: Observer
    producing: Producing

    async def cpu(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run work that needs the processor, in turn."""
        ...

    async def database(self, work: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Run work that waits for the database."""
        ...

    async def bounds(self, number: int) -> tuple[int, int]:
        """Return the log's first offset and the one behind its last. BrokerAway."""
        ...

    async def agreed(self) -> int:
        """Return how many partitions the log had when it was first met. StoreAway, BrokerAway."""
        ...

    def ended(self, task: asyncio.Task[None]) -> None:
        """Take note of a task's end; one that fails ends the process."""
        ...

    def seek(self, number: int, position: int) -> None: ...
    def pause(self, number: int) -> None: ...
    def resume(self, number: int) -> None: ...
    def took(self, size_bytes: int) -> None: ...
    def share(self) -> int:
        """Return how many partitions share what checkpoints may write."""
        ...

    def kept(self) -> None:
        """Take note that what was said came into the log."""
        ...


class Judging:
    """Run one partition until `close`."""

    def __init__(self, number: int, means: Means) -> None:
        self.number = number
        self.partition: Partition | None = None
        self.fetched = -1
        """The next offset wanted from the log; -1: none yet."""
        self.queued_bytes = 0
        self.kept_at = self._asked_at = time.monotonic()
        self.worked_at = time.monotonic()
        self._means = means
        self._outer: Refusal | None = None
        self._queue: deque[RawFetch] = deque()
        self._some = asyncio.Event()
        self._idle = asyncio.Event()
        self._closing = False
        self._lost = self._again = False
        self._head = Head()
        self._size = 0
        self._values_at = time.monotonic()
        self._saving: asyncio.Task[None] | None = None
        self._started = False
        self._logged: Refusal | None = None
        self.task = self._do(self._run())

    # ---- what others ask

    @property
    def refusal(self) -> Refusal | None:
        """Why the partition stands still, if it does."""
        return self._outer or (self.partition.refusal if self.partition is not None else None)

    @property
    def position(self) -> int | None:
        """Return the next offset to judge, None while the partition is being taken over."""
        return None if self.partition is None else self.partition.position

    @property
    def wants(self) -> bool:
        """Tell whether more records may be fetched."""
        held = self.refusal is not None and self.refusal.blocks
        return self.partition is not None and not held and self.queued_bytes < self._means.limits.partition_bytes

    def offer(self, raw: RawFetch) -> bool:
        """Queue fetched records; False for those of a place that is not wanted now."""
        if raw.position != self.fetched or self._closing:
            return False
        self._queue.append(raw)
        self.fetched = raw.next_position
        self.queued_bytes += len(raw.data)
        if not self.wants:
            self._means.pause(self.number)
        self._some.set()
        return True

    def reassigned(self) -> None:
        """Say again from where to read: the group gave the partition to this worker once more."""
        if self.fetched >= 0:
            self._means.seek(self.number, self.fetched)
        if not self.wants:
            self._means.pause(self.number)

    def restart(self) -> None:
        """Go back to the newest checkpoint: what was said since did not come into the log."""
        self._again = True
        self._some.set()

    async def close(self, timeout_s: float) -> None:
        """End; the state is kept if that can be done in time."""
        self._closing = True
        self._some.set()
        with suppress(asyncio.TimeoutError):
            async with asyncio.timeout(timeout_s):
                await asyncio.wait([self.task])
                if not self._lost and not self._again and self.partition is not None:
                    await self._join()
                    await self._keep()
                    await self._means.database(self._means.checkpoints.lived, self.number)
        for task in (self.task, self._saving):
            if task is not None:
                task.cancel()
        self._drop_queue()

    # ---- its life

    async def _run(self) -> None:
        while not self._closing:
            await self._take_over()
            await self._judge()
            if self._lost:
                await self._pause_s(self._means.limits.retry_s)

    async def _take_over(self) -> None:
        """Load the newest checkpoint that can be used and stand before the records behind it."""
        self._means.pause(self.number)
        await self._join()
        self.partition, self._lost, self._again = None, False, False
        self._drop_queue()
        while not self._closing and self.partition is None:
            try:
                await self._opened()
                continue
            except StoreAway as error:
                self._outer = refusals.database_away(self.number, str(error))
            except PlanMissing as error:
                self._outer = refusals.plan_missing(self.number, self._head.position, error.digest)
            except BrokerAway as error:
                _log.warning("city.readings/%d: %s", self.number, error)
            await self._pause_s(self._means.limits.retry_s)

    async def _opened(self) -> None:
        means = self._means
        known = await means.agreed()
        if self.number >= known:
            self._outer = refusals.partitions_added(self.number, known)
            await self._pause_s(self._means.limits.retry_s)
            return
        kept = await means.database(means.checkpoints.look, self.number)
        self._head = kept.head
        start, end = await means.bounds(self.number)
        partition = await means.database(self._restored, kept, start)
        await means.database(means.checkpoints.starts, self.number, kept.head.position, again=self._started)
        self._started = True
        self._check_bounds(partition, start, end)
        self.partition, self._outer = partition, None
        self._asked_at = time.monotonic()
        self._read_on()

    def _restored(self, kept: Kept, start: int) -> Partition:
        """Restore the newest usable generation; without any, begin at the log's start."""
        means, limits = self._means, self._means.limits
        found: tuple[Detector, Checkpoint] | None = None
        for checkpoint in means.checkpoints.generations(self.number):
            if (
                checkpoint.position > kept.head.position
                or (checkpoint.position < start
                and found is None
                and kept.head.position >= start)
            ):
                continue
            try:
                found = Detector.restore(checkpoint.data, means.plans), checkpoint
                break
            except CheckpointUnreadable as error:
                _log.warning("checkpoint of partition %d at %d: %s", self.number, checkpoint.position, error)
        if found is None and kept.head.generation:
            _log.warning("no checkpoint of partition %d can be used: rebuilt from offset %d on", self.number, start)
        detector, position = (found[0], found[1].position) if found else (None, start if kept.head.generation else 0)
        newest = position == kept.head.position
        return Partition(
            self.number,
            means.plans,
            detector=detector,
            position=position,
            said=kept.head.position,
            fingerprint=kept.head.fingerprint if newest else "",
            skips=kept.skips,
            gaps=kept.gaps,
            player=limits.player,
            waiting_bytes=limits.waiting_bytes,
        )

    def _check_bounds(self, partition: Partition, start: int, end: int) -> None:
        """Refuse a log that does not have what the partition reads next."""
        if partition.position > end:
            found = f"{end} < {partition.position}"
            partition.refuse(refusals.recreated(self.number, partition.position, start, found))
        elif partition.position < start:
            partition.refuse(refusals.trimmed(self.number, partition.position, start))

    def _read_on(self) -> None:
        """Let the log be read from where the partition goes on."""
        assert self.partition is not None
        self._drop_queue()
        self.fetched = self.partition.fetch_from
        self._means.seek(self.number, self.fetched)
        if self.wants:
            self._means.resume(self.number)

    # ---- judging

    async def _judge(self) -> None:
        while not self._closing and not self._lost and not self._again:
            refusal = self.refusal
            if refusal is not None and refusal.blocks:
                await self._pause_s(self._means.limits.retry_s)
                await self._ask_again(refusal)
            elif self._queue:
                await self._step()
            else:
                await self._pause_s(1.0)
            await self._keep_if_due()

    async def _step(self) -> None:
        assert self.partition is not None
        raws = self._gathered()
        try:
            step = await self._means.cpu(_stepped, self.partition, raws, not self._means.limits.player)
            await self._tell(step)
        finally:
            self._took(sum(len(raw.data) for raw in raws))
        if self.partition.holds:
            self._read_on()
        elif self.wants:
            self._means.resume(self.number)

    async def _tell(self, step: Step | None) -> None:
        """Queue for the log what a step said, and wait while too much is queued."""
        if self.refusal is not None and self.refusal != self._logged:
            _log.warning("%s", self.refusal.text)
        self._logged = self.refusal
        if step is None:
            return
        done = self._means.producing.say(step.appends, step.urgent)
        done.add_done_callback(lambda told: None if told.cancelled() else self._told(step))
        await self._means.producing.room()

    def _told(self, step: Step) -> None:
        self._means.observer.detected(step.batch, step.output, step.urgent, step.seconds)

    async def _ask_again(self, refusal: Refusal) -> None:
        """See whether what stood in the way is gone: a plan came, or somebody accepted a gap."""
        assert self.partition is not None
        if refusal.reason in GAPS:
            with suppress(StoreAway):
                gaps = await self._means.database(self._means.checkpoints.gaps, self.number)
                if self.partition.accept(gaps):
                    _log.warning(
                        "city.readings/%d goes on at %d: a gap was accepted", self.number, self.partition.position
                    )
                    with suppress(BrokerAway):
                        self._check_bounds(self.partition, *await self._means.bounds(self.number))
                    self._read_on()
            return
        step = await self._means.cpu(self.partition.again)
        await self._tell(step)
        if self.wants:
            self._means.resume(self.number)

    def _gathered(self) -> list[RawFetch]:
        """Take from the queue what is judged in one step."""
        raws = [self._queue.popleft()]
        size = len(raws[0].data)
        while self._queue and size + len(self._queue[0].data) <= GATHER_BYTES:
            raws.append(self._queue.popleft())
            size += len(raws[-1].data)
        return raws

    # ---- keeping

    async def _keep_if_due(self) -> None:
        partition, now = self.partition, time.monotonic()
        assert partition is not None
        saving = self._saving is not None and not self._saving.done()
        least_s = self._means.limits.checkpoint_s
        due = is_due(now - self._asked_at, partition.worked_s, self._size * self._means.share(), least_s)
        if due and not saving and partition.position > self._head.position and not self._lost:
            self._asked_at = self._values_at = now
            snapshot, values = await self._means.cpu(_snapshot, partition)
            self._saving = self._do(self._save(snapshot, values))
        elif now - self._values_at > VALUES_S:
            self._values_at = now
            self._means.producing.say((), await self._means.cpu(partition.values.take))

    async def _keep(self) -> None:
        assert self.partition is not None
        if self.partition.position > self._head.position:
            await self._save(*await self._means.cpu(_snapshot, self.partition))

    async def _save(self, snapshot: Snapshot | None, values: list[LastValue]) -> None:
        """Write a checkpoint once all that was said before it is in the log; without the database it is tried again."""
        means = self._means
        means.producing.say((), values)
        if snapshot is None:
            return
        began = time.monotonic()
        try:
            await means.producing.flush()
            self._head = await means.database(means.checkpoints.write, self.number, self._head.generation, snapshot)
        except StoreAway as error:
            _log.warning("city.readings/%d: no checkpoint: %s", self.number, error)
        except LogFailed as error:
            _log.warning("city.readings/%d: no checkpoint: %s", self.number, error)
        except Superseded as error:
            _log.warning("%s", error)
            self._lost = True
            self._some.set()
        else:
            self.kept_at = time.monotonic()
            self._size = len(snapshot.checkpoint.data)
            means.observer.checkpointed(self.kept_at - began, self._size)
            means.kept()

    async def _join(self) -> None:
        if self._saving is not None:
            await asyncio.wait([self._saving])

    def _drop_queue(self) -> None:
        self._took(sum(len(raw.data) for raw in self._queue))
        self._queue.clear()

    # ---- small things

    def _do(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run work beside; what it did not foresee ends the process."""
        task = asyncio.get_running_loop().create_task(work, name=f"city.readings/{self.number}")
        task.add_done_callback(self._means.ended)
        return task

    def _took(self, size_bytes: int) -> None:
        self.queued_bytes -= size_bytes
        self._means.took(size_bytes)

    async def _pause_s(self, seconds: float) -> None:
        """Wait until there is something to do, at most so long."""
        self._some.clear()
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._some.wait(), seconds)


def _stepped(partition: Partition, raws: Sequence[RawFetch], appended: bool) -> Step | None:
    """Decode what was fetched and judge it."""
    raw = raws[0]
    if len(raws) > 1:
        aborted = tuple(dict.fromkeys(one for raw in raws for one in raw.aborted))
        data = b"".join(raw.data for raw in raws)
        raw = RawFetch(raw.topic, raw.partition, raw.position, data, aborted, raws[-1].next_position)
    try:
        batch = decode(raw, appended=appended)
    except Damaged as error:
        partition.refuse(refusals.damaged(partition.number, error.first, error.last, str(error)))
    except LogTimeMissing:
        partition.refuse(refusals.log_time(partition.number))
    else:
        return partition.step(batch, raw.next_position)
    return None


def _snapshot(partition: Partition) -> tuple[Snapshot | None, list[LastValue]]:
    return partition.snapshot(), partition.values.take()
