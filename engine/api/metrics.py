"""The counted metrics of spec/interfaces.md, on a registry that is given; names and label sets are stable.

Gauges are asked for when they are scraped (`engine.commands.counting`). Whoever composes the process makes one
`Metrics` and hands it to the parts that count; the API prints its registry.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from engine.detect.decode.reasons import Deadly, Reason

BATCH_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
DELAY_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
STAGES = ("accept", "file", "dispatch", "handle", "verify")
UNPROCESSABLE = ("bad_change", "bad_json", "engine_fault", "gap", "sequence_gap", "unknown_episode", "unknown_rule")
"""Why casework puts a record of the alerts log in quarantine."""

REASONS = tuple(dict.fromkeys(map(str, (*Reason, *Deadly, *UNPROCESSABLE))))


class Metrics:
    """What is counted; the attribute is the name without `tongguan_`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"tongguan_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"tongguan_{name}", text, buckets=buckets, registry=registry)

        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry
        self.readings_total = counter("readings_total", "Readings accepted by the decoder.", "kind")
        self.rejects_total = counter("rejects_total", "Readings rejected by the decoder.", "reason")
        for reason in map(str, Reason):
            self.rejects_total.labels(reason)
        self.late_total = counter("late_total", "Readings that were stale, late or duplicate.", "kind")
        self.detect_seconds = histogram("detect_seconds", "Time of one detect step.", BATCH_SECONDS)
        self.detect_delay_seconds = histogram("detect_delay_seconds", "Log time to change.", DELAY_SECONDS)
        self.case_delay_seconds = histogram("case_delay_seconds", "Log time to case committed.", DELAY_SECONDS)
        self.changes_total = counter("changes_total", "Alert changes.", "rule", "change")
        self.sla_breaches_total = counter("sla_breaches_total", "Limits passed.", "stage")
        for stage in STAGES:
            self.sla_breaches_total.labels(stage)
        self.quarantine_total = counter("quarantine_total", "Rows put in quarantine.", "reason")
        for reason in REASONS:  # from 0 on, so that the first row is seen as an increase
            self.quarantine_total.labels(reason)
        self.checkpoint_seconds = histogram("checkpoint_seconds", "Time of one checkpoint.", BATCH_SECONDS)


def exposition(registry: CollectorRegistry) -> tuple[bytes, str]:
    """Return the text of a scrape and its content type."""
    return generate_latest(registry), CONTENT_TYPE_LATEST
