"""Strict reading of scenario files: readers for each sort of value, every fault with its line and column."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from datetime import datetime
from math import isfinite
from typing import Any, TypeVar, get_type_hints

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from simulators.errors import ScenarioFault

T = TypeVar("T")
UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
DURATION = re.compile(r"(-?)(\d{1,12})(ms|s|m|h|d)")
KIND = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
NAME = re.compile(r"[a-z][a-z0-9_]*")
SHOWN = 60


@dataclass(frozen=True, slots=True)
class Span:
    """From `low` to `high`, both included; equal ones are one number."""

    low: float
    high: float


class Place:
    """Where a value stands in its file, and the list that takes its faults."""

    def __init__(self, file: str, faults: list[ScenarioFault], line: int = 1, column: int = 1, key: str = "") -> None:
        self.file, self.faults, self.line, self.column, self.key = file, faults, line, column, key

    def at(self, position: Sequence[int], key: str) -> Place:
        """Return the place of a key or an item in this one; `position` counts from 0."""
        name = f"{self.key}.{key}" if self.key and not key.startswith("[") else self.key + key
        return Place(self.file, self.faults, position[0] + 1, position[1] + 1, name)

    def fault(self, rule: str, got: object) -> T | None:
        """Note a fault here; return None, the value that there is not."""
        text = got if isinstance(got, str) else repr(got)
        shown = text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
        self.faults.append(ScenarioFault(self.file, self.line, self.column, self.key or "file", rule, shown))
        return None


Reader = Callable[[Any, Place], T | None]
"""Turns a YAML value into ours, or notes a fault and returns None."""


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def number(low: float | None = None, high: float | None = None) -> Reader[float]:
    """A finite number from `low` to `high`, both included."""
    within = "a number" if low is None else f"a number >= {low:g}" if high is None else f"a number {low:g}..{high:g}"

    def read(value: Any, place: Place) -> float | None:
        if not _is_number(value) or (low is not None and value < low) or (high is not None and value > high):
            return place.fault(f"must be {within}", value)
        return float(value)

    return read


def whole(low: int, high: int) -> Reader[int]:
    """A whole number from `low` to `high`, both included."""

    def read(value: Any, place: Place) -> int | None:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            return place.fault(f"must be a whole number {low}..{high}", value)
        return int(value)

    return read


def flag() -> Reader[bool]:
    """true or false."""

    def read(value: Any, place: Place) -> bool | None:
        return value if isinstance(value, bool) else place.fault("must be true or false", value)

    return read


def _matching(pattern: re.Pattern[str], rule: str) -> Reader[str]:
    def read(value: Any, place: Place) -> str | None:
        return str(value) if isinstance(value, str) and pattern.fullmatch(value) else place.fault(rule, value)

    return read


def kind() -> Reader[str]:
    """A kind of reading, `domain.name`."""
    return _matching(KIND, "must be a kind, domain.name in lower case")


def name() -> Reader[str]:
    """A scenario's own name."""
    return _matching(NAME, "must be a name of a-z, 0-9 and _")


def text() -> Reader[str]:
    """Some text on one line."""
    return _matching(re.compile(r"[^\n\r]{1,200}"), "must be 1 to 200 characters of text")


def choice(names: Sequence[str]) -> Reader[str]:
    """One of a closed set of words."""
    return _matching(re.compile("|".join(names)), f"must be one of {', '.join(names)}")


def parse_duration(value: object) -> int | None:
    """Return the ms of `90s`, `3h`, `-12h`; None for anything else."""
    match = DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    return (-1 if match[1] else 1) * int(match[2]) * UNITS_MS[match[3]]


def duration(*, signed: bool = False, at_least: int = 0) -> Reader[int]:
    """One whole number and a unit: ms, s, m, h, d."""
    rule = "must be a duration, one whole number and ms, s, m, h or d"
    rule += "" if signed else f", at least {at_least} ms"

    def read(value: Any, place: Place) -> int | None:
        ms = parse_duration(value)
        return place.fault(rule, value) if ms is None or (not signed and ms < at_least) else ms

    return read


