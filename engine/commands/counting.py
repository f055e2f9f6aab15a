"""What the engine does, counted for metrics and for the figures of the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from prometheus_client import Metric
from prometheus_client.registry import Collector

from engine.api.metrics import Metrics
from engine.casework.service import AlertRecord, Applied
from engine.detect.batch import RecordBatch
from engine.detect.changes import Change
from engine.detect.last_values import LastValue
from engine.detect.output import Output
from engine.runtime.embedded import Embedded, wall_clock_ms


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
        changes = [item for item in output.items if isinstance(item, Change)]
        for change in changes:
            metrics.changes_total.labels(change.rule, change.change).inc()
        if changes and batch.log_time is not None:
            self._observe_delay(batch, changes)
        self.totals.update(
            readings=counts.readings.total(),
            late=counts.late.total(),
            rejected=counts.rejects.total(),
            changes=len(changes),
        )

    def _observe_delay(self, batch: RecordBatch, changes: Sequence[Change]) -> None:
        assert batch.log_time is not None
        now = wall_clock_ms()
        for change in changes:
            offset = change.evidence.last_offset
            row = -1 if offset is None else int(np.searchsorted(batch.offset, offset))
            if 0 <= row < len(batch) and batch.offset[row] == offset:
                self._metrics.detect_delay_seconds.observe(max(0, now - int(batch.log_time[row])) / 1000)

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


class Gauges(Collector):
    """Sets the gauges to what is true when they are scraped; itself it has no figures."""

    def __init__(self, engine: Embedded, metrics: Metrics) -> None:
        self._engine = engine
        self._metrics = metrics
        self._moves: Counter[str] = Counter()

    def collect(self) -> list[Metric]:
        """Refresh; called first, as it is registered first."""
        metrics, counts, now = self._metrics, self._engine.casework.counts(), self._engine.progress()
        metrics.alerts_open.clear()
        for alert in counts.alerts:
            metrics.alerts_open.labels(alert.rule, alert.level).set(alert.count)
        metrics.cases_open.clear()
        for case in counts.cases:
            metrics.cases_open.labels(case.state, case.level).set(case.count)
        for move, n in counts.moves.items():
            metrics.case_moves_total.labels(move).inc(max(0, n - self._moves[move]))
            self._moves[move] = n
        metrics.outbox_pending.set(counts.outbox_pending)
        metrics.partition_lag_records.labels("0").set(now.waiting)
        if now.clock_ms is not None and now.log_ms is not None:
            metrics.watermark_delay_seconds.labels("0").set(max(0, now.log_ms - now.clock_ms) / 1000)
        return []
