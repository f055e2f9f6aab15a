"""What the journal's file holds: its tables, and whether they agree with one another."""

from __future__ import annotations

import sqlite3
import zlib
from dataclasses import dataclass
from pathlib import Path

from engine.runtime.errors import Corrupt

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


def load(connection: sqlite3.Connection, path: Path) -> tuple[Extents, Cursors]:
    """Read extents and cursors, and hold them against the records: an end that is not there is damage.

    Raises Corrupt.
    """
    extents = {}
    place = "FROM journal WHERE stream = ?1 AND partition = ?2"
    sql = f"SELECT (SELECT min(offset) {place}), (SELECT max(offset) {place})"
    for stream, partition, first, last, log_time in connection.execute("SELECT * FROM extent").fetchall():
        found = connection.execute(sql, (stream, partition)).fetchone()
        if found != ((first, last) if first <= last else (None, None)):
            raise Corrupt(
                f"{path}: {stream}/{partition} should hold offsets {first} to {last}, but holds "
                f"{found[0]} to {found[1]}; restore the file from a copy"
            )
        extents[stream, partition] = Extent(first, last, log_time)
    readers = connection.execute("SELECT * FROM reader").fetchall()
    return extents, {(reader, partition): position for reader, partition, position in readers}
