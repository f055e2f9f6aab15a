"""What the partitions of one worker share, and its bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from engine.detect.batch import RecordBatch
from engine.detect.detector import PlanSource
from engine.detect.last_values import LastValue
from engine.detect.output import Output
from engine.runtime.kafka.checkpoints import Checkpoints, Writer
from engine.runtime.kafka.partition import WAITING_BYTES
from engine.runtime.kafka.producing import Producing

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
    """Bounds of memory and time.

    `checkpoint_s` is what checkpoints.is_due calls `least_s`. Of a partition `partition_bytes` as fetched wait to be
    judged, and `waiting_bytes` for their order. What stands in the way is asked again every `retry_s`.
    """

    checkpoint_s: float = 5.0
    waiting_bytes: int = WAITING_BYTES
    partition_bytes: int = 8 << 20
    retry_s: float = 3.0
    player: bool = False


class Means(Protocol):
    """What partitions share in a worker."""

    prefix: str
    """Of the topics."""
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

    def seek(self, number: int, position: int) -> None:
        """Let the log be read from a position."""
        ...

    def pause(self, number: int) -> None:
        """Fetch nothing more of a partition."""
        ...

    def resume(self, number: int) -> None:
        """Fetch a partition again."""
        ...

    def took(self, size_bytes: int) -> None:
        """Take note that fetched bytes no longer wait."""
        ...

    def share(self) -> int:
        """Return how many partitions share the worker."""
        ...

    def superseded(self, by: Writer) -> None:
        """Take note of who has moved on in our place."""
        ...

    def kept(self) -> None:
        """Take note that what was said came into the log."""
        ...
