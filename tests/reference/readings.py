"""Records to readings and controls, judged field by field."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from tests.reference.times import spoken

CRS = (None, "wgs84", "cgcs2000", "gcj02", "bd09")


class Rejected(Exception):
    """This reading goes to quarantine."""


@dataclass
class Reading:
    """One accepted reading as it waits and is released."""

    sensor: str
    kind: str
    t: int
    v: float
    place: tuple[int, int] | None
    attrs: dict[str, Any]
    log_time: int
    offset: int
    index: int
    u: int = 0
    stale: bool = False
    told: tuple[int, int] | None = None


Control = dict[str, Any]


def refuse_constant(name: str) -> float:
    raise Rejected(name)


def load(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=refuse_constant)
    except ValueError:
        raise Rejected("bad_json") from None


def parts(value: bytes) -> tuple[list[Any], bool]:
    """Split a record into texts, or into values already read; say whether it is a frame."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise Rejected("bad_utf8") from None
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) > 1 and all(line.lstrip().startswith("{") for line in lines):
        return lines, True
    whole = load(text)
    return (whole, True) if isinstance(whole, list) else ([whole], False)


def decode(
    value: bytes, offset: int, log_time: int | None, kinds: dict[str, tuple[float, float]]
) -> tuple[Control | None, list[Reading], list[int]]:
    """Return the control record or the readings of a record, and the indices of what is rejected."""
    out: list[Reading] = []
    bad: list[int] = []
    try:
        found, framed = parts(value)
    except Rejected:
        return None, [], [0]
    for index, one in enumerate(found):
        try:
            said = load(one) if isinstance(one, str) and framed else one
            if isinstance(said, dict) and said.get("kind") in ("tick", "plan"):
                if framed:
                    raise Rejected("control_in_frame")
                return said, [], []
            out.append(reading(said, offset, index, log_time, kinds))
        except Rejected:
            bad.append(index)
    return None, out, bad


def reading(one: Any, offset: int, index: int, log_time: int | None, kinds: dict[str, tuple[float, float]]) -> Reading:
    if not isinstance(one, dict):
        raise Rejected("not an object")
    sensor, kind, v = one.get("sensor"), one.get("kind"), one.get("v")
    if not isinstance(sensor, str) or not re.fullmatch(r"[A-Za-z0-9._:-]{1,64}", sensor):
        raise Rejected("sensor")
    if not isinstance(kind, str) or kind not in kinds:
        raise Rejected("kind")
    if not isinstance(v, (bool, int, float)) or not math.isfinite(v):
        raise Rejected("v")
    low, high = kinds[kind]
    if not low <= float(v) <= high:
        raise Rejected("range")
    t = time(one.get("t"))
    stamp = log_time if log_time is not None else time(one["log_t"]) if "log_t" in one else t
    attrs = {k: float(x) if type(x) in (int, float) else x for k, x in (one.get("attrs") or {}).items()}
    if len(attrs) > 32 or any(isinstance(x, (dict, list)) for x in attrs.values()):
        raise Rejected("attrs")
    return Reading(sensor, kind, t, float(v), place(one), attrs, stamp, offset, index)


def time(said: Any) -> int:
    t = spoken(said)
    if t is None:
        raise Rejected("t")
    return t


def place(one: dict[str, Any]) -> tuple[int, int] | None:
    """Return the place in whole numbers; the stories lie outside China, where no crs shifts anything."""
    lon, lat = one.get("lon"), one.get("lat")
    if (lon is None) != (lat is None) or one.get("crs") not in CRS:
        raise Rejected("place")
    if lon is None or lat is None:
        return None
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise Rejected("place")
    return round(round(float(lon), 7) * 1e7), round(round(float(lat), 7) * 1e7)
