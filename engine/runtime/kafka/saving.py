"""When a partition's state is kept, and how: after everything that was said up to it is in the log."""

from __future__ import annotations

import asyncio
import logging
import time

from engine.casework.errors import StoreAway
from engine.detect.last_values import LastValue
from engine.runtime.checkpoints import is_due
from engine.runtime.errors import LogFailed
from engine.runtime.kafka.checkpoints import Head, Superseded
from engine.runtime.kafka.means import Means
from engine.runtime.kafka.partition import Partition, Snapshot
from engine.runtime.kafka.producing import Producing

VALUES_S = 5.0
_log = logging.getLogger(__name__)


class Saving:
    """Keep one partition's state. `lost`: another worker has moved the head, the partition is no longer ours."""

    def __init__(self, number: int, means: Means) -> None:
        self.number = number
        self.head = Head()
        self.kept_at = time.monotonic()
        self.lost = False
        self._means = means
        self._producing = means.producing
        self._size = 0
        self._asked_at = self._values_at = time.monotonic()
        self._task: asyncio.Task[None] | None = None
        self._saved = asyncio.Event()

    def begin(self, head: Head, producing: Producing) -> None:
        """Stand at a head that was read; what follows is said to `producing`."""
        self.head, self.lost, self._producing = head, False, producing
        self._asked_at = time.monotonic()

    async def if_due(self, partition: Partition, *, behind: bool) -> None:
        """Begin a checkpoint if it is time; the partition must stand still during the call, not afterwards.

        `behind`: more waits to be judged, so that last values are not told between checkpoints: newer ones follow.
        """
        now, least_s = time.monotonic(), self._means.limits.checkpoint_s
        busy = self._task is not None and not self._task.done()
        # what all partitions write together is bounded
        due = is_due(now - self._asked_at, partition.worked_s, self._size * self._means.share(), least_s)
        if due and not busy and not self.lost and partition.position > self.head.position:
            self._asked_at = self._values_at = now
            self._task = asyncio.get_running_loop().create_task(
                self._save(*await self._means.cpu(_snapshot, partition)), name=f"checkpoint {self.number}"
            )
            self._task.add_done_callback(self._means.ended)
        elif not behind and now - self._values_at > VALUES_S:
            self._values_at = now
            self._producing.say((), await self._means.cpu(partition.values.take))

    async def now(self, partition: Partition) -> None:
        """Keep the state that a partition ends with; no fault is told."""
        await self.join()
        if partition.position > self.head.position and not self.lost:
            await self._save(*await self._means.cpu(_snapshot, partition))

    async def soon(self) -> None:
        """Let the next look find a checkpoint due, and wait for it."""
        self._asked_at = float("-inf")
        self._saved.clear()
        await self._saved.wait()

    async def join(self) -> None:
        """Wait for the checkpoint that is being written."""
        if self._task is not None:
            await asyncio.wait([self._task])

    def cancel(self) -> None:
        """Give up the checkpoint that is being written."""
        if self._task is not None:
            self._task.cancel()

    async def _save(self, snapshot: Snapshot | None, values: list[LastValue]) -> None:
        """Write a checkpoint; without the database it is tried again when one is due."""
        means, producing = self._means, self._producing
        producing.say((), values)
        if snapshot is None:
            return
        began = time.monotonic()
        try:
            await producing.flush()
            self.head = await means.database(means.checkpoints.write, self.number, self.head.generation, snapshot)
        except (StoreAway, LogFailed) as error:
            _log.warning("city.readings/%d: no checkpoint: %s", self.number, error)
        except Superseded as error:
            if error.by == means.checkpoints.writer:  # ourselves: only the answer to an earlier commit was lost
                self.head = error.head
                return
            _log.warning("%s", error)
            self.lost = True
            means.superseded(error.by)
        else:
            self.kept_at, self._size = time.monotonic(), len(snapshot.checkpoint.data)
            means.observer.checkpointed(self.kept_at - began, self._size)
            means.kept()
            self._saved.set()


def _snapshot(partition: Partition) -> tuple[Snapshot | None, list[LastValue]]:
    return partition.snapshot(), partition.values.take()
