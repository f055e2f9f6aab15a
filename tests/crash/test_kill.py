"""SIGKILL at any moment, start again: nothing acknowledged lost, nothing double, the cases those of a re-run."""

from __future__ import annotations

import os
from random import Random

import pytest

from engine.runtime.crashpoints import CrashPoint
from tests.crash.conftest import City

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


@pytest.mark.timeout(60 + 15 * RANDOM_KILLS)
def test_killed_at_random_moments_it_goes_on_as_if_nothing_had_happened(city: City, random: Random) -> None:
    counted, cases = 0, 0
    while counted < RANDOM_KILLS:
        counted += city.live(kill_after_s=random.uniform(0.05, 1.5))
        if counted % KILLS_A_CITY == 0:
            cases = city.verify()
    assert max(cases, city.verify()) >= CASES
