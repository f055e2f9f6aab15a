"""The one log that everything else follows: streams of partitions of records, each with an offset and a log time.

Embedded it is a SQLite file (journal.py); deployed it is Kafka. Both satisfy `Log`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from engine.detect.batch import PADDING_BYTES, RecordBatch
from engine.detect.changes import Item
from engine.detect.last_values import LastValue


class Stream(StrEnum):
    """The streams of the log (spec: topics)."""

    READINGS = "city.readings"
    ALERTS = "city.alerts"
    CASES = "city.cases"
    COMMANDS = "city.commands"
    SENSORS = "city.sensors"
    SHADOW = "city.shadow"
    QUARANTINE = "city.quarantine"
    LATE = "city.late"


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A record to append; `log_time` in ms, None for the log's own clock. `item`: what the value spells, if at hand."""

    value: bytes
    key: str | None = None
    log_time: int | None = None
    item: Item | LastValue | None = None


@dataclass(frozen=True, slots=True)
class Append:
    """Records for one partition of one stream, in order."""

    stream: str
    partition: int
    entries: Sequence[Entry]

    @property
    def size(self) -> int:
        """Return the bytes that wait in memory for it."""
        return sum(len(entry.value) + 100 for entry in self.entries)


@dataclass(frozen=True, slots=True)
class CursorMove:
    """A reader's step over one partition, `expected` → `position` (last offset done; 0: none).

    `expected` None: wherever it stands. `position` None: where the first record of the same commit went.
    """

    reader: str
    partition: int
    expected: int | None
    position: int | None


@dataclass(frozen=True, slots=True)
class Replayed:
    """A row of city.quarantine that goes into the log again, once; who did it and when (ms)."""

    quarantine_offset: int
    actor: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Appended:
    """Where the records went: both ends included; of no records last = first - 1."""

    first_offset: int
    last_offset: int
    log_time: int


@dataclass(frozen=True, slots=True)
class Records:
    """Consecutive records of one partition: offset, log_time int64[n] (ms); keys and values as lists of n."""

    offset: npt.NDArray[np.int64]
    log_time: npt.NDArray[np.int64]
    keys: Sequence[str | None]
    values: Sequence[bytes]

    def __len__(self) -> int:
        return len(self.values)

    def batch(self) -> RecordBatch:
        """Lay the values out back to back, padded, as detect reads them."""
        length = np.fromiter(map(len, self.values), np.int64, len(self.values))
        end = np.cumsum(length)
        data = np.frombuffer(b"".join((*self.values, bytes(PADDING_BYTES))), np.uint8)
        return RecordBatch(data=data, start=end - length, end=end, offset=self.offset, log_time=self.log_time)


class Log(Protocol):
    """What detect, casework and the relay need of a log.

    Offsets of a partition are gap-free from 1 (but for gaps that were accepted: gaps.py), its log times never go back.
    `commit` makes all its appends and cursor moves durable together or not at all; its future is done only after that.
    """

    def commit(self, appends: Sequence[Append], cursors: Sequence[CursorMove] = ()) -> Future[list[Appended]]:
        """Append and move cursors in one durable step. CursorMoved if a cursor is not where expected."""
        ...

    def read(self, stream: str, partition: int, after: int, *, limit_bytes: int, upto: int | None = None) -> Records:
        """Read records with offset > `after` (and <= `upto`), about `limit_bytes` of them; Trimmed if they are gone."""
        ...

    def start(self, stream: str, partition: int) -> int:
        """Return the smallest offset kept (end + 1 when nothing is)."""
        ...

    def end(self, stream: str, partition: int) -> int:
        """Return the largest offset appended, 0 for none."""
        ...

    def last_log_time(self, stream: str, partition: int) -> int:
        """Return the log time of the last record, 0 for none."""
        ...

    def cursor(self, reader: str, partition: int) -> int:
        """Return the position that `reader` committed, 0 for none."""
        ...

    def wait(self, stream: str, partition: int, after: int, timeout_s: float) -> bool:
        """Wait until the partition goes beyond `after`; False when the time is up or the log closes."""
        ...


def read_through(
    log: Log, stream: str, partition: int, after: int, upto: int, *, limit_bytes: int
) -> Iterator[Records]:
    """Yield the records with `after` < offset <= `upto`, about `limit_bytes` at a time; what is missing is accepted."""
    while after < upto:
        records = log.read(stream, partition, after, limit_bytes=limit_bytes, upto=upto)
        if not len(records):
            return
        yield records
        after = int(records.offset[-1])
