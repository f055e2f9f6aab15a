"""The log in one SQLite file: `journal (stream, partition, offset, log_time, key, value, crc)`.

One thread writes (writer.py): appenders that come while a commit is under way share the next one, so that one sync
serves them all. Readers have connections of their own and see whole commits only.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np

from engine.runtime.crashpoints import CrashPoint, crash_point
from engine.runtime.errors import AlreadyReplayed, Corrupt, CursorMoved, Misfit, Trimmed
from engine.runtime.gaps import covered
from engine.runtime.journal_file import FORMAT, SCHEMA, Cursors, Extent, Extents, checksum, go_on, load
from engine.runtime.log import Append, Appended, CursorMove, Entry, Records, Replayed, Stream
from engine.runtime.sqlite import fault_of, open_reader, open_writer
from engine.runtime.writer import Request, Writer

_SELECT = (
    "SELECT offset, log_time, key, value, crc FROM journal "
    "WHERE stream = ? AND partition = ? AND offset > ? AND offset <= ? ORDER BY offset"
)
_INSERT = "INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?)"
_EXTENT = (
    "INSERT INTO extent VALUES (?, ?, 1, ?, ?) ON CONFLICT DO UPDATE "
    "SET last = excluded.last, log_time = excluded.log_time"
)
_READER = "INSERT INTO reader VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET position = excluded.position"
_NO_END = 2**62
_Row = tuple[int, int, str | None, bytes, int]


class Journal:
    """The log of one data folder; satisfies `Log`.

    `clock` gives the log time in ms of entries that bring none; log times of a partition never go back, whatever it
    says. `queue_bytes` bounds what waits for the writer: beyond it `commit` raises Overloaded unless `must` is set.
    """

    def __init__(self, path: Path, *, clock: Callable[[], int], queue_bytes: int = 64 << 20) -> None:
        self.path = path
        self._clock = clock
        self._connection = open_writer(path, schema=SCHEMA, version=FORMAT)
        self._readers = threading.local()
        self._all_readers: list[sqlite3.Connection] = []
        self._changed = threading.Condition()
        self._closing = False
        try:
            (self._version,) = self._connection.execute("PRAGMA data_version").fetchone()
            # in one transaction, as another process may be writing
            self._connection.execute("BEGIN")
            self._extents, self._cursors, self.gaps = load(self._connection, self.path)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise fault_of(path, error) from error
        self._writer = Writer(self._write, path, queue_bytes)

    @property
    def identity(self) -> str:
        """Return the random name that this file was given when it was made."""
        return str(self._query("SELECT journal FROM identity")[0][0])

    @property
    def on_players_clock(self) -> bool:
        """Tell whether a player brings the log times."""
        return bool(self._query("SELECT clock = 'record' FROM identity")[0][0])

    def agree_on_clock(self, clock: Literal["commit", "record"]) -> None:
        """Keep whose clock gives the log times; Misfit if the log was begun with the other one."""
        sql = "UPDATE identity SET clock = ? WHERE clock IS NULL"
        self._writer.between(lambda: self._connection.execute(sql, (clock,)))
        if self._query("SELECT clock FROM identity") != [(clock,)]:
            raise Misfit(
                f"{self.path}: this log was begun with the other clock, its times cannot go on with "
                f"--log-time {clock}; give the other --log-time, or another --data"
            )

    # ---- writing

    def commit(
        self,
        appends: Sequence[Append],
        cursors: Sequence[CursorMove] = (),
        replays: Sequence[Replayed] = (),
        *,
        must: bool = True,
    ) -> Future[list[Appended]]:
        """Queue appends and cursor moves for one durable step; see `Log.commit`.

        `replays` notes what the first append brings back; AlreadyReplayed if it was brought back before.
        """
        return self._writer.submit(Request(tuple(appends), tuple(cursors), tuple(replays)), must=must)

    def append(self, stream: str, partition: int, entries: Sequence[Entry]) -> Appended:
        """Append and wait until it is durable."""
        return self.commit([Append(stream, partition, entries)]).result()[0]

    def _write(self, requests: Sequence[Request]) -> list[list[Appended] | Exception]:
        """Write requests in one transaction; a request whose cursor moved is left out and told so."""
        touched: set[tuple[str, int]] = set()
        answers: list[list[Appended] | Exception] = []
        now = self._clock()
        with self._transaction():
            extents, cursors = self._present()
            for request in requests:
                refusal = self._misplaced(request.cursors, cursors) or self._repeated(request.replays)
                if refusal:
                    answers.append(refusal)
                    continue
                appended = [self._insert(append, extents, now) for append in request.appends]
                self._move(request.cursors, appended, cursors)
                self._note(request, appended)
                answers.append(appended)
                touched.update((append.stream, append.partition) for append in request.appends if append.entries)
            self._connection.executemany(_EXTENT, [(*p, extents[p].last, extents[p].log_time) for p in touched])
            streams = {stream for stream, _ in touched}
            _pass(streams, CrashPoint.JOURNAL_BEFORE, CrashPoint.ALERTS_BEFORE)
        _pass(streams, CrashPoint.JOURNAL_AFTER, CrashPoint.ALERTS_AFTER)
        with self._changed:
            self._extents, self._cursors = extents, cursors
            self._changed.notify_all()
        return answers

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._connection.execute("COMMIT")
        except BaseException as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise fault_of(self.path, error) from error
            raise

    def _present(self) -> tuple[Extents, Cursors]:
        """Return copies of extents and cursors, read anew when another process has written (a replay does)."""
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            self._version = version
            return load(self._connection, self.path)[:2]
        return {place: Extent(e.first, e.last, e.log_time) for place, e in self._extents.items()}, dict(self._cursors)

    def _repeated(self, replays: Iterable[Replayed]) -> AlreadyReplayed | None:
        for replay in replays:
            sql = "SELECT offset, actor FROM replay WHERE quarantine_offset = ?"
            found = self._connection.execute(sql, (replay.quarantine_offset,)).fetchone()
            if found:
                return AlreadyReplayed(
                    f"quarantine {replay.quarantine_offset} was replayed by {found[1]} as record {found[0]}"
                )
        return None

    def _note(self, request: Request, appended: Sequence[Appended]) -> None:
        rows = [
            (replay.quarantine_offset, request.appends[0].stream, request.appends[0].partition,
             appended[0].first_offset, replay.actor, replay.at_ms)
            for replay in request.replays
        ]  # fmt: skip
        self._connection.executemany("INSERT INTO replay VALUES (?, ?, ?, ?, ?, ?)", rows)

    def _misplaced(self, moves: Iterable[CursorMove], cursors: Cursors) -> CursorMoved | None:
        for move in moves:
            found = cursors.get((move.reader, move.partition), 0)
            if move.expected not in (None, found):
                return CursorMoved(
                    f"{self.path}: reader {move.reader} of partition {move.partition} stands at {found}, "
                    f"not at {move.expected}: a second one is at work"
                )
        return None

    def _move(self, moves: Iterable[CursorMove], appended: Sequence[Appended], cursors: Cursors) -> None:
        for move in moves:
            position = appended[0].first_offset if move.position is None else move.position
            cursors[move.reader, move.partition] = position
            self._connection.execute(_READER, (move.reader, move.partition, position))

    def _insert(self, append: Append, extents: Extents, now: int) -> Appended:
        stream, partition = append.stream, append.partition
        extent = extents.setdefault((stream, partition), Extent())
        first = extent.last + 1
        rows = []
        for entry in append.entries:
            extent.last += 1
            extent.log_time = max(extent.log_time, now if entry.log_time is None else entry.log_time)
            crc = checksum(stream, partition, extent.last, extent.log_time, entry.key, entry.value)
            rows.append((stream, partition, extent.last, extent.log_time, entry.key, entry.value, crc))
        self._connection.executemany(_INSERT, rows)
        return Appended(first, extent.last, extent.log_time)

    # ---- reading

    def read(self, stream: str, partition: int, after: int, *, limit_bytes: int, upto: int | None = None) -> Records:
        """Read records in order, at least one if there is one; see `Log.read`. Accepted gaps are passed over.

        Raises Corrupt for a record whose crc does not fit or an offset that is missing, Trimmed for one no longer kept.
        """
        self._must_be_kept(stream, partition, after + 1)
        rows: list[_Row] = []
        while not rows:
            found = self._rows(stream, partition, after, _NO_END if upto is None else upto, limit_bytes)
            if not found:
                break
            rows, after = self._sound(stream, partition, after, found), found[-1][0]
        return Records(
            offset=np.array([row[0] for row in rows], np.int64),
            log_time=np.array([row[1] for row in rows], np.int64),
            keys=[row[2] for row in rows],
            values=[row[3] for row in rows],
        )

    def _rows(self, stream: str, partition: int, after: int, upto: int, limit_bytes: int) -> list[_Row]:
        rows: list[_Row] = []
        size = 0
        try:
            cursor = self._reader().execute(_SELECT, (stream, partition, after, upto))
            while size < limit_bytes and (some := cursor.fetchmany(64)):
                rows.extend(some)
                size += sum(len(row[3]) for row in some)
            cursor.close()
        except sqlite3.Error as error:
            raise fault_of(self.path, error) from error
        return rows

    def _sound(self, stream: str, partition: int, after: int, rows: Sequence[_Row]) -> list[_Row]:
        """Return the rows without those that were accepted as missing; any other damage raises Corrupt."""
        sound = []
        expected = after + 1
        for row in rows:
            offset, log_time, key, value, crc = row
            if offset != expected and not covered(self.gaps, stream, partition, expected, offset - 1):
                self._must_be_kept(stream, partition, expected)
                raise Corrupt(
                    f"{self.path}: {stream}/{partition} has no record at offset {expected}; "
                    f"{go_on(self.path, stream, partition, expected, offset - 1)}"
                )
            expected = offset + 1
            if type(value) is bytes and checksum(stream, partition, offset, log_time, key, value) == crc:
                sound.append(row)
            elif not covered(self.gaps, stream, partition, offset, offset):
                raise Corrupt(
                    f"{self.path}: {stream}/{partition} offset {offset} is damaged (crc); "
                    f"{go_on(self.path, stream, partition, offset, offset)}"
                )
        return sound

    def _must_be_kept(self, stream: str, partition: int, offset: int) -> None:
        first = self.start(stream, partition)
        if offset < first:
            raise Trimmed(f"{self.path}: {stream}/{partition} is kept from offset {first}; {offset} was asked for")

    def start(self, stream: str, partition: int) -> int:
        return self._extents.get((stream, partition), Extent()).first

    def end(self, stream: str, partition: int) -> int:
        return self._extents.get((stream, partition), Extent()).last

    def last_log_time(self, stream: str, partition: int) -> int:
        return self._extents.get((stream, partition), Extent()).log_time

    def cursor(self, reader: str, partition: int) -> int:
        return self._cursors.get((reader, partition), 0)

    def wait(self, stream: str, partition: int, after: int, timeout_s: float) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self.end(stream, partition) > after, timeout_s)
            return self.end(stream, partition) > after

    # ---- plans

    def store_plan(self, digest: str, canonical: bytes) -> None:
        """Keep a plan under its digest, durable on return; one that is there stays."""
        sql = "INSERT OR IGNORE INTO plan VALUES (?, ?)"
        self._writer.between(lambda: self._connection.execute(sql, (digest, canonical)))

    def plan(self, digest: str) -> bytes | None:
        """Return the canonical form stored under a digest."""
        rows = self._query("SELECT canonical FROM plan WHERE digest = ?", (digest,))
        return bytes(rows[0][0]) if rows else None

    def replays(self) -> dict[int, tuple[int, str, int]]:
        """Return quarantine offset → (offset of the record that brought it back, who did it, when in ms)."""
        rows = self._query("SELECT quarantine_offset, offset, actor, at_ms FROM replay")
        return {row[0]: (row[1], row[2], row[3]) for row in rows}

    # ---- keeping no more than is needed

    def trim(self, stream: str, partition: int, upto: int, *, most: int = 2_000) -> int:
        """Let go of records with offset <= `upto`, at most `most` in this step; return the first one kept."""
        upto = min(upto, self.start(stream, partition) + most - 1, self.end(stream, partition))
        if upto >= self.start(stream, partition):
            self._writer.between(lambda: self._trim(stream, partition, upto))
        return self.start(stream, partition)

    def _trim(self, stream: str, partition: int, upto: int) -> None:
        where = "WHERE stream = ? AND partition = ?"
        with self._transaction():
            self._connection.execute(f"DELETE FROM journal {where} AND offset <= ?", (stream, partition, upto))
            self._connection.execute(f"UPDATE extent SET first = ? {where}", (upto + 1, stream, partition))
        self._extents[stream, partition].first = upto + 1

    def size_bytes(self) -> int:
        """Return the bytes that records occupy in the file, free pages not counted."""
        pages, free, size = (
            self._query(f"PRAGMA {name}")[0][0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def bytes_after(self, stream: str, partition: int, after: int) -> int:
        """Return the bytes of the values with an offset above `after`."""
        sql = "SELECT sum(length(value)) FROM journal WHERE stream = ? AND partition = ? AND offset > ?"
        return int(self._query(sql, (stream, partition, after))[0][0] or 0)

    def offset_before(self, stream: str, partition: int, log_time: int) -> int:
        """Return the last offset whose log time is before `log_time`, start - 1 if there is none."""
        sql = "SELECT log_time FROM journal WHERE stream = ? AND partition = ? AND offset = ?"
        low, high = self.start(stream, partition) - 1, self.end(stream, partition)
        while low < high:
            middle = (low + high + 1) // 2
            rows = self._query(sql, (stream, partition, middle))
            low, high = (middle, high) if rows and rows[0][0] < log_time else (low, middle - 1)
        return low

    def last_with_key(self, stream: str, partition: int, key: str, upto: int) -> int | None:
        """Return the largest kept offset <= `upto` of a record with this key; it looks at every record behind it."""
        where = "WHERE stream = ? AND partition = ? AND offset <= ? AND key = ?"
        sql = f"SELECT offset FROM journal {where} ORDER BY offset DESC LIMIT 1"
        rows = self._query(sql, (stream, partition, upto, key))
        return int(rows[0][0]) if rows else None

    # ---- life

    @property
    def thread(self) -> threading.Thread:
        """The writer's thread."""
        return self._writer.thread

    def is_full(self) -> bool:
        """Tell whether the writer's queue refuses what can come back."""
        return self._writer.is_full()

    def close(self) -> None:
        """Write what waits, then close; a later commit raises LogClosed."""
        self._writer.close()
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for reader in self._all_readers:
            reader.close()
        self._connection.close()

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._readers, "connection", None)
        if connection is None:
            connection = open_reader(self.path)
            self._readers.connection = connection
            self._all_readers.append(connection)
        return connection

    def _query(self, sql: str, arguments: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._reader().execute(sql, arguments).fetchall()
        except sqlite3.Error as error:
            raise fault_of(self.path, error) from error


def _pass(streams: Collection[str], readings: CrashPoint, alerts: CrashPoint) -> None:
    if Stream.READINGS in streams:
        crash_point(readings)
    if Stream.ALERTS in streams:
        crash_point(alerts)
