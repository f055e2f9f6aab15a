"""A worker of a test: a process of its own, its log a file, its metrics and health asked over HTTP."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.parts.nursery import Child


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that has ended, and what it said."""

    returncode: int
    said: str


@dataclass
class WorkerProcess:
    """A running `tongguan worker`; its log is a file in the city's folder."""

    name: str
    process: Child
    port: int
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text("utf-8")

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def metrics(self) -> dict[str, float]:
        """Return its metrics by name and labels, without `tongguan_`."""
        text_ = httpx.get(f"http://127.0.0.1:{self.port}/metrics", timeout=10, trust_env=False).text
        rows = (line.rpartition(" ") for line in text_.splitlines() if line.startswith("tongguan_"))
        return {name.removeprefix("tongguan_"): float(value) for name, _, value in rows}

    def ready(self) -> dict[str, Any]:
        """Return what /readyz says; a status of 0: no answer."""
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.port}/readyz", timeout=10, trust_env=False)
        except httpx.TransportError:
            return {"code": 0}
        return {"code": answer.status_code, **answer.json()}

    def owns(self, what: str) -> bool:
        """Tell whether it has the turn at casework, ticks or relay."""
        try:
            return self.metrics().get(f'turn{{what="{what}"}}', 0.0) == 1.0
        except httpx.TransportError:
            return False

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.signal(signal.SIGKILL)
        self.process.wait(30)

    def stop(self, timeout_s: float = 90.0) -> int:
        """End it in good order and return its exit code."""
        self.signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def freeze(self) -> None:
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)
