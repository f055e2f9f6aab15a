"""One partition of city.readings: from a checkpoint and the records behind it to what detect says. No client in here.

A position is the next offset to read; offsets have holes where the log keeps its own marks. What the partition may not
pass over it holds, says so in `refusal`, and takes up again when asked.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

import google_crc32c
import numpy as np

from engine.detect.batch import RecordBatch
from engine.detect.checkpoint import FORMAT
from engine.detect.decode.reading import ControlText, ReadingCheck
from engine.detect.decode.reasons import Refusal as Rejected
from engine.detect.detector import Detector, PlanSource
from engine.detect.errors import PlanMissing
from engine.detect.last_values import LastValue
from engine.detect.output import Output, RejectRow
from engine.runtime.checkpoints import Checkpoint
from engine.runtime.crashpoints import poisoned
from engine.runtime.gaps import Gap, covered
from engine.runtime.kafka import refusals
from engine.runtime.kafka.last import Coalesced
from engine.runtime.kafka.poison import Bad, Taster
from engine.runtime.kafka.refusals import GAPS, Reason, Refusal
from engine.runtime.log import Stream

WAITING_BYTES = 256 << 20
_EMPTY = np.empty(0, np.uint8)
_controls = ReadingCheck({}, (), offline=False)


@dataclass(slots=True)
class Step:
    """What one step said, at `log_time` (None: the log's clock), with `urgent` last values.

    `batch` has positions and times, not the bytes. `position`: the next offset to judge.
    """

    batch: RecordBatch
    output: Output
    seconds: float
    position: int
    log_time: int | None = None
    urgent: list[LastValue] = field(default_factory=list)
    skipped: int = 0
    bad: list[Bad] = field(default_factory=list)
    """Found by the taster, and to be put on the skip-list."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A checkpoint, the log time of the record before its position, and by what that record is known again."""

    checkpoint: Checkpoint
    log_time: int
    fingerprint: str


def fingerprint_of(batch: RecordBatch, record: int) -> str:
    """Name a record by its offset, its log time and the CRC-32C of its bytes."""
    log_time = 0 if batch.log_time is None else int(batch.log_time[record])
    return f"{int(batch.offset[record])}:{log_time}:{google_crc32c.value(batch.text(record)):08x}"


class Partition:
    """Detect on one partition.

    `said`: outputs of records below it were told before and are not told again. `fingerprint`: of the record before
    `position`, which the log must still have; empty: not known.
    """

    def __init__(
        self,
        number: int,
        plans: PlanSource,
        *,
        detector: Detector | None = None,
        position: int = 0,
        said: int = 0,
        fingerprint: str = "",
        skips: Iterable[int] = (),
        gaps: Iterable[Gap] = (),
        player: bool = False,
        waiting_bytes: int = WAITING_BYTES,
    ) -> None:
        self.number = number
        self.position = self.started_at = position
        self.detector = detector or Detector(plans, partition=number, last_values=True)
        self.refusal: Refusal | None = None
        self.log_time = 0
        self.worked_s = 0.0
        """Seconds of steps since the last snapshot: about what a replay from it would take."""
        self.values = Coalesced()
        self.skips = frozenset(skips)
        self.taster: Taster | None = None
        """Who dies of a record in our place, when somebody died of one here."""
        self._said = said
        self._gaps = list(gaps)
        self._player = player
        self._waiting_bytes = waiting_bytes
        self._known = self._last = fingerprint
        self._unplanned: int | None = None
        self._held: tuple[RecordBatch, int] | None = None

    @property
    def begun(self) -> bool:
        """Tell whether a plan is in force."""
        return self.detector.plan is not None

    @property
    def replaying(self) -> bool:
        """Tell whether what is judged now was told before."""
        return self.position < self._said

    @property
    def fetch_from(self) -> int:
        """Return the offset to seek to: the record before the position first, until it was recognised."""
        if self._held is not None:
            return self._held[1]
        return int(self._known.split(":")[0]) if self._known else self.position

    @property
    def holds(self) -> bool:
        """Tell whether records are held back; then nothing more is to be given to `step`."""
        return self._held is not None or (self.refusal is not None and self.refusal.blocks)

    def step(self, batch: RecordBatch, after: int) -> Step | None:
        """Take in records that follow, `after` being the offset behind them all; None if nothing could be taken in."""
        assert self._held is None
        self._held = batch, after
        return self.again()

    def again(self) -> Step | None:
        """Take up what is held back. What detect raises on a record passes through: see poison.py."""
        if self._held is None:
            return None
        batch, after = self._held
        self.refusal = self._refused(batch)
        if self.refusal is not None:
            return None
        batch = batch.part(int(np.searchsorted(batch.offset, self.position)), len(batch))
        if not self.begun:
            planned = self._from_first_plan(batch)
            if planned is None:
                return None
            batch = planned
        kept = batch.without(self.skips)  # they are in quarantine already
        step = self._judge(batch, kept, after)
        step.skipped = len(batch) - len(kept)
        return step

    def _refused(self, batch: RecordBatch) -> Refusal | None:
        """Say why nothing of a batch may be taken in."""
        waiting = self.detector.waiting_bytes
        if waiting > self._waiting_bytes:
            return refusals.too_much_waits(self.number, waiting)
        if self._known and len(batch):
            if fingerprint_of(batch, 0) != self._known:
                found = f"{fingerprint_of(batch, 0)} ≠ {self._known}"
                return refusals.recreated(self.number, self.position, 0, found)
            self._known = ""
        return None

    def _from_first_plan(self, batch: RecordBatch) -> RecordBatch | None:
        """Leave out what stands before the first plan record: ticks, what was judged before, and accepted gaps.

        None, and a refusal, when it is neither.
        """
        for record in range(len(batch)):
            kind = _control_of(batch, record)
            offset = int(batch.offset[record])
            if kind == "plan":
                if self._unplanned is not None and not self._may_pass(self._unplanned, offset - 1):
                    self.refusal = refusals.no_plan(self.number, self._unplanned, offset - 1)
                    self.position = self._unplanned
                    return None
                self._unplanned = None
                return batch.part(record, len(batch))
            if kind != "tick" and offset >= self._said and self._unplanned is None:
                self._unplanned = offset
        if self._unplanned is not None:
            self.refusal = refusals.waits_for_plan(self.number, self._unplanned)
        return batch.part(len(batch), len(batch))

    def _may_pass(self, first: int, last: int) -> bool:
        return covered(self._gaps, Stream.READINGS, self.number, first, last)

    def _judge(self, batch: RecordBatch, kept: RecordBatch, after: int) -> Step:
        """Step through the kept records of a batch up to a plan that is missing."""
        began, plan = time.perf_counter(), self.detector.plan
        output, bad = Output(), list[Bad]()
        again = int(np.searchsorted(kept.offset, self._said))
        behind = -1
        try:
            for part in (kept.part(0, again), kept.part(again, len(kept))):
                pieces = [part] if len(part) else []
                if self.taster is not None and pieces:
                    pieces, died = self.taster.taste(part)
                    bad += died
                for piece in pieces:
                    poisoned(piece)
                    said = self.detector.step(piece)
                    behind = self.detector.cursor
                    if piece.offset[0] >= self._said:
                        output.add(said)
                if pieces and behind < pieces[-1].offset[-1]:
                    break
        except PlanMissing:
            pass
        if self.detector.plan is not None and self.detector.plan is not plan:
            _keep(self.detector.plan.digest)
        seconds = time.perf_counter() - began
        self.worked_s += seconds
        if bad:
            _put_aside(output, kept, bad)
            self.skips |= {one.offset for one in bad}
            kept = kept.without(self.skips)
        taken = int(np.searchsorted(kept.offset, behind, "right"))
        self._move(batch, kept, taken, after)
        log_time = self.log_time if self._player else None
        step = Step(_positions(kept.part(0, taken)), output, seconds, self.position, log_time, bad=bad)
        for values in output.last_values:
            step.urgent += self.values.learn(values)
        return step

    def _move(self, batch: RecordBatch, kept: RecordBatch, taken: int, after: int) -> None:
        """Stand behind the records taken in; hold the others, which begin with a plan record."""
        self._held = None
        self.position = after
        if taken < len(kept):
            rest = kept.part(taken, len(kept))
            self._held = rest, after
            self.position = int(rest.offset[0])
            digest = _control_digest(rest)
            self.refusal = refusals.plan_missing(self.number, self.position, digest)
        last = int(np.searchsorted(batch.offset, self.position)) - 1
        if last >= 0:
            self._last = fingerprint_of(batch, last)
            self.log_time = 0 if batch.log_time is None else int(batch.log_time[last])

    def trust(self) -> None:
        """Go on without the record before the position: the log no longer keeps it."""
        self._known = ""

    def refuse(self, refusal: Refusal) -> None:
        """Stand still for a reason that was seen outside."""
        self.refusal = refusal

    def accept(self, gaps: Iterable[Gap]) -> bool:
        """Go on behind a gap that somebody accepted; True when it did, and the log is to be read from `fetch_from`."""
        self._gaps = list(gaps)
        refusal = self.refusal
        if refusal is None or refusal.reason not in GAPS:
            return False
        here = [gap for gap in self._gaps if gap.partition == self.number and gap.covers(refusal.first)]
        if refusal.reason is not Reason.RECREATED:  # a partition that was added is accepted as a log that began anew
            here = [gap for gap in here if gap.last >= gap.first]
        if not here:
            return False
        self.position = here[-1].last + 1
        self.refusal, self._held, self._unplanned = None, None, None
        self._known = self._last = ""
        self._said = min(self._said, self.position)
        return True

    def snapshot(self) -> Snapshot | None:
        """Return the state now; None before a plan is in force, or while it only catches up."""
        if not self.begun or self.replaying:
            return None
        plan = self.detector.plan
        assert plan is not None
        checkpoint = Checkpoint(self.position, self.detector.snapshot(), plan.digest, f"detect-{FORMAT}")
        self.worked_s = 0.0
        return Snapshot(checkpoint, self.log_time, self._last)


@lru_cache(maxsize=1)
def _keep(plan: str) -> None:  # noqa: ARG001
    """Let the collector pass over what a plan brought, once a plan: it stays."""
    gc.collect()
    gc.freeze()


def _put_aside(output: Output, batch: RecordBatch, bad: Iterable[Bad]) -> None:
    """Put records that cannot be judged into quarantine, whole."""
    for one in bad:
        raw = batch.text(int(np.searchsorted(batch.offset, one.offset)))
        output.rejects.append(RejectRow(one.reason, one.detail, one.offset, 0, raw))
        output.counts.rejects[one.reason] += 1


def _positions(batch: RecordBatch) -> RecordBatch:
    """Let go of the bytes."""
    return RecordBatch(_EMPTY, batch.start, batch.end, batch.offset, batch.log_time)


def _control_of(batch: RecordBatch, record: int) -> str:
    """Return "tick" or "plan", empty for anything else."""
    control = _control(batch, record)
    return "" if control is None else control.kind


def _control_digest(batch: RecordBatch) -> str:
    control = _control(batch, 0)
    return "" if control is None else control.digest


def _control(batch: RecordBatch, record: int) -> ControlText | None:
    text = batch.text(record)
    if len(text) > 1000 or (b'"tick"' not in text and b'"plan"' not in text):
        return None
    try:
        found = _controls.judge(text, framed=False)
    except Rejected:
        return None
    return found if isinstance(found, ControlText) else None
