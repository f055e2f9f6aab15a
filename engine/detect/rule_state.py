"""One rule at work on one partition: its parameters, and its state in arrays for the (sensor, kind)s it has seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from engine.detect.kernels import absent as absent_kernels
from engine.detect.kernels import layout as at
from engine.detect.kernels import levels as level_kernels
from engine.detect.kernels.compiled import FOREVER
from engine.detect.rows import F64, I32, I64, U8
from engine.detect.seen import KindRows
from rules.columns import BOOL, NULL
from rules.model import Agg, Enabled, Rule

NO_COLUMN: Final = np.zeros(0, np.int64)
ALL_SEEN: Final = np.zeros(0, np.uint8)
NO_MEASURE: Final = np.zeros(0)
LARGEST_MEASURE: Final = 1e8
Matrix = npt.NDArray[np.int64]
MatrixF = npt.NDArray[np.float64]


class Told:
    """What the rules say about a run of records: int64[n, OUT], as kernels.layout orders it."""

    def __init__(self) -> None:
        self.n = 0
        self.out: Matrix = np.empty((1024, at.OUT), np.int64)
        self.outf: MatrixF = self.out.view(np.float64)

    def room(self, more: int) -> None:
        """Make room for `more` rows."""
        if self.n + more > len(self.out):
            grown = np.empty((max(self.n + more, 2 * len(self.out)), at.OUT), np.int64)
            grown[: self.n] = self.out[: self.n]
            self.out, self.outf = grown, grown.view(np.float64)


@dataclass(slots=True)
class RuleState:
    """State of a rule; `slots` gives for each kind, by the number of a series in its kind, its row of `state` or -1."""

    rule: Rule
    digest: str
    number: int
    parameters: I64
    thresholds: F64
    state: Matrix
    window: Matrix
    pool: Matrix
    meta: I64
    slots: dict[str, I32] = field(default_factory=dict)

    @staticmethod
    def fresh(rule: Rule, digest: str, number: int) -> RuleState:
        meta = np.zeros(at.META, np.int64)
        meta[at.M_BOUND] = FOREVER
        meta[at.M_FREE :] = -1
        parameters, thresholds = _parameters(rule, number)
        state = np.zeros((0, at.HEAD + 2 * len(rule.levels)), np.int64)
        window, pool = np.zeros((0, at.WINDOW), np.int64), np.zeros((0, at.PANE), np.int64)
        return RuleState(rule, digest, number, parameters, thresholds, state, window, pool, meta)

    def renumbered(self, rule: Rule, number: int) -> RuleState:
        """Keep the state under the next plan, in which the rule has another place among the rules."""
        self.rule, self.number = rule, number
        self.parameters[at.P_RULE] = number
        return self

    @property
    def shadow(self) -> bool:
        return self.rule.enabled is Enabled.SHADOW

    @property
    def slot_count(self) -> int:
        return int(self.meta[at.M_SLOTS])

    @property
    def hidden(self) -> int:
        return int(self.meta[at.M_HIDDEN])

    def _slots(self, kind: str, series: int) -> I32:
        """Return the slots of a kind, long enough for so many series of it."""
        slots = self.slots.get(kind)
        if slots is None or len(slots) < series:
            grown = np.full(max(series, 0 if slots is None else 2 * len(slots)), -1, np.int32)
            if slots is not None:
                grown[: len(slots)] = slots
            self.slots[kind] = slots = grown
        return slots

    def _room(self, more: int) -> None:
        wanted = self.slot_count + more
        if wanted > len(self.state):
            self.state = _grown(self.state, self.slot_count, wanted)
            if self.rule.window is not None:
                self.window = _grown(self.window, self.slot_count, wanted)

    def enter(self, kind: str, local: I32, slot: I32, series_of_kind: int) -> None:
        """Say which series of a kind have which slots, after a restore."""
        self._slots(kind, series_of_kind)[local] = slot

    def expect(self, kind: str, series: I32, local: I32, since: I64, start: int, series_of_kind: int) -> None:
        """Begin to wait for the registered sensors of a kind (absent rules)."""
        slots = self._slots(kind, series_of_kind)
        self._room(len(series))
        since = np.maximum(since, start)
        due = since + self.parameters[at.P_ABSENT]
        if self.rule.schedule is not None:
            due = np.minimum(self.rule.schedule.next_span_end(since), FOREVER)
        absent_kernels.expect(series, local, since, due, slots, self.state, self.meta)

    def see(self, rows: KindRows, base: int, series_of_kind: int, told: Told) -> None:
        """Judge the readings of one kind; `base` is the number of the first released row since the start of the log."""
        slots = self._slots(rows.kind_name, series_of_kind)
        told.room(2 * rows.n)
        record = rows.released.record_of_row
        if self.rule.absent_ms is not None:
            ends = self._span_ends(rows)
            told.n = absent_kernels.absent(
                rows.table, record, ends, self.parameters, slots, self.state, self.meta, told.out, told.outf, told.n
            )
            return
        self._room(min(rows.n, series_of_kind))
        seen, x = self._measure(rows)
        ends = NO_COLUMN
        if self.rule.schedule is not None:
            ends = np.minimum(self.rule.schedule.next_end(rows.t), FOREVER)
        window_f = self.window.view(np.float64)
        done = 0
        while True:
            done, told.n = level_kernels.levels(
                rows.table, x, seen, ends, record, base, self.parameters, self.thresholds, slots,
                self.state, self.window, window_f, self.pool, self.pool.view(np.float64), self.meta,
                told.out, told.outf, done, told.n,
            )  # fmt: skip
            if done == rows.n:
                return
            self.pool = _grown(self.pool, len(self.pool), len(self.pool) + 1024)

    def _span_ends(self, rows: KindRows) -> I64:
        """Return by row the end of the first span after a sign of life (`absent: span`), else nothing."""
        if self.rule.schedule is None:
            return NO_COLUMN
        return np.minimum(self.rule.schedule.next_span_end(np.maximum(rows.t, rows.table["clock"])), FOREVER)

    def _measure(self, rows: KindRows) -> tuple[U8, F64]:
        """Return what the rule sees (empty: every row; else 0 not seen, 1 seen, 2 hidden), the measure (empty: `v`)."""
        rule = self.rule
        if rule.schedule is None and rule.where is None and rule.measure is None:
            return ALL_SEEN, NO_MEASURE
        seen = np.ones(rows.n, np.uint8) if rule.where is None else rows.answer(rule.where)
        if rule.schedule is not None:
            seen = seen * rule.schedule.active(rows.t).astype(np.uint8)
        if rule.measure is None:
            return seen, NO_MEASURE
        column = rule.measure.evaluate(rows)
        x, seen = column.num, seen.copy()
        hidden = (column.tag == NULL) | ~np.isfinite(x)
        if rule.window is not None and rule.window.agg is Agg.COUNT:
            hidden |= np.abs(x) > LARGEST_MEASURE
            x = np.where(column.tag == BOOL, x, 1.0)
        seen[(seen == 1) & hidden] = 2
        return seen, np.ascontiguousarray(x, np.float64)

    def sweep(self, passed: int, told: Told) -> None:
        """Fire what is due before `passed`."""
        if self.meta[at.M_BOUND] >= passed:
            return
        told.room(self.slot_count)
        kernel = level_kernels.sweep if self.rule.absent_ms is None else absent_kernels.sweep
        told.n = kernel(passed, self.parameters, self.state, self.window, self.meta, told.out, told.outf, told.n)


def _grown(array: Matrix, used: int, wanted: int) -> Matrix:
    """Return an array with room for `wanted` rows or more, and the first `used` of the old one."""
    grown = np.zeros((max(wanted, 2 * len(array)), array.shape[1]), np.int64)
    grown[:used] = array[:used]
    return grown


def _parameters(rule: Rule, number: int) -> tuple[I64, F64]:
    p = np.zeros(at.PARAMETERS, np.int64)
    c = np.zeros(8)
    p[at.P_RULE] = number
    p[at.P_LEVELS] = len(rule.levels)
    p[at.P_CLEAR_FOR] = rule.clear_for_ms
    p[at.P_GAP] = -1 if rule.max_gap_ms is None else rule.max_gap_ms
    p[at.P_QUIET] = -1 if rule.quiet_ms is None else rule.quiet_ms
    p[at.P_SCHEDULED] = rule.schedule is not None
    p[at.P_AGG], p[at.P_LAST] = -1, FOREVER
    if rule.window is not None:
        p[at.P_LAST] = FOREVER if rule.window.last is None else rule.window.last - 1
        p[at.P_AGG], p[at.P_PANES], p[at.P_STEP] = rule.window.agg, rule.window.panes, rule.window.step_ms
        p[at.P_BOOLEAN] = rule.measure is not None
    timed = rule.quiet_ms is not None or rule.schedule is not None
    p[at.P_KEEPS] = timed or rule.max_gap_ms is not None or rule.window is not None
    p[at.P_ABSENT] = rule.absent_ms or 0
    for number_, level in enumerate(rule.levels):
        p[at.P_CODE + number_] = level.name
        p[at.P_CLEAR + number_] = -1
        p[at.P_FOR + number_] = level.for_ms
        if level.set is not None:
            p[at.P_SET + number_], c[number_] = level.set.op, level.set.value
        if level.clear is not None:
            p[at.P_CLEAR + number_], c[4 + number_] = level.clear.op, level.clear.value
    return p, c
