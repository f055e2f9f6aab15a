"""A schedule agrees with a clock that is read minute by minute."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rules.civil import civil_time
from rules.schedule import NEVER, Schedule, Span

MINUTE = 60_000
ZONES = (
    "Asia/Shanghai",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "UTC",
    "Asia/Kathmandu",
    "Africa/Casablanca",
)
# around changes of the clock: Berlin, New York, Lord Howe, Shanghai 1986 and 1991, Casablanca's Ramadan
TURNS = ("2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2026-04-05", "2026-10-04", "1986-05-04", "1991-09-15")
TURNS += ("2026-02-15", "2026-03-22", "2026-06-10", "2400-02-29", "2437-12-30")

minutes = st.sampled_from([0, 1, 60, 90, 120, 150, 180, 720, 1230, 1439]) | st.integers(0, 1439)
days = st.lists(st.integers(0, 6), min_size=1, max_size=7, unique=True).map(lambda found: tuple(sorted(found)))


@st.composite
def spans(draw: st.DrawFn) -> Span:
    start = draw(minutes)
    end = draw((minutes | st.just(1440)).filter(lambda minute: minute != start))
    return Span(draw(st.just(tuple(range(7))) | days), start, end)


schedules = st.builds(
    Schedule, st.sampled_from(ZONES), st.lists(spans(), min_size=1, max_size=3).map(tuple), st.booleans()
)


def on_the_wall(schedule: Schedule, t: int) -> bool:
    """Read the clock and look through the spans."""
    now = datetime.fromtimestamp(t // 1000, UTC).astimezone(ZoneInfo(schedule.tz))
    minute, day = now.hour * 60 + now.minute, now.weekday()
    hit = False
    for span in schedule.spans:
        if span.from_minute < span.to_minute:
            hit |= day in span.days and span.from_minute <= minute < span.to_minute
        else:
            hit |= day in span.days and minute >= span.from_minute
            hit |= (day - 1) % 7 in span.days and minute < span.to_minute
    return hit is not schedule.inverted


@given(schedules, st.sampled_from(TURNS), st.integers(0, 59_999))
def test_active_is_what_the_wall_clock_says(schedule: Schedule, turn: str, ms: int) -> None:
    start = int(datetime.fromisoformat(turn + "T00:00:00+00:00").timestamp()) * 1000 - 20 * 60 * MINUTE
    t = np.arange(start, start + 3 * 24 * 60 * MINUTE, MINUTE, dtype=np.int64) + ms
    assert schedule.active(t).tolist() == [on_the_wall(schedule, each) for each in t.tolist()]


@given(schedules, st.sampled_from(TURNS), st.integers(0, 3 * 24 * 60 * MINUTE))
def test_the_next_end_is_the_first_minute_that_is_inactive_after_an_active_one(
    schedule: Schedule, turn: str, after: int
) -> None:
    start = int(datetime.fromisoformat(turn + "T00:00:00+00:00").timestamp()) * 1000 - 20 * 60 * MINUTE
    t = start + after
    (found,) = schedule.next_end(np.array([t], np.int64)).tolist()
    at = -(-t // MINUTE) * MINUTE
    limit = at + 16 * 24 * 60 * MINUTE
    while at < limit and not (on_the_wall(schedule, at - 1) and not on_the_wall(schedule, at)):
        at += MINUTE
    assert found == at if at < limit else found == NEVER


@given(schedules, st.lists(st.integers(-(10**12), 10**14), min_size=1, max_size=20))
def test_many_times_at_once_are_judged_as_each_alone(schedule: Schedule, times: list[int]) -> None:
    t = np.array(times, np.int64)
    alone = [schedule.next_end(t[i : i + 1]).tolist()[0] for i in range(len(times))]
    assert schedule.next_end(t).tolist() == alone
    ends = np.array([end for end in alone if end != NEVER], np.int64)
    assert not schedule.active(ends).any()
    assert schedule.active(ends - 1).all()


@given(st.sampled_from(ZONES), st.integers(-2_000_000_000, 15_000_000_000))
def test_hour_and_weekday_are_those_of_the_zone(tz: str, second: int) -> None:
    local = datetime.fromtimestamp(second, UTC).astimezone(ZoneInfo(tz))
    t = np.array([second * 1000 + 999], np.int64)
    civil = civil_time(tz)
    assert (civil.hour(t)[0], civil.weekday(t)[0]) == (local.hour, local.isoweekday())
