"""Detect's state on disk: rows of at most 1 MiB, two complete generations, in a file of its own.

A checkpoint is a shortcut, never the truth: one that is torn, damaged, of another journal or ahead of it is passed
over for the older one, and without any the state is rebuilt from the log.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.detect.detector import Detector, PlanSource
from engine.detect.errors import CheckpointUnreadable
from engine.runtime.crashpoints import CrashPoint, crash_point
from engine.runtime.errors import Corrupt
from engine.runtime.sqlite import fault_of, open_writer

CHUNK_BYTES = 1 << 20
KEPT = 2
LEAST_INTERVAL_S = 5.0
MOST_REPLAY_S = 60.0
MOST_BYTES_PER_S = 5_000_000
_FILE_FORMAT = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS checkpoint (
    partition INTEGER NOT NULL, generation INTEGER NOT NULL, chunk INTEGER NOT NULL, chunks INTEGER NOT NULL,
    position INTEGER NOT NULL, data BLOB NOT NULL, checksum TEXT NOT NULL, plan TEXT NOT NULL, format TEXT NOT NULL,
    journal TEXT NOT NULL, PRIMARY KEY (partition, generation, chunk))
"""
_COMPLETE = (
    "SELECT generation, position FROM checkpoint WHERE partition = ? "
    "GROUP BY generation HAVING count(*) = max(chunks) ORDER BY generation DESC"
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Detect's state after the record at `position` (0: before any); `plan` is a digest, `format` names the layout."""

    position: int
    data: bytes
    plan: str
    format: str


def is_due(elapsed_s: float, replay_s: float, size_bytes: int, least_s: float = LEAST_INTERVAL_S) -> bool:
    """Say whether to write one: not more than 5 MB/s nor oftener than `least_s`, but never over 60 s of replay.

    `replay_s` is what detect worked since the last one, so about what a replay would take.
    """
    return replay_s >= MOST_REPLAY_S or elapsed_s >= max(least_s, size_bytes / MOST_BYTES_PER_S)


class CheckpointStore:
    """Checkpoints of every partition of one journal (`identity` as the journal names itself)."""

    def __init__(self, path: Path, identity: str, *, chunk_bytes: int = CHUNK_BYTES) -> None:
        self.path = path
        self._chunk_bytes = chunk_bytes
        self._identity = identity
        self._connection = open_writer(path, schema=_SCHEMA, version=_FILE_FORMAT)

    def write(self, partition: int, checkpoint: Checkpoint) -> int:
        """Write a generation, durable on return, and let go of those behind the newest two; return its number."""
        try:
            return self._write(partition, checkpoint)
        except sqlite3.Error as error:
            raise fault_of(self.path, error) from error

    def _write(self, partition: int, checkpoint: Checkpoint) -> int:
        newest = self._connection.execute("SELECT max(generation) FROM checkpoint WHERE partition = ?", (partition,))
        generation = (newest.fetchone()[0] or 0) + 1
        chunks = max(1, -(-len(checkpoint.data) // self._chunk_bytes))
        crash_point(CrashPoint.CHECKPOINT_BEFORE)
        for chunk in range(chunks):
            data = checkpoint.data[chunk * self._chunk_bytes : (chunk + 1) * self._chunk_bytes]
            head = (partition, generation, chunk, chunks, checkpoint.position)
            tail = (checkpoint.plan, checkpoint.format, self._identity)
            if chunk == chunks - 1:
                crash_point(CrashPoint.CHECKPOINT_LAST)
            self._connection.execute(
                "INSERT INTO checkpoint VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*head, data, checksum(head, data, tail), *tail),
            )
            if chunk < chunks - 1:
                crash_point(CrashPoint.CHECKPOINT_MID)
        crash_point(CrashPoint.CHECKPOINT_AFTER)
        self._forget(partition)
        return generation

    def _forget(self, partition: int) -> None:
        complete = self._connection.execute(_COMPLETE, (partition,)).fetchall()
        if len(complete) >= KEPT:
            self._connection.execute(
                "DELETE FROM checkpoint WHERE partition = ? AND generation < ?", (partition, complete[KEPT - 1][0])
            )

    def oldest_position(self, partition: int) -> int:
        """Return the position from which the log is still needed: the older of two generations', else 0."""
        complete = self._connection.execute(_COMPLETE, (partition,)).fetchall()
        return int(complete[KEPT - 1][1]) if len(complete) >= KEPT else 0

    def usable(self, partition: int, *, upto: int) -> Iterator[Checkpoint]:
        """Yield what can be restored, newest first; those beyond `upto` or damaged are passed over and logged."""
        try:
            complete = self._connection.execute(_COMPLETE, (partition,)).fetchall()
        except sqlite3.Error as error:
            _log.warning("%s; state is rebuilt from the log", fault_of(self.path, error))
            return
        for generation, position in complete:
            if position > upto:
                _log.warning("%s: generation %d is ahead of the journal, passed over", self.path, generation)
                continue
            try:
                yield self._read(partition, generation)
            except (sqlite3.Error, ValueError) as error:
                _log.warning("%s: generation %d cannot be read (%s), passed over", self.path, generation, error)

    def _read(self, partition: int, generation: int) -> Checkpoint:
        rows = self._connection.execute(
            "SELECT * FROM checkpoint WHERE partition = ? AND generation = ? ORDER BY chunk", (partition, generation)
        ).fetchall()
        for row in rows:
            head, data, kept, tail = row[:5], row[5], row[6], row[7:]
            if checksum(head, data, tail) != kept:
                raise ValueError(f"chunk {row[2]} is damaged")
            if tail[2] != self._identity:
                raise ValueError("it belongs to another journal")
        return Checkpoint(rows[0][4], b"".join(row[5] for row in rows), rows[0][7], rows[0][8])

    def probe(self) -> None:
        """Look at the whole table; raises Corrupt."""
        try:
            self._connection.execute("SELECT count(*), max(generation) FROM checkpoint").fetchall()
        except sqlite3.Error as error:
            raise fault_of(self.path, error) from error

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def open_checkpoints(path: Path, identity: str, *, chunk_bytes: int = CHUNK_BYTES) -> CheckpointStore:
    """Open the file; one that is damaged is moved aside, since all in it can be had from the log again."""
    try:
        store = CheckpointStore(path, identity, chunk_bytes=chunk_bytes)
        store.probe()
    except Corrupt as error:
        _log.warning("%s: %s; moved aside, state is rebuilt from the log", path, error)
        for suffix in ("", "-wal", "-shm"):
            damaged = path.with_name(path.name + suffix)
            if damaged.exists():
                damaged.replace(path.with_name(path.name + ".damaged" + suffix))
        store = CheckpointStore(path, identity, chunk_bytes=chunk_bytes)
    return store


def newest(checkpoints: Iterable[Checkpoint], plans: PlanSource) -> tuple[Detector, Checkpoint] | None:
    """Restore the first of the checkpoints that can be; others are passed over and logged. Raises PlanMissing."""
    for checkpoint in checkpoints:
        try:
            return Detector.restore(checkpoint.data, plans), checkpoint
        except CheckpointUnreadable as error:
            _log.warning("checkpoint at %d cannot be restored (%s), passed over", checkpoint.position, error)
    return None


def checksum(head: tuple[int, ...], data: bytes, tail: tuple[str, ...]) -> str:
    """Name a chunk by what it holds, whose it is, and its place."""
    name = "|".join(map(str, (*head, *tail))).encode()
    return hashlib.blake2b(data, digest_size=16, key=hashlib.blake2b(name, digest_size=32).digest()).hexdigest()
