"""Detect: a pure function of the log and the plan (spec/readings.md, alerts.md, rules.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol, Self

import numpy as np

from engine.detect import checkpoint
from engine.detect.batch import RecordBatch
from engine.detect.decode.decoded import Control, Decoded
from engine.detect.decode.decoder import Decoder
from engine.detect.decode.reading import ControlText, ReadingCheck
from engine.detect.decode.reasons import Refusal
from engine.detect.decode.rows import Table
from engine.detect.episodes import mark
from engine.detect.errors import DetectError, NoPlan, PlanMissing
from engine.detect.kernels import order as order_kernels
from engine.detect.kernels import timers
from engine.detect.kernels.compiled import NEVER
from engine.detect.order import Clocks, Released
from engine.detect.output import Lateness, LateRow, Output, RejectRow
from engine.detect.rows import I64, Rows, rows_of, taken
from engine.detect.rule_state import RuleState, Told
from engine.detect.seen import by_kind
from engine.detect.state import State
from engine.detect.switch import cleared_by_plan
from rules.plan import Plan

LATENESS: Final[tuple[Lateness, ...]] = ("late", "duplicate", "stale")
"""By judgement less 1."""


class PlanSource(Protocol):
    """Where plans are kept by their digests."""

    def get(self, digest: str) -> Plan | None:
        """Return the plan of that digest, None if it is not here."""


class Detector:
    """One partition. `step` takes the log's records in order; how they are cut into batches changes nothing."""

    def __init__(
        self,
        plans: PlanSource | None = None,
        *,
        partition: int = 0,
        partitions: int = 1,
        offline_plan: Plan | None = None,
        last_values: bool = False,
        marks: bool = True,
    ) -> None:
        """Begin before the first record.

        `partitions` is how many the log has: absence is told in a sensor's home partition. `offline_plan` is the plan
        whatever the log says; without it plan records decide. `last_values` are told only if they are wanted, and marks
        and stills are not without `marks`.
        """
        if (plans is None) == (offline_plan is None):
            raise ValueError("a detector needs a source of plans or one offline plan")
        self.partition = partition
        self._partitions = partitions
        self._plans = plans
        self._last_values = last_values
        self._marks = marks
        self._told = Told()
        self._stopped: int | None = None
        self._state: State | None = None
        if offline_plan is not None:
            self._begin(offline_plan, offline=True)

    @property
    def cursor(self) -> int:
        """Offset of the last record that was taken in; 0 before the first."""
        return 0 if self._state is None else self._state.cursor

    @property
    def stopped_before(self) -> int | None:
        """Offset of the plan record with which the next step must begin; None: any."""
        return self._stopped

    @property
    def plan(self) -> Plan | None:
        """The plan in force; None before the first record of a partition."""
        return None if self._state is None else self._state.plan

    @property
    def watermark(self) -> int | None:
        """W, ms; None before the first reading, tick or plan. After a step it is the timer clock too."""
        return None if self._state is None or self._state.order.watermark == NEVER else self._state.order.watermark

    @property
    def waiting_bytes(self) -> int:
        """What the readings that wait for the watermark hold."""
        return 0 if self._state is None else self._state.order.waiting_bytes

    @property
    def open_episodes(self) -> dict[tuple[str, str], int]:
        """Number of open episodes by (rule, level), those of shadow rules included."""
        return {} if self._state is None else self._state.episodes.counted()

    def snapshot(self) -> bytes:
        """Return the state as bytes. Raises DetectError before the first record, when there is nothing to keep."""
        return checkpoint.snapshot(self._now)

    @classmethod
    def restore(cls, data: bytes, plans: PlanSource) -> Self:
        """Go on where a snapshot was taken. Raises CheckpointUnreadable, and PlanMissing for the plan of that time."""
        snapshot = checkpoint.decode(data)
        plan = plans.get(snapshot.plan)
        if plan is None:
            raise PlanMissing(snapshot.plan)
        self = cls(
            plans,
            partition=snapshot.partition,
            partitions=snapshot.partitions,
            last_values=snapshot.values is not None,
        )
        self._state = checkpoint.restored(snapshot, plan)
        self._prepare()
        return self

    def step(self, batch: RecordBatch) -> Output:
        """Take in records.

        A plan record whose plan is missing ends the step before it: `cursor` says how far it came, and the next step,
        which must begin with that record, raises. Raises PlanMissing if nothing could be taken in, NoPlan for a
        partition that does not begin with a plan record.
        """
        out = Output()
        if len(batch) == 0:
            return out
        if self._stopped is not None and int(batch.offset[0]) != self._stopped:
            raise DetectError(f"detect stopped before offset {self._stopped}; got a batch from {batch.offset[0]}")
        self._stopped = None
        if self._state is None:
            self._first_plan(batch)
        first = 0
        while first < len(batch):
            decoded = self._decoder.decode(batch, first)
            control = decoded.controls[-1] if decoded.controls else None
            if control is None or not self._switches(control):
                self._take(batch, decoded, first, decoded.next_record, out)
            elif not self._pass_plan(batch, decoded, first, control, out):
                break
            first = decoded.next_record
        return out

    def finish(self) -> Output:
        """Offline, at the end of the input: let what waits go, and fire timers due before the largest order time."""
        out = Output()
        self._judge(self._now.order.finish(len(self._now.vocabulary.kind_names)), [], out)
        return out

    @property
    def _now(self) -> State:
        if self._state is None:
            raise DetectError("detect has not begun: no record of this partition was taken in")
        return self._state

    def _switches(self, control: Control) -> bool:
        return control.kind == "plan" and not self._now.offline and control.digest != self._now.plan.digest

    def _first_plan(self, batch: RecordBatch) -> None:
        offset = int(batch.offset[0])
        try:
            control = ReadingCheck({}, (), offline=False).judge(batch.text(0), framed=False)
        except Refusal:
            raise NoPlan(offset) from None
        if not isinstance(control, ControlText) or control.kind != "plan":
            raise NoPlan(offset)
        now = control.t if batch.log_time is None else int(batch.log_time[0])
        fresh = self._begin(self._have(control.digest), offline=False)
        if (order_ms := min(control.t, now)) > 0:
            self._now.expect(fresh, order_ms)
        else:
            self._now.awaits_start = True

    def _have(self, digest: str) -> Plan:
        plan = None if self._plans is None else self._plans.get(digest)
        if plan is None:
            raise PlanMissing(digest)
        return plan

    def _begin(self, plan: Plan, *, offline: bool) -> list[RuleState]:
        self._state = State.begin(
            plan, self.partition, self._partitions, offline=offline, last_values=self._last_values
        )
        self._state.episodes.marks = self._marks
        fresh = self._state.adopt(plan)
        self._prepare()
        return fresh

    def _prepare(self) -> None:
        """Set up what follows from the plan and the state."""
        now = self._now
        attrs = sorted(frozenset[str]().union(*(rule.attrs for rule in now.plan.detect_rules)))
        self._decoder = Decoder(now.plan, now.vocabulary, attrs)
        now.reread(self._decoder, attrs)
        kinds = now.vocabulary.kind_names
        if now.plan.grids is not None:
            now.plan.grids.prepare()
        self._readers = {name: [state for state in now.rules if name in state.rule.reads] for name in kinds}

    def _pass_plan(self, batch: RecordBatch, decoded: Decoded, first: int, control: Control, out: Output) -> bool:
        """Take in what stands before a plan record, then the record; False if its plan is missing."""
        plan = None if self._plans is None else self._plans.get(control.digest)
        if plan is None and control.record == 0:
            raise PlanMissing(control.digest)
        if control.record > first:
            self._take(batch, decoded, first, control.record, out)
        if plan is None:
            self._stopped = int(batch.offset[control.record])
            return False
        now = self._now
        order_ms = min(control.t, control.log_time)
        kept = {rule.id: plan.rule_digest(rule.id) for rule in plan.detect_rules}
        gone = [state for state in now.rules if kept.get(state.rule.id) != state.digest]
        out.items += cleared_by_plan(gone, now.episodes, plan, order_ms)
        fresh = now.adopt(plan)
        self._prepare()
        if not now.awaits_start:
            now.expect(fresh, order_ms)
        self._take(batch, decoded, control.record, control.record + 1, out)
        return True

    def _take(self, batch: RecordBatch, decoded: Decoded, first: int, after: int, out: Output) -> None:
        """Take in the records `first` to `after` (not included) of a batch."""
        now = self._now
        clocks = Clocks.silent(after - first)
        rows = self._rows(batch, decoded, first, after, clocks)
        controls = [control for control in decoded.controls if first <= control.record < after]
        for control in controls:
            clocks.note(control.record - first, min(control.t, control.log_time))
        self._report(batch, decoded, first, after, out)
        out.counts.suspect_clocks += clocks.suspect
        if now.awaits_start:
            moved = np.flatnonzero(clocks.newest > (NEVER if now.offline else 0))
            if len(moved):
                now.awaits_start = False
                now.expect(now.rules, int(clocks.oldest[moved[0]]))
        released = now.order.advance(rows, first, clocks, now.plan.max_delay_ms, len(now.vocabulary.kind_names))
        self._judge(released, [c.record - first for c in controls if c.kind == "tick"], out)
        now.cursor = int(batch.offset[after - 1])

    def _rows(self, batch: RecordBatch, decoded: Decoded, first: int, after: int, clocks: Clocks) -> Rows:
        """Take the decoded readings of some records, and judge their clocks."""
        self._now.series.update(self._now.vocabulary)
        table, attrs = decoded.table, decoded.attrs
        if after < decoded.next_record or decoded.controls:
            part = slice(*np.searchsorted(table["record"], (first, after)).tolist())
            table, attrs = table[part], {name: taken(column, part) for name, column in attrs.items()}
        clocks.suspect = order_kernels.clock(table, first, self._now.plan.max_age_ms, clocks.newest, clocks.oldest)
        return Rows(table, batch.data, attrs)

    def _report(self, batch: RecordBatch, decoded: Decoded, first: int, after: int, out: Output) -> None:
        """Pass on the decoder's rejects, and its counts with the last part of what it decoded."""
        for reject in decoded.rejects:
            if first <= reject.record < after:
                offset = int(batch.offset[reject.record])
                out.rejects.append(RejectRow(reject.reason, reject.detail, offset, reject.index, reject.raw))
                out.counts.rejects[reject.reason] += 1
        if after == decoded.next_record:
            out.counts.unknown_fields += decoded.unknown_fields
            out.counts.far_from_registry += decoded.far_from_registry
            out.counts.slow += decoded.slow

    def _judge(self, released: Released, ticks: Sequence[int], out: Output) -> None:
        """Judge released readings by order and rules, fire timers, set marks, and put everything into words."""
        now, told = self._now, self._told
        told.n = 0
        hidden = [state.hidden for state in now.rules]
        seen = np.empty(len(released), order_kernels.RELEASED)
        if len(released):
            self._see(released, seen, out)
        for state in now.rules:
            state.sweep(int(released.watermark[-1]), told)
        timers.place(
            told.out, told.n, released.watermark, released.start, released.u, released.record_of_row, now.released
        )
        for record in ticks:
            mark(told, int(released.start[record + 1]) + record, int(released.watermark[record]))
        out.items += now.episodes.words(told, now.rules, now.plan)
        if now.values is not None:
            out.last_values.append(now.values.tell(seen, told.out[: told.n], now.episodes, now.plan.grids))
        now.released += len(released)
        for state, before in zip(now.rules, hidden, strict=True):
            if state.hidden > before:
                out.counts.hidden[state.rule.id] += state.hidden - before

    def _see(self, released: Released, seen: Table, out: Output) -> None:
        """Tell late from good, count, and show the readings to the rules of their kinds."""
        now, vocabulary, series = self._now, self._now.vocabulary, self._now.series
        counts = np.zeros((len(released.kinds), 4), np.int64)
        aside = np.empty(len(released), np.int32)
        bad = order_kernels.admit(
            released.waited, released.parts[-1].table, released.order, released.record, released.before,
            np.cumsum(released.kinds) - released.kinds, series.local, vocabulary.series_lon_e7,
            vocabulary.series_lat_e7, series.last, seen, released.u, released.record_of_row, aside, counts,
        )  # fmt: skip
        names = (*vocabulary.kind_names, "")
        for kind, readings in enumerate(released.kinds.tolist()):
            if readings:
                out.counts.readings[names[kind]] += readings
        if bad:
            self._set_aside(released, rows_of(seen, aside[:bad]), counts, out)
        for rows in by_kind(seen, released, vocabulary, now.plan):
            for state in self._readers[rows.kind_name]:
                state.see(rows, now.released, series.of_kind(rows.kind_name), self._told)

    def _set_aside(self, released: Released, bad: Table, counts: I64, out: Output) -> None:
        """Put stale, late and duplicate readings into the late store, and count them."""
        for row, flag in zip(bad["row"].tolist(), bad["flag"].tolist(), strict=True):
            out.late.append(LateRow(LATENESS[(flag & order_kernels.JUDGEMENT) - 1], *released.late(row)))
        names = (*self._now.vocabulary.kind_names, "")
        for kind, judgement in np.argwhere(counts[:, 1:]).tolist():
            out.counts.late[names[kind], LATENESS[judgement]] += int(counts[kind, judgement + 1])
