"""Alertmanager's configuration by its own tool, and a real Alertmanager that tells the engine what is wrong with it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from ruamel.yaml import YAML

from tests.bridge.running import wait_until
from tests.parts.ports import free_port
from tests.town import Town, open_town

FOLDER = Path(__file__).parents[2] / "deploy" / "alertmanager"
CONFIG = FOLDER / "alertmanager.yml"


@pytest.mark.needs("amtool")
def test_amtool_agrees_with_the_configuration() -> None:
    done = subprocess.run(["amtool", "check-config", str(CONFIG)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.needs("amtool")
@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ("alertname=TongguanLag severity=critical", "on-duty,tongguan"),
        ("alertname=TongguanLag severity=warning", "tongguan"),
        ("alertname=TongguanWatchdog severity=none", "dead-man"),
        ("alertname=SomebodyElse", "tongguan"),
    ],
    ids=["critical", "warning", "dead man", "anything else"],
)
def test_routes_lead_where_they_should(labels: str, receivers: str) -> None:
    call = ["amtool", "config", "routes", "test", f"--config.file={CONFIG}", f"--verify.receivers={receivers}"]
    done = subprocess.run([*call, *labels.split()], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with open_town(tmp_path_factory.mktemp("town")) as running:
        yield running


@dataclass
class Alertmanager:
    """A real one, with the shipped routes and shorter pauses."""

    url: str

    def tell(self, name: str, *, over: bool = False, **labels: str) -> None:
        """Tell it an alert, or its end, as Prometheus does."""
        now = datetime.now(UTC)
        said: dict[str, Any] = {
            "labels": {"alertname": name, "severity": "critical", **labels},
            "annotations": {"summary": f"出了问题 / {name}", "description": "一句话说明"},
            "startsAt": (now - timedelta(minutes=1)).isoformat(),
            "endsAt": (now + (timedelta(seconds=-1) if over else timedelta(minutes=10))).isoformat(),
        }
        answer = httpx.post(f"{self.url}/api/v2/alerts", json=[said], trust_env=False)
        assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def alertmanager(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    program = shutil.which("prometheus-alertmanager")
    assert program is not None
    folder = tmp_path_factory.mktemp("alertmanager")
    yaml = YAML(typ="safe")
    config = yaml.load(CONFIG)
    for route in (config["route"], *config["route"]["routes"]):
        route |= {"group_wait": "100ms", "group_interval": "300ms", "repeat_interval": "1s"}
    config["receivers"][0]["webhook_configs"][0]["url"] = f"{town.url}/api/v1/alertmanager"
    with (folder / "alertmanager.yml").open("w") as file:
        yaml.dump(config, file)
    (folder / "tongguan.token").write_text(town.token("sensor"))
    port = free_port()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={folder / 'alertmanager.yml'}",
                f"--storage.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--cluster.listen-address=",
            ],
            stderr=log,
            stdout=log,
            env={**os.environ},
        )
    running = Alertmanager(f"http://127.0.0.1:{port}")
    try:
        wait_until(lambda: _answers(running.url), "Alertmanager")
        yield running
    finally:
        process.terminate()
        process.wait(20)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", trust_env=False).status_code == 200
    except httpx.TransportError:
        time.sleep(0.05)
        return False


def told(town: Town, name: str) -> list[dict[str, Any]]:
    """Return the cases about alerts of a name."""
    return [case for case in town.cases() if case["category"] == "0698" and name in case["title"]]


def moves(town: Town, case: str) -> list[str]:
    with town.client("admin") as client:
        return [event["move"] for event in client.get(f"/api/v1/cases/{case}").json()["events"]]


@pytest.mark.needs("prometheus-alertmanager")
def test_alerts_of_a_group_become_one_case_which_recovers_when_all_of_them_are_over(
    town: Town, alertmanager: Alertmanager
) -> None:
    alertmanager.tell("TongguanLag", partition="3")
    wait_until(lambda: told(town, "TongguanLag"), "a case")
    (case,) = told(town, "TongguanLag")
    assert (case["level"], case["flags"], case["grid"]) == ("red", ["supervised"], None)
    alertmanager.tell("TongguanLag", partition="4")
    wait_until(lambda: moves(town, case["id"]) == ["report", "supervise", "joined"], "the other alert joins")
    alertmanager.tell("TongguanLag", partition="3", over=True)
    alertmanager.tell("TongguanLag", partition="4", over=True)
    wait_until(lambda: moves(town, case["id"])[-1] == "recovered", "the end of both")
    assert len(told(town, "TongguanLag")) == 1
    assert "recovered" in told(town, "TongguanLag")[0]["flags"]


@pytest.mark.needs("prometheus-alertmanager")
def test_what_is_repeated_is_noted_once_and_the_dead_man_opens_nothing(town: Town, alertmanager: Alertmanager) -> None:
    alertmanager.tell("TongguanWatchdog", severity="none")
    alertmanager.tell("TongguanOutboxStuck", severity="warning")
    wait_until(lambda: told(town, "TongguanOutboxStuck"), "a case")
    (case,) = told(town, "TongguanOutboxStuck")

    def repeats() -> float:
        text = httpx.get(f"{alertmanager.url}/metrics", trust_env=False).text
        rows = [
            line
            for line in text.splitlines()
            if line.startswith('alertmanager_notifications_total{integration="webhook"')
        ]
        return sum(float(row.rpartition(" ")[2]) for row in rows)

    before = repeats()
    wait_until(lambda: repeats() >= before + 4, "repeats")
    assert moves(town, case["id"]) == ["report", "supervise"]
    assert told(town, "TongguanWatchdog") == []


def hook(status: str = "firing", severity: str = "critical", **more: Any) -> dict[str, Any]:
    alert = {"status": status, "labels": {"alertname": "A", "severity": severity}, "startsAt": "t0", "fingerprint": "f"}
    return {"version": "4", "status": status, "groupLabels": {"alertname": "A"}, "alerts": [alert]} | more


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (hook(version="3"), 422),
        ({"version": "4"}, 422),
        (hook(alerts=[{}]), 422),
        (hook(alerts="x"), 422),
        ([], 422),
        (hook(severity="none"), 200),
        (hook("resolved"), 200),
    ],
    ids=["version", "no alerts", "empty alert", "alerts no list", "an array", "a dead man", "over before it began"],
)
def test_a_webhook_that_says_nothing_opens_nothing(town: Town, body: Any, status: int) -> None:
    before = town.cases()
    with town.client("sensor") as client:
        answer = client.post("/api/v1/alertmanager", json=body)
    assert answer.status_code == status, answer.text
    assert town.cases() == before
