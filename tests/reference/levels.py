"""What a rule remembers of one sensor and kind; comparisons and windows."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tests.reference.times import duration

LEVELS = ["blue", "yellow", "orange", "red"]
COMPARE = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}


@cache
def comparison(text: str) -> tuple[Callable[[float, float], bool], float]:
    found = re.fullmatch(r"\s*(>=|<=|==|!=|>|<)\s*(\S+)\s*", text)
    assert found, text
    return COMPARE[found.group(1)], float(found.group(2))


def compare(text: str, x: float) -> bool:
    sign, value = comparison(text)
    return bool(sign(x, value))


@dataclass
class State:
    """What one rule remembers of one sensor and kind."""

    level: str | None = None
    since: dict[str, tuple[int, int]] = field(default_factory=dict)  # level -> (t, offset)
    clear_since: tuple[int, int] | None = None
    window: list[tuple[int, float, bool]] = field(default_factory=list)  # (t, x, was boolean)
    seen_t: int | None = None
    seen_offset: int | None = None
    place: tuple[int, int] | None = None
    quiet_due: int | None = None
    schedule_due: int | None = None
    episode: str = ""
    seq: int = 0
    community: str = "-"
    told: int = 0  # t of the last change or still
    alive: int | None = None  # absent: the latest sign of life
    absent_due: int | None = None


def aggregate(window: dict[str, Any], state: State, t: int, x: Any) -> float | None:
    over = duration(window["over"])
    state.window.append((t, float(x), isinstance(x, bool)))
    if "last" in window:
        state.window = [w for w in state.window if t - over < w[0] <= t][-window["last"] :]
    else:
        step = duration(window["step"]) if "step" in window else max(over // 60, 1000)
        newest = t // step
        state.window = [w for w in state.window if newest - over // step < w[0] // step <= newest]
    values = [w[1] for w in state.window]
    first, last = state.window[0], state.window[-1]
    exact = sum(round(v * 1e6) for v in values)
    agg = window["agg"]
    if agg == "count":
        return float(sum(1 for w in state.window if not w[2] or w[1] == 1))
    if agg == "rate":
        return None if last[0] == first[0] else (last[1] - first[1]) / ((last[0] - first[0]) / 60000)
    if agg == "delta":
        return last[1] - first[1]
    if agg == "mean":
        return (exact / 1_000_000) / len(values)
    lowest, highest = min(values), max(values)
    return {"sum": exact / 1_000_000, "min": lowest, "max": highest, "range": highest - lowest}[agg]


def clears(level: dict[str, Any], x: float) -> bool:
    return compare(level["clear"], x) if "clear" in level else not compare(level["set"], x)
