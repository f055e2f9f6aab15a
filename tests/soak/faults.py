"""The long form of tests/kafka/test_faults.py: two million readings while everything is broken, and a report of it.

`make soak` runs it and writes docs/faults.md. `TONGGUAN_SOAK_READINGS` tells fewer readings, for trying it out.
"""

from __future__ import annotations

import os
import platform
import subprocess
import threading
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from tests.kafka.faults import Faults, Report, broken
from tests.kafka.long_story import RULES, LongStory
from tests.parts.broker import Broker
from tests.parts.postgres import Database

pytestmark = [pytest.mark.needs("kafka"), pytest.mark.needs("postgres"), pytest.mark.timeout(0)]
ROOT = Path(__file__).parents[2]
READINGS = int(os.environ.get("TONGGUAN_SOAK_READINGS", "2000000"))
SENSORS = 2_000
RATE = 1_500


def test_two_million_readings_through_everything_that_can_break(
    broker: Broker, database: Database, tmp_path: Path
) -> None:
    story = LongStory(sensors=SENSORS, rounds=READINGS * 114 // 100 // SENSORS, partitions=8, seed=11)

    def make(faults: Faults, told: threading.Event) -> None:
        faults.scale(4, every=5.0, lasting=180.0)
        faults.supervisor.want("w1", "w2", "w3")
        first = {faults.kill: 30, partial(faults.restart_broker, hard=False): 10, faults.stop_database: 5}
        second = {faults.kill: 30, partial(faults.restart_broker, hard=True): 10, faults.stop_database: 5}
        faults.make(first, pause=(0.5, 6.0))
        faults.freeze(60.0)
        faults.make(second, pause=(0.5, 6.0))
        faults.restart_broker(hard=True, away=120.0)
        told.wait(3_600)

    report = broken(broker, database, tmp_path, story, make, workers=3, rate=RATE)
    assert report.faults == {}, report.logs
    assert report.readings >= READINGS
    write(report)


def write(report: Report) -> None:
    """Write the page of this run."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    machine = f"{os.cpu_count()} CPUs, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    text = f"""# What it went through

Written by `make soak`; not by hand. {datetime.now(UTC):%Y-%m-%d}, commit {commit.stdout.strip()}, {machine}.

A simulated town of {SENSORS:,} sensors on the player's clock, readings up to 8 s out of order, {len(RULES)} rules,
8 partitions, three workers, one broker, one PostgreSQL, on one machine. While the readings came in, workers, broker and
database were broken at random. Afterwards the changes of each sensor in `city.alerts` were compared with what
`tongguan detect` says of the same readings, the cases with a recomputation from `city.alerts`, and `city.cases` with
the outbox.

| | |
|---|---|
{chr(10).join(report.lines())}

"Changes said again" are repeats with the same id and the same content: a worker that takes over says again what came
behind the checkpoint, and casework drops what it has seen.

The disk of the bridge, full while the broker is away, is judged by the same detector in
`tests/kafka/test_bridge.py`, a part of `make test`.
"""
    (ROOT / "docs" / "faults.md").write_text(text, "utf-8")