def _span(item: Reader[Any]) -> Reader[Span]:
    def read(value: Any, place: Place) -> Span | None:
        both = list(value) if isinstance(value, CommentedSeq) else [value, value]
        if len(both) != 2:
            return place.fault("must be one value or [low, high]", value)
        low, high = item(both[0], place), item(both[1], place) if both[1] is not both[0] else None
        high = low if both[1] is both[0] else high
        if low is None or high is None:
            return None
        return place.fault("low must not be above high", value) if low > high else Span(float(low), float(high))

    return read


def span(low: float, high: float) -> Reader[Span]:
    """A number or [low, high]."""
    return _span(number(low, high))


def pair(low: float, high: float) -> Reader[tuple[float, float]]:
    """Two numbers [from, to], the first one below the second."""
    both = _span(number(low, high))

    def read(value: Any, place: Place) -> tuple[float, float] | None:
        found = both(value, place)
        if found is not None and found.low == found.high:
            return place.fault("must be [from, to]", value)
        return None if found is None else (found.low, found.high)

    return read


def span_of_durations() -> Reader[Span]:
    """A duration or [low, high] of them, in ms."""
    return _span(duration(signed=True))


def moment() -> Reader[int]:
    """An RFC 3339 moment with its offset, in ms since 1970 UTC."""

    def read(value: Any, place: Place) -> int | None:
        try:
            when = datetime.fromisoformat(value) if isinstance(value, str) else None
        except ValueError:
            when = None
        if when is None or when.tzinfo is None:
            return place.fault("must be a quoted date and time with an offset", value)
        return round(when.timestamp() * 1000)

    return read


def listing(item: Reader[Any]) -> Reader[tuple[Any, ...]]:
    """A list."""

    def read(value: Any, place: Place) -> tuple[Any, ...] | None:
        if not isinstance(value, CommentedSeq):
            return place.fault("must be a list", value)
        return tuple(item(entry, place.at(value.lc.item(i), f"[{i}]")) for i, entry in enumerate(value))

    return read


def table(of_key: Reader[str], of_value: Reader[Any]) -> Reader[dict[str, Any]]:
    """A map of names that the file chooses."""

    def read(value: Any, place: Place) -> dict[str, Any] | None:
        if not isinstance(value, CommentedMap):
            return place.fault("must be a map", value)
        for entry in value:
            of_key(entry, place.at(value.lc.key(entry), str(entry)))
        return {str(k): of_value(v, place.at(value.lc.value(k), str(k))) for k, v in value.items()}

    return read


def section(shape: type[T], defaults: T | None = None) -> Reader[T]:
    """A map whose keys are the fields of a dataclass, each annotated with its reader. Missing ones: from `defaults`.

    `x_ms` is written `x`, and `lasts_ms` of a part of the scenario `for`.
    """

    def read(value: Any, place: Place) -> T | None:
        if not isinstance(value, CommentedMap):
            return place.fault("must be a map", value)
        known = _keys(shape)
        for word in value:
            if word not in known:
                place.at(value.lc.key(word), str(word)).fault(f"must be one of {', '.join(known)}", str(word))
        found: dict[str, Any] = {}
        for word, (field, reader) in known.items():
            if word in value:
                found[field.name] = reader(value[word], place.at(value.lc.value(word), word))
            elif defaults is not None:
                found[field.name] = getattr(defaults, field.name)
            elif field.default is MISSING:
                place.at((value.lc.line, value.lc.col), word).fault("must be given", "nothing")
        return None if place.faults else shape(**found)

    return read


def _keys(shape: type[Any]) -> dict[str, tuple[Field[Any], Reader[Any]]]:
    """Return field and reader by the key's name in the file."""
    hints = get_type_hints(shape, include_extras=True)
    keys: dict[str, tuple[Field[Any], Reader[Any]]] = {}
    for field in fields(shape):
        word = "for" if field.name == "lasts_ms" else field.name.removesuffix("_ms")
        keys[word] = field, hints[field.name].__metadata__[0]
    return keys
