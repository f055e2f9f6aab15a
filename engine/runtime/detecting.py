"""The detect loop: readings in, changes out, and the position up to which that is done — in one commit.

The outputs of a batch and the cursor `detect` are one transaction of the log, so what is said up to the cursor is said
exactly once. A checkpoint is written only after the commit that covers it: it stands at or before the cursor. After a
crash the state of the checkpoint is led from its position to the cursor with the same records, and what it says on the
way is dropped, since it is in the log already (any split of the log into batches says the same).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from engine.detect.batch import RecordBatch
from engine.detect.checkpoint import FORMAT
from engine.detect.detector import Detector, PlanSource
from engine.detect.errors import DetectError, PlanMissing
from engine.detect.last_values import LastValue
from engine.detect.output import Output
from engine.runtime.checkpoints import LEAST_INTERVAL_S, Checkpoint, CheckpointStore, is_due, newest
from engine.runtime.errors import Misfit
from engine.runtime.log import Appended, CursorMove, Log, Stream
from engine.runtime.outputs import appends_of

READER = "detect"
BATCH_BYTES = 4 << 20
WAITING_BYTES = 256 << 20
_log = logging.getLogger(__name__)


class Observer(Protocol):
    """Who counts what detect says; called after the commit."""

    def detected(self, batch: RecordBatch, output: Output, last: Sequence[LastValue], seconds: float) -> None:
        """Take note of one committed step; `last` are the values of sensors that it told."""
        ...

    def checkpointed(self, seconds: float, size_bytes: int) -> None:
        """Take note of a written checkpoint."""
        ...


@dataclass(slots=True)
class _Pending:
    """A step whose commit is under way."""

    done: Future[list[Appended]]
    batch: RecordBatch
    output: Output
    last: Sequence[LastValue]
    seconds: float
    position: int


class Detecting:
    """Run detect over one partition of city.readings."""

    def __init__(
        self,
        log: Log,
        partition: int,
        plans: PlanSource,
        checkpoints: CheckpointStore,
        observer: Observer,
        *,
        player: bool,
        batch_bytes: int = BATCH_BYTES,
        waiting_bytes: int = WAITING_BYTES,
        checkpoint_s: float = LEAST_INTERVAL_S,
    ) -> None:
        self._log = log
        self._partition = partition
        self._checkpoints = checkpoints
        self._observer = observer
        self._player = player
        self._batch_bytes = batch_bytes
        self._waiting_bytes = waiting_bytes
        self._checkpoint_s = checkpoint_s
        self.fault: str | None = None
        self._committed = log.cursor(READER, partition)
        self._done = self._committed
        self._detector, self.position = self._restore(plans)
        self._pending: _Pending | None = None
        self._snapshot_at = (self.position, time.monotonic())
        self._replay_s = 0.0
        self._snapshot_bytes = 0
        self._snapshot: tuple[int, Checkpoint] | None = None
        self._writing: threading.Thread | None = None
        self._failed: list[BaseException] = []
        self.needed_from = checkpoints.oldest_position(partition)
        """Records up to here are in two checkpoints: the log may let go of them."""

    def _restore(self, plans: PlanSource) -> tuple[Detector, int]:
        """Return a detector and the position up to which it has read."""
        end, start = self._log.end(Stream.READINGS, self._partition), self._log.start(Stream.READINGS, self._partition)
        if self._committed > end:
            raise Misfit(f"detect stands at {self._committed}, the log of readings ends at {end}; restore the journal")
        usable = self._checkpoints.usable(self._partition, upto=self._committed)
        try:
            found = newest((checkpoint for checkpoint in usable if checkpoint.position + 1 >= start), plans)
        except PlanMissing as error:
            raise Misfit(f"the checkpoint: {error}") from error
        if found is not None:
            _log.info("detect resumes at %d from the checkpoint at %d", self._committed, found[1].position)
            return found[0], found[1].position
        if self._committed:
            _log.warning("no checkpoint can be used: detect's state is rebuilt from offset %d on", start)
        return Detector(plans, partition=self._partition, last_values=True), start - 1

    def run(self, stopping: threading.Event) -> None:
        """Step through the log until `stopping`; then write a last checkpoint."""
        while not stopping.is_set():
            if not self.step():
                self._settle()
                self._log.wait(Stream.READINGS, self._partition, self.position, timeout_s=0.5)
        self._settle()
        self._join_checkpoint()
        self._take_checkpoint()
        self._join_checkpoint()

    def step(self) -> bool:
        """Read a batch and judge it; False when there was none, or when too many readings wait for their order."""
        self.fault = self._too_much_waits()
        if self.fault:
            return False
        replaying = self.position < self._committed
        records = self._log.read(
            Stream.READINGS,
            self._partition,
            self.position,
            limit_bytes=self._batch_bytes,
            upto=self._committed if replaying else None,
        )
        if not len(records):
            if replaying:  # what was left up to the cursor is a gap
                self.position = self._committed
            return replaying
        batch = records.batch()
        began = time.perf_counter()
        try:
            output = self._detector.step(batch)
        except DetectError as error:
            raise Misfit(f"city.readings/{self._partition} from offset {self.position + 1}: {error}") from error
        seconds = time.perf_counter() - began
        self._replay_s += seconds
        # it may stop before a plan record that it cannot follow, and says so the next time
        self.position = self._detector.cursor
        if not replaying:
            self._settle()
            self._commit(batch.part(0, int(np.searchsorted(batch.offset, self.position, "right"))), output, seconds)
        self._checkpoint_if_due()
        return True

    def _too_much_waits(self) -> str | None:
        waiting = self._detector.waiting_bytes
        if waiting <= self._waiting_bytes:
            return None
        return (
            f"detect 停止读取：等待排序的读数达 {waiting >> 20} MiB / detect stopped reading: {waiting >> 20} MiB of "
            "readings wait for the watermark; nothing is lost; start again with a larger waiting_size"
        )

    def _commit(self, batch: RecordBatch, output: Output, seconds: float) -> None:
        log_time = int(batch.log_time[-1]) if self._player and batch.log_time is not None else None
        last = [value for values in output.last_values for value in values.records()]
        appends = appends_of(output, last, self._partition, log_time)
        move = CursorMove(READER, self._partition, self._done, self.position)
        self._done = self.position
        self._pending = _Pending(self._log.commit(appends, [move]), batch, output, last, seconds, self.position)

    def _settle(self) -> None:
        """Wait for the commit under way."""
        pending, self._pending = self._pending, None
        if pending is None:
            return
        pending.done.result()
        self._committed = pending.position
        self._observer.detected(pending.batch, pending.output, pending.last, pending.seconds)

    def _checkpoint_if_due(self) -> None:
        elapsed = time.monotonic() - self._snapshot_at[1]
        if self.position <= self._snapshot_at[0] or not is_due(
            elapsed, self._replay_s, self._snapshot_bytes, self._checkpoint_s
        ):
            return
        if self._writing and self._writing.is_alive():
            return
        self._settle()
        self._take_checkpoint()

    def _take_checkpoint(self) -> None:
        """Snapshot the state now, all of it committed, and write it in a thread of its own."""
        self._join_checkpoint()
        if self.position <= self._snapshot_at[0] or self.position > self._committed:
            return
        began = time.perf_counter()
        data = self._detector.snapshot()
        plan = self._detector.plan.digest if self._detector.plan else ""
        checkpoint = Checkpoint(self.position, data, plan, f"detect-{FORMAT}")
        self._snapshot_at = (self.position, time.monotonic())
        self._replay_s, self._snapshot_bytes = 0.0, len(data)
        self._writing = threading.Thread(target=self._write, args=(checkpoint, began), name="checkpoint", daemon=True)
        self._writing.start()

    def _write(self, checkpoint: Checkpoint, began: float) -> None:
        try:
            self._checkpoints.write(self._partition, checkpoint)
            self.needed_from = self._checkpoints.oldest_position(self._partition)
            self._observer.checkpointed(time.perf_counter() - began, len(checkpoint.data))
        except BaseException as error:  # noqa: BLE001 - raised in the detect thread
            self._failed.append(error)

    def _join_checkpoint(self) -> None:
        if self._writing is not None:
            self._writing.join()
            self._writing = None
            if self._failed:
                raise self._failed[0]
