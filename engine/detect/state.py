"""What a partition has left behind: everything that a snapshot holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.detect.batch import RecordBatch
from engine.detect.decode.decoder import Decoder
from engine.detect.decode.vocabulary import Vocabulary
from engine.detect.episodes import Episodes
from engine.detect.kernels.compiled import NEVER
from engine.detect.last_values import Values
from engine.detect.order import Order
from engine.detect.rows import Rows, spread
from engine.detect.rule_state import RuleState
from engine.detect.series import Series
from rules.plan import Plan


@dataclass(slots=True)
class State:
    """State of one partition under the plan in force.

    `offline`: the plan is an argument, and plan records switch nothing. `awaits_start`: no record has moved the
    watermark yet (offline, or where a player's log begins with a plan at time 0), so that absent rules wait for nobody.
    `released` counts released readings since the start. Of `partitions` in all, a registered sensor is waited for in
    its home partition only.
    """

    partition: int
    plan: Plan
    vocabulary: Vocabulary
    episodes: Episodes
    order: Order = field(default_factory=Order)
    series: Series = field(default_factory=Series)
    rules: list[RuleState] = field(default_factory=list)
    values: Values | None = None
    cursor: int = 0
    released: int = 0
    offline: bool = False
    awaits_start: bool = False
    partitions: int = 1

    @staticmethod
    def begin(plan: Plan, partition: int, partitions: int, *, offline: bool, last_values: bool) -> State:
        """Stand before the first record."""
        vocabulary = Vocabulary(plan)
        values = Values() if last_values else None
        episodes = Episodes(partition, vocabulary)
        state = State(partition, plan, vocabulary, episodes, values=values, offline=offline, awaits_start=offline)
        state.partitions = partitions
        return state

    def adopt(self, plan: Plan) -> list[RuleState]:
        """Put a plan in force; returns the states of rules that are new or changed and so begin anew."""
        before = {state.rule.id: state for state in self.rules}
        if plan is not self.plan:
            self.vocabulary.adopt(plan)
        self.plan = plan
        self.rules = []
        fresh = []
        for number, rule in enumerate(plan.detect_rules):
            digest = plan.rule_digest(rule.id)
            state = before.get(rule.id)
            if state is not None and state.digest == digest:
                self.rules.append(state.renumbered(rule, number))
            else:
                self.rules.append(RuleState.fresh(rule, digest, number))
                fresh.append(self.rules[-1])
        self.series.update(self.vocabulary)
        return fresh

    def expect(self, states: Sequence[RuleState], start_ms: int) -> None:
        """Let absent rules begin to wait for the registered sensors of their kinds that are at home here."""
        states = [state for state in states if state.rule.absent_ms is not None]
        registry = self.plan.registry
        here = np.flatnonzero(registry.homes(self.partitions) == self.partition) if self.partitions > 1 else None
        rows = registry.rows if here is None else [registry.rows[row] for row in here.tolist()]
        if not states or not rows:
            return
        kinds = {name: number for number, name in enumerate(self.vocabulary.kind_names)}
        series = self.vocabulary.number([row.sensor.encode() for row in rows], [kinds[row.kind] for row in rows])
        since = np.array([NEVER if row.since_ms is None else row.since_ms for row in rows], np.int64)
        kind_of = self.vocabulary.series_kind[series]
        for state in states:
            for name in state.rule.reads:
                of_kind = np.flatnonzero(kind_of == kinds[name])
                local = self.series.local[series[of_kind]]
                state.expect(name, series[of_kind], local, since[of_kind], start_ms, self.series.of_kind(name))

    def reread(self, decoder: Decoder, attrs: Sequence[str]) -> None:
        """Bring readings that wait under the plan in force: numbers of kinds, attributes that only its rules read."""
        kinds = len(self.vocabulary.kind_names)
        for part in self.order.waiting:
            kind = self.vocabulary.series_kind[part.table["series"]]
            part.table["kind"] = np.where(kind < 0, kinds, kind)
            if not all(name in part.attrs for name in attrs):
                _read_again(part, decoder)


def _read_again(part: Rows, decoder: Decoder) -> None:
    texts = [part.raw(row) for row in range(len(part))]
    decoded = decoder.decode(RecordBatch.from_records(texts, log_times=part.table["log_time"].tolist()))
    part.attrs = spread(decoded.attrs, decoded.table["record"], len(part))
