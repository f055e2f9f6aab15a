"""Fetched record batches become columns: checked, uncompressed, without aborted and control records."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import cramjam
import google_crc32c
import numpy as np
import numpy.typing as npt

from engine.detect.batch import PADDING_BYTES, RecordBatch
from engine.runtime.errors import Damaged, LogTimeMissing
from engine.runtime.kafka import batches
from engine.runtime.kafka.batches import (
    ATTRIBUTES,
    BASE,
    CODEC,
    CONTROL,
    CRC,
    END,
    FROM,
    HEADER_BYTES,
    LOG_APPEND_TIME,
    NEXT,
    POSITION,
    PRODUCER,
    RECORDS,
    SMALLEST_RECORD_BYTES,
    TRANSACTIONAL,
    UPTO,
)

PIECE_BYTES: Final = 32 << 20
BATCH_BYTES: Final = 32 << 20
"""A batch that grows over this is refused."""
BYTES_A_RECORD: Final = 32
"""Of the columns."""
MOST_RECORDS: Final = 1 << 24
"""Of one batch, where its header may be damaged."""
CHECKED_FROM: Final = 21
ABORT: Final = 0
LZ4_MAGIC: Final = b"\x04\x22\x4d\x18"
LZ4_HEADER_BYTES: Final = 7
LZ4_BLOCK_BYTES: Final = 4 << 20
"""The largest that a frame may have."""
LZ4_LENGTH: Final = 0x7FFF_FFFF
"""Of a block; the bit above says that it is not compressed."""
LZ4_WHAT, LZ4_PLAIN, LZ4_CHECKSUMS, LZ4_SIZE = 0xE3, 0x60, 0x10, 0x08
"""Flags of a frame; plain: of version 1, its blocks independent of each other and of a dictionary."""
_uint32 = struct.Struct("<I").unpack_from

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RawFetch:
    """Whole record batches of one partition back to back; a last one that is cut is passed over.

    Records below `position` are not asked for. `aborted`: (producer, first offset) of aborted transactions.
    `next_position` is one past the last offset of the last whole batch.
    """

    topic: str
    partition: int
    position: int
    data: bytes | memoryview
    aborted: tuple[tuple[int, int], ...]
    next_position: int


@dataclass(frozen=True, slots=True)
class Keyed:
    """Records with their keys, for streams of few records: keys are `batch.data[key_start:key_end]`."""

    batch: RecordBatch
    key_start: Int64
    key_end: Int64
    null: npt.NDArray[np.bool_]
    """Of each record: its value is null, the end of a key in a compacted topic."""

    def __len__(self) -> int:
        return len(self.batch)

    def key(self, record: int) -> bytes | None:
        """Return the key of one record."""
        first, last = self.key_start[record], self.key_end[record]
        return None if last < first else self.batch.data[first:last].tobytes()

    def value(self, record: int) -> bytes | None:
        """Return the value of one record."""
        return None if self.null[record] else self.batch.text(record)


def decode(raw: RawFetch, *, appended: bool = False, gapless: bool = True) -> RecordBatch:
    """Return the records of a fetch at once. `pieces` does the same in bounded memory, and tells the rest."""
    return _joined([batch for batch, _ in pieces(raw, appended=appended, gapless=gapless)])


def pieces(
    raw: RawFetch,
    *,
    limit_bytes: int = PIECE_BYTES,
    batch_bytes: int = BATCH_BYTES,
    appended: bool = False,
    gapless: bool = True,
) -> Iterator[tuple[RecordBatch, int]]:
    """Yield the records of a fetch, each piece with the position behind it, none over `limit_bytes` of memory.

    One piece at least: with no records where all of them are aborted or control records. A null value is an empty
    text, which detect rejects. Without `gapless` offsets may be missing between batches, as in compacted topics.
    A batch that is larger is a piece of its own. Damaged: a batch is not what was written, or grows over `batch_bytes`.
    LogTimeMissing: a record without a time; with `appended` also one whose time is not the log's own.
    """
    sizes = limit_bytes, batch_bytes
    for found, behind in _pieces(raw, sizes, keys=False, appended=appended, gapless=gapless):
        yield found.batch, behind


def decode_keyed(raw: RawFetch, *, limit_bytes: int = PIECE_BYTES) -> Keyed:
    """Return the records of a fetch with their keys; Damaged also when they grow over the limit as a whole."""
    (found, behind), *_ = _pieces(raw, (limit_bytes, limit_bytes), keys=True, appended=False, gapless=False)
    if behind != raw.next_position:
        raise Damaged(raw.topic, raw.partition, raw.position, raw.next_position - 1, f"grows over {limit_bytes} bytes")
    return found


def position_behind(data: bytes | memoryview, position: int) -> int:
    """Return one past the last offset of the last whole batch of `data`, `position` where there is none."""
    table, _ = _scanned(np.frombuffer(data, np.uint8))
    return int(table[-1, NEXT]) if len(table) else position


def _scanned(view: Bytes) -> tuple[Int64, bool]:
    """Return the table of the whole batches, and whether something else than a batch follows them."""
    table = np.empty((len(view) // HEADER_BYTES + 1, batches.COLUMNS), np.int64)
    state = np.zeros(1, np.int64)
    found = batches.scan(view, table, state)
    return table[:found], bool(state[0])


def _pieces(
    raw: RawFetch, sizes: tuple[int, int], *, keys: bool, appended: bool, gapless: bool
) -> Iterator[tuple[Keyed, int]]:
    view = np.frombuffer(raw.data, np.uint8)
    table = _checked(raw, view, gapless)
    if appended:
        _check_times(raw, table)
    told = np.ascontiguousarray(table[_told(raw, view, table)])
    if len(view) <= sizes[0] and not (told[:, ATTRIBUTES] & CODEC).any():
        buffer = np.empty(len(view) + PADDING_BYTES, np.uint8)
        buffer[: len(view)] = view
        yield _columns(raw, buffer, told, keys=keys), raw.next_position
        return
    done = 0
    while done < len(told):
        buffer, upto = _unpacked(raw, view, told, done, sizes)
        behind = raw.next_position if upto == len(told) else int(told[upto - 1, NEXT])
        yield _columns(raw, buffer, told[done:upto], keys=keys), behind
        done = upto


def _checked(raw: RawFetch, view: Bytes, gapless: bool) -> Int64:
    """Return the table of the whole batches, each of them as it was written."""
    table, broken = _scanned(view)
    _check_crcs(raw, view, table)
    if len(view) and (broken or not len(table)):
        after = int(table[-1, NEXT]) if len(table) else raw.position
        raise Damaged(raw.topic, raw.partition, after, after, "no whole record batch of format 2 is there")
    if not len(table):
        return table
    # offsets stand outside of what the CRC covers
    before = np.concatenate(([raw.position], table[:-1, NEXT]))
    first = np.maximum(table[:, BASE], raw.position) if gapless else before
    wrong = (table[:, BASE] < 0) | (table[:, NEXT] <= before) | (first != before)
    wrong[1:] |= table[1:, BASE] < before[1:]
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        said = f"offsets {table[row, BASE]} to {table[row, NEXT] - 1} are not those that follow {before[row] - 1}"
        raise _damaged(raw, table, row, said)
    room = table[:, UPTO] - table[:, FROM]
    plain = (table[:, ATTRIBUTES] & CODEC) == 0
    wrong = (table[:, RECORDS] < 0) | (plain & (table[:, RECORDS] * SMALLEST_RECORD_BYTES > room))
    if wrong.any():
        raise _miscounted(raw, table, int(np.flatnonzero(wrong)[0]))
    return table


def _check_crcs(raw: RawFetch, view: Bytes, table: Int64) -> None:
    crc = google_crc32c.value
    for row, (at, end, said) in enumerate(table[:, (POSITION, END, CRC)].tolist()):
        if crc(view[at + CHECKED_FROM : end]) != said:
            raise _damaged(raw, table, row, "its CRC-32C is not that of its bytes")


def _damaged(raw: RawFetch, table: Int64, row: int, why: str) -> Damaged:
    """Name a batch by its offsets, the last one as far as its header can be believed."""
    first = int(table[row - 1, NEXT]) if row else raw.position
    last = int(table[row, NEXT]) - 1
    return Damaged(raw.topic, raw.partition, first, last if first <= last < first + MOST_RECORDS else first, why)


def _miscounted(raw: RawFetch, table: Int64, row: int) -> Damaged:
    return _damaged(raw, table, row, f"says that it has {table[row, RECORDS]} records")


def _told(raw: RawFetch, view: Bytes, table: Int64) -> npt.NDArray[np.bool_]:
    """Mark the batches that have records for us: no control batches, and none of an aborted transaction."""
    told: npt.NDArray[np.bool_] = (table[:, ATTRIBUTES] & CONTROL) == 0
    if not raw.aborted:
        return told
    waiting = sorted(raw.aborted, key=lambda one: one[1], reverse=True)
    now: set[int] = set()
    for row, (base, attributes, producer, first) in enumerate(table[:, (BASE, ATTRIBUTES, PRODUCER, FROM)].tolist()):
        while waiting and waiting[-1][1] <= base:
            now.add(waiting.pop()[0])
        if producer not in now or not attributes & TRANSACTIONAL:
            continue
        if not attributes & CONTROL:
            told[row] = False
        elif _control_type(raw, table, view, row, first) == ABORT:
            now.discard(producer)
    return told


def _control_type(raw: RawFetch, table: Int64, view: Bytes, row: int, first: int) -> int:
    """Return what the one record of a control batch says: its key is a version and a type, two bytes each."""
    # length, attributes, two deltas of 0 and the length of the key are a byte each: a marker is a small record
    key = view[first + 5 : first + 9].tobytes()
    if len(key) < 4:
        raise _damaged(raw, table, row, "a control batch without a record")
    return int(struct.unpack(">hh", key)[1])


def _check_times(raw: RawFetch, table: Int64) -> None:
    created = (table[:, ATTRIBUTES] & (LOG_APPEND_TIME | CONTROL)) == 0
    if created.any():
        row = int(np.flatnonzero(created)[0])
        raise LogTimeMissing(
            f"{raw.topic}, partition {raw.partition}, offset {table[row, BASE]}: its time is the producer's, not the "
            "log's; the topic needs message.timestamp.type=LogAppendTime"
        )


def _unpacked(raw: RawFetch, view: Bytes, table: Int64, first: int, sizes: tuple[int, int]) -> tuple[Bytes, int]:
    """Lay the records of batches from `first` on back to back, as many as fit; `FROM` and `UPTO` then say where.

    The buffer is memory of the limit's size, of which the system gives only what is written.
    """
    limit, largest = sizes
    buffer = np.empty(limit + PADDING_BYTES, np.uint8)
    used, cost = 0, 0
    spans: list[tuple[int, int]] = []
    rows = table[first:, (FROM, END, ATTRIBUTES, RECORDS)].tolist()
    for row, (at, end, attributes, records) in enumerate(rows, first):
        packed, codec = view[at:end], attributes & CODEC
        try:
            size = _unpack(codec, packed, buffer[used : used + max(limit - cost, 0)])
            if size < 0 and not spans and largest > limit:
                buffer = np.empty(largest + PADDING_BYTES, np.uint8)
                size = _unpack(codec, packed, buffer[:largest])
        except cramjam.DecompressionError as error:
            raise _damaged(raw, table, row, f"cannot be uncompressed: {error}") from None
        cost += size + BYTES_A_RECORD * records
        if size < 0 or (spans and cost > limit):
            if spans:
                break
            raise _damaged(raw, table, row, f"grows over {largest} bytes when it is uncompressed")
        if records * SMALLEST_RECORD_BYTES > size:
            raise _miscounted(raw, table, row)
        spans.append((used, used + size))
        used += size
    table[first : first + len(spans), (FROM, UPTO)] = spans
    return buffer[: used + PADDING_BYTES], first + len(spans)


def _unpack(codec: int, packed: Bytes, into: Bytes) -> int:
    """Write the records of one batch uncompressed, and return their size; -1 where there is no room."""
    if codec == 0:
        if len(packed) > len(into):
            return -1
        into[: len(packed)] = packed
        return len(packed)
    if codec not in CODECS:
        raise cramjam.DecompressionError(f"Kafka knows no codec {codec}")
    try:
        return CODECS[codec](packed, into)
    except cramjam.DecompressionError as error:
        if "write whole buffer" in str(error):
            return -1
        raise


def _unlz4(packed: Any, into: Any) -> int:
    """Uncompress an lz4 frame block by block, each into its place; whatever is not plain, the library reads as a whole.

    A block's checksum says nothing that the CRC of the record batch has not said.
    """
    text, room = memoryview(packed), memoryview(into)
    flags = text[4] if len(text) > LZ4_HEADER_BYTES else 0
    if text[:4].tobytes() != LZ4_MAGIC or flags & LZ4_WHAT != LZ4_PLAIN:
        return int(cramjam.lz4.decompress_into(packed, into))
    at, used = LZ4_HEADER_BYTES + (8 if flags & LZ4_SIZE else 0), 0
    behind = 4 if flags & LZ4_CHECKSUMS else 0
    try:
        while size := _uint32(text, at)[0]:
            block = text[at + 4 : at + 4 + (size & LZ4_LENGTH)]
            if size & ~LZ4_LENGTH:
                room[used : used + len(block)] = block
                used += len(block)
            else:
                most = min(LZ4_BLOCK_BYTES, len(room) - used)  # untold, the library may take the first bytes for it
                used += int(cramjam.lz4.decompress_block_into(block, room[used : used + most], most))
            at += 4 + (size & LZ4_LENGTH) + behind
    except (cramjam.DecompressionError, ValueError, struct.error):  # damaged, or no room: that it tells better
        return int(cramjam.lz4.decompress_into(packed, into))
    return used


def _unsnap(packed: Bytes, into: Bytes) -> int:
    """Uncompress snappy: blocks in the framing of snappy-java, or one block without it."""
    if packed[:8].tobytes() != b"\x82SNAPPY\x00":
        return _unsnap_block(packed, into)
    at, used = 16, 0
    while at + 4 <= len(packed):
        length = int.from_bytes(packed[at : at + 4].tobytes(), "big")
        at += 4
        if length > len(packed) - at:
            raise cramjam.DecompressionError("snappy: truncated block")
        size = _unsnap_block(packed[at : at + length], into[used:])
        if size < 0:
            return -1
        at, used = at + length, used + size
    if at != len(packed):
        raise cramjam.DecompressionError("snappy: truncated frame")
    return used


def _unsnap_block(packed: Any, into: Any) -> int:
    if int(cramjam.snappy.decompress_raw_len(packed)) > len(into):
        return -1
    return int(cramjam.snappy.decompress_raw_into(packed, into))


CODECS: Final[dict[int, Callable[[Any, Any], int]]] = {
    1: cramjam.gzip.decompress_into,
    2: _unsnap,
    3: _unlz4,
    4: cramjam.zstd.decompress_into,
}


def _columns(raw: RawFetch, buffer: Bytes, table: Int64, *, keys: bool) -> Keyed:
    room = int(table[:, RECORDS].sum())
    start, end, offset, time = (np.empty(room, np.int64) for _ in range(4))
    key_start, key_end = (np.empty(room if keys else 0, np.int64) for _ in range(2))
    state = np.zeros(1, np.int64)
    found = batches.parse(buffer, table, 0, raw.position, start, end, offset, time, key_start, key_end, state)
    if state[0] >= 0:
        raise _damaged(raw, table, int(state[0]), "its records are not laid out as Kafka lays them out")
    if found and time[:found].min() < 0:
        at = int(offset[int(np.argmin(time[:found]))])
        raise LogTimeMissing(f"{raw.topic}, partition {raw.partition}, offset {at}: a record without a time")
    start, end = start[:found], end[:found]
    null = end < start
    np.maximum(start, end, out=end)
    batch = RecordBatch(buffer, start, end, offset[:found], time[:found])
    return Keyed(batch, key_start[:found], key_end[:found], null)


def _joined(found: list[RecordBatch]) -> RecordBatch:
    if len(found) == 1:
        return found[0]
    begin = np.cumsum([0, *(len(batch.data) - PADDING_BYTES for batch in found)])
    data = np.concatenate([*(batch.data[:-PADDING_BYTES] for batch in found), np.zeros(PADDING_BYTES, np.uint8)])
    times = [batch.log_time for batch in found if batch.log_time is not None]
    return RecordBatch(
        data,
        np.concatenate([batch.start + at for batch, at in zip(found, begin, strict=False)]),
        np.concatenate([batch.end + at for batch, at in zip(found, begin, strict=False)]),
        np.concatenate([batch.offset for batch in found]),
        np.concatenate(times),
    )
