"""What a step of detect gives to its caller."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from engine.detect.changes import Item
from engine.detect.decode.reasons import Reason
from engine.detect.last_values import LastValues

Lateness: TypeAlias = Literal["stale", "late", "duplicate"]


@dataclass(frozen=True, slots=True)
class LateRow:
    """A reading for the late store: its record, its position in the frame, its own text."""

    reason: Lateness
    offset: int
    index: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class RejectRow:
    """A text for quarantine."""

    reason: Reason
    detail: str
    offset: int
    index: int
    raw: bytes


@dataclass(slots=True)
class Counts:
    """What a step counted, to be added to metrics."""

    readings: Counter[str] = field(default_factory=Counter)
    """Released readings by kind."""
    late: Counter[tuple[str, Lateness]] = field(default_factory=Counter)
    """By kind and reason."""
    rejects: Counter[Reason] = field(default_factory=Counter)
    hidden: Counter[str] = field(default_factory=Counter)
    """By rule: readings without an answer to `where` or a finite measure."""
    suspect_clocks: int = 0
    unknown_fields: int = 0
    far_from_registry: int = 0
    slow: int = 0
    """Texts that the scanner left to the slow path."""


@dataclass(slots=True)
class Output:
    """In log order each: `items` for the alerts log, `late` for the late store, `rejects` for quarantine."""

    items: list[Item] = field(default_factory=list)
    late: list[LateRow] = field(default_factory=list)
    rejects: list[RejectRow] = field(default_factory=list)
    last_values: list[LastValues] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
