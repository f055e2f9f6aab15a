"""Bad input meets a real `tongguan serve --embedded`: what cannot be used leaves no trace but its row in quarantine."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from engine.casework.store import Store, upgrade
from engine.casework.tokens import create_token
from tests.contract.bad_input import T
from tests.contract.command import ROOT, WATCHED, in_process
from tests.contract.test_http_bad_input import READINGS, TABLE, good

PATIENCE_S = 120


@dataclass
class Served:
    """A real `tongguan serve --embedded` on a free port."""

    process: subprocess.Popen[str]
    data: Path
    url: str
    metrics_url: str
    tokens: dict[str, str]

    @property
    def address(self) -> tuple[str, int]:
        url = httpx.URL(self.url)
        assert url.port is not None
        return url.host, url.port

    def client(self, role: str | None, **headers: str) -> httpx.Client:
        signed = {} if role is None else {"authorization": f"Bearer {self.tokens[role]}"}
        return httpx.Client(base_url=self.url, headers={**headers, **signed}, timeout=30, trust_env=False)

    def counts(self, client: httpx.Client, line: str) -> bool:
        """Wait until the metrics say so."""
        pause, until = threading.Event(), time.monotonic() + PATIENCE_S
        while line not in client.get(self.metrics_url.rstrip("/") + "/metrics").text.splitlines():
            if time.monotonic() > until:
                return False
            pause.wait(0.1)
        return True

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "rules").mkdir()
    (folder / "rules" / "watch.yaml").write_text(WATCHED)
    (folder / "sensors.csv").write_text("sensor,kind\ngood,gas.methane\n")
    (folder / "data").mkdir()
    store = Store.open(folder / "data" / "cases.db")
    upgrade(store)
    tokens = {role: create_token(store, name=role, role=role, now_ms=T) for role in ("admin", "operator", "sensor")}
    store.close()
    args = ["--data", "data", "--rules", "rules", "--registry", "sensors.csv", "--port", "0", "--metrics-port", "0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "engine.cli", "serve", "--embedded", *args],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    found = re.search(r"(http://\S+) \(metrics (http://[^)\s]+)\)", process.stdout.readline())
    assert found, "the server must print where it is"
    yield Served(process, folder / "data", found[1], found[2], tokens)
    process.kill()
    process.wait(60)


OVER_THE_WIRE = [
    "readings: text that is no JSON",
    "readings: over 1 MiB",
    "readings: over 10,000",
    "readings: plain text, as a form of another site can send",
    "report: nested 20,000 deep",
    "report: a lone surrogate",
    "report: 1e400 for a place",
    "list: a misspelt filter",
    "another site asks",
    "a name that was rebound to this address",
    "a file above the page's folder",
    "a file by its whole path",
    "no token",
    "headers of 20 KiB",
]


@pytest.mark.parametrize("name", OVER_THE_WIRE)
def test_a_served_engine_gives_the_documented_answer(served: Served, name: str) -> None:
    (bad,) = [one for one in TABLE if one.name == name]
    with served.client(bad.role, **bad.headers) as client:
        answer = client.send(client.build_request(bad.method, served.url.rstrip("/") + bad.path, content=bad.body))
    assert (answer.status_code, answer.json()["code"]) == (bad.status, bad.code), answer.text


def test_after_all_of_it_good_readings_are_taken_and_bad_ones_are_in_quarantine_once(served: Served) -> None:
    own = {"sensor": "good", "kind": "gas.methane"}
    frame = [good(**own), good(**own, v="high"), good(**{**own, "kind": "gas.argon"}), good(**own, lon=30, lat=120)]
    with socket.create_connection(served.address) as slow, served.client("sensor") as client:
        slow.sendall(b"POST /api/v1/readings HTTP/1.1\r\n")
        assert client.post(READINGS, json=frame).json() == {
            "accepted": 1,
            "rejected": [
                {"index": 1, "reason": "bad_type"},
                {"index": 2, "reason": "bad_kind"},
                {"index": 3, "reason": "bad_place"},
            ],
        }
        slow.settimeout(60)
        assert b" 408 " in slow.recv(4096)
        assert served.counts(client, 'tongguan_rejects_total{reason="bad_kind"} 1.0')
    served.stop()
    code, text = in_process("quarantine", "list", "--data", str(served.data))
    kept = [json.loads(line) for line in text.splitlines()]
    assert code == 0
    assert [(row["reason"], row["index"], json.loads(row["raw"])) for row in kept] == [
        ("bad_type", 1, frame[1]),
        ("bad_kind", 2, frame[2]),
        ("bad_place", 3, frame[3]),
    ]
    replay = ("quarantine", "replay", "--reason", "bad_kind", "--data", str(served.data))
    assert [in_process(*replay)[1].split(" as ")[0].strip() for _ in range(2)] == ["replayed 1 of 1", "replayed 0 of 1"]
