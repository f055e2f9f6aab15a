"""The slow exact path: one text to one reading or control record, or the reason why not."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from engine.detect.decode import rfc3339
from engine.detect.decode.reasons import Reason, Refusal, got
from engine.detect.decode.strict_json import Number, Object, parse

FIELDS = frozenset({"sensor", "kind", "t", "v", "lon", "lat", "crs", "attrs", "log_t"})
CONTROLS = frozenset({"tick", "plan"})
CRS_NAMES = ("wgs84", "cgcs2000", "gcj02", "bd09")
MOST_ATTRS = 32

_SENSOR = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LONGEST_TIME = 20

Scalar = bool | float | bytes | None


@dataclass(frozen=True, slots=True)
class KindRange:
    """Number and range (ends included) of a kind."""

    number: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Reading:
    """One accepted reading; `lon` and `lat` are in degrees of `crs`, both None without a place."""

    sensor: str
    kind: int
    t: int
    v: float
    lon: float | None
    lat: float | None
    crs: str
    attrs: dict[str, Scalar]
    log_t: int | None
    unknown_fields: int


@dataclass(frozen=True, slots=True)
class ControlText:
    """A tick, or a plan with its digest."""

    kind: Literal["tick", "plan"]
    t: int
    digest: str
    log_t: int | None


class ReadingCheck:
    """Judge texts by the kinds of one plan, keeping the attributes that its rules read."""

    def __init__(self, kinds: dict[str, KindRange], attrs: Sequence[str], *, offline: bool) -> None:
        self._kinds = kinds
        self._attrs = tuple(attrs)
        self._offline = offline

    def judge(self, text: bytes, *, framed: bool) -> Reading | ControlText:
        """Return what a text says.

        Raises `Refusal` with the first rule that it breaks, in the order: JSON, object, `kind` of a control record,
        then `sensor`, `kind`, `t`, `v`, `lon` and `lat`, `crs`, `attrs`, `log_t`.
        """
        value = parse(text)
        if not isinstance(value, Object):
            raise Refusal(Reason.NOT_AN_OBJECT, f"reading: must be a JSON object; got {_shown(value)}")
        kind = value.get("kind")
        if isinstance(kind, str) and kind in CONTROLS and not isinstance(kind, Number):
            if framed:
                raise Refusal(
                    Reason.CONTROL_IN_FRAME, f"kind: a control record must stand alone; got {got(kind)} in a frame"
                )
            return self._control(value, "tick" if kind == "tick" else "plan")
        return self._reading(value)

    def _reading(self, value: Object) -> Reading:
        sensor = _text(value, "sensor")
        if _SENSOR.fullmatch(sensor) is None:
            raise Refusal(Reason.BAD_SENSOR, f"sensor: must be 1 to 64 of A-Z a-z 0-9 . _ : -; got {got(sensor)}")
        name = _text(value, "kind")
        kind = self._kinds.get(name)
        if kind is None:
            raise Refusal(Reason.BAD_KIND, f"kind: must be a kind of the plan; got {got(name)}")
        t = _time(value, "t")
        v = _value(value, kind)
        lon, lat, crs = _place(value)
        return Reading(
            sensor=sensor,
            kind=kind.number,
            t=t,
            v=v,
            lon=lon,
            lat=lat,
            crs=crs,
            attrs=self._asked(value.get("attrs")),
            log_t=self._log_t(value),
            unknown_fields=sum(field not in FIELDS for field in value.names),
        )

    def _control(self, value: Object, kind: Literal["tick", "plan"]) -> ControlText:
        try:
            t = _time(value, "t")
            log_t = self._log_t(value)
            digest = _text(value, "digest") if kind == "plan" else ""
        except Refusal as refusal:
            raise Refusal(Reason.BAD_CONTROL, f"{kind}: {refusal.detail}") from None
        if kind == "plan" and not self._offline and _DIGEST.fullmatch(digest) is None:
            raise Refusal(Reason.BAD_CONTROL, f"plan: digest: must be 64 hexadecimal digits; got {got(digest)}")
        return ControlText(kind, t, digest, log_t)

    def _log_t(self, value: Object) -> int | None:
        return _time(value, "log_t") if self._offline and "log_t" in value else None

    def _asked(self, attrs: object) -> dict[str, Scalar]:
        """Check all attributes, return the asked-for ones that are there."""
        if attrs is None:
            return {}
        if not isinstance(attrs, Object):
            raise Refusal(Reason.BAD_ATTRS, f"attrs: must be an object; got {_shown(attrs)}")
        if len(attrs) > MOST_ATTRS:
            raise Refusal(Reason.BAD_ATTRS, f"attrs: at most {MOST_ATTRS} keys; got {len(attrs)}")
        scalars = {name: _scalar(name, value) for name, value in attrs.items()}
        return {name: scalars[name] for name in self._attrs if name in scalars}


def _present(value: Object, field: str) -> object:
    if field not in value:
        raise Refusal(Reason.MISSING_FIELD, f"{field}: must be there; got nothing")
    return value[field]


def _text(value: Object, field: str) -> str:
    text = _present(value, field)
    if not isinstance(text, str) or isinstance(text, Number):
        raise Refusal(Reason.BAD_TYPE, f"{field}: must be a string; got {_shown(text)}")
    return text


def _time(value: Object, field: str) -> int:
    time = _present(value, field)
    if isinstance(time, Number):
        if not time.is_whole():
            raise Refusal(Reason.BAD_TIME, f"{field}: must be whole milliseconds; got {_shown(time)}")
        ms = int(time) if len(time) <= _LONGEST_TIME else None
        if ms is None or not rfc3339.FIRST_MS <= ms <= rfc3339.LAST_MS:
            raise Refusal(Reason.BAD_TIME, f"{field}: must be in the years 0000 to 9999; got {_shown(time)}")
        return ms
    if not isinstance(time, str):
        raise Refusal(Reason.BAD_TYPE, f"{field}: must be an integer or an RFC 3339 string; got {_shown(time)}")
    parsed = rfc3339.parse(time)
    if parsed is None:
        raise Refusal(Reason.BAD_TIME, f"{field}: must be RFC 3339 with an offset; got {got(time)}")
    return parsed


def _value(value: Object, kind: KindRange) -> float:
    v = _present(value, "v")
    if isinstance(v, bool):
        number = float(v)
    elif isinstance(v, Number):
        number = _finite("v", v, Reason.NOT_FINITE)
    else:
        raise Refusal(Reason.BAD_TYPE, f"v: must be a number, true or false; got {_shown(v)}")
    if not kind.low <= number <= kind.high:
        raise Refusal(Reason.OUT_OF_RANGE, f"v: must be in {kind.low:g}..{kind.high:g}; got {_shown(v)}")
    return number


def _place(value: Object) -> tuple[float | None, float | None, str]:
    lon, lat = _degrees(value, "lon", 180.0), _degrees(value, "lat", 90.0)
    if (lon is None) != (lat is None):
        raise Refusal(
            Reason.BAD_PLACE, f"{'lon' if lon is None else 'lat'}: lon and lat must come together; got nothing"
        )
    crs = value.get("crs")
    if crs is None:
        return lon, lat, "wgs84"
    if not isinstance(crs, str) or isinstance(crs, Number) or crs not in CRS_NAMES:
        raise Refusal(Reason.BAD_CRS, f"crs: must be one of {', '.join(CRS_NAMES)}; got {_shown(crs)}")
    return lon, lat, crs


def _degrees(value: Object, field: str, limit: float) -> float | None:
    degrees = value.get(field)
    if degrees is None:
        return None
    if not isinstance(degrees, Number):
        raise Refusal(Reason.BAD_TYPE, f"{field}: must be a number or null; got {_shown(degrees)}")
    number = _finite(field, degrees, Reason.NOT_FINITE)
    if not -limit <= number <= limit:
        raise Refusal(Reason.BAD_PLACE, f"{field}: must be in -{limit:g}..{limit:g}; got {_shown(degrees)}")
    return number


def _scalar(name: str, value: object) -> Scalar:
    if isinstance(value, Number):
        return _finite(f"attrs.{name}", value, Reason.BAD_ATTRS)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value.encode()
    raise Refusal(
        Reason.BAD_ATTRS,
        f"attrs.{got(name)[1:-1]}: must be a string, a number, true, false or null; got {_shown(value)}",
    )


def _finite(field: str, number: Number, reason: Reason) -> float:
    value = number.as_float()
    if not math.isfinite(value):
        raise Refusal(reason, f"{field}: must be finite; got {_shown(number)}")
    return value


def _shown(value: object) -> str:
    """Render a JSON value for a detail text: scalars as written, the rest by what it is."""
    if isinstance(value, Number):
        return got(str(value))[1:-1]
    if isinstance(value, Object):
        return "an object"
    if isinstance(value, list):
        return "an array"
    return (
        {None: "null", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else got(value)
    )
