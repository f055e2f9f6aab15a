"""Readings as columns, from their decoding to their release; some wait across batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.detect.decode.rows import READING, Table
from engine.detect.kernels import texts
from engine.detect.kernels.gather import gathered
from rules.columns import Column, Strings

I16 = npt.NDArray[np.int16]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]
F64 = npt.NDArray[np.float64]


@dataclass(slots=True)
class Rows:
    """n readings, a row of `decode.rows.READING` each, ordered by position in the log or by order time.

    Their texts stand in `heap`; `t` is the event time as used: a suspect clock's is the log's.
    """

    table: Table
    heap: U8
    attrs: dict[str, Column]

    def __len__(self) -> int:
        return len(self.table)

    @staticmethod
    def none() -> Rows:
        return Rows(np.zeros(0, READING), np.zeros(0, np.uint8), {})

    def raw(self, row: int) -> bytes:
        """Return the reading's own text."""
        start = int(self.table["raw_start"][row])
        return self.heap[start : start + int(self.table["raw_length"][row])].tobytes()

    def take(self, rows: I32 | I64 | slice) -> Rows:
        """Return some rows in the order given; texts stay where they are."""
        table = self.table[rows] if isinstance(rows, slice) else rows_of(self.table, rows)
        return Rows(table, self.heap, {name: taken(column, rows) for name, column in self.attrs.items()})

    def size_bytes(self) -> int:
        """What the rows hold."""
        size = self.table.nbytes + len(self.heap)
        for column in self.attrs.values():
            size += 9 * len(self) + (0 if column.text is None else 12 * len(self) + len(column.text.heap))
        return size

    @staticmethod
    def join(parts: Sequence[Rows]) -> Rows:
        """Return the rows of all parts, one part after another, with copies of their texts: they keep no batch alive.

        An attribute that a part lacks is null there.
        """
        table = together([part.table for part in parts])
        heap = np.empty(int(table["raw_length"].sum()), np.uint8)
        row = used = 0
        for part in parts:
            used = texts.copy(part.heap, table[row : row + len(part)], heap, used)
            row += len(part)
        names = sorted(set().union(*(part.attrs for part in parts)))
        return Rows(table, heap, {name: attr_of(parts, name) for name in names})


def rows_of(table: Table, rows: I32 | I64) -> Table:
    """Return some rows; as bytes, since numpy would copy them field by field."""
    return table.view(np.dtype((np.void, table.itemsize)))[rows].view(table.dtype)


def together(tables: Sequence[Table]) -> Table:
    """Return the rows of one table or more, one after another."""
    return np.concatenate([table.view(np.dtype((np.void, table.itemsize))) for table in tables]).view(tables[0].dtype)


def attr_of(parts: Sequence[Rows], name: str) -> Column:
    """Return an attribute of the rows of all parts, one part after another."""
    return joined([part.attrs.get(name) or Column.nulls(len(part)) for part in parts])


def picked(column: npt.NDArray[Any], rows: I32 | I64 | slice) -> npt.NDArray[Any]:
    """Return some rows of an array: a view for a slice, else a copy."""
    return column[rows] if isinstance(rows, slice) else gathered(column, rows)


def taken(column: Column, rows: I32 | I64 | slice) -> Column:
    """Return some rows of a column."""
    text = column.text
    if text is not None:
        text = Strings(text.heap, picked(text.start, rows), picked(text.length, rows))
    return Column(picked(column.tag, rows), picked(column.num, rows), text)


def owned(text: Strings) -> Strings:
    """Return strings in a heap that holds nothing else."""
    heap = np.empty(int(text.length.sum()), np.uint8)
    start = np.empty(len(text.start), np.int64)
    texts.gather(text.heap, text.start, text.length, heap, start)
    return Strings(heap, start, text.length.copy())


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
            text = owned(text)
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
