"""Every query of the dashboard, tried on a Prometheus that scrapes a real worker, API and bridge."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.bridge.running import Publisher, Running, wait_until
from tests.contract.test_prometheus import known_metrics
from tests.kafka.city import City
from tests.parts import prometheus
from tests.parts.broker import Broker
from tests.parts.mqtt import Mosquitto
from tests.parts.postgres import Database
from tests.parts.prometheus import Prometheus

PAGE = Path(__file__).parents[2] / "deploy/grafana/dashboards/tongguan.json"
PANELS = [panel for panel in orjson.loads(PAGE.read_bytes())["panels"] if panel["type"] != "row"]
QUERIES = {
    f"{panel['title'].partition(' / ')[2]} {target['refId']}": target["expr"].replace("$__rate_interval", "30s")
    for panel in PANELS
    for target in panel["targets"]
}


def test_each_panel_asks_for_metrics_that_a_process_of_ours_has() -> None:
    asked = {name for query in QUERIES.values() for name in re.findall(r"\btongguan_[a-z_]+", query)}
    assert asked <= known_metrics()
    assert len(QUERIES) == sum(len(panel["targets"]) for panel in PANELS)


def test_each_panel_has_a_title_in_both_languages_and_a_place_of_its_own() -> None:
    assert all(re.fullmatch(r"[^/]*[\u4e00-\u9fff][^/]* / [\x20-\x7e]+", panel["title"]) for panel in PANELS)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in PANELS]
    assert len(set(places)) == len(places)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in PANELS)


@pytest.fixture
def watched(broker: Broker, database: Database, mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Prometheus]:
    """A worker, the API and a bridge at work, and a Prometheus that has scraped all of them."""
    with City(broker, database, tmp_path) as city:
        city.set_plan()
        worker = city.start("w1")
        bridge = Running(
            tmp_path / "bridge",
            [mosquitto.url, "--to", f"kafka://{broker.bootstrap}"],
            {"TONGGUAN_TOPIC_PREFIX": city.config.topic_prefix},
        )
        bridge.start()
        serve = subprocess.Popen(
            [sys.executable, "-m", "engine.cli", "serve", "--port", "0", "--metrics-port", "0"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert serve.stdout is not None
        found = re.search(r"metrics http://([^)]+)\)", serve.stdout.readline())
        assert found
        targets = [f"127.0.0.1:{worker.port}", found[1], bridge.metrics.removeprefix("http://")]
        try:
            with prometheus.running(tmp_path, targets) as running:
                publisher = Publisher(mosquitto)
                wait_until(lambda: bridge.value("mqtt_connected"), "the session")
                wait_until(lambda: len(running.query('up{job="tongguan"} == 1')) == 3, "three targets up")
                publisher.reading("GM-1", 1, kind="gas.methane", v=60)
                publisher.reading("GM-1", 2, kind="gas.methane", v=60, t=1)
                publisher.reading("GM-1", 3, kind="no.such")
                publisher.flush()
                wait_until(lambda: len(city.cases()) == 1, "a case")
                publisher.close()
                yield running
        finally:
            serve.terminate()
            serve.wait(60)
            bridge.stop()


@pytest.mark.needs("kafka")
@pytest.mark.needs("postgres")
@pytest.mark.needs("mosquitto")
@pytest.mark.needs("prometheus")
def test_each_query_answers_on_a_running_prometheus(watched: Prometheus) -> None:
    for title, query in QUERIES.items():
        wait_until(lambda: watched.query(query), f"{title}: {query}")  # noqa: B023
    firing = {row["metric"]["alertname"] for row in watched.query('ALERTS{alertstate="firing"}')}
    assert firing == {"TongguanWatchdog"}
