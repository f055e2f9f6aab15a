"""What the engine does, counted for metrics and for the figures of the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import inf

import numpy as np
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from engine.api.metrics import Metrics
from engine.casework.errors import StoreAway
from engine.casework.service import AlertRecord, Applied, Casework
from engine.clock import wall_clock_ms
from engine.detect.batch import RecordBatch
from engine.detect.changes import Change
from engine.detect.last_values import LastValue
from engine.detect.output import Output
from engine.detect.rows import I64
from engine.runtime.embedded import Embedded
from engine.runtime.notify.telling import Progress


class Counted:
    """The engine's observer that feeds the metrics and the figures of the page."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self.totals: Counter[str] = Counter()

    def detected(self, batch: RecordBatch, output: Output, last: Sequence[LastValue], seconds: float) -> None:  # noqa: ARG002
        """Count one step of detect."""
        metrics, counts = self._metrics, output.counts
        metrics.detect_seconds.observe(seconds)
        for kind, n in counts.readings.items():
            metrics.readings_total.labels(kind).inc(n)
        for reason, n in counts.rejects.items():
            metrics.rejects_total.labels(reason).inc(n)
            metrics.quarantine_total.labels(reason).inc(n)
        for (kind, _), n in counts.late.items():
            metrics.late_total.labels(kind).inc(n)
        changes = output.items.changes
        for (rule, change), n in Counter((item.rule, item.change) for item in changes).items():
            metrics.changes_total.labels(rule, change).inc(n)
        if changes and batch.log_time is not None:
            self._observe_delay(batch.offset, batch.log_time, changes)
        self.totals.update(
            readings=counts.readings.total(),
            late=counts.late.total(),
            rejected=counts.rejects.total(),
            changes=len(changes),
        )

    def _observe_delay(self, offset: I64, log_time: I64, changes: Sequence[Change]) -> None:
        now = wall_clock_ms()
        found = [change.evidence.last_offset for change in changes]
        last = np.fromiter((-1 if one is None else one for one in found), np.int64, len(found))
        row = np.minimum(np.searchsorted(offset, last), len(offset) - 1)
        delay_ms = np.maximum(0, now - log_time[row[offset[row] == last]])
        observe = self._metrics.detect_delay_seconds.observe
        for delay in (delay_ms / 1000).tolist():
            observe(delay)

    def checkpointed(self, seconds: float, size_bytes: int) -> None:  # noqa: ARG002
        """Count one checkpoint."""
        self._metrics.checkpoint_seconds.observe(seconds)

    def applied(self, records: Sequence[AlertRecord], applied: Applied, seconds: float) -> None:  # noqa: ARG002
        """Count one batch of casework."""
        now = wall_clock_ms()
        for log_time in applied.opened_at:
            self._metrics.case_delay_seconds.observe(max(0, now - log_time) / 1000)
        for reason, n in applied.quarantined.items():
            self._metrics.quarantine_total.labels(reason).inc(n)
        self.totals.update(opened=applied.opened)


Figures = dict[tuple[str, ...], float]
"""Values by their labels."""


class CaseGauges(Collector):
    """What the case store says at the moment of the scrape; nothing while it does not answer."""

    def __init__(self, casework: Casework) -> None:
        self._casework = casework

    def describe(self) -> list[Metric]:
        """Name nothing beforehand, so that registering asks no store."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges, and the moves ever made."""
        try:
            counts, marks = self._casework.counts(), self._casework.marks()
            silent: Figures = {(street,): n for street, n in self._casework.silent_by_street().items()}
        except StoreAway:
            return
        alerts: Figures = {(alert.rule, alert.level): alert.count for alert in counts.alerts}
        yield gauge("alerts_open", "Open episodes.", ("rule", "level"), alerts)
        cases: Figures = {(case.state, case.level): case.count for case in counts.cases}
        yield gauge("cases_open", "Open cases.", ("state", "level"), cases)
        moves = CounterMetricFamily("tongguan_case_moves_total", "Moves made on cases.", labels=("move",))
        for move, n in counts.moves.items():
            moves.add_metric((move,), n)
        yield moves
        yield gauge("outbox_pending", "Outbox rows without a position.", (), {(): counts.outbox_pending})
        yield gauge("sensors_silent", "Sensors that are missed.", ("area",), silent)
        yield gauge("marks_delay_seconds", "Behind the furthest partition's marks.", ("partition",), _behind(marks))


def _behind(marks: Mapping[int, int | None]) -> Figures:
    """Return how far the marks of each partition are behind the furthest; the last one holds casework's clock back."""
    furthest = max((mark for mark in marks.values() if mark is not None), default=0)
    return {(str(p),): inf if mark is None else (furthest - mark) / 1000 for p, mark in sorted(marks.items())}


class Gauges(CaseGauges):
    """The same, and how far detect is, of an embedded engine."""

    def __init__(self, engine: Embedded) -> None:
        super().__init__(engine.casework)
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges, and the moves ever made."""
        yield from super().collect()
        now = self._engine.progress()
        yield gauge("partition_lag_records", "Records not yet judged.", ("partition",), {("0",): now.waiting})
        behind: Figures = {}
        if now.clock_ms is not None and now.log_ms is not None:
            behind["0",] = max(0, now.log_ms - now.clock_ms) / 1000
        yield gauge("watermark_delay_seconds", "Newest log time less the watermark.", ("partition",), behind)


class DestinationGauges(Collector):
    """How far webhooks and robots are told."""

    def __init__(self, progress: Callable[[], Mapping[str, tuple[int, Progress]]]) -> None:
        self._progress = progress

    def describe(self) -> list[Metric]:
        """Name nothing beforehand."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield what waits for each destination, and tries in a row that failed."""
        now = self._progress()
        waiting: Figures = {(name,): number for name, (number, _) in now.items()}
        yield gauge("destination_lag_messages", "Messages not told yet.", ("destination",), waiting)
        failed: Figures = {(name,): one.failed for name, (_, one) in now.items()}
        yield gauge("destination_failures", "Tries in a row that failed.", ("destination",), failed)


def gauge(name: str, text: str, labels: Sequence[str], values: Figures) -> Metric:
    """Return a gauge with its values by their labels."""
    family = GaugeMetricFamily(f"tongguan_{name}", text, labels=labels)
    for labelled, value in values.items():
        family.add_metric(labelled, value)
    return family
