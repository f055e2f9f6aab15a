"""Reading the fields of a file: each takes a node, answers a value or None, and names what is wrong."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from rules.document import FaultList, Node
from rules.model import LEVEL_WORDS, Comparison, LevelName, Op

MAX_DURATION_MS = 36_500 * 86_400_000
MAX_TEXT = 4000

_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"([0-9]{1,18})(ms|s|m|h|d)")
_COMPARISON = re.compile(r"(>=|<=|==|!=|>|<)\s*([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)", re.ASCII)
_OPS = {op.sign: op for op in Op}


@dataclass(slots=True)
class Section:
    """A mapping whose keys are known. Opening it names unknown and duplicate keys; of two the first counts."""

    node: Node
    prefix: str
    faults: FaultList
    found: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Node] = field(default_factory=dict)

    @staticmethod
    def open(node: Node, prefix: str, faults: FaultList, known: Collection[str] | None) -> Section | None:
        """Read the keys of a mapping; `known` None: any. None and a fault where it is no mapping."""
        if node.entries is None:
            faults.add(node, prefix.rstrip(".") or "file", "must be a mapping of keys")
            return None
        section = Section(node, prefix, faults)
        for key, value in node.entries:
            name = key.text if key.scalar else key.shown()
            if name in section.found:
                first = section.keys[name]
                rule = f"a key must stand once (first on line {first.line})"
                faults.add(key, prefix + name, rule, value.shown())
            elif not key.scalar or (known is not None and name not in known):
                rule = "unknown key" + (f"; known are {', '.join(known)}" if known is not None else "")
                faults.add(key, prefix + name, rule, value.shown())
            else:
                section.found[name], section.keys[name] = value, key
        return section

    def get(self, name: str) -> Node | None:
        return self.found.get(name)

    def need(self, name: str) -> Node | None:
        """Return a key's value; a fault at the mapping if it is missing."""
        if name not in self.found:
            self.faults.add(self.node, self.prefix + name, "is required", "nothing")
        return self.found.get(name)

    def key(self, name: str) -> str:
        return self.prefix + name

    def items(self) -> Iterator[tuple[str, Node]]:
        return iter(self.found.items())


def text(node: Node | None, key: str, faults: FaultList, *, limit: int = MAX_TEXT) -> str | None:
    """A non-empty string."""
    if node is None:
        return None
    if not isinstance(node.value, str) or not node.value.strip():
        faults.add(node, key, "must be a text that is not empty" + (" (quote it)" if node.scalar and node.text else ""))
        return None
    if len(node.value) > limit:
        faults.add(node, key, f"must be at most {limit} characters")
        return None
    if any(0xD800 <= ord(c) <= 0xDFFF for c in node.value):
        faults.add(node, key, "must be Unicode text without lone surrogates")
        return None
    return node.value


def matching(node: Node | None, key: str, faults: FaultList, pattern: re.Pattern[str], rule: str) -> str | None:
    """A string of a given form."""
    if node is None:
        return None
    if not isinstance(node.value, str) or not pattern.fullmatch(node.value):
        faults.add(node, key, rule)
        return None
    return node.value


def word(node: Node | None, key: str, faults: FaultList, words: Collection[str]) -> str | None:
    """One of a closed set of words."""
    if node is None:
        return None
    if not isinstance(node.value, str) or node.value not in words:
        faults.add(node, key, f"must be one of {', '.join(words)}")
        return None
    return node.value


def level_name(node: Node | None, key: str, faults: FaultList) -> LevelName | None:
    found = word(node, key, faults, tuple(LEVEL_WORDS))
    return None if found is None else LEVEL_WORDS[found]


def whole(node: Node | None, key: str, faults: FaultList, low: int, high: int) -> int | None:
    """A whole number from low to high, both included."""
    if node is None:
        return None
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        faults.add(node, key, f"must be a whole number from {low} to {high}")
        return None
    return value


def number(node: Node | None, key: str, faults: FaultList) -> float | None:
    """A finite number."""
    if node is None:
        return None
    value = as_number(node)
    if value is None:
        faults.add(node, key, "must be a finite number")
    return value


def as_number(node: Node) -> float | None:
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def duration(node: Node | None, key: str, faults: FaultList, *, least_ms: int = 0, or_else: str = "") -> int | None:
    """One whole number and a unit, in ms: 500ms, 30s, 10m, 3h, 1d. `or_else`: what the key takes beside it."""
    if node is None:
        return None
    match = _DURATION.fullmatch(node.value) if isinstance(node.value, str) else None
    if match is None:
        faults.add(node, key, "must be a duration, one whole number and ms, s, m, h or d" + or_else)
        return None
    value = int(match[1]) * _UNITS[match[2]]
    if not least_ms <= value <= MAX_DURATION_MS:
        faults.add(node, key, f"must be from {least_ms} ms to 36500d")
        return None
    return value


def comparison(node: Node | None, key: str, faults: FaultList) -> Comparison | None:
    """A comparison sign and a finite number."""
    if node is None:
        return None
    match = _COMPARISON.fullmatch(node.value.strip()) if isinstance(node.value, str) else None
    if match is None or not math.isfinite(float(match[2])):
        faults.add(node, key, "must be a comparison, one of > >= < <= == != and a number, in quotes")
        return None
    return Comparison(_OPS[match[1]], float(match[2]))
