"""A scenario told anew every day: no hole between the days, other stories, the same sensors, on from anywhere."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, takewhile

import pytest

from simulators.days import DAY_MS, Days
from simulators.ground import Ground
from simulators.load import load
from simulators.run import Batch
from simulators.scenario import Prelude, Scenario

HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """A calm day of a few gas sensors, with an hour's prelude."""
    found = load("calm_day")
    signals = {"gas.methane": replace(found.signals["gas.methane"], every_ms=600_000)}
    return replace(found, signals=signals, prelude=Prelude(lasts_ms=HOUR_MS), lasts_ms=HOUR_MS)


def played(days: Days, upto_ms: int, after_ms: int | None = None) -> list[Batch]:
    return list(takewhile(lambda batch: batch.t_ms <= upto_ms, days.batches(after_ms=after_ms)))


def test_days_follow_each_other_without_a_hole_and_tell_different_stories(ground: Ground, scenario: Scenario) -> None:
    days = Days(scenario, ground, 1)
    names, first, second = days.today.network.names, scenario.starts_ms, scenario.starts_ms + DAY_MS
    batches = played(days, second + 2 * HOUR_MS)
    assert (days.today.seed, days.today.network.names, days.today.scenario.starts_ms) == (2, names, second)
    assert {after.t_ms - before.t_ms for before, after in pairwise(batches)} == {60_000, 10_000}
    assert [batch.t_ms for batch in batches if batch.prelude][-1] == first, "one prelude, before the first day"

    def told(begins: int) -> list[bytes]:
        of = [batch for batch in batches if begins < batch.t_ms <= begins + 2 * HOUR_MS]
        return [line.partition(b'"v":')[2] for batch in of for line in batch.lines]

    assert len(told(first)) == len(told(second))
    assert told(first) != told(second)
    again = played(Days(scenario, ground, 1), second + 90 * 60_000, after_ms=second + HOUR_MS)
    later = [batch for batch in batches if second + HOUR_MS < batch.t_ms <= second + 90 * 60_000]
    assert [batch.ndjson for batch in again] == [batch.ndjson for batch in later], "it goes on in the middle of a day"
