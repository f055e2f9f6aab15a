"""RFC 3339 times to milliseconds since 1970 UTC; finer digits are cut."""

from __future__ import annotations

import re

FIRST_MS = -62_167_219_200_000
"""0000-01-01T00:00:00Z."""
LAST_MS = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z."""

_SHAPE = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
_DAYS_IN_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def days_since_1970(year: int, month: int, day: int) -> int:
    """Count the days from 1970-01-01 to a day of the proleptic Gregorian calendar."""
    years = year - (month <= 2)
    era = years // 400
    year_of_era = years - era * 400
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * 146_097 + day_of_era - 719_468


def parse(text: str) -> int | None:
    """Return the milliseconds of an RFC 3339 date-time, or None if it is not one.

    An offset is demanded; a leap second (23:59:60 in UTC) is the first second of the next day.
    """
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in shape.groups()[:6])
    leap_year = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if (
        not 1 <= month <= 12
        or not 1 <= day <= _DAYS_IN_MONTH[month - 1]
        or (month == 2 and day == 29 and not leap_year)
    ):
        return None
    offset_hour, offset_minute = int(shape[9] or 0), int(shape[10] or 0)
    if hour > 23 or minute > 59 or second > 60 or offset_hour > 23 or offset_minute > 59:
        return None
    offset_min = (offset_hour * 60 + offset_minute) * (-1 if shape[8] == "-" else 1)
    utc_min = days_since_1970(year, month, day) * 1440 + hour * 60 + minute - offset_min
    if second == 60 and utc_min % 1440 != 1439:
        return None
    ms = (utc_min * 60 + second) * 1000 + int(((shape[7] or "") + "000")[:3])
    return ms if FIRST_MS <= ms <= LAST_MS else None
