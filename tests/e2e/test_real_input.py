"""A real series through `tongguan detect`: which marked segments are raised, and what else."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).parents[2] / "docs" / "real_input"


def moment(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def test_the_four_marked_segments_of_waterflow_are_raised_and_nothing_else(tmp_path: Path) -> None:
    readings = tmp_path / "waterflow.ndjson"
    with readings.open("wb") as file:
        subprocess.run([sys.executable, ROOT / "waterflow.py"], stdout=file, check=True)
    command = [
        sys.executable,
        "-m",
        "engine.cli",
        "detect",
        "--rules",
        ROOT / "rules",
        "--kinds",
        ROOT / "kinds.yaml",
        readings,
    ]
    done = subprocess.run(command, capture_output=True, check=True)
    raised = [json.loads(line)["t"] for line in done.stdout.splitlines() if json.loads(line)["change"] == "raised"]
    with (ROOT / "segments.csv").open() as file:
        marked = [(moment(row["from"]), moment(row["to"])) for row in csv.DictReader(file)]
    found = [sum(start <= t < end for t in raised) for start, end in marked]
    assert found == [1, 1, 1, 1]
    assert len(raised) == 4
