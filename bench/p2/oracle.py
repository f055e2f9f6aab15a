"""What must come out: what detect says of the same records, offline, and whether a contender's changes equal it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import msgspec

from bench.p2.batches import PARTITIONS, Stream
from bench.p2.job import Said
from bench.p2.run import Progress
from bench.p2.topics import Told
from bench.readings import BEGIN_MS
from engine.detect.batch import RecordBatch
from engine.detect.changes import Change
from engine.detect.detector import Detector
from rules.partition import home_partition
from rules.plan import Plan

FORMAT = 1
"""Raised when the same readings have other expected changes."""
SLACK_MS = 300_000
"""So much event time before its furthest change, or a tenth of its way, all of a contender's changes must be there."""

Changes = dict[str, list[Said]]


@dataclass(frozen=True, slots=True)
class Oracle:
    """Expected changes of so many readings by sensor, in order."""

    readings: int
    changes: Changes

    @classmethod
    def of(cls, readings: int, said: Iterable[Said]) -> Self:
        """Take changes in the order of each sensor's."""
        changes: Changes = defaultdict(list)
        for one in said:
            changes[one.sensor].append(one)
        return cls(readings, dict(changes))

    def fault(self, told: list[Told], progress: Progress, left_out: Collection[str]) -> str | None:
        """Say how an output differs from what must come out, but for some sensors; None if it does not."""
        got: Changes = defaultdict(list)
        for one in told:
            if one.said.sensor not in left_out:
                got[one.said.sensor].append(one.said)
        for sensor, said in got.items():
            right = self.changes.get(sensor, [])[: len(said)]
            if said != right:
                return _difference(sensor, said, right)
        upto = [t - min(SLACK_MS, (t - BEGIN_MS) / 10) for t in progress.upto_t]
        for sensor, right in self.changes.items():
            if sensor in left_out:
                continue
            due = upto[home_partition(sensor, PARTITIONS)]
            missing = [said for said in right[len(got.get(sensor, ())) :] if said.t <= due]
            if missing:
                return f"not told: {missing[0]}"
        return None


def _difference(sensor: str, said: list[Said], right: list[Said]) -> str:
    for number, (one, other) in enumerate(zip(said, right, strict=False)):
        if one != other:
            return f"change {number} of {sensor} is {one}; must be {other}"
    return f"{sensor} has {len(said)} changes; detect says {len(right)}: {said[-1]}"


def oracle(stream: Stream, plan: Plan, cache: Path, say: Callable[[str], None]) -> Oracle:
    """Return the expected changes of a stream, from the cache or from detect."""
    kept = cache / f"changes{FORMAT}-{stream.seed}-{stream.readings}-{plan.digest[:12]}.msgpack"
    if not kept.exists():
        say(f"expected changes of {stream.readings:,} readings, by detect …")
        partial = kept.with_suffix(".part")
        partial.write_bytes(msgspec.msgpack.encode(list(expected(stream, plan))))
        partial.rename(kept)
    return Oracle.of(stream.readings, msgspec.msgpack.decode(kept.read_bytes(), type=list[Said]))


def expected(stream: Stream, plan: Plan) -> Iterable[Said]:
    """Let detect judge a stream's records, a detector a partition."""
    detectors = [
        Detector({plan.digest: plan}, partition=number, partitions=PARTITIONS, marks=False)
        for number in range(PARTITIONS)
    ]
    offset = [0] * PARTITIONS
    for lines in stream.lines():
        for number, detector in enumerate(detectors):
            values, log_t = lines.of_partition(number).values()
            batch = RecordBatch.from_records(values, first_offset=offset[number], log_times=log_t)
            offset[number] += len(values)
            for item in detector.step(batch).items:
                assert isinstance(item, Change)
                if item.shadow:
                    continue
                yield Said(item.sensor, item.kind, item.change, item.level, item.previous, item.t, item.since,
                           item.value, item.lon, item.lat)  # fmt: skip
