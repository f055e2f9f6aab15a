"""SIGKILL at any moment, start again: nothing acknowledged lost, nothing double, the cases those of a re-run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from random import Random

import pytest

from engine.runtime.crashpoints import CrashPoint
from engine.runtime.journal import Journal
from engine.runtime.log import Stream
from tests.crash.conftest import HERE, City

LIVES = 3
RANDOM_KILLS = int(os.environ.get("TONGGUAN_KILLS", "10"))
KILLS_A_CITY = 10
CASES = 100
PASSES = {
    CrashPoint.CHECKPOINT_BEFORE: (2, 4),
    CrashPoint.CHECKPOINT_MID: (2, 12),
    CrashPoint.CHECKPOINT_LAST: (2, 4),
    CrashPoint.CHECKPOINT_AFTER: (2, 4),
}
"""When it is killed: at the first to the last passing of the point; at the others from the 20th to the 60th."""


@pytest.mark.parametrize("point", list(CrashPoint))
def test_killed_at_a_point_around_a_commit_it_goes_on_as_if_nothing_had_happened(
    city: City, random: Random, point: CrashPoint
) -> None:
    counted = 0
    while counted < LIVES:
        nth = random.randint(*PASSES.get(point, (20, 60)))
        counted += city.live(crash=f"{point}:{nth}")
    assert city.verify() >= CASES // 2


@pytest.mark.timeout(300 + 20 * RANDOM_KILLS)
def test_killed_at_random_moments_it_goes_on_as_if_nothing_had_happened(
    new_city: Callable[[str], City], random: Random
) -> None:
    kills, cases = 0, 0
    while kills < RANDOM_KILLS:
        city = new_city(f"city-{kills}")
        counted = 0
        while counted < min(KILLS_A_CITY, RANDOM_KILLS - kills):
            counted += city.live(kill_after_s=random.uniform(0.05, 1.5))
        kills += counted
        cases += city.verify()
    assert cases >= CASES


def test_the_environment_names_the_point_for_the_command_itself(city: City) -> None:
    command = [sys.executable, "-m", "engine.cli", "serve", "--embedded", "--data", str(city.data), "--port", "0"]
    files = ["--metrics-port", "0", "--rules", str(HERE / "rules"), "--registry", str(HERE / "sensors.csv")]
    environment = {**os.environ, "TONGGUAN_CRASH_AT": "journal.before_commit:3", "PYTHONPATH": str(HERE.parent.parent)}
    ended = subprocess.run([*command, *files], env=environment, capture_output=True, timeout=120, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr[-2000:]
    log = Journal(city.data / "journal.db", clock=lambda: 0)
    # the plan record and one tick
    assert log.end(Stream.READINGS, 0) == 2
    log.close()
