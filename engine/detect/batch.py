"""Raw records of the log, as detect takes them: bytes back to back with their positions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Self

import numpy as np
import numpy.typing as npt

PADDING_BYTES = 64
"""Bytes after the last record that the scanner may load (and never believes)."""

CHUNK_BYTES = 8 << 20
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
        return cls.from_buffer(np.frombuffer(text + bytes(PADDING_BYTES), np.uint8), len(text), first_line=first_line)

    @classmethod
    def from_buffer(cls, data: npt.NDArray[np.uint8], used: int, *, first_line: int = 1) -> Self:
        """Split the first `used` bytes of a padded buffer into lines; the buffer is kept, not copied."""
        newline = np.flatnonzero(data[:used] == 10)
        end = newline if used == 0 or data[used - 1] == 10 else np.append(newline, used)
        start = np.concatenate((np.zeros(1, np.int64), newline + 1))[: len(end)]
        offset = np.arange(first_line, first_line + len(end))
        kept = np.ones(len(end), np.bool_)
        for line in np.flatnonzero(_WHITE[data[np.minimum(start, end)]]):
            kept[line] = data[start[line] : end[line]].tobytes().strip(b" \t\r") != b""
        if not kept.all():
            start, end, offset = start[kept], end[kept], offset[kept]
        return cls(data, start, end, offset, None)


_WHITE = np.isin(np.arange(256), (9, 10, 13, 32))


def read_lines(stream: BinaryIO, *, chunk_bytes: int = CHUNK_BYTES) -> Iterator[RecordBatch]:
    """Read NDJSON in batches of about `chunk_bytes`, in constant memory.

    Of a line over `LONGEST_LINE_BYTES` only the first `KEPT_OF_A_LONG_LINE_BYTES` are kept: more than a record
    may have, so that it is rejected.
    """
    line = 1
    rest = b""
    skipping = False
    while chunk := stream.read(chunk_bytes):
        cut = chunk.rfind(b"\n") + 1
        if cut == 0:
            rest = rest if skipping else rest + chunk
            if len(rest) > LONGEST_LINE_BYTES:
                rest, skipping = rest[:KEPT_OF_A_LONG_LINE_BYTES], True
            continue
        text = rest + chunk[chunk.index(b"\n") if skipping else 0 : cut]
        rest, skipping = chunk[cut:], False
        yield RecordBatch.from_lines(text, first_line=line)
        line += text.count(b"\n")
    if rest:
        yield RecordBatch.from_lines(rest, first_line=line)
