"""The bad day, day after day, on the embedded engine with the console open: `python -m tests.soak.city --minutes 120`.

It runs `tongguan demo` as a user does and looks at it from outside twice a minute. Every look is a line of
`samples.ndjson`; the report (city_report.py) is made of those and can be asked for at any time with `--report`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Error as PlaywrightError

from engine.runtime.config import duration_ms
from engine.runtime.readings import REPEAT_MS
from engine.runtime.retention import rebuild_ms
from geo.city import load as load_city
from rules.civil import CITY_TZ
from rules.kinds import load_kinds
from rules.load import LIBRARY, load_rules
from rules.plan import Plan
from rules.registry_file import load_registry
from tests.soak.city_report import page_of, verdict
from tests.soak.console_page import Officer, officer
from tests.soak.processes import Usage, children_of

ROOT = Path(__file__).parents[2]
TONGGUAN = (sys.executable, "-m", "engine.cli")
EVERY_S = 30.0
START_S = 180.0
WHO = "值班员"
RETENTION = "1d"
"""Shorter than what a rebuild of detect's state needs, so that readings are kept for just that."""


@contextmanager
def demo(folder: Path, speed: float, sensors: int) -> Iterator[tuple[int, str, Path]]:
    """Run the demo; yield its process id, where its console is, and its data folder."""
    said = folder / "demo.out"
    command = [*TONGGUAN, "demo", "--scenario", "bad-day", "--speed", f"{speed:g}", "--sensors", str(sensors)]
    command += ["--data", str(folder / "data"), "--port", "0", "--retention-age", RETENTION]
    with said.open("w") as out, subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT) as process:
        try:
            deadline = time.monotonic() + START_S
            while not (found := re.search(r"(http://[^/\s]+)/\S+", said.read_text("utf-8"))):
                assert process.poll() is None, said.read_text("utf-8")
                assert time.monotonic() < deadline, "the demo told no address"
                time.sleep(0.2)
            (data,) = (path for path in (folder / "data").iterdir() if path.is_dir())
            yield process.pid, found[1], data
        finally:
            process.terminate()
            process.wait()


