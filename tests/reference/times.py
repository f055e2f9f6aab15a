"""Durations, times of readings, and schedules by the clock on the wall."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
HOUR = 3_600_000
LOOKED_AHEAD_MS = 9 * 24 * HOUR


@cache
def duration(text: str) -> int:
    found = re.fullmatch(r"(\d+)(ms|s|m|h|d)", text)
    assert found, text
    return int(found.group(1)) * UNITS[found.group(2)]


def spoken(text: Any) -> int | None:
    """Turn ``t`` to milliseconds; finer digits are cut. ``None``: it is no time."""
    if isinstance(text, bool) or not isinstance(text, (int, str)):
        return None
    if isinstance(text, int):
        return text if -62_167_219_200_000 <= text <= 253_402_300_799_999 else None
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)", text, re.ASCII)
    if not found:
        return None
    zone, ahead = found.group(4), timedelta()
    if zone not in "Zz":
        hours, minutes = int(zone[1:3]), int(zone[4:6])
        if hours > 23 or minutes > 59:
            return None
        ahead = timedelta(hours=hours, minutes=minutes) * (-1 if zone[0] == "-" else 1)
    try:
        stamp = datetime.fromisoformat(f"{found.group(1)}T{found.group(2)}").replace(tzinfo=UTC)
    except ValueError:
        return None
    whole = stamp - datetime(1970, 1, 1, tzinfo=UTC) - ahead
    return whole // timedelta(milliseconds=1) + int((found.group(3) or "0").ljust(3, "0")[:3])


def active(schedule: dict[str, Any], tz: str, t: int) -> bool:
    """Say whether a rule looks at ``t``; ``tz`` is the city's."""
    return _active(json.dumps(schedule), tz, t // 60_000)


def next_end(schedule: dict[str, Any], tz: str, t: int) -> int | None:
    """Return the first end of activity at or after ``t``: active 1 ms before it, inactive at it."""
    after = -(-t // 60_000)
    return _next_end(json.dumps(schedule), tz, after)


def span_end(schedule: dict[str, Any], tz: str, t: int) -> int:
    """Return the end of the first stretch of activity that begins after ``t``."""
    start = _turn(json.dumps(schedule), tz, t // 60_000 + 1, True)
    return _turn(json.dumps(schedule), tz, start + 1, False) * 60_000


@cache
def _turn(schedule_text: str, tz: str, after: int, wanted: bool) -> int:
    """Try every minute from ``after`` on for one at which a rule begins to look, or ceases to."""
    minute = after
    while _active(schedule_text, tz, minute) != wanted or _active(schedule_text, tz, minute - 1) == wanted:
        minute += 1
    return minute


@cache
def _active(schedule_text: str, tz: str, minute: int) -> bool:
    schedule = json.loads(schedule_text)
    local = _local(schedule.get("tz", tz), minute)
    clock, inside = local.hour * 60 + local.minute, False
    for span in schedule.get("active") or schedule.get("inactive"):
        start, end = _minutes(span["from"]), _minutes(span["to"])
        days = [DAYS.index(d) for d in span.get("days") or DAYS]
        today, yesterday = local.weekday() in days, (local.weekday() - 1) % 7 in days
        if start < end:
            inside |= today and start <= clock < end
        else:
            inside |= (today and clock >= start) or (yesterday and clock < end)
    return inside == ("active" in schedule)


@cache
def _next_end(schedule_text: str, tz: str, after: int) -> int | None:
    """Try each minute at which the clock shows a border of a span, midnight, or something else than a minute more."""
    schedule = json.loads(schedule_text)
    zone = schedule.get("tz", tz)
    shown = {
        _minutes(span[end]) % 1440
        for span in schedule.get("active") or schedule.get("inactive")
        for end in ("from", "to")
    }
    for minute in _minutes_that_matter(zone, tuple(sorted(shown | {0})), after // 60):
        if minute >= after and _active(schedule_text, tz, minute - 1) and not _active(schedule_text, tz, minute):
            return minute * 60_000
    return None


@cache
def _minutes_that_matter(zone: str, shown: tuple[int, ...], hour: int) -> list[int]:
    """List those of nine days from an hour of UTC on; the clock changes at whole hours of UTC only."""
    out = []
    for now in range(hour, hour + LOOKED_AHEAD_MS // HOUR):
        local = _local(zone, 60 * now)
        first = local.hour * 60 + local.minute
        out += [60 * now] + [60 * now + (m - first) % 1440 for m in shown if (m - first) % 1440 < 60]
    return sorted(set(out))


@cache
def _local(zone: str, minute: int) -> datetime:
    return datetime.fromtimestamp(60 * minute, ZoneInfo(zone))


def _minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])
