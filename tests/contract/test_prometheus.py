"""What Prometheus is told to watch, judged by Prometheus' own tool."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from engine.api.metrics import Metrics

FOLDER = Path(__file__).parents[2] / "deploy" / "prometheus"
SCRAPED_GAUGES = {
    "tongguan_alerts_open", "tongguan_cases_open", "tongguan_outbox_pending", "tongguan_partition_lag_records",
    "tongguan_watermark_delay_seconds",
}  # fmt: skip


@pytest.mark.needs("promtool")
@pytest.mark.parametrize(
    "call", [("test", "rules", "tongguan.rules.test.yml"), ("check", "config", "prometheus.yml")], ids=" ".join
)
def test_promtool_agrees(call: tuple[str, ...]) -> None:
    done = subprocess.run(["promtool", *call], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_asks_for_metrics_that_the_engine_has() -> None:
    counted = {family.name for family in Metrics(CollectorRegistry()).registry.collect()}
    asked = set(re.findall(r"\btongguan_[a-z_]+", (FOLDER / "tongguan.rules.yml").read_text()))
    known = counted | {f"{name}_total" for name in counted} | SCRAPED_GAUGES
    assert asked
    assert asked <= known
