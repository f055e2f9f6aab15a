"""A real `tongguan bridge` in a process of its own, and a publisher that keeps what its broker has acknowledged."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.parts.mqtt import Mosquitto

PATIENCE_S = 60.0


def wait_until(true: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait for a condition, looking at it again and again."""
    deadline = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < deadline, f"waited {patience_s:g} s in vain: {what}"
        time.sleep(0.02)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class Running:
    """A bridge; `folder` keeps its spool and its log over its lives."""

    folder: Path
    arguments: Sequence[str]
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None
    metrics: str = ""

    @property
    def log(self) -> Path:
        return self.folder / "bridge.log"

    def start(self, wrap: Sequence[str] = (), before: Callable[[], None] | None = None) -> None:
        """Start it and wait for its line; its metrics are then at `metrics`."""
        self.folder.mkdir(exist_ok=True)
        command = [*wrap, sys.executable, "-m", "engine.cli", "bridge", *self.arguments]
        command += ["--spool", str(self.folder / "spool"), "--metrics-port", "0"]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **self.environment},
                preexec_fn=before,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"metrics (http://[^)]+)\)", line)
        assert found, line + self.log.read_text()[-2000:]
        self.metrics = found[1]

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def stop(self) -> int:
        """End it as its supervisor would; return its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    def value(self, name: str) -> float:
        """Return a metric without labels."""
        text = httpx.get(f"{self.metrics}/metrics", trust_env=False).text
        found = re.search(rf"^tongguan_bridge_{name} (\S+)$", text, re.M)
        assert found, text
        return float(found[1])

    def ready(self) -> tuple[int, str]:
        """Return status and reasons of `/readyz`."""
        answer = httpx.get(f"{self.metrics}/readyz", trust_env=False)
        return answer.status_code, "; ".join(answer.json()["reasons"])


class Publisher:
    """A device gateway: publishes at QoS 1 and knows by their marks what its broker has acknowledged.

    It publishes fewer messages than there are message ids.
    """

    def __init__(self, broker: Mosquitto, name: str = "gateway") -> None:
        self._marks: dict[int, str] = {}
        self._done: set[int] = set()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, name, protocol=paho.MQTTv5)
        self._client.on_publish = self._published
        self._client.max_inflight_messages_set(200)
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()

    def _published(self, _client: Any, _data: Any, mid: int, _code: Any, _properties: Any) -> None:
        self._done.add(mid)

    @property
    def acknowledged(self) -> set[str]:
        """The marks of what the broker has acknowledged."""
        return {self._marks[mid] for mid in set(self._done) if mid in self._marks}

    def raw(self, topic: str, payload: bytes, mark: str = "", qos: int = 1) -> None:
        """Publish bytes."""
        info = self._client.publish(topic, payload, qos=qos)
        if qos:
            self._marks[info.mid] = mark

    def reading(self, sensor: str, number: int, **more: object) -> None:
        """Publish one reading, known by its mark."""
        mark = f"{sensor}/{number}"
        reading = {"sensor": sensor, "kind": "waste.fill", "t": now_ms(), "v": number % 100, "attrs": {"mark": mark}}
        self.raw("city/readings/x", orjson.dumps(reading | more), mark)

    def flush(self) -> None:
        """Wait until the broker has acknowledged everything."""
        wait_until(lambda: set(self._marks) <= self._done, "PUBACK for what was published")

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def marks_of(records: Sequence[bytes]) -> list[str]:
    """Return the marks of all readings of records of the log, in order."""
    readings = [reading for record in records for reading in _readings(record)]
    return [reading["attrs"]["mark"] for reading in readings if "mark" in (reading.get("attrs") or {})]


def _readings(record: bytes) -> list[dict[str, Any]]:
    try:
        value = orjson.loads(record)
    except orjson.JSONDecodeError:
        return []
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]


def first_seen(marks: Sequence[str]) -> dict[str, list[int]]:
    """Return, by sensor, the numbers in the order in which each was first seen."""
    found: dict[str, list[int]] = {}
    for mark in dict.fromkeys(marks):
        sensor, _, number = mark.rpartition("/")
        found.setdefault(sensor, []).append(int(number))
    return found
