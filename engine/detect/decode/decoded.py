"""What decoding a batch gives: a row per accepted reading, and the few records that are not readings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from engine.detect.decode.reasons import Reason
from engine.detect.decode.rows import Table
from rules.columns import Column


@dataclass(frozen=True, slots=True)
class Control:
    """A tick or plan record; `record` is its position in the batch, times are in ms, `digest` is empty for a tick."""

    record: int
    kind: Literal["tick", "plan"]
    t: int
    digest: str
    log_time: int


@dataclass(frozen=True, slots=True)
class Reject:
    """A text that goes to quarantine; `record` is its position in the batch, `index` its position in the frame."""

    record: int
    index: int
    reason: Reason
    detail: str
    raw: bytes


@dataclass(slots=True)
class Decoded:
    """Accepted readings of the records `first` to `next_record` (not included), ordered by (record, index)."""

    table: Table
    """[n] of `rows.READING`: `t` as it was sent; `v` in the unit of the kind, finite, in its range, booleans 1 and 0;
    the reading's own place, WGS-84, 1e-7 degrees, geo.NO_PLACE without one; its own text in the batch's data."""
    attrs: dict[str, Column]
    """The asked-for attributes; [n] each."""
    controls: list[Control] = field(default_factory=list)
    """In record order; a plan is always the last."""
    rejects: list[Reject] = field(default_factory=list)
    """Ordered by (record, index)."""
    unknown_fields: int = 0
    """Top-level fields of accepted readings that the contract does not know."""
    far_from_registry: int = 0
    """Accepted readings over 200 m from the place that the registry gives their sensor."""
    slow: int = 0
    """Texts that the scanner left to the slow path."""
    next_record: int = 0
    """Where decoding goes on: after a plan record, else the end of the batch."""

    @property
    def n(self) -> int:
        return len(self.table)
