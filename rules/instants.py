"""Instants as files write them: ms since 1970 UTC, RFC 3339 with an offset, or a date (local midnight)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_MS = re.compile(r"-?[0-9]{1,16}", re.ASCII)
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", re.ASCII)
_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)?([Zz]|[-+][0-9]{2}:[0-9]{2})", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant_ms(text: str, tz: str) -> int | None:
    """Return ms since 1970 UTC, finer digits cut; None if it is none of the three forms."""
    if _MS.fullmatch(text):
        return int(text)
    try:
        if date := _DATE.fullmatch(text):
            year, month, day = map(int, date.groups())
            return _ms(datetime(year, month, day, tzinfo=ZoneInfo(tz)))
        if match := _RFC3339.fullmatch(text):
            zone = match[4].upper().replace("Z", "+00:00")
            whole = datetime.fromisoformat(f"{match[1]}T{match[2]}{zone}")
            return _ms(whole) + int(((match[3] or ".")[1:] + "000")[:3])
    except (ValueError, OverflowError):
        return None
    return None


def _ms(moment: datetime) -> int:
    return (moment.astimezone(UTC) - _EPOCH) // timedelta(milliseconds=1)
