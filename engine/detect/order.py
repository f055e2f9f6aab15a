"""Which readings a record lets go, and in which order (spec/readings.md, "Time and order")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.detect.kernels import order as kernels
from engine.detect.kernels.compiled import FOREVER, NEVER
from engine.detect.kernels.gather import gathered
from engine.detect.rows import I32, I64, Rows

SMALL_ROWS = 4096
"""Waiting rows of one batch fewer than this join those of the batch before."""


@dataclass(frozen=True, slots=True)
class Released:
    """What a run of records lets go, in order of release."""

    rows: Rows
    record: I32
    """[n] the record that lets each row go."""
    start: I64
    """[records + 1] first row of each record."""
    before: I64
    """[records] watermark before each record."""
    watermark: I64
    """[records] watermark after each record."""


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
        """Rows by (u, position), of earlier batches first."""

    @property
    def waiting_bytes(self) -> int:
        return sum(part.size_bytes() for part in self.waiting)

    def advance(self, rows: Rows, record: I32, clocks: Clocks, max_delay_ms: int) -> Released:
        """Take in the readings of some records and return what these let go."""
        newest = np.maximum(np.maximum.accumulate(clocks.newest), self.newest)
        self.newest = int(newest[-1])
        watermark = np.maximum(np.where(newest > NEVER, newest - max_delay_ms, NEVER), self.watermark)
        return self._release(rows, record, watermark)

    def finish(self) -> Released:
        """Let everything go, as one record whose watermark is the largest order time."""
        last = [self.newest, *(int(part.u[-1]) for part in self.waiting if len(part))]
        return self._release(Rows.none(), np.zeros(0, np.int32), np.array([max(last)], np.int64))

    def _release(self, rows: Rows, record: I32, watermark: I64) -> Released:
        before = np.empty_like(watermark)
        before[0] = self.watermark
        before[1:] = watermark[:-1]
        self.watermark = last = int(watermark[-1])
        released = np.empty(len(rows), np.int32)
        waiting, ordered = kernels.release(record, rows.u, watermark, released)
        parts, at = self._due(last, watermark)
        if waiting:
            self._wait(rows, released == len(watermark))
        if parts or waiting or not ordered:
            rows, released = _in_order([*parts, rows], np.concatenate([*at, released]), len(watermark))
        start = np.zeros(len(watermark) + 1, np.int64)
        np.cumsum(np.bincount(released, minlength=len(watermark)), out=start[1:])
        return Released(rows, released, start, before, watermark)

    def _due(self, last: int, watermark: I64) -> tuple[list[Rows], list[I32]]:
        """Take the waiting rows with `u` up to `last` out, with the record that lets each go."""
        parts: list[Rows] = []
        at: list[I32] = []
        left: list[Rows] = []
        for part in self.waiting:
            goes = int(np.searchsorted(part.u, last, side="right"))
            if goes:
                parts.append(part.take(slice(0, goes)))
                at.append(np.searchsorted(watermark, part.u[:goes]).astype(np.int32))
            if goes < len(part):
                left.append(part.take(slice(goes, None)) if goes else part)
        self.waiting = left
        return parts, at

    def _wait(self, rows: Rows, waits: npt.NDArray[np.bool_]) -> None:
        numbers = np.flatnonzero(waits)
        part = rows.take(numbers[np.argsort(rows.u[numbers], kind="stable")])
        if self.waiting and len(self.waiting[-1]) < SMALL_ROWS:
            part = Rows.join([self.waiting.pop(), part])
            part = part.take(np.argsort(part.u, kind="stable"))
        self.waiting.append(part.own())


def _in_order(parts: Sequence[Rows], released: I32, records: int) -> tuple[Rows, I32]:
    """Join rows, leave out those that no record lets go, sort by (record, u); equal ones stay in order of position."""
    goes = np.flatnonzero(released < records)
    if len(goes):
        u = gathered(np.concatenate([part.u for part in parts]), goes)
        by = gathered(released, goes)
        low = int(u.min())
        span = int(u.max()) - low + 1
        if span * (int(by.max()) + 1) < FOREVER:
            goes = goes[np.argsort(by.astype(np.int64) * span + (u - low), kind="stable")]
        else:
            goes = goes[np.lexsort((u, by))]
    return Rows.join(parts).take(goes), gathered(released, goes)
