"""The demo's story, through `kill -9`, and its log through `tongguan detect`."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from geo.city import load as load_city
from rules.load import LIBRARY

TONGGUAN = (sys.executable, "-m", "engine.cli")


def play(folder: Path, until: Callable[[str], bool]) -> list[str]:
    """Run the demo until a sentence; then kill it as `kill -9` does, and return what it said."""
    command = [*TONGGUAN, "demo", "--data", folder, "--port", "0", "--sensors", "400", "--speed", "3600"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        said: list[str] = []
        try:
            assert process.stdout is not None
            for line in process.stdout:
                said.append(line.rstrip("\n"))
                if until(line):
                    return said
        finally:
            process.send_signal(signal.SIGKILL)
    raise AssertionError(f"the demo ended by itself after {said[-3:]}")


def ran(*arguments: object) -> bytes:
    return subprocess.run([*TONGGUAN, *map(str, arguments)], capture_output=True, check=True).stdout


@pytest.mark.timeout(900)
def test_the_storm_story_is_told_through_a_kill_and_detect_says_the_same(tmp_path: Path) -> None:
    first = play(tmp_path, lambda line: "下穿" in line and "红色升级" in line)
    second = play(tmp_path, lambda line: "下穿" in line and "结案" in line)
    story = first + second

    def when(pattern: str) -> int:
        places = [i for i, line in enumerate(story) if re.search(pattern, line)]
        assert places, f"never said: {pattern}"
        return places[0]

    climbing = [when(f"^[0-9:]+ {level}色预警") for level in ("蓝", "黄", "橙", "红")]
    assert climbing == sorted(climbing)
    worked = [
        when(f"下穿通道积水：{step}")
        for step in ("上报", "派遣", "红色升级", "处置", "反馈", "返工", "核查通过", "结案")
    ]
    assert worked == sorted(worked)
    assert len({line.split()[1] for line in story if "下穿通道积水：上报" in line}) == 1

    (data,) = tmp_path.iterdir()
    city = load_city()
    readings, changes = tmp_path / "readings.ndjson", tmp_path / "changes.ndjson"
    ran("journal", "export", "--stream", "city.readings", "--data", data, "--out", readings)
    ran("journal", "export", "--stream", "city.alerts", "--data", data, "--out", changes)
    said = ran(
        "detect", "--rules", LIBRARY, "--registry", data / "registry.csv", "--grids", data / "grids.geojson.gz",
        "--zones", city.zones_path, readings,
    )  # fmt: skip
    # the log ends in the middle of the story, and so may what was said of it: nothing else may differ
    kept = changes.read_bytes()
    assert kept.count(b'"change"') > 50
    assert said.startswith(kept) or kept.startswith(said)
