"""When a rule looks, and when it stops looking."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from rules.schedule import NEVER, Schedule, Span

ALL = tuple(range(7))
NIGHT = Span((0,), 20 * 60 + 30, 6 * 60)  # Monday 20:30 to Tuesday 06:00
SHOP = Schedule("Asia/Shanghai", (Span(ALL, 8 * 60, 18 * 60),))


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def active(schedule: Schedule, text: str) -> bool:
    return bool(schedule.active(np.array([ms(text)], np.int64))[0])


def next_end(schedule: Schedule, text: str) -> int:
    return int(schedule.next_end(np.array([ms(text)], np.int64))[0])


@pytest.mark.parametrize(
    ("text", "looks"),
    [
        ("2026-06-01T20:29:59.999+08:00", False),
        ("2026-06-01T20:30:00+08:00", True),
        ("2026-06-01T23:59:59.999+08:00", True),
        ("2026-06-02T00:00:00+08:00", True),
        ("2026-06-02T05:59:59.999+08:00", True),
        ("2026-06-02T06:00:00+08:00", False),
        ("2026-06-02T20:30:00+08:00", False),  # Tuesday's evening is not Monday's
        ("2026-06-01T05:00:00+08:00", False),  # Monday's morning is Sunday's night
    ],
)
def test_a_span_over_midnight_belongs_to_the_day_on_which_it_starts(text: str, looks: bool) -> None:
    assert active(Schedule("Asia/Shanghai", (NIGHT,)), text) is looks
    assert active(Schedule("Asia/Shanghai", (NIGHT,), inverted=True), text) is not looks


@pytest.mark.parametrize(
    ("last", "end"),
    [
        ("2026-06-01T08:00:00+08:00", "2026-06-01T18:00:00+08:00"),
        ("2026-06-01T17:59:59.999+08:00", "2026-06-01T18:00:00+08:00"),
        ("2026-06-01T18:00:00+08:00", "2026-06-01T18:00:00+08:00"),
        ("2026-06-01T18:00:00.001+08:00", "2026-06-02T18:00:00+08:00"),
        ("2026-06-01T03:00:00+08:00", "2026-06-01T18:00:00+08:00"),
    ],
    ids=["at the start", "just before the end", "at the end", "just after the end", "before the start"],
)
def test_the_next_end_is_not_before_the_time(last: str, end: str) -> None:
    assert next_end(SHOP, last) == ms(end)


def test_24_00_ends_a_day_and_joins_the_next() -> None:
    whole = Schedule("UTC", (Span((0, 1), 0, 1440),))
    assert active(whole, "2026-06-02T23:59:59.999+00:00")
    assert next_end(whole, "2026-06-01T12:00:00+00:00") == ms("2026-06-03T00:00:00+00:00")


@pytest.mark.parametrize("inverted", [False, True])
def test_a_schedule_that_never_stops_or_never_starts_has_no_end(inverted: bool) -> None:
    schedule = Schedule("Europe/Berlin", (Span(ALL, 0, 1440),), inverted)
    assert next_end(schedule, "2026-06-01T12:00:00+00:00") == NEVER


def test_spans_that_touch_are_one() -> None:
    schedule = Schedule("UTC", (Span(ALL, 60, 120), Span(ALL, 120, 180)))
    assert next_end(schedule, "2026-06-01T01:30:00+00:00") == ms("2026-06-01T03:00:00+00:00")


@pytest.mark.parametrize(
    ("span", "last", "end"),
    [
        # Berlin goes from 02:00 to 03:00 on 2026-03-29 and back from 03:00 to 02:00 on 2026-10-25
        (Span(ALL, 60, 150), "2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00"),
        (Span(ALL, 150, 240), "2026-03-29T01:30:00+01:00", "2026-03-29T04:00:00+02:00"),
        (Span(ALL, 60, 240), "2026-03-29T01:30:00+01:00", "2026-03-29T04:00:00+02:00"),
        (Span(ALL, 60, 240), "2026-10-25T01:30:00+02:00", "2026-10-25T04:00:00+01:00"),
        (Span(ALL, 60, 150), "2026-10-25T01:30:00+02:00", "2026-10-25T02:30:00+02:00"),
        (Span(ALL, 60, 150), "2026-10-25T02:30:00.001+02:00", "2026-10-25T02:30:00+01:00"),
    ],
    ids=[
        "end jumped over",
        "start jumped over",
        "hour missing",
        "hour twice",
        "first of two ends",
        "second of two ends",
    ],
)
def test_daylight_saving_is_read_off_the_wall(span: Span, last: str, end: str) -> None:
    assert next_end(Schedule("Europe/Berlin", (span,)), last) == ms(end)


def test_a_time_far_ahead_is_judged_by_the_rules_of_the_zone() -> None:
    berlin = Schedule("Europe/Berlin", (Span(ALL, 8 * 60, 9 * 60),))
    assert active(berlin, "9999-07-01T06:30:00+00:00")
    assert not active(berlin, "9999-01-01T06:30:00+00:00")
    assert active(berlin, "9999-01-01T07:30:00+00:00")
