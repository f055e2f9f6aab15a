"""What the journal's file holds: its tables, and whether they agree with one another."""

from __future__ import annotations

import sqlite3
import zlib
from dataclasses import astuple, dataclass
from pathlib import Path

from engine.runtime.errors import Corrupt
from engine.runtime.gaps import Gap, command, covered
from engine.runtime.sqlite import fault_of, open_writer

FORMAT = 1
SCHEMA = """
CREATE TABLE IF NOT EXISTS journal (
    stream TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL, log_time INTEGER NOT NULL,
    key TEXT, value BLOB NOT NULL, crc INTEGER NOT NULL, PRIMARY KEY (stream, partition, offset));
CREATE TABLE IF NOT EXISTS extent (
    stream TEXT NOT NULL, partition INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    log_time INTEGER NOT NULL, PRIMARY KEY (stream, partition)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reader (
    reader TEXT NOT NULL, partition INTEGER NOT NULL, position INTEGER NOT NULL,
    PRIMARY KEY (reader, partition)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS plan (digest TEXT PRIMARY KEY, canonical BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS replay (
    quarantine_offset INTEGER PRIMARY KEY, stream TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL,
    actor TEXT NOT NULL, at_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS gap (
    stream TEXT NOT NULL, partition INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    reason TEXT NOT NULL, actor TEXT NOT NULL, at_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS identity (one INTEGER PRIMARY KEY CHECK (one = 1), journal TEXT NOT NULL, clock TEXT);
INSERT OR IGNORE INTO identity VALUES (1, lower(hex(randomblob(16))), NULL)
"""


@dataclass(slots=True)
class Extent:
    """What a partition holds: offsets first..last (first = last + 1: nothing) and the log time of the last one, ms."""

    first: int = 1
    last: int = 0
    log_time: int = 0


Extents = dict[tuple[str, int], Extent]
Cursors = dict[tuple[str, int], int]


def checksum(stream: str, partition: int, offset: int, log_time: int, key: str | None, value: bytes) -> int:
    """Return the CRC-32 of `stream|partition|offset|log_time|key|` (key empty for none) followed by the value."""
    head = f"{stream}|{partition}|{offset}|{log_time}|{'' if key is None else key}|"
    return zlib.crc32(value, zlib.crc32(head.encode()))


def load(connection: sqlite3.Connection, path: Path) -> tuple[Extents, Cursors, tuple[Gap, ...]]:
    """Read extents, cursors and gaps, and hold extents against the records: an end that is not there is damage.

    Raises Corrupt.
    """
    gaps = tuple(Gap(*row) for row in connection.execute("SELECT * FROM gap ORDER BY rowid").fetchall())
    extents = {}
    for stream, partition, first, last, log_time in connection.execute("SELECT * FROM extent").fetchall():
        for lost in _lost_ends(connection, stream, partition, first, last):
            if not covered(gaps, stream, partition, *lost):
                raise Corrupt(
                    f"{path}: {stream}/{partition} should hold offsets {first} to {last}, but {lost[0]} to {lost[1]} "
                    f"are missing; {go_on(path, stream, partition, *lost)}"
                )
        extents[stream, partition] = Extent(first, last, log_time)
    readers = connection.execute("SELECT * FROM reader").fetchall()
    return extents, {(reader, partition): position for reader, partition, position in readers}, gaps


def _lost_ends(
    connection: sqlite3.Connection, stream: str, partition: int, first: int, last: int
) -> list[tuple[int, int]]:
    """Return the offsets missing at the beginning and at the end of a partition, both ends included."""
    place = "FROM journal WHERE stream = ?1 AND partition = ?2"
    sql = f"SELECT (SELECT min(offset) {place}), (SELECT max(offset) {place})"
    least, most = connection.execute(sql, (stream, partition)).fetchone()
    if least is None:
        return [(first, last)] if first <= last else []
    return [lost for lost in ((first, least - 1), (most + 1, last)) if lost[0] <= lost[1]]


def go_on(path: Path, stream: str, partition: int, first: int, last: int) -> str:
    """Say what to do about damage: a copy, or the command that goes on without."""
    line = command(stream, partition, first, last, f"--data {path.parent}")
    return f"restore the file from a copy, or go on without: {line}"


def keep_gap(path: Path, gap: Gap) -> None:
    """Write down that a stretch is passed over, durable on return; the journal must not be open elsewhere."""
    connection = open_writer(path, schema=SCHEMA, version=FORMAT)
    try:
        connection.execute("INSERT INTO gap VALUES (?, ?, ?, ?, ?, ?, ?)", astuple(gap))
    except sqlite3.Error as error:
        raise fault_of(path, error) from error
    finally:
        connection.close()
