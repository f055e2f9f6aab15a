"""`make stack`: the whole city on this machine, told from outside; a killed worker is no end, and nothing is left."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = [pytest.mark.needs("kafka"), pytest.mark.needs("postgres"), pytest.mark.timeout(1800)]
ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "deploy/local/stack"
PATIENCE_S = 600.0


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the user of the database can enter too; whatever runs in it is ended."""
    made = Path(tempfile.mkdtemp(prefix="tongguan-stack-"))
    made.chmod(0o755)
    try:
        yield made / "stack"
    finally:
        stack(made / "stack", "down")
        shutil.rmtree(made)


def stack(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *words],
        env=os.environ | {"STACK_DIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def until(done: Callable[[], object]) -> Any:
    end = time.monotonic() + PATIENCE_S
    while not (found := done()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.2)
    return found


def processes(folder: Path) -> dict[str, int]:
    """Return the number of every process of the stack."""
    known = {name: row["pid"] for name, row in json.loads((folder / "processes.json").read_text()).items()}
    known["broker"] = int((folder / "broker/pid").read_text())
    known["postgres"] = int((folder / "postgres/data/postmaster.pid").read_text().splitlines()[0])
    return known


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_city_comes_up_opens_a_case_survives_a_worker_and_leaves_nothing(folder: Path) -> None:
    up = stack(folder, "up", "--port", "0")
    assert up.returncode == 0, up.stderr
    (address,) = re.findall(r"console +(\S+)", up.stdout)
    (token,) = re.findall(r"token +(tg_\S+)", up.stdout)
    running = processes(folder)
    assert set(running) == {"broker", "postgres", "worker-1", "worker-2", "serve", "simulator"}
    with httpx.Client(base_url=address, headers={"authorization": f"Bearer {token}"}, trust_env=False) as client:

        def clock() -> int:
            return int(client.get("/api/v1/status").json()["clock_ms"] or 0)

        def flooded() -> list[dict[str, Any]]:
            cases = client.get("/api/v1/cases").json()["cases"]
            return [case for case in cases if case["rule"] == "flood.underpass_ponding"]

        (case,) = until(flooded)[:1]
        assert case["department"] == "drainage"
        os.kill(running["worker-1"], signal.SIGKILL)
        # casework's clock stands still until every partition has an owner again
        before = until(lambda: not lives(running["worker-1"]) and clock())
        until(lambda: clock() > before + 30_000)
        again = stack(folder, "up")
        assert again.returncode == 0, again.stderr
        assert {name for name, pid in processes(folder).items() if pid != running[name]} == {"worker-1"}
        started = processes(folder)
    down = stack(folder, "down")
    assert down.returncode == 0, down.stderr
    assert [name for name, pid in started.items() if lives(pid)] == []
    assert stack(folder, "status").stdout.count("does not run") == len(started)
