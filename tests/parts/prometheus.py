"""A real Prometheus on a free port, which scrapes the addresses that it is given every second."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from ruamel.yaml import YAML

from tests.parts.ports import free_port

SHIPPED = Path(__file__).parents[2] / "deploy/prometheus/prometheus.yml"
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Prometheus:
    """A running one."""

    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the samples of an expression; it must be one that Prometheus takes."""
        said = httpx.get(f"{self.url}/api/v1/query", params={"query": expression}, trust_env=False).json()
        assert said["status"] == "success", f"{expression}: {said}"
        found: list[dict[str, Any]] = said["data"]["result"]
        return found


@contextmanager
def running(folder: Path, targets: Sequence[str]) -> Iterator[Prometheus]:
    """Run it with the shipped settings and rules, over other targets and faster."""
    yaml = YAML(typ="safe")
    config = yaml.load(SHIPPED)
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(SHIPPED.parent / name) for name in config["rule_files"]]
    config["scrape_configs"][0]["static_configs"] = [{"targets": list(targets)}]
    del config["alerting"]
    with (folder / "prometheus.yml").open("w") as file:
        yaml.dump(config, file)
    port = free_port()
    program = shutil.which("prometheus")
    assert program is not None
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + PATIENCE_S
        while not _ready(url):
            assert process.poll() is None, (folder / "prometheus.log").read_text()
            assert time.monotonic() < deadline, "Prometheus does not answer"
        yield Prometheus(url)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", trust_env=False).status_code == 200
    except httpx.TransportError:
        time.sleep(0.05)
        return False
