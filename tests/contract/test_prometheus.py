"""What Prometheus is told to watch, judged by Prometheus' own tool."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from ruamel.yaml import YAML

from engine.api.metrics import REASONS, UNPROCESSABLE, Metrics
from tests.contract.test_docs import BRIDGE, GAUGES

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "prometheus"
ALERTS: list[dict[str, Any]] = YAML(typ="safe").load(FOLDER / "tongguan.rules.yml")["groups"][0]["rules"]
TESTS: list[dict[str, Any]] = YAML(typ="safe").load(FOLDER / "tongguan.rules.test.yml")["tests"]
SUFFIXES = ("", "_total", "_bucket", "_sum", "_count")


def known_metrics() -> set[str]:
    """Return every name that a process of ours can say."""
    registry = CollectorRegistry()
    counted = {family.name for family in Metrics(registry).registry.collect()}
    asked = {f"tongguan_{name}" for name in GAUGES} | {f"tongguan_bridge_{name}" for name in BRIDGE}
    return {f"{name}{suffix}" for name in counted for suffix in SUFFIXES} | asked


@pytest.mark.needs("promtool")
@pytest.mark.parametrize(
    "call", [("test", "rules", "tongguan.rules.test.yml"), ("check", "config", "prometheus.yml")], ids=" ".join
)
def test_promtool_agrees(call: tuple[str, ...]) -> None:
    done = subprocess.run(["promtool", *call], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_asks_for_metrics_that_a_process_of_ours_has() -> None:
    asked = set(re.findall(r"\btongguan_[a-z_]+", (FOLDER / "tongguan.rules.yml").read_text("utf-8")))
    assert asked
    assert asked <= known_metrics()


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_each_alert_is_seen_to_fire_and_not_to_fire(alert: dict[str, Any]) -> None:
    trials = [one for test in TESTS for one in test["alert_rule_test"] if one["alertname"] == alert["alert"]]
    assert any(one["exp_alerts"] for one in trials)
    assert alert["expr"] == "vector(1)" or any(not one["exp_alerts"] for one in trials)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_each_alert_says_in_both_languages_what_is_wrong_and_the_runbook_what_to_do(alert: dict[str, Any]) -> None:
    assert re.fullmatch(r"[^/]*[\u4e00-\u9fff][^/]* / [\x20-\x7e]+", alert["annotations"]["summary"])
    assert alert["annotations"]["description"]
    assert alert["labels"]["severity"] in ("critical", "warning", "none")
    page, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    chapters = re.findall(r"^## (\w+)$", (ROOT / page).read_text("utf-8"), re.M)
    assert anchor in [chapter.lower() for chapter in chapters]


def test_the_runbook_has_no_chapter_without_an_alert() -> None:
    chapters = re.findall(r"^## (\w+)$", (ROOT / "docs/runbook.md").read_text("utf-8"), re.M)
    assert sorted(chapters) == sorted(alert["alert"] for alert in ALERTS)


def test_every_reason_to_put_something_in_quarantine_is_counted_from_zero_on() -> None:
    source = "".join(path.read_text("utf-8") for path in (ROOT / "engine/casework").glob("*.py"))
    assert set(re.findall(r'Unprocessable\(\s*"([a-z_]+)"', source)) == set(UNPROCESSABLE)
    text = {sample.labels["reason"] for sample in Metrics(CollectorRegistry()).quarantine_total.collect()[0].samples}
    assert text == set(REASONS)
