"""One partition in the hands of this worker: taken over, judged, kept, and handed on.

All its work is one task: what was fetched is judged in a thread, what that says is queued for the log, and now and then
the state is kept, after everything said up to it is in the log.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from engine.casework.errors import StoreAway
from engine.detect.errors import PlanMissing
from engine.runtime.errors import BrokerAway, Damaged, LogTimeMissing, RuntimeFault
from engine.runtime.gaps import unread
from engine.runtime.kafka import refusals
from engine.runtime.kafka.means import Means
from engine.runtime.kafka.packing import Packed, packed
from engine.runtime.kafka.partition import Partition, Step
from engine.runtime.kafka.poison import Bad
from engine.runtime.kafka.records import RawFetch, pieces
from engine.runtime.kafka.refusals import GAPS, Reason, Refusal
from engine.runtime.kafka.restoring import look_at_bounds, restored, taster
from engine.runtime.kafka.saving import Saving
from engine.runtime.log import Stream

GATHER_BYTES = 4 << 20
PIECE_BYTES = 16 << 20
"""Uncompressed, judged at once. The longer a step, the less it costs for each record in both threads."""
STEP_S = 0.0006
"""What a step costs however little it judges: 13 rules, measured here."""
STEP_SHARE = 0.25
"""At most so much of the thread goes into that, when many small fetches come; what waits for it is judged together."""
IDLE_S = 1.0
DEATHS = 3
"""So many starts from one checkpoint that did not live to the next, and records are tasted."""
Said: TypeAlias = tuple[Step, list[Packed]]
_log = logging.getLogger(__name__)


class Judging:
    """Run one partition until `close`."""

    def __init__(self, number: int, means: Means) -> None:
        self.number = number
        self.partition: Partition | None = None
        self.fetched = -1
        """The next offset wanted from the log; -1: none yet."""
        self.position: int | None = None
        """Up to here (not included) records are judged and what was said is in the log; None while it is taken over."""
        self.queued_bytes = 0
        self.skipped = 0
        self.saving = Saving(number, means)
        self._means = means
        self._producing = means.producing
        """The one that has all that was said since the checkpoint; after a fault of it everything is said anew."""
        self._outer: Refusal | None = None
        self._queue: deque[RawFetch] = deque()
        self._said: deque[tuple[asyncio.Future[None], Step]] = deque()
        self._some = asyncio.Event()
        self._closing = self._again = self._off = self._poison = self._started = False
        self._stepped_at = 0.0
        self._logged: Refusal | None = None
        self.task = asyncio.get_running_loop().create_task(self._run(), name=f"judge {number}")
        self.task.add_done_callback(means.ended)

    # ---- what others ask

    @property
    def refusal(self) -> Refusal | None:
        """Why the partition stands still, if it does."""
        return self._outer or (self.partition.refusal if self.partition is not None else None)

    @property
    def place(self) -> tuple[int, int] | None:
        """Return the next offsets to fetch and to judge; None while nothing can move, or slowly with a taster."""
        if self.partition is None or self.partition.taster is not None:
            return None
        if self.refusal is not None and self.refusal.blocks:
            return None
        return self.fetched, self.partition.position

    @property
    def replay_s(self) -> float:
        """Return about how long it would take to come here from the last checkpoint."""
        return 0.0 if self.partition is None else self.partition.worked_s

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
        if self.wants:
            self._means.resume(self.number)

    def restart(self) -> None:
        """Go back to the newest checkpoint: what was said since did not come into the log."""
        self._again = True
        self._some.set()

    def off_log(self) -> None:
        """Look at the log's bounds: it does not have what was to be read."""
        self._off = True
        self._some.set()

    async def save(self) -> None:
        """Keep the state at the next safe point."""
        saved = asyncio.ensure_future(self.saving.soon())
        await asyncio.sleep(0)
        self._some.set()
        await saved

    async def close(self, timeout_s: float, *, keep: bool) -> None:
        """End; `keep`: the state, if that can be done in time."""
        self._closing = True
        self._some.set()
        with suppress(asyncio.TimeoutError):
            async with asyncio.timeout(timeout_s):
                await asyncio.wait([self.task])
                if keep and not self._again and self.partition is not None:
                    await self.saving.now(self.partition)
        self.task.cancel()
        self.saving.cancel()
        self._dismiss_taster()
        self._drop_queue()

    # ---- taking over

    async def _run(self) -> None:
        while not self._closing:
            await self._take_over()
            await self._judge()
            if self.saving.lost:
                await self._pause(self._means.limits.retry_s)

    async def _take_over(self) -> None:
        """Load the newest checkpoint that can be used and stand before the records behind it."""
        self._means.pause(self.number)
        await self.saving.join()
        self._dismiss_taster()
        self._drop_queue()
        self.partition, self._again, self._off, self.fetched = None, False, False, -1
        self.position = None
        self._said.clear()
        while not self._closing and self.partition is None:
            try:
                await self._open()
                continue
            except StoreAway as error:
                self._outer = refusals.database_away(self.number, str(error))
            except PlanMissing as error:
                self._outer = refusals.plan_missing(self.number, self.saving.head.position, error.digest)
            except BrokerAway as error:
                _log.warning("city.readings/%d: %s", self.number, error)
            self._log_refusal()
            await self._pause(self._means.limits.retry_s)

    async def _open(self) -> None:
        means, number = self._means, self.number
        known = await means.agreed()
        kept = await means.database(means.checkpoints.look, number)
        if number in unread(kept.gaps, Stream.READINGS, known, number + 1):
            self._outer = refusals.partitions_added(number, known)
            self._log_refusal()
            await self._pause(means.limits.retry_s)
            return
        self._producing = means.producing
        self.saving.begin(kept.head, self._producing)
        start, end = await means.bounds(number)
        partition = await means.database(
            restored, number, known, kept, start, means.checkpoints, means.plans, means.limits
        )
        await means.database(means.checkpoints.starts, number, kept.head.position, again=self._started)
        self._started = True
        look_at_bounds(partition, start, end)
        if kept.attempts >= DEATHS or self._poison:
            _log.warning("city.readings/%d: each record is tasted until the next checkpoint", number)
            partition.taster = await means.database(taster, partition, means.plans)
        self._poison = False
        self.partition, self._outer, self.position = partition, None, partition.position
        self._read_on()

    def _read_on(self) -> None:
        """Let the log be read from where the partition goes on."""
        assert self.partition is not None
        self._drop_queue()
        self.fetched = self.partition.fetch_from
        self._means.seek(self.number, self.fetched)
        if self.wants:
            self._means.resume(self.number)
        else:
            self._means.pause(self.number)

    # ---- judging

    async def _judge(self) -> None:
        while not (self._closing or self.saving.lost or self._again):
            assert self.partition is not None
            refusal = self.refusal
            if refusal is not None and refusal.blocks:
                await self._pause(self._means.limits.retry_s)
                await self._ask_again(refusal, self.partition)
            elif self._queue:
                await self._gather()
                await self._step()
            elif self._off:
                await self._look_again(self.partition)
            else:
                await self._pause(IDLE_S)
            if not self._again:
                await self.saving.if_due(self.partition, behind=bool(self._queue))
            if self.partition.taster is not None and self.saving.head.position > self.partition.started_at:
                self._dismiss_taster()

    async def _step(self) -> None:
        assert self.partition is not None
        raws = self._taken()
        try:
            await self._tell(await self._stepped(_judged, raws, not self._means.limits.player))
        finally:
            self._stepped_at = time.monotonic()
            self._took(sum(len(raw.data) for raw in raws))
        if self.partition.holds:
            self._read_on()
        elif self.wants:
            self._means.resume(self.number)

    async def _stepped(self, work: Callable[..., list[Step]], *arguments: Any) -> list[Said]:
        """Judge and put into words, in turn with the other partitions; beside them where a taster makes it slow.

        What it raises is taken for the fault of a record: the partition goes back to its checkpoint and finds it.
        """
        assert self.partition is not None
        try:
            if self.partition.taster is not None:
                return await asyncio.to_thread(_said, self._means.prefix, self.partition, work, *arguments)
            return await self._means.cpu(_said, self._means.prefix, self.partition, work, *arguments)
        except RuntimeFault:
            raise
        except Exception:  # noqa: BLE001 - the edge that quarantines
            _log.exception("city.readings/%d: a record cannot be judged; it is looked for", self.number)
            self._poison = self._again = True
            return []

    async def _tell(self, said: Sequence[Said]) -> None:
        """Queue for the log what steps said, and wait while too much is queued."""
        self._log_refusal()
        for step, records in said:
            await self._pass_over(step.bad)
            self.skipped += step.skipped + len(step.bad)
            done = self._producing.say(records, step.urgent)
            self._said.append((done, step))
            done.add_done_callback(lambda _: self._acknowledged())
            await self._producing.room()

    def _acknowledged(self) -> None:
        """Take note of steps, in order, whose words have come into the log."""
        while self._said and self._said[0][0].done() and not self._said[0][0].cancelled():
            _, step = self._said.popleft()
            self.position = step.position
            self._means.observer.detected(step.batch, step.output, step.urgent, step.seconds)

    async def _pass_over(self, found: Sequence[Bad]) -> None:
        """Put records on the skip-list of all workers; they go to quarantine with what else the step said."""
        for bad in found:
            _log.error("city.readings/%d, offset %d: %s; passed over", self.number, bad.offset, bad.detail)
            while not self._closing:
                try:
                    said = f"{bad.reason}: {bad.detail}"
                    await self._means.database(self._means.checkpoints.pass_over, self.number, bad.offset, said)
                    break
                except StoreAway as error:
                    _log.warning("%s", error)
                    await self._pause(self._means.limits.retry_s)

    async def _ask_again(self, refusal: Refusal, partition: Partition) -> None:
        """See whether what stood in the way is gone: a plan came, somebody accepted a gap or mended the topic."""
        if refusal.reason in GAPS:
            with suppress(StoreAway):
                gaps = await self._means.database(self._means.checkpoints.gaps, self.number)
                if partition.accept(gaps):
                    self.position = partition.position
                    _log.warning("city.readings/%d goes on at %d, as accepted", self.number, partition.position)
                    await self._look_again(partition)
        elif refusal.reason is Reason.LOG_TIME:
            partition.refusal = None
            self._read_on()
        else:
            await self._tell(await self._stepped(_again))
            if self.wants:
                self._means.resume(self.number)

    async def _look_again(self, partition: Partition) -> None:
        """Compare with the log's bounds, and read on if they are right."""
        try:
            look_at_bounds(partition, *await self._means.bounds(self.number))
        except BrokerAway as error:
            _log.warning("city.readings/%d: %s", self.number, error)
            self._off = True
            await self._pause(self._means.limits.retry_s)
        else:
            self._off = False
            self._log_refusal()
            self._read_on()

    async def _gather(self) -> None:
        """Let more come together, unless it is enough for a step or long since the last one."""
        left_s = self._stepped_at + self._means.share() * STEP_S / STEP_SHARE - time.monotonic()
        while left_s > 0 and self.queued_bytes < GATHER_BYTES and not self._closing:
            await asyncio.sleep(min(left_s, 0.01))
            left_s -= 0.01

    def _taken(self) -> list[RawFetch]:
        """Take from the queue what is judged in one step."""
        raws = [self._queue.popleft()]
        size = len(raws[0].data)
        while self._queue and size + len(self._queue[0].data) <= GATHER_BYTES:
            raws.append(self._queue.popleft())
            size += len(raws[-1].data)
        return raws

    # ---- small things

    def _dismiss_taster(self) -> None:
        """Go on without."""
        if self.partition is not None and self.partition.taster is not None:
            self.partition.taster.close()
            self.partition.taster = None

    def _drop_queue(self) -> None:
        self._took(sum(len(raw.data) for raw in self._queue))
        self._queue.clear()

    def _took(self, size_bytes: int) -> None:
        self.queued_bytes -= size_bytes
        self._means.took(size_bytes)

    def _log_refusal(self) -> None:
        if self.refusal is not None and self.refusal != self._logged:
            _log.warning("%s", self.refusal.text)
        self._logged = self.refusal

    async def _pause(self, seconds: float) -> None:
        """Wait until there is something to do, at most so long."""
        self._some.clear()
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._some.wait(), seconds)


