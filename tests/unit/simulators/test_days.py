"""A scenario told anew every day: no hole between the days, other stories, the same sensors, on from anywhere."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, takewhile

from simulators.days import DAY_MS, Days
from simulators.ground import Ground
from simulators.load import load
from simulators.run import Batch
from simulators.scenario import Prelude, Scenario

HOUR_MS = 3_600_000


def cloudburst() -> Scenario:
    """A storm over a few sensors, with an hour's prelude."""
    scenario = load("cloudburst")
    signals = {kind: replace(scenario.signals[kind], every_ms=600_000) for kind in ("water.level", "rain.minute")}
    return replace(scenario, signals=signals, prelude=Prelude(lasts_ms=HOUR_MS))


def played(days: Days, upto_ms: int, after_ms: int | None = None) -> list[Batch]:
    return list(takewhile(lambda batch: batch.t_ms <= upto_ms, days.batches(after_ms=after_ms)))


def test_days_follow_each_other_without_a_hole_and_tell_different_stories(ground: Ground) -> None:
    scenario = cloudburst()
    days = Days(scenario, ground, 1)
    names, starts_ms = days.today.network.names, scenario.starts_ms
    batches = played(days, starts_ms + DAY_MS + 2 * HOUR_MS)
    assert (days.today.seed, days.today.network.names) == (2, names)
    assert days.today.scenario.starts_ms == starts_ms + DAY_MS
    assert {after.t_ms - before.t_ms for before, after in pairwise(batches)} == {60_000, 10_000}
    assert [batch.t_ms for batch in batches if batch.prelude][-1] == starts_ms, "one prelude, before the first day"

    def told(day: int) -> list[bytes]:
        begins = starts_ms + day * DAY_MS
        return [line for batch in batches if begins < batch.t_ms <= begins + 2 * HOUR_MS for line in batch.lines]

    first, second = told(0), told(1)
    assert len(first) == len(second)
    assert {line.split(b'"v":')[1] for line in first} != {line.split(b'"v":')[1] for line in second}


def test_it_goes_on_in_the_middle_of_a_later_day(ground: Ground) -> None:
    scenario = cloudburst()
    second_day = scenario.starts_ms + DAY_MS
    since, until = second_day + HOUR_MS, second_day + 90 * 60_000
    whole = [batch for batch in played(Days(scenario, ground, 1), until) if batch.t_ms > since]
    again = played(Days(scenario, ground, 1), until, after_ms=since)
    assert [batch.ndjson for batch in again] == [batch.ndjson for batch in whole]
    assert sum(len(batch.lines) for batch in again) > 0
