"""What metrics and health tell of one partition in the hands of a worker."""

from __future__ import annotations

import time
from dataclasses import dataclass

from engine.runtime.kafka.judging import Judging
from engine.runtime.kafka.refusals import Refusal


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    """How a partition is. `lag` in records and `position` are None while it is taken over."""

    partition: int
    position: int | None = None
    lag: int | None = None
    watermark_ms: int | None = None
    log_time_ms: int | None = None
    checkpoint_age_s: float = 0.0
    waiting_bytes: int = 0
    queued_bytes: int = 0
    skipped: int = 0
    refusal: Refusal | None = None


def status_of(judging: Judging, end: int | None) -> PartitionStatus:
    """Look at a partition of ours; `end` is that of its log, None where it was not seen yet."""
    partition, at = judging.partition, judging.position
    return PartitionStatus(
        judging.number,
        at,
        None if end is None or at is None else max(0, end - at),
        partition.detector.watermark if partition is not None else None,
        partition.log_time or None if partition is not None else None,
        time.monotonic() - judging.saving.kept_at,
        partition.detector.waiting_bytes if partition is not None else 0,
        judging.queued_bytes,
        judging.skipped,
        judging.refusal,
    )
