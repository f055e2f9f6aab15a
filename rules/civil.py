"""Civil time on arrays: what the clock on the wall shows in a time zone, daylight saving included."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

CITY_TZ = "Asia/Shanghai"

MS_PER_MINUTE = 60_000
MS_PER_HOUR = 3_600_000
MS_PER_DAY = 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = datetime(1900, 1, 1, tzinfo=UTC)
_RULES_SETTLED = datetime(2038, 1, 1, tzinfo=UTC)  # from here on the database holds yearly rules only
_LAST = datetime(2438, 1, 1, tzinfo=UTC)  # 400 years on: the calendar, and so the rules, repeat
_CYCLE_MS = 146_097 * MS_PER_DAY


def known_zone(tz: str) -> bool:
    """Tell whether the name is in the IANA database."""
    try:
        ZoneInfo(tz)
    except (ValueError, OSError, LookupError):  # a path, a directory, no such zone
        return False
    return True


@dataclass(frozen=True, slots=True)
class CivilTime:
    """Offsets of one zone: `offset[i]` begins at `since[i]`, ascending, the first unbounded; ms, both int64[k]."""

    tz: str
    since: npt.NDArray[np.int64]
    offset: npt.NDArray[np.int64]

    def local_ms(self, t: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return wall-clock ms since 1970-01-01T00:00 local. Before 1900 the first offset counts."""
        offset: npt.NDArray[np.int64] = self.offset[self.span(t)]
        return t + offset

    def span(self, t: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the row of `since` that holds at t (ms); after 2438 the same as whole cycles of 400 years before."""
        return np.searchsorted(self.since, self.folded(t), side="right").astype(np.int64) - 1

    def folded(self, t: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return t, moved back by whole cycles of 400 years into the table if it lies behind it."""
        over = t - _ms(_LAST)
        return np.where(over < 0, t, t - (over // _CYCLE_MS + 1) * _CYCLE_MS)

    def next_change(self, t: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the first time after t at which the offset may change (a cycle's end counts as one)."""
        folded = self.folded(t)
        ends = np.append(self.since[1:], _ms(_LAST))
        end: npt.NDArray[np.int64] = ends[self.span(t)]
        return end + (t - folded)

    def hour(self, t: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return 0–23."""
        return self.local_ms(t) // MS_PER_HOUR % 24

    def weekday(self, t: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return 1–7, Monday 1 (1970-01-01 was a Thursday)."""
        return (self.local_ms(t) // MS_PER_DAY + 3) % 7 + 1


@lru_cache(maxsize=64)
def civil_time(tz: str) -> CivilTime:
    """Build the table of a zone by asking the IANA database day by day and bisecting where the offset differs.

    Raises ValueError for an unknown zone. Takes some 50 ms; the result is kept.
    """
    if not known_zone(tz):
        raise ValueError(f"unknown time zone {tz!r}")
    zone = ZoneInfo(tz)
    since, offset = [np.iinfo(np.int64).min], [_offset(zone, _FIRST)]
    now = _FIRST
    while now < _LAST:
        then = now + timedelta(days=1 if now < _RULES_SETTLED else 5)
        found = _offset(zone, then)
        if found != offset[-1]:
            since.append(_ms(_first_with(zone, now, then)))
            offset.append(found)
        now = then
    return CivilTime(tz, np.array(since, np.int64), np.array(offset, np.int64))


def _first_with(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """Bisect to the second at which the offset of `after` begins."""
    wanted = _offset(zone, after)
    low, high = 0, int((after - before).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, before + timedelta(seconds=middle)) == wanted:
            high = middle
        else:
            low = middle
    return before + timedelta(seconds=high)


def _offset(zone: ZoneInfo, moment: datetime) -> int:
    found = moment.astimezone(zone).utcoffset()
    assert found is not None
    return found // timedelta(milliseconds=1)


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)
