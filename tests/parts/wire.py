"""Record batches as a broker would hand them out: built by aiokafka, stamped as the broker stamps them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import cramjam
import google_crc32c
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from engine.runtime.kafka.batches import HEADER_BYTES
from engine.runtime.kafka.records import RawFetch, position_behind

CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
Record = tuple[int, int, bytes | None, bytes | None, list[tuple[str, bytes]]]
"""Offset from the batch's first, time, key, value, headers."""


def batch(
    records: Sequence[Record],
    *,
    base: int = 0,
    codec: str = "none",
    appended: int | None = None,
    producer: int = -1,
    transactional: bool = False,
    span: int | None = None,
) -> bytes:
    """Return one batch from offset `base` on; `appended` is the log's own time, `span` how many offsets it covers."""
    builder = DefaultRecordBatchBuilder(
        2, CODECS[codec], transactional, producer, 0 if producer >= 0 else -1, 0, 1 << 30
    )
    for offset, time, key, value, headers in records:
        assert builder.append(offset, timestamp=time, key=key, value=value, headers=headers) is not None
    return stamped(bytes(builder.build()), base=base, appended=appended, span=span)


def stamped(data: bytes, *, base: int, appended: int | None = None, span: int | None = None, flags: int = 0) -> bytes:
    """Give a batch its place in the log, and a CRC-32C that is right again."""
    out = bytearray(data)
    struct.pack_into(">q", out, 0, base)
    if span is not None:
        struct.pack_into(">i", out, 23, span - 1)
    (attributes,) = struct.unpack_from(">h", out, 21)
    if appended is not None:
        attributes |= 0x08
        struct.pack_into(">q", out, 35, appended)
    struct.pack_into(">h", out, 21, attributes | flags)
    struct.pack_into(">I", out, 17, google_crc32c.value(bytes(out[21:])))
    return bytes(out)


def as_java_packs(data: bytes, block_bytes: int = 64 << 10, *, checksums: bool = True, size: bool = False) -> bytes:
    """Return an uncompressed batch with its records in an lz4 frame of independent blocks.

    A block that would grow is kept as it is. Checksums are there and wrong: the batch's own is what counts.
    """
    head, body = bytearray(data[:HEADER_BYTES]), data[HEADER_BYTES:]
    frame = bytearray(b"\x04\x22\x4d\x18" + bytes([0x60 | 0x10 * checksums | 0x08 * size, 0x40]))
    frame += (struct.pack("<Q", len(body)) if size else b"") + b"\x00"
    for first in range(0, len(body), block_bytes):
        plain = body[first : first + block_bytes]
        packed = bytes(cramjam.lz4.compress_block(plain, store_size=False))
        kept = len(packed) >= len(plain)
        frame += struct.pack("<I", len(plain) | 1 << 31 if kept else len(packed)) + (plain if kept else packed)
        frame += b"sums" * checksums
    frame += bytes(4)
    struct.pack_into(">i", head, 8, HEADER_BYTES - 12 + len(frame))
    struct.pack_into(">h", head, 21, CODECS["lz4"])
    return bytes(head + frame)


def marker(base: int, producer: int, *, commit: bool) -> bytes:
    """Return the control batch that ends a transaction."""
    key = struct.pack(">hh", 0, int(commit))
    data = batch([(0, 1, key, b"\x00" * 6, [])], producer=producer, transactional=True)
    return stamped(data, base=base, flags=0x20)


def raw(data: bytes, position: int = 0, aborted: tuple[tuple[int, int], ...] = ()) -> RawFetch:
    """Return a fetch of these bytes."""
    return RawFetch("city.readings", 3, position, data, aborted, max(position, position_behind(data, position)))


def as_aiokafka_reads(fetched: RawFetch) -> list[Any]:
    """Return the ConsumerRecords of a fetch."""
    return list(
        PartitionRecords(
            TopicPartition(fetched.topic, fetched.partition),
            MemoryRecords(fetched.data),
            list(fetched.aborted),
            fetched.position,
            None,
            None,
            True,
            READ_COMMITTED,
        )
    )