def _again(partition: Partition) -> list[Step]:
    step = partition.again()
    return [] if step is None else [step]


def _said(prefix: str, partition: Partition, work: Callable[..., list[Step]], *arguments: Any) -> list[Said]:
    """Judge, and lay out what that says as records."""
    steps = work(partition, *arguments)
    return [(step, packed(step.output, partition.number, step.log_time, prefix)) for step in steps]


def _judged(partition: Partition, raws: Sequence[RawFetch], appended: bool) -> list[Step]:
    """Decode what was fetched and judge it."""
    raw = raws[0]
    if len(raws) > 1:
        aborted = tuple(dict.fromkeys(one for raw in raws for one in raw.aborted))
        data = b"".join(raw.data for raw in raws)
        raw = RawFetch(raw.topic, raw.partition, raw.position, data, aborted, raws[-1].next_position)
    steps: list[Step] = []
    try:
        for batch, after in pieces(raw, limit_bytes=PIECE_BYTES, appended=appended):
            step = partition.step(batch, after)
            steps += [step] if step is not None else []
            if partition.holds:  # what follows is fetched again
                break
    except Damaged as error:
        partition.refuse(refusals.damaged(partition.number, error.first, error.last, error.why))
    except LogTimeMissing:
        partition.refuse(refusals.log_time(partition.number))
    return steps