def token_of(role: str, data: Path) -> str:
    """Make a token for somebody, as an admin does."""
    command = [*TONGGUAN, "token", "create", "--name", f"{WHO} {role}", "--role", role, "--data", str(data)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return said.split()[-1]


def stored(data: Path) -> dict[str, Any]:
    """Return how large the files are, and of when the oldest and the newest record of each stream is."""
    sizes = {
        name: sum(path.stat().st_size for path in data.glob(f"{name}.db*"))
        for name in ("journal", "cases", "checkpoints")
    }
    with _read_only(data / "journal.db") as journal:
        pages, free, page = (
            journal.execute(f"PRAGMA {n}").fetchone()[0] for n in ("page_count", "freelist_count", "page_size")
        )
        spans = {}
        for stream, first, last, newest in journal.execute(
            "SELECT stream, first, last, log_time FROM extent"
        ).fetchall():
            sql = "SELECT min(log_time) FROM journal WHERE stream = ? AND partition = 0 AND offset = ?"
            row = journal.execute(sql, (stream, first)).fetchone()
            spans[stream] = {"first": first, "last": last, "span_ms": newest - (row[0] or newest)}
    with _read_only(data / "cases.db") as cases:
        messages = cases.execute("SELECT count(*), max(position) FROM outbox").fetchone()
        total = cases.execute("SELECT count(*) FROM cases").fetchone()[0]
    return {
        **{f"{name}_bytes": size for name, size in sizes.items()},
        "journal_used_bytes": (pages - free) * page,
        "streams": spans,
        "messages_kept": messages[0],
        "messages_ever": messages[1] or 0,
        "cases_ever": total,
    }


@contextmanager
def _read_only(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30.0)
    try:
        yield connection
    finally:
        connection.close()


class Lookout:
    """Takes the samples."""

    def __init__(self, pid: int, data: Path, client: httpx.Client, person: Officer) -> None:
        self._pid, self._data, self._client, self._person = pid, data, client, person
        self._begun = time.monotonic()
        self._usage: Usage | None = None

    def sample(self) -> dict[str, Any]:
        """Return one look at everything; what cannot be done is told."""
        try:
            return self._look(self._person.work())
        except (PlaywrightError, httpx.HTTPError, sqlite3.Error) as error:
            return {"at_s": time.monotonic() - self._begun, "fault": f"{type(error).__name__}: {error}"}

    def _look(self, done: str) -> dict[str, Any]:
        status, player = (self._client.get(f"/api/v1/{name}").json() for name in ("status", "player"))
        usage = Usage.of({self._pid, *children_of(self._pid)})
        beside = Usage.of(children_of(os.getpid()) - children_of(self._pid) - {self._pid})
        return {
            "at_s": round(time.monotonic() - self._begun, 2),
            "wall": time.time(),
            "rss": usage.rss,
            "cpu_s": usage.cpu_s,
            "browser_rss": beside.rss,
            "browser_cpu_s": beside.cpu_s,
            "threads": usage.threads,
            "files": usage.files,
            "now_ms": player["now"],
            "prelude": player["prelude"],
            "seed": player["seed"],
            "readings": status["counts"]["readings"],
            "late": status["counts"]["late"],
            "rejected": status["counts"]["rejected"],
            "behind_s": status["behind_s"],
            "waiting": status["waiting"],
            "clock_behind_s": max(0, (status["log_ms"] or 0) - (status["clock_ms"] or 0)) / 1000,
            "ready": status["ready"],
            "alerts_open": sum(one["count"] for one in status["alerts"]),
            "cases_open": sum(one["count"] for one in status["cases"]),
            **stored(self._data),
            "did": done,
            **self._person.found(),
            "complaints": list(self._person.watched.complaints),
        }


def about() -> dict[str, Any]:
    """Return which machine and commit this is."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    cpu = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text()) if sys.platform == "linux" else None
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "commit": commit.stdout.strip(),
        "cpus": os.cpu_count(),
        "cpu": cpu[1] if cpu else "",
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "python": sys.version.split()[0],
        "system": " ".join(os.uname()[:3:2]),
    }


def kept(data: Path) -> dict[str, int]:
    """Return for how long readings are kept, and how much longer they may be there until they are let go of."""
    kinds, place = load_kinds(), load_city()
    rules = load_rules(LIBRARY, kinds=kinds, zones=place.zones)
    plan = Plan(rules.rules, kinds, load_registry(data / "registry.csv", kinds, CITY_TZ), place.grids, place.zones)
    return {"kept_ms": max(rebuild_ms(plan), duration_ms(RETENTION)), "slack_ms": 2 * REPEAT_MS}


def run(folder: Path, minutes: float, speed: float, sensors: int) -> None:
    """Play for so many minutes from the end of the prelude on; write a line for each look."""
    with demo(folder, speed, sensors) as (pid, home, data):
        print(f"demo {pid} at {home}, samples in {folder}", flush=True)
        secret = token_of("operator", data)
        headers = {"authorization": f"Bearer {secret}"}
        with httpx.Client(base_url=home, headers=headers, timeout=60.0, trust_env=False) as client:
            while client.get("/api/v1/player").json()["prelude"]:
                time.sleep(1.0)
            with officer(home, f"{WHO} operator", secret) as person, (folder / "samples.ndjson").open("w") as out:
                setting = {**about(), "minutes": minutes, "speed": speed, "sensors": sensors, **kept(data)}
                print(json.dumps(setting, ensure_ascii=False), file=out, flush=True)
                lookout, began = Lookout(pid, data, client, person), time.monotonic()
                number = 0
                while time.monotonic() < began + minutes * 60.0:
                    print(json.dumps(lookout.sample(), ensure_ascii=False), file=out, flush=True)
                    number += 1
                    person.page.wait_for_timeout(max(0.0, began + number * EVERY_S - time.monotonic()) * 1000.0)


def main() -> None:
    """Run it, or report a run."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.city", description=__doc__)
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--speed", type=float, default=60.0)
    parser.add_argument("--sensors", type=int, default=5000)
    parser.add_argument("--folder", type=Path, help="where data and samples go; default: a temporary one")
    parser.add_argument("--page", type=Path, help="write the report to this file too")
    parser.add_argument("--report", type=Path, help="no run: report these samples")
    args = parser.parse_args()
    samples = args.report
    with suppress(KeyboardInterrupt), tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        if samples is None:
            folder.mkdir(parents=True, exist_ok=True)
            run(folder, args.minutes, args.speed, args.sensors)
            samples = folder / "samples.ndjson"
        lines = [json.loads(line) for line in samples.read_text("utf-8").splitlines()]
        page = page_of(lines[0], lines[1:])
        print(page)
        if args.page:
            args.page.write_text(page, "utf-8")
        sys.exit(0 if all(good for _, good, _ in verdict(lines[0], lines[1:])) else 1)


if __name__ == "__main__":
    main()
