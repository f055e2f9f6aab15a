"""SIGKILL at any moment, start again: nothing acknowledged is lost, nothing is double, the cases are those of a re-run."""

from __future__ import annotations

import os
from random import Random

import pytest

from engine.runtime.crashpoints import CrashPoint
from tests.crash.conftest import City

LIVES = 3
RANDOM_KILLS = int(os.environ.get("TONGGUAN_SOAK_KILLS", "10"))
KILLS_A_CITY = 10
CASES = 100
PASSES = {
    CrashPoint.CHECKPOINT_BEFORE: 3,
    CrashPoint.CHECKPOINT_MID: 12,
    CrashPoint.CHECKPOINT_LAST: 3,
    CrashPoint.CHECKPOINT_AFTER: 3,
}
"""How often a point is passed at most before the kill; the others up to 40 times."""


@pytest.mark.parametrize("point", list(CrashPoint))
def test_killed_at_a_point_around_a_commit_it_goes_on_as_if_nothing_had_happened(
    city: City, random: Random, point: CrashPoint
) -> None:
    counted = 0
    while counted < LIVES:
        nth = random.randint(1, PASSES.get(point, 40)) if counted else PASSES.get(point, 40)
        counted += city.live(crash=f"{point}:{nth}")
    assert city.verify() >= CASES


@pytest.mark.timeout(60 + 15 * RANDOM_KILLS)
def test_killed_at_random_moments_it_goes_on_as_if_nothing_had_happened(city: City, random: Random) -> None:
    counted, cases = 0, 0
    while counted < RANDOM_KILLS:
        counted += city.live(kill_after_s=random.uniform(0.05, 1.5))
        if counted % KILLS_A_CITY == 0:
            cases = city.verify()
    assert max(cases, city.verify()) >= CASES
