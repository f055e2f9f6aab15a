"""The casework loop: changes, marks and stills of city.alerts, in batches, into the case store.

The cursor is in the store, in the same transaction as what the records did; the log only has to hand them over.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from engine.casework.service import AlertRecord, Applied, Casework
from engine.runtime.errors import Misfit
from engine.runtime.log import Log, Records, Stream

BATCH_BYTES = 256 << 10
_log = logging.getLogger(__name__)


class Observer(Protocol):
    """Who counts what casework did; called after the commit."""

    def applied(self, records: Sequence[AlertRecord], applied: Applied, seconds: float) -> None:
        """Take note of one committed batch."""
        ...


class Caseworking:
    """Apply city.alerts to the case store; `wake` is called after each commit."""

    def __init__(self, log: Log, casework: Casework, observer: Observer, wake: Callable[[], None]) -> None:
        self._log = log
        self._casework = casework
        self._observer = observer
        self._wake = wake
        self.position = casework.cursor()
        end = log.end(Stream.ALERTS, 0)
        if self.position > end:
            raise Misfit(
                f"the case store has applied city.alerts up to {self.position}, the journal ends at {end}: "
                "one of the two was restored from a copy; restore the other one of the same time"
            )

    def run(self, stopping: threading.Event) -> None:
        """Apply until `stopping` is set."""
        while not stopping.is_set():
            if not self.step():
                self._log.wait(Stream.ALERTS, 0, self.position, timeout_s=0.5)

    def step(self) -> bool:
        """Apply a batch; False when there was none."""
        found = self._log.read(Stream.ALERTS, 0, self.position, limit_bytes=BATCH_BYTES)
        if not len(found):
            return False
        records = list(alert_records(found, self.position))
        began = time.perf_counter()
        applied = self._casework.apply(records)
        self.position = applied.cursor
        self._observer.applied(records, applied, time.perf_counter() - began)
        self._wake()
        return True


def alert_records(found: Records, position: int) -> Iterator[AlertRecord]:
    """Yield what was read behind `position`; a gap that was accepted is a record too, and casework tells of it."""
    for offset, value, log_time in zip(found.offset.tolist(), found.values, found.log_time.tolist(), strict=True):
        if offset > position + 1:
            yield AlertRecord(offset - 1, b"accepted by the operator", log_time, gap_from=position + 1)
        yield AlertRecord(offset, value, log_time)
        position = offset
