"""Schedules: when a rule looks (spec/rules.md). Judged by the clock on the wall of the schedule's zone.

A span belongs to the day on which it starts. Where the clock jumps over `from` or `to`, the jump is the border; an hour
that the clock shows twice counts both times.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from rules.civil import MS_PER_MINUTE, CivilTime, civil_time

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_PER_DAY = 1440
MINUTES_PER_WEEK = 7 * MINUTES_PER_DAY
NEVER = np.iinfo(np.int64).max
_MS_PER_WEEK = MINUTES_PER_WEEK * MS_PER_MINUTE
_MONDAY_MS = 4 * MINUTES_PER_DAY * MS_PER_MINUTE  # 1970-01-05


@dataclass(frozen=True, slots=True)
class Span:
    """`days`: 0 Monday … 6 Sunday; from (included) to `to_minute` (not included), past midnight if not later."""

    days: tuple[int, ...]
    from_minute: int
    to_minute: int


@dataclass(frozen=True)
class Schedule:
    """Spans of local time, or with `inverted` all but them."""

    tz: str
    spans: tuple[Span, ...]
    inverted: bool = False
    week: npt.NDArray[np.bool_] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        week = np.zeros(MINUTES_PER_WEEK, np.bool_)
        for span in self.spans:
            length = (span.to_minute - span.from_minute) % MINUTES_PER_DAY or MINUTES_PER_DAY
            for day in span.days:
                first = day * MINUTES_PER_DAY + span.from_minute
                week[np.arange(first, first + length) % MINUTES_PER_WEEK] = True
        object.__setattr__(self, "week", week ^ self.inverted)

    @property
    def civil(self) -> CivilTime:
        return civil_time(self.tz)

    def active(self, t: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Tell for each t (int64[n], ms) whether the rule looks."""
        return self.week[self._minute(t)]

    def next_end(self, t: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return for each t (int64[n], ms) the first end at or after it; int64 max if there is none.

        An end is inactive itself, and 1 ms before it is active.
        """
        t = np.asarray(t, np.int64)
        out = np.full(t.shape, NEVER, np.int64)
        if self.always:
            return out
        ends_here = self.active(t - 1) & ~self.active(t)
        out[ends_here] = t[ends_here]
        rows = np.flatnonzero(~ends_here)
        starts = self._first(t[rows], wanted=True)
        out[rows] = self._first(starts, wanted=False)
        return out

    def next_span_end(self, t: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return for each t (int64[n], ms) the end of the first stretch of active time that begins after t.

        int64 max if there is none. Spans that touch are one stretch; one that begins at t itself is not after it.
        """
        t = np.asarray(t, np.int64)
        if self.always:
            return np.full(t.shape, NEVER, np.int64)
        starts = self._first(self._first(t, wanted=False), wanted=True)
        return self._first(starts, wanted=False)

    @property
    def always(self) -> bool:
        """Tell whether it never turns: the rule looks at all times, or at none."""
        return bool(self.week.all() or not self.week.any())

    @property
    def longest_wait_ms(self) -> int:
        """Return the longest time from an instant to the end of the next stretch after it, changes of the clock aside.

        That instant is when a stretch begins. 0 for a schedule that never turns.
        """
        if self.always:
            return 0
        starts = np.flatnonzero(self.week & ~np.roll(self.week, 1))
        ends = np.flatnonzero(~self.week & np.roll(self.week, 1))
        following = np.append(starts[1:], starts[0] + MINUTES_PER_WEEK)
        ends = np.concatenate((ends, ends + MINUTES_PER_WEEK, ends + 2 * MINUTES_PER_WEEK))
        waits = ends[np.searchsorted(ends, following, side="right")] - starts
        return int(waits.max()) * MS_PER_MINUTE

    def _first(self, t: npt.NDArray[np.int64], *, wanted: bool) -> npt.NDArray[np.int64]:
        """Return the first time at or after t at which `active` is `wanted`; steps over changes of the offset."""
        now = t.copy()
        rows = np.flatnonzero(self.active(now) != wanted)
        steps = self._steps[int(wanted)]
        while rows.size:
            at = now[rows]
            local = self.civil.local_ms(at)
            minute = self._minute(at)
            ahead = at + steps[minute] * MS_PER_MINUTE - local % MS_PER_MINUTE
            now[rows] = np.minimum(ahead, self.civil.next_change(at))
            rows = rows[self.active(now[rows]) != wanted]
        return now

    def _minute(self, t: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return (self.civil.local_ms(t) - _MONDAY_MS) % _MS_PER_WEEK // MS_PER_MINUTE

    @cached_property
    def _steps(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Minutes from each minute of the week to the next inactive one, and to the next active one."""
        return _distance(~self.week), _distance(self.week)


def _distance(hit: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    places = np.flatnonzero(hit)
    wrapped = np.append(places, places[0] + hit.size)
    minutes = np.arange(hit.size)
    return (wrapped[np.searchsorted(places, minutes)] - minutes).astype(np.int64)
