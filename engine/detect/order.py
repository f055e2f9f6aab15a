"""Which readings a record lets go, and in which order (spec/readings.md, "Time and order")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.detect.decode.rows import READING, Table
from engine.detect.kernels import order as kernels
from engine.detect.kernels.compiled import FOREVER, NEVER
from engine.detect.rows import I32, I64, Rows, attr_of, together
from rules.columns import Column


@dataclass(slots=True)
class Released:
    """What a run of records lets go.

    Readings are numbered in two ways: in order of release, and as they stood, part after part.
    """

    parts: Sequence[Rows]
    """Rows that waited, then those of the records; not all of the last part go."""
    waited: Table
    """The rows of all parts but the last."""
    order: I32
    """[n] which of the rows as they stood is released, in order of release."""
    record: I32
    """[rows as they stood] the record that lets each go."""
    start: I64
    """[records + 1] first released row of each record."""
    before: I64
    """[records] watermark before each record."""
    watermark: I64
    """[records] watermark after each record."""
    record_of_row: I32
    """[n] the record that lets each released row go, and its order time; set when they are judged."""
    u: I64
    kinds: I64
    """[kinds + 1] released rows by kind; the last are of kinds that the plan no longer has."""
    _attrs: dict[str, Column] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.order)

    def attr(self, name: str) -> Column:
        """Return an attribute of the rows as they stood."""
        found = self._attrs.get(name)
        if found is None:
            found = self._attrs[name] = attr_of(self.parts, name)
        return found

    def late(self, row: int) -> tuple[int, int, bytes]:
        """Return offset, position in the frame and own text of a released row."""
        number = int(self.order[row])
        for part in self.parts:
            if number < len(part):
                break
            number -= len(part)
        return int(part.table["offset"][number]), int(part.table["index"][number]), part.raw(number)


@dataclass(slots=True)
class Clocks:
    """`newest` and `oldest` [records]: order times of a record, NEVER and FOREVER if none; `suspect` clocks."""

    newest: I64
    oldest: I64
    suspect: int = 0

    @staticmethod
    def silent(records: int) -> Clocks:
        return Clocks(np.full(records, NEVER, np.int64), np.full(records, FOREVER, np.int64))

    def note(self, record: int, order_ms: int) -> None:
        """Take in the order time of a tick or plan record."""
        self.newest[record] = max(int(self.newest[record]), order_ms)
        self.oldest[record] = min(int(self.oldest[record]), order_ms)


class Order:
    """The watermark of one partition and the readings that wait for it."""

    def __init__(self) -> None:
        self.watermark = NEVER
        self.newest = NEVER
        self.waiting: list[Rows] = []
        """Rows by (u, position), of earlier batches first; each part larger than the next."""

    @property
    def waiting_bytes(self) -> int:
        return sum(part.size_bytes() for part in self.waiting)

    def advance(self, rows: Rows, first: int, clocks: Clocks, max_delay_ms: int, kinds: int) -> Released:
        """Take in the readings of the records from `first` on and return what these let go."""
        before, watermark = np.empty_like(clocks.newest), np.empty_like(clocks.newest)
        newest = kernels.advance(clocks.newest, self.newest, self.watermark, max_delay_ms, before, watermark)
        self.newest = int(newest)
        return self._release(rows, first, before, watermark, kinds)

    def finish(self, kinds: int) -> Released:
        """Let everything go, as one record whose watermark is the largest order time."""
        last = max([self.newest, *(int(part.table["u"][-1]) for part in self.waiting if len(part))])
        before, watermark = np.array([self.watermark], np.int64), np.array([last], np.int64)
        return self._release(Rows.none(), 0, before, watermark, kinds)

    def _release(self, rows: Rows, first: int, before: I64, watermark: I64, kinds: int) -> Released:
        self.watermark = int(watermark[-1])
        parts = self._due()
        waited = together([part.table for part in parts] or [np.empty(0, READING)])
        n = len(waited) + len(rows)
        record, order, spare = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.int32)
        u, start = np.empty(n, np.int64), np.zeros(len(watermark) + 2, np.int64)
        of_kind = np.zeros(kinds + 1, np.int64)
        steps = np.empty(len(start), np.int32)
        kernels.release(waited, rows.table, first, watermark, record, u, start, order, spare, steps, of_kind)
        goes = int(start[-2])
        if goes < n:
            self._wait(rows.take(order[goes:] - len(waited)))
        spare, u = spare[:goes], u[:goes]
        return Released((*parts, rows), waited, order[:goes], record, start[:-1], before, watermark, spare, u, of_kind)

    def _due(self) -> list[Rows]:
        """Take the waiting rows with `u` up to the watermark out."""
        parts: list[Rows] = []
        left: list[Rows] = []
        for part in self.waiting:
            goes = kernels.due(part.table, self.watermark)
            if goes:
                parts.append(part.take(slice(0, goes)))
            if goes < len(part):
                left.append(part.take(slice(goes, None)) if goes else part)
        self.waiting = left
        return parts

    def _wait(self, rows: Rows) -> None:
        """Keep rows, joined with those parts that are not much larger: so each is copied a few times only."""
        parts, size = [rows], len(rows)
        while self.waiting and len(self.waiting[-1]) <= 2 * size:
            parts.insert(0, self.waiting.pop())
            size += len(parts[0])
        kept = Rows.join(parts)
        self.waiting.append(kept if len(parts) == 1 else kept.take(np.argsort(kept.table["u"], kind="stable")))
