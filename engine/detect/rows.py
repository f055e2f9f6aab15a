"""Readings as columns, from their decoding to their release; some wait across batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.detect.kernels import texts
from engine.detect.kernels.gather import gathered
from rules.columns import Column, Strings

I16 = npt.NDArray[np.int16]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]
F64 = npt.NDArray[np.float64]

ROW_BYTES = 72
"""What a waiting row takes beside its texts."""


@dataclass(frozen=True, slots=True)
class Texts:
    """Row i is `heaps[source[i]][start[i] : end[i]]`; without `source` there is one heap."""

    heaps: tuple[U8, ...]
    source: I32 | None
    start: I64
    end: I64

    def of(self, row: int) -> bytes:
        heap = self.heaps[0 if self.source is None else int(self.source[row])]
        return heap[self.start[row] : self.end[row]].tobytes()

    def take(self, rows: I64 | slice) -> Texts:
        source = None if self.source is None else picked(self.source, rows)
        return Texts(self.heaps, source, picked(self.start, rows), picked(self.end, rows))

    def own(self) -> Texts:
        """Copy the texts into one heap that holds nothing else."""
        length = self.end - self.start
        end = np.cumsum(length)
        begin = end - length
        copied = np.empty(int(length.sum()), np.uint8)
        for number, heap in enumerate(self.heaps):
            rows = slice(None) if self.source is None else self.source == number
            texts.copy(heap, self.start[rows], self.end[rows], copied, begin[rows])
        return Texts((copied,), None, begin, end)

    @staticmethod
    def join(parts: Sequence[Texts]) -> Texts:
        heaps: list[U8] = []
        sources = []
        for part in parts:
            source = np.zeros(len(part.start), np.int32) if part.source is None else part.source
            sources.append(source + np.int32(len(heaps)))
            heaps += part.heaps
        start = np.concatenate([part.start for part in parts])
        end = np.concatenate([part.end for part in parts])
        return Texts(tuple(heaps), np.concatenate(sources), start, end)


@dataclass(slots=True)
class Rows:
    """n readings, ordered by position in the log or by release; see the fields of engine.detect.decode.Decoded."""

    series: I32
    kind: I16
    t: I64
    """Event time as used: a suspect clock's is the log's."""
    u: I64
    """Order time."""
    log_time: I64
    v: F64
    lon: I32
    """The reading's own place until it is released, then its sensor's."""
    lat: I32
    offset: I64
    index: I32
    stale: U8
    raw: Texts
    attrs: dict[str, Column]

    def __len__(self) -> int:
        return len(self.t)

    @staticmethod
    def none() -> Rows:
        i64, i32 = np.zeros(0, np.int64), np.zeros(0, np.int32)
        return Rows(
            series=i32,
            kind=np.zeros(0, np.int16),
            t=i64,
            u=i64,
            log_time=i64,
            v=np.zeros(0),
            lon=i32,
            lat=i32,
            offset=i64,
            index=i32,
            stale=np.zeros(0, np.uint8),
            raw=Texts((np.zeros(0, np.uint8),), None, i64, i64),
            attrs={},
        )

    def take(self, rows: I64 | slice) -> Rows:
        """Return some rows in the order given; texts stay where they are."""
        columns: dict[str, Any] = {name: picked(getattr(self, name), rows) for name in PLAIN}
        attrs = {name: taken(column, rows) for name, column in self.attrs.items()}
        return Rows(**columns, raw=self.raw.take(rows), attrs=attrs)

    def own(self) -> Rows:
        """Return the rows with copies of their texts, so that no batch is kept alive by them."""
        columns: dict[str, Any] = {name: getattr(self, name).copy() for name in PLAIN}
        attrs = {name: owned(column) for name, column in self.attrs.items()}
        return Rows(**columns, raw=self.raw.own(), attrs=attrs)

    def size_bytes(self) -> int:
        """What the rows hold, if they are their own."""
        size = ROW_BYTES * len(self) + sum(len(heap) for heap in self.raw.heaps)
        for column in self.attrs.values():
            size += 9 * len(self) + (0 if column.text is None else 12 * len(self) + len(column.text.heap))
        return size

    @staticmethod
    def join(parts: Sequence[Rows]) -> Rows:
        """Return the rows of all parts, one part after another; an attribute that a part lacks is null there."""
        if len(parts) == 1:
            return parts[0]
        columns: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in PLAIN}
        names = sorted(set().union(*(part.attrs for part in parts)))
        attrs = {name: joined([part.attrs.get(name) or Column.nulls(len(part)) for part in parts]) for name in names}
        return Rows(**columns, raw=Texts.join([part.raw for part in parts]), attrs=attrs)


PLAIN = tuple(field.name for field in fields(Rows) if field.name not in ("raw", "attrs"))
"""The fields that are one array."""


def picked(column: npt.NDArray[Any], rows: I32 | I64 | slice) -> npt.NDArray[Any]:
    """Return some rows of an array: a view for a slice, else a copy."""
    return column[rows] if isinstance(rows, slice) else gathered(column, rows)


def taken(column: Column, rows: I32 | I64 | slice) -> Column:
    """Return some rows of a column."""
    text = column.text
    if text is not None:
        text = Strings(text.heap, picked(text.start, rows), picked(text.length, rows))
    return Column(picked(column.tag, rows), picked(column.num, rows), text)


def owned(column: Column) -> Column:
    """Return a column with copies of its strings."""
    text = column.text
    if text is not None:
        kept = Texts((text.heap,), None, text.start, text.start + text.length).own()
        text = Strings(kept.heaps[0], kept.start, text.length.copy())
    return Column(column.tag.copy(), column.num.copy(), text)


def joined(columns: Sequence[Column]) -> Column:
    """Return the rows of all columns, one after another."""
    tag = np.concatenate([column.tag for column in columns])
    num = np.concatenate([column.num for column in columns])
    if all(column.text is None for column in columns):
        return Column(tag, num)
    heaps, starts, lengths = [], [], []
    before = 0
    for column in columns:
        n = len(column.tag)
        text = column.text or Strings(np.zeros(0, np.uint8), np.zeros(n, np.int64), np.zeros(n, np.int32))
        if len(text.heap) > 2 * int(text.length.sum()):
            text = owned(Column(column.tag, column.num, text)).text or text
        heaps.append(text.heap)
        starts.append(text.start + before)
        lengths.append(text.length)
        before += len(text.heap)
    return Column(tag, num, Strings(np.concatenate(heaps), np.concatenate(starts), np.concatenate(lengths)))


def spread(columns: dict[str, Column], row: I32, n: int) -> dict[str, Column]:
    """Put the rows of columns at the places `row` among n; the others are null."""
    number = np.full(n, -1)
    number[row] = np.arange(len(row))
    there = number >= 0
    spread_out = {}
    for name, column in columns.items():
        if len(row) == 0:
            spread_out[name] = Column.nulls(n)
            continue
        wide = taken(column, np.maximum(number, 0))
        text = wide.text
        if text is not None:
            text = Strings(text.heap, text.start, np.where(there, text.length, 0).astype(np.int32))
        spread_out[name] = Column(np.where(there, wide.tag, 0).astype(np.uint8), np.where(there, wide.num, 0.0), text)
    return spread_out
