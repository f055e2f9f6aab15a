"""What a step of detect gives to its caller."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from engine.detect.decode.reasons import Deadly, Reason
from engine.detect.items import Items
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

    reason: Reason | Deadly
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
    rejects: Counter[Reason | Deadly] = field(default_factory=Counter)
    hidden: Counter[str] = field(default_factory=Counter)
    """By rule: readings without an answer to `where` or a finite measure."""
    suspect_clocks: int = 0
    unknown_fields: int = 0
    far_from_registry: int = 0
    slow: int = 0
    """Texts that the scanner left to the slow path."""

    def add(self, later: Counts) -> None:
        """Add what the next step counted."""
        self.readings.update(later.readings)
        self.late.update(later.late)
        self.rejects.update(later.rejects)
        self.hidden.update(later.hidden)
        self.suspect_clocks += later.suspect_clocks
        self.unknown_fields += later.unknown_fields
        self.far_from_registry += later.far_from_registry
        self.slow += later.slow


@dataclass(slots=True)
class Output:
    """In log order each: `items` for the alerts log, `late` for the late store, `rejects` for quarantine."""

    items: Items = field(default_factory=Items)
    late: list[LateRow] = field(default_factory=list)
    rejects: list[RejectRow] = field(default_factory=list)
    last_values: list[LastValues] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)

    def add(self, later: Output) -> None:
        """Take over what the next step gave."""
        self.items += later.items
        self.late += later.late
        self.rejects += later.rejects
        self.last_values += later.last_values
        self.counts.add(later.counts)
