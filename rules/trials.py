"""Trials of a rule: readings in, changes that must come out. `<name>.test.yaml` holds them (rules.trial_file)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from geo import NO_PLACE
from geo.zones import ZoneSet
from rules.kinds import Kinds
from rules.model import Rule
from rules.plan import Plan
from rules.registry import Registry, Row

Scalar = bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Given:
    """One reading, or with `kind` "tick" a tick of the log. `at_ms` counts from the trial's start."""

    at_ms: int
    sensor: str
    kind: str
    v: float = 0.0
    place: tuple[float, float] | None = None
    attrs: tuple[tuple[str, Scalar], ...] = ()


@dataclass(frozen=True, slots=True)
class Expected:
    """One change. Level and previous are words or None; `since_ms` and `value` are compared where they are given."""

    at_ms: int
    sensor: str
    kind: str
    change: str
    cause: str
    level: str | None
    previous: str | None
    since_ms: int | None = None
    value: float | None = None

    def __str__(self) -> str:
        words = [clock(self.at_ms), self.sensor, self.kind, self.change, f"{self.previous} → {self.level}", self.cause]
        words += [f"since {clock(self.since_ms)}"] if self.since_ms is not None else []
        words += [f"value {self.value:g}"] if self.value is not None else []
        return "  ".join(words)


@dataclass(frozen=True, slots=True)
class Trial:
    """One named trial. `registered`: sensors of the registry, as (sensor, kind, place)."""

    name: str
    line: int
    start_ms: int
    given: tuple[Given, ...]
    expected: tuple[Expected, ...]
    registered: tuple[tuple[str, str, tuple[float, float] | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Trials:
    """All trials of a rule, and the zone sets that they are played in instead of the city's."""

    path: str
    trials: tuple[Trial, ...]
    zones: Mapping[str, ZoneSet] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one trial went; nothing missing, unexpected or refused is a pass."""

    trial: Trial
    missing: tuple[Expected, ...]
    unexpected: tuple[Expected, ...]
    refused: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not (self.missing or self.unexpected or self.refused)


@dataclass(frozen=True, slots=True)
class Played:
    """What a detector made of lines: changes as JSON lines in their order, and what it refused to judge, in words."""

    changes: Sequence[bytes]
    refused: Sequence[str]


Play = Callable[[Plan, Sequence[bytes]], Played]
"""Runs a whole log of JSON lines through a detector."""


def judge(rule: Rule, trial: Trial, play: Play, *, kinds: Kinds, zones: Mapping[str, ZoneSet], tz: str) -> Verdict:
    """Play one trial of one rule, alone in its plan, and compare whole changes in their order."""
    plan = Plan([rule], kinds, _registry(trial), None, zones, tz)
    played = play(plan, [_line(given, trial.start_ms) for given in trial.given])
    found = [_change(orjson.loads(line), trial.start_ms) for line in played.changes]
    missing, unexpected = list(trial.expected), []
    for change in found:
        if missing and _fits(missing[0], change):
            missing.pop(0)
        else:
            unexpected.append(change)
    return Verdict(trial, tuple(missing), tuple(unexpected), tuple(played.refused))


def _fits(expected: Expected, found: Expected) -> bool:
    if expected.since_ms is None:
        found = replace(found, since_ms=None)
    if expected.value is None:
        found = replace(found, value=None)
    elif found.value is not None and abs(found.value - expected.value) <= 1e-9 * max(1.0, abs(expected.value)):
        found = replace(found, value=expected.value)
    return found == expected


def _change(data: dict[str, Any], start_ms: int) -> Expected:
    since = data.get("since")
    return Expected(
        data["t"] - start_ms,
        data["sensor"],
        data["kind"],
        data["change"],
        data["cause"],
        data["level"],
        data["previous"],
        None if since is None else since - start_ms,
        data["value"],
    )


def _line(given: Given, start_ms: int) -> bytes:
    t = start_ms + given.at_ms
    if given.kind == "tick":
        return orjson.dumps({"kind": "tick", "t": t})
    data: dict[str, Any] = {"sensor": given.sensor, "kind": given.kind, "t": t, "v": given.v}
    if given.place is not None:
        data["lon"], data["lat"] = given.place
    if given.attrs:
        data["attrs"] = dict(given.attrs)
    return orjson.dumps(data)


def _registry(trial: Trial) -> Registry:
    rows = []
    for sensor, kind, place in trial.registered:
        lon, lat = (NO_PLACE, NO_PLACE) if place is None else (round(place[0] * 1e7), round(place[1] * 1e7))
        rows.append(Row(sensor, kind, lon, lat))
    return Registry(rows)


def clock(ms: int) -> str:
    """Write a time from the trial's start: 90 s is 1m30s."""
    if ms < 0:
        return "-" + clock(-ms)
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, ms = divmod(ms, size)
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts) or "0s"
