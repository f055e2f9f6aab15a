"""What cannot be meant together in one rule (spec/rules.md)."""

from __future__ import annotations

import math
from itertools import pairwise

from rules.document import FaultList, Node
from rules.fields import Section
from rules.model import Agg, Close, Comparison, Level, Op, Rule, Window

_UP = (Op.GT, Op.GE)


def contradictions(rule: Rule, section: Section, faults: FaultList) -> None:
    """Name every contradiction at the place of the field that would have to change."""
    levels = [level for level in rule.levels if level.set is not None]
    for level in levels:
        _sets_and_clears(level, section, faults)
        _reachable(rule, level, section, faults)
        if len(rule.levels) > 1:
            _no_equality(level, section, faults)
    for low, high in pairwise(levels):
        _stricter(low, high, section, faults)
    if "quiet" in section.found and _closed_by_sensor(section):
        node = section.keys["quiet"]
        faults.add(node, "quiet", "cannot stand together with case.close: sensor; silence is no proof", "both")


def _closed_by_sensor(section: Section) -> bool:
    """Look at the file itself: the rest of the `case` block may have faults of its own."""
    case = section.get("case")
    entries = (case.entries if case is not None else None) or []
    return any(key.text == "close" and value.value == Close.SENSOR for key, value in entries)


def _sets_and_clears(level: Level, section: Section, faults: FaultList) -> None:
    if level.set is not None and level.clear is not None and overlap(level.set, level.clear):
        key = f"levels.{level.name.word}.clear"
        rule = f"no value may both set ({level.set}) and clear a level"
        faults.add(_node(section, level, "clear"), key, rule, str(level.clear))


def _reachable(rule: Rule, level: Level, section: Section, faults: FaultList) -> None:
    """A range is never below 0, and a count of the last readings never above their number."""
    window = rule.window
    if window is None:
        return
    if window.agg is Agg.RANGE:
        what = "some range, which is never below 0"
    elif window.agg is Agg.COUNT and window.last is not None:
        what = f"some count of at most {window.last} readings"
    else:
        return
    for name, found in (("set", level.set), ("clear", level.clear)):
        if found is not None and not _holds_for_some(found, window):
            key = f"levels.{level.name.word}.{name}"
            faults.add(_node(section, level, name), key, f"must hold for {what}", str(found))


def _holds_for_some(comparison: Comparison, window: Window) -> bool:
    if window.agg is Agg.RANGE or window.last is None:
        return overlap(comparison, Comparison(Op.GE, 0.0))
    return any(comparison.holds(count) for count in range(window.last + 1))


def _no_equality(level: Level, section: Section, faults: FaultList) -> None:
    for name, found in (("set", level.set), ("clear", level.clear)):
        if found is not None and found.op in (Op.EQ, Op.NE):
            key = f"levels.{level.name.word}.{name}"
            faults.add(_node(section, level, name), key, "== and != may stand in rules of one level only", str(found))


def _stricter(low: Level, high: Level, section: Section, faults: FaultList) -> None:
    below, above = low.set, high.set
    if below is None or above is None or {below.op, above.op} & {Op.EQ, Op.NE}:
        return
    key, other = f"levels.{high.name.word}", f"levels.{low.name.word}"
    node = _node(section, high, "set")
    if (below.op in _UP) is not (above.op in _UP):
        faults.add(node, f"{key}.set", f"must point the same way as {other}.set ({below})", str(above))
    elif below == above:
        if high.for_ms <= low.for_ms:
            rule = f"must be longer than {other}.for ({low.for_ms} ms), since both set at {below}"
            faults.add(_node(section, high, "for"), f"{key}.for", rule, f"{high.for_ms} ms")
    elif not implies(above, below):
        faults.add(node, f"{key}.set", f"must be stricter than {other}.set ({below})", str(above))


def implies(a: Comparison, b: Comparison) -> bool:
    """Tell whether every number that fits `a` fits `b`; both point the same way."""
    if a.value == b.value:
        return a.op == b.op or a.op in (Op.GT, Op.LT)
    return a.value > b.value if a.op in _UP else a.value < b.value


def overlap(a: Comparison, b: Comparison) -> bool:
    """Tell whether some double fits both: if any does, one of those at and beside the two values does."""
    tries = [
        x for c in (a, b) for x in (c.value, math.nextafter(c.value, math.inf), math.nextafter(c.value, -math.inf))
    ]
    return any(a.holds(x) and b.holds(x) for x in tries if math.isfinite(x))


def _node(section: Section, level: Level, name: str) -> Node:
    """Return the field of a level, or the level's body where the field is not written."""
    body = next(value for key, value in section.found["levels"].entries or [] if key.text == level.name.word)
    return next((value for key, value in body.entries or [] if key.text == name), body)
