"""Raw records of the log, as detect takes them: bytes back to back with their positions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

PADDING_BYTES = 64
"""Bytes after the last record that the scanner may load (and never believes)."""

CHUNK_BYTES = 8 << 20
GUESSED_LINE_BYTES = 100
LONGEST_LINE_BYTES = 16 << 20
KEPT_OF_A_LONG_LINE_BYTES = 2 << 20


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Raw records of one partition in log order.

    `data` is uint8 and goes on for at least `PADDING_BYTES` after the largest `end`; the other arrays are int64[r].
    """

    data: npt.NDArray[np.uint8]
    start: npt.NDArray[np.int64]
    """First byte of each record."""
    end: npt.NDArray[np.int64]
    """One past the last byte of each record."""
    offset: npt.NDArray[np.int64]
    """Log offset (offline: line number from 1)."""
    log_time: npt.NDArray[np.int64] | None
    """Milliseconds; None: taken from each reading's `log_t`, else from its `t` (offline)."""

    def __len__(self) -> int:
        return len(self.start)

    def text(self, record: int) -> bytes:
        """Return the bytes of one record."""
        return self.data[self.start[record] : self.end[record]].tobytes()

    def part(self, first: int, last: int) -> RecordBatch:
        """Return the records `first` (included) to `last` (not) as a batch over the same bytes."""
        log_time = None if self.log_time is None else self.log_time[first:last]
        return RecordBatch(self.data, self.start[first:last], self.end[first:last], self.offset[first:last], log_time)

    def without(self, offsets: frozenset[int]) -> RecordBatch:
        """Return the batch without the records at these offsets; itself if it has none of them."""
        if not len(self) or not any(self.offset[0] <= offset <= self.offset[-1] for offset in offsets):
            return self
        keep = ~np.isin(self.offset, np.array(sorted(offsets), np.int64))
        log_time = None if self.log_time is None else self.log_time[keep]
        return RecordBatch(self.data, self.start[keep], self.end[keep], self.offset[keep], log_time)

    @classmethod
    def from_records(
        cls,
        values: Sequence[bytes],
        *,
        first_offset: int = 1,
        offsets: Sequence[int] | None = None,
        log_times: Sequence[int] | None = None,
    ) -> Self:
        """Join separate record values; offsets count up from `first_offset` unless given."""
        lengths = np.fromiter((len(value) for value in values), np.int64, len(values))
        end = np.cumsum(lengths)
        data = np.frombuffer(b"".join([*values, bytes(PADDING_BYTES)]), np.uint8)
        offset = np.arange(first_offset, first_offset + len(values)) if offsets is None else np.array(offsets, np.int64)
        log_time = None if log_times is None else np.array(log_times, np.int64)
        return cls(data, end - lengths, end, offset.astype(np.int64), log_time)

    @classmethod
    def from_lines(cls, text: bytes, *, first_line: int = 1) -> Self:
        """Split NDJSON into one record a line, without its `\\n`; blank lines keep their number and give no record."""
        data = np.frombuffer(text + bytes(PADDING_BYTES), np.uint8)
        return cls.from_buffer(data, len(text), first_line=first_line)[0]

    @classmethod
    def from_buffer(cls, data: npt.NDArray[np.uint8], used: int, *, first_line: int = 1) -> tuple[Self, int]:
        """Split the first `used` bytes of a padded buffer into lines; the buffer is kept, not copied.

        Returns the batch, and the number of lines with the blank ones.
        """
        from engine.detect.kernels.lines import split  # compiled code is loaded by those who split only

        size = used // GUESSED_LINE_BYTES + 64
        start, end, line = (np.empty(size, np.int64) for _ in range(3))
        state = np.zeros(3, np.int64)
        while split(data, used, first_line, start, end, line, state) == len(start) and state[0] < used:
            start, end, line = (np.concatenate((part, np.empty_like(part))) for part in (start, end, line))
        found = int(state[2])
        return cls(data, start[:found], end[:found], line[:found], None), int(state[1])


class Stream(Protocol):
    """A binary stream; one with `readinto` is not copied."""

    def read(self, size: int, /) -> bytes: ...


def read_lines(stream: Stream, *, chunk_bytes: int = CHUNK_BYTES) -> Iterator[RecordBatch]:
    """Read NDJSON in batches of about `chunk_bytes`, in constant memory.

    Of a line over `LONGEST_LINE_BYTES` only the first `KEPT_OF_A_LONG_LINE_BYTES` are kept: more than a record
    may have, so that it is rejected.
    """
    line = 1
    rest = np.empty(0, np.uint8)
    skipping = False
    while True:
        data = np.empty(len(rest) + chunk_bytes + PADDING_BYTES, np.uint8)
        data[: len(rest)] = rest
        read = _read(stream, data[len(rest) : len(rest) + chunk_bytes].data)
        used = len(rest) + read
        cut = used if read == 0 else _behind_last_newline(data, len(rest), used)
        if read and cut == 0:
            rest = data[: len(rest)] if skipping else data[:used]
            if len(rest) > LONGEST_LINE_BYTES:
                rest, skipping = rest[:KEPT_OF_A_LONG_LINE_BYTES], True
            continue
        if skipping:
            data, used, cut = _without_the_skipped(data, len(rest), used, cut)
        batch, lines = RecordBatch.from_buffer(data, cut, first_line=line)
        if len(batch):
            yield batch
        if read == 0:
            return
        line += lines
        rest, skipping = data[cut:used], False


def _read(stream: Stream, into: memoryview) -> int:
    readinto = getattr(stream, "readinto", None)
    if readinto is not None:
        return int(readinto(into) or 0)
    chunk = stream.read(len(into))
    into[: len(chunk)] = chunk
    return len(chunk)


def _behind_last_newline(data: npt.NDArray[np.uint8], first: int, used: int) -> int:
    """Return the position behind the last newline of `data[first:used]`, 0 if there is none."""
    for begin in range(max(first, used - 4096), first - 4096, -4096):
        found = data[max(begin, first) : min(begin + 4096, used)].tobytes().rfind(b"\n")
        if found >= 0:
            return max(begin, first) + found + 1
    return 0


def _without_the_skipped(
    data: npt.NDArray[np.uint8], kept: int, used: int, cut: int
) -> tuple[npt.NDArray[np.uint8], int, int]:
    """Leave out what a long line has behind its kept bytes, up to its newline or the end of the input."""
    newline = np.flatnonzero(data[kept:cut] == 10)
    out = int(newline[0]) if len(newline) else cut - kept
    return np.delete(data, slice(kept, kept + out)), used - out, cut - out
