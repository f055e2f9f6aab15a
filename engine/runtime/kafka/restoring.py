"""From what the database keeps of a partition to a detector that goes on, or the reason why it does not."""

from __future__ import annotations

import logging

from engine.casework.errors import StoreAway
from engine.detect.detector import Detector, PlanSource
from engine.runtime.checkpoints import newest
from engine.runtime.kafka import refusals
from engine.runtime.kafka.checkpoints import Checkpoints, Head, Kept
from engine.runtime.kafka.means import Limits
from engine.runtime.kafka.partition import Partition
from engine.runtime.kafka.poison import Taster
from rules.plan import Plan

_log = logging.getLogger(__name__)


def restored(
    number: int,
    partitions: int,
    kept: Kept,
    start: int,
    checkpoints: Checkpoints,
    plans: PlanSource,
    limits: Limits,
) -> Partition:
    """Restore the newest generation that can be used; without any, begin at the log's start (of `partitions` in all).

    What is judged again up to the head was said before. Raises PlanMissing for the plan of the checkpoint.
    """
    head = kept.head
    usable = (
        checkpoint
        for checkpoint in checkpoints.generations(number)
        if checkpoint.position == head.position or start <= checkpoint.position < head.position
    )
    found = newest(usable, plans)
    if found is None and head.generation:
        _log.warning("no checkpoint of partition %d can be used: rebuilt from offset %d on", number, start)
    position = found[1].position if found is not None else _begin(head, start)
    return Partition(
        number,
        plans,
        detector=found[0] if found else Detector(plans, partition=number, partitions=partitions, last_values=True),
        position=position,
        said=head.position,
        fingerprint=head.fingerprint if position == head.position else "",
        skips=kept.skips,
        gaps=kept.gaps,
        player=limits.player,
        waiting_bytes=limits.waiting_bytes,
    )


def _begin(head: Head, start: int) -> int:
    """Return where to begin without a state: where the log begins, unless records are gone that were never judged."""
    return start if head.generation == 0 or head.position > start else head.position


def look_at_bounds(partition: Partition, start: int, end: int) -> None:
    """Refuse a log that does not have what the partition reads next."""
    position = partition.position
    if position > end:
        partition.refuse(refusals.recreated(partition.number, position, start, f"{end} < {position}"))
    elif position < start:
        partition.refuse(refusals.trimmed(partition.number, position, start))
    elif partition.fetch_from < start:
        partition.trust()


def taster(partition: Partition, plans: PlanSource) -> Taster:
    """Return one who stands where the partition stands."""
    snapshot = partition.detector.snapshot() if partition.begun else None
    return Taster(partition.number, snapshot, plans)


class CalmPlans:
    """Plans of a database that may be away: then none is there, and the partition asks again."""

    def __init__(self, plans: PlanSource) -> None:
        self._plans = plans

    def get(self, digest: str) -> Plan | None:
        """Return the plan of a digest, None if it cannot be had now."""
        try:
            return self._plans.get(digest)
        except StoreAway as error:
            _log.warning("plan %s: %s", digest[:12], error)
            return None
