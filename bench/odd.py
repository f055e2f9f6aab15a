"""The odd shapes of the benchmark: one reading in a hundred is written as some gateways write theirs, or wrongly."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple


class Said(NamedTuple):
    """One reading to be written; `v` and places as text."""

    sensor: str
    kind: str
    t: int
    v: str
    lon: str
    lat: str
    battery: int


def _head(said: Said) -> str:
    return f'"sensor":"{said.sensor}","kind":"{said.kind}"'


def _place(said: Said) -> str:
    return f'"lon":{said.lon},"lat":{said.lat}'


def _attrs(said: Said, mode: str = "normal") -> str:
    return f'"attrs":{{"mode":"{mode}","battery":{said.battery}}}'


def _usual(said: Said, **changed: str) -> str:
    v, t = changed.get("v", said.v), changed.get("t", str(said.t))
    return f'{{{_head(said)},"t":{t},"v":{v},{_place(said)},{_attrs(said)}}}'


def spaced(said: Said) -> str:
    return _usual(said).replace(":", ": ").replace(",", ", ")


def other_order(said: Said) -> str:
    return f'{{"t":{said.t},"v":{said.v},{_attrs(said)},{_place(said)},{_head(said)}}}'


def rfc3339(said: Said) -> str:
    moment = datetime.fromtimestamp(said.t // 1000, UTC)
    return _usual(said, t=f'"{moment:%Y-%m-%dT%H:%M:%S}.{said.t % 1000:03d}+00:00"')


def escaped(said: Said) -> str:
    return f'{{{_head(said)},"t":{said.t},"v":{said.v},"attrs":{{"site":"\\u6cf5\\u7ad9","battery":{said.battery}}}}}'


def chinese(said: Said) -> str:
    return f'{{{_head(said)},"t":{said.t},"v":{said.v},"attrs":{{"site":"城东泵站","battery":{said.battery}}}}}'


def many_digits(said: Said) -> str:
    return _usual(said, v=repr(float(said.v) + 1e-9 / 3))


def exponent(said: Said) -> str:
    return _usual(said, v=f"{float(said.v):.6e}")


def unknown_field(said: Said) -> str:
    return f'{_usual(said)[:-1]},"seq":{said.t % 65536}}}'


def nested_unknown(said: Said) -> str:
    return f'{_usual(said)[:-1]},"meta":{{"path":["a","b"],"hops":2}}}}'


def duplicate_key(said: Said) -> str:
    return f'{_usual(said)[:-1]},"v":{said.v}}}'


def gcj02(said: Said) -> str:
    return f'{{{_head(said)},"t":{said.t},"v":{said.v},{_place(said)},"crs":"gcj02"}}'


def bare(said: Said) -> str:
    return f'{{{_head(said)},"t":{said.t},"v":{said.v}}}'


def array_frame(said: Said) -> str:
    return f"[{_usual(said)}]"


def sent_twice(said: Said) -> str:
    return f"[{_usual(said)},{_usual(said)}]"


def not_a_number(said: Said) -> str:
    return _usual(said, v="NaN")


def error_code(said: Said) -> str:
    return _usual(said, v="-9999999")


def cut_off(said: Said) -> str:
    return _usual(said)[:-20]


SHAPES: tuple[Callable[[Said], str], ...] = (
    spaced, other_order, rfc3339, escaped, chinese, many_digits, exponent, unknown_field, nested_unknown,
    duplicate_key, gcj02, bare, array_frame, sent_twice, not_a_number, error_code, cut_off,
)  # fmt: skip
