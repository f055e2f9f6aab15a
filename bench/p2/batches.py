"""Kafka's record batches (format 2) of the benchmark's readings, written ahead of sending: keys, log times, ticks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import cramjam
import numpy as np
import numpy.typing as npt
from numba import njit

from bench.readings import BEGIN_MS, JITTER_MS, MINUTE_MS, ODD_PER_MILLE, Chunk, Texts, chunks, overtaken
from bench.town import SENSORS, Town
from engine.runtime.kafka.batches import framed, put_varint, varint_bytes
from rules.partition import home_partition

PARTITIONS = 4
LZ4_LEVEL = 1
"""The fast one, as librdkafka's and the Java client's producers take."""
LAG_MS = JITTER_MS + 50
"""The player's log time behind the mean event time, so that no sensor's clock runs ahead of it."""

_CONTROL = SENSORS
"""In place of a sensor: a record without a key."""

Int64 = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


class Batch(NamedTuple):
    """One batch as it is sent."""

    partition: int
    records: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Stream:
    """What is written: a town's readings, plan records first, a tick a minute of event time; fixed by the seed."""

    town: Town
    readings: int
    seed: int
    plan: str
    odd_per_mille: int = ODD_PER_MILLE
    records_per_batch: int = 1_000
    lz4: bool = True

    def batches(self) -> Iterator[Batch]:
        """Write everything; a batch holds `records_per_batch` but for the last of each partition in a chunk."""
        keys = Texts.of([*(sensor.encode() for sensor in self.town.ids), b""])
        for lines in self.lines():
            for partition in range(PARTITIONS):
                yield from self._of(lines.of_partition(partition), partition, keys)

    def overtaken(self) -> frozenset[str]:
        """Return the sensors of which a reading stands behind a later one."""
        found = overtaken(self.readings, self.seed)
        return frozenset(name for name, one in zip(self.town.ids, found.tolist(), strict=True) if one)

    def lines(self) -> Iterator[Lines]:
        """Give all records in log order, a chunk at a time."""
        home = np.array([home_partition(sensor, PARTITIONS) for sensor in self.town.ids])
        plan = b'{"kind":"plan","digest":"%s","t":%d}' % (self.plan.encode(), BEGIN_MS - MINUTE_MS)
        for chunk in chunks(self.town, self.readings, self.seed, self.odd_per_mille):
            controls = [_tick(int(number)) for number in chunk.number if number % SENSORS == 0]
            if chunk.number[0] == 0:
                controls.insert(0, (0, BEGIN_MS - MINUTE_MS, plan))
            last = int(chunk.number[-1])
            if last == self.readings - 1:
                controls.append((last + 1, *_tick(last + SENSORS)[1:]))
            yield Lines.of(chunk, home, controls)

    def _of(self, lines: Lines, partition: int, keys: Texts) -> Iterator[Batch]:
        for first in range(0, len(lines.start), self.records_per_batch):
            part = slice(first, first + self.records_per_batch)
            start, end, log_t = lines.start[part], lines.end[part], lines.log_t[part]
            out = np.empty(int((end - start).sum()) + len(start) * 100, np.uint8)
            used = _records(lines.text, start, end, keys, lines.key[part], log_t, out)
            yield Batch(partition, len(start), self._framed(out[:used].data, log_t))

    def _framed(self, records: memoryview, log_t: Int64) -> bytes:
        body = _lz4(records) if self.lz4 else bytes(records)
        return framed(body, 3 if self.lz4 else 0, len(log_t), int(log_t[0]), int(log_t.max()))


def _lz4(records: memoryview) -> bytes:
    """Compress to a frame of independent blocks: Kafka refuses linked ones."""
    compressor = cramjam.lz4.Compressor(level=LZ4_LEVEL, content_checksum=False, block_linked=False)
    compressor.compress(bytes(records))
    return bytes(compressor.finish())


def log_time(number: int) -> int:
    """The player's log time of a reading."""
    return BEGIN_MS + number * MINUTE_MS // SENSORS + LAG_MS


def _tick(number: int) -> tuple[int, int, bytes]:
    """Row before which it stands, log time, and text."""
    t = log_time(number)
    return number, t, b'{"kind":"tick","t":%d}' % t


class Lines(NamedTuple):
    """Records in log order: where each is in `text`, whose key, which partition (-1: each) and log time."""

    text: Bytes
    start: Int64
    end: Int64
    key: Int64
    partition: Int64
    log_t: Int64

    @classmethod
    def of(cls, chunk: Chunk, home: Int64, controls: list[tuple[int, int, bytes]]) -> Lines:
        """Put control records (before which reading, log time, text) among the readings of a chunk."""
        readings = np.frombuffer(chunk.text, np.uint8)
        end = np.flatnonzero(readings == 10)
        start = np.concatenate(([0], end[:-1] + 1))
        log_t = BEGIN_MS + chunk.number * MINUTE_MS // SENSORS + LAG_MS
        texts = Texts.of([text for _, _, text in controls])
        before = np.array([row - int(chunk.number[0]) for row, _, _ in controls], np.int64)
        at = len(readings)
        return cls(
            np.concatenate((readings, texts.heap)),
            np.insert(start, before, texts.start[:-1] + at),
            np.insert(end, before, texts.start[1:] + at),
            np.insert(chunk.sensor, before, _CONTROL),
            np.insert(home[chunk.sensor], before, -1),
            np.insert(log_t, before, [t for _, t, _ in controls]),
        )

    def of_partition(self, partition: int) -> Lines:
        """Return those of one partition."""
        row = np.flatnonzero((self.partition == partition) | (self.partition < 0))
        return Lines(self.text, *(column[row] for column in self[1:]))

    def values(self) -> tuple[list[bytes], list[int]]:
        """Return the records and their log times."""
        text = self.text.tobytes()
        rows = zip(self.start.tolist(), self.end.tolist(), strict=True)
        return [text[start:end] for start, end in rows], self.log_t.tolist()


@njit(cache=True)
def _records(text: Bytes, start: Int64, end: Int64, keys: Texts, key: Int64, log_t: Int64, out: Bytes) -> int:
    """Write the records of one batch, and return how many bytes they are."""
    at = 0
    for row in range(len(start)):
        value_bytes = end[row] - start[row]
        key_start, key_end = keys.start[key[row]], keys.start[key[row] + 1]
        key_bytes = key_end - key_start
        said_key = key_bytes if key_bytes > 0 else -1
        delta = log_t[row] - log_t[0]
        size = 2 + varint_bytes(delta) + varint_bytes(row)
        size += varint_bytes(said_key) + key_bytes + varint_bytes(value_bytes) + value_bytes
        at = put_varint(out, at, size)
        out[at] = 0
        at = put_varint(out, at + 1, delta)
        at = put_varint(out, at, row)
        at = put_varint(out, at, said_key)
        out[at : at + key_bytes] = keys.heap[key_start:key_end]
        at = put_varint(out, at + key_bytes, value_bytes)
        out[at : at + value_bytes] = text[start[row] : end[row]]
        at += value_bytes
        out[at] = 0
        at += 1
    return at
