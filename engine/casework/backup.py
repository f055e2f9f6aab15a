"""One file with everything that a case store holds, plans included, from one moment: to keep, and to restore elsewhere.

The file is gzip of JSON lines, the same from SQLite and PostgreSQL: a head with the schema, then for each table its
columns and its rows (bytes as base64), the photos of cases like a table, then the number of rows and SHA-256 of all
lines before. Detect's checkpoints are not in it, nor who held a lease: the first are rebuilt from the log, the second
run out, and everybody signs in anew.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from base64 import b64decode
from collections.abc import Iterator
from contextlib import suppress
from gzip import GzipFile
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, LargeBinary, Table, insert, select, text

from engine.casework import log_schema, schema
from engine.casework.errors import BackupRefused
from engine.casework.newlog import begin_log
from engine.casework.patience import as_long_as_it_takes
from engine.casework.people_schema import attachment, login_session
from engine.casework.photos import PhotoFolder
from engine.casework.store import Store, check_schema, renumber, revision, upgrade

FORMAT = 1
ROWS = 1000
LOT_BYTES = 16 << 20
PHOTOS = "photo"
LEFT_OUT = frozenset(
    {log_schema.checkpoint, log_schema.checkpoint_head, log_schema.attempt, log_schema.lease, login_session}
)
TABLES = [table for table in schema.metadata.sorted_tables if table not in LEFT_OUT]


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first line. `tongguan_backup` is the format; `program` wrote it at `t`, ms."""

    tongguan_backup: int
    schema: str
    program: str
    t: int


class _Begin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    table: str
    columns: list[str]


class End(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last line: how many rows, and SHA-256 of the lines before."""

    rows: int
    sha256: str


_line = msgspec.json.Decoder(list[Any] | dict[str, Any])


# --- backup


def back_up(store: Store, path: Path, *, program: str, now_ms: int, photos: PhotoFolder | None = None) -> End:
    """Write all tables as they are at one moment, and the photos that they name; the file is whole or not there.
    Others go on working meanwhile."""
    check_schema(store)
    head = Head(FORMAT, str(revision(store)), program, now_ms)
    part = path.with_name(path.name + ".part")
    try:
        with (
            os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file,
            GzipFile(fileobj=file, mode="wb", compresslevel=5, mtime=0, filename="") as packed,
            store.read() as db,
        ):
            end, lost = _write(db, packed, head, photos)
            packed.close()
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise BackupRefused(f"{path}: {error.strerror}; no backup was written") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    without = f", without {lost} photos whose files are lost" if lost else ""
    _audit(store, now_ms, "store.backup", path.name, f"{end.rows} rows, sha256 {end.sha256}{without}")
    return end


def _write(db: Connection, packed: GzipFile, head: Head, photos: PhotoFolder | None) -> tuple[End, int]:
    """Return the end, and how many photos are lost."""
    digest, rows, lost = hashlib.sha256(), 0, 0

    def put(line: object) -> None:
        encoded = msgspec.json.encode(line) + b"\n"
        digest.update(encoded)
        packed.write(encoded)

    put(head)
    as_long_as_it_takes(db)
    if db.dialect.name == "postgresql":
        db.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    for table in TABLES:
        put(_Begin(str(table.name), [str(column.name) for column in table.columns]))
        query = select(table).order_by(*table.primary_key.columns).execution_options(yield_per=ROWS)
        for row in db.execute(query):
            put(tuple(row))
            rows += 1
    put(_Begin(PHOTOS, ["sha256", "body"]))
    named = select(attachment.c.sha256).distinct().order_by(attachment.c.sha256)
    for name in db.execute(named).scalars() if photos is not None else ():
        body = photos.read(name) if photos is not None else None
        lost += body is None
        if body is not None:
            put((name, body))
            rows += 1
    end = End(rows, digest.hexdigest())
    packed.write(msgspec.json.encode(end) + b"\n")
    return end, lost


# --- restore


def restore(
    store: Store, path: Path, *, now_ms: int, new_log: int | None = None, photos: PhotoFolder | None = None
) -> End:
    """Fill an empty store from a file in one transaction: all of it, or nothing. Tables are made if there are none.
    Photos become files of the folder.

    `new_log`: the alerts log is another one than the store's was, and begins with this offset. Raises BackupRefused for
    a store that is not empty, a file that is not whole, and one of another schema.
    """
    with _opened(path) as packed:
        lines = _Lines(packed, path)
        head = lines.head()
        wanted = upgrade(store)
        if head.schema != wanted:
            raise BackupRefused(
                f"{path}: has schema {head.schema}, this program {wanted}; restore it with tongguan {head.program} "
                "into an empty store, then run `tongguan db upgrade` of this one"
            )
        with store.write() as db:
            _refuse_rows(db, store.name)
            end = _read(db, lines, photos)
            renumber(db)
            if new_log is not None:
                begin_log(db, new_log)
            detail = f"{end.rows} rows, sha256 {end.sha256}, made {head.t}"
            db.execute(insert(schema.audit), [_row(now_ms, "store.restore", path.name, detail)])
    return end


def _opened(path: Path) -> GzipFile:
    try:
        return gzip.open(path, "rb")
    except OSError as error:
        raise BackupRefused(f"{path}: {error.strerror}; nothing was restored") from error


def _refuse_rows(db: Connection, name: str) -> None:
    for table in TABLES:
        if db.execute(select(table).limit(1)).first() is not None:
            raise BackupRefused(
                f"{name}: table {table.name} has rows; restore into an empty database or folder, and keep this one"
            )


def _read(db: Connection, lines: _Lines, photos: PhotoFolder | None) -> End:
    as_long_as_it_takes(db)
    if db.dialect.name == "postgresql":
        db.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    table: Table | None = None
    pictures = False
    for item in lines.items():
        if isinstance(item, End):
            return item
        if isinstance(item, _Begin):
            pictures = item.table == PHOTOS
            table = None if pictures else lines.table_of(item)
        elif pictures:
            for name, body in lines.photos_of(item):
                if photos is not None:
                    photos.keep(name, body)
        elif table is None:
            raise lines.damaged("rows of no table")
        else:
            db.execute(insert(table), [lines.values_of(table, row) for row in item])
    raise lines.damaged("it ends too early")


class _Lines:
    """The lines of a backup; whatever is wrong with them is BackupRefused."""

    def __init__(self, packed: GzipFile, path: Path) -> None:
        self._packed = packed
        self._path = path
        self._digest = hashlib.sha256()
        self._rows = 0

    def damaged(self, why: object) -> BackupRefused:
        """Return what to say of a file that is not whole."""
        return BackupRefused(f"{self._path}: not a whole backup ({why}); take another copy of it. Nothing was restored")

    def head(self) -> Head:
        """Return the first line."""
        line = self._next()
        try:
            head = msgspec.json.decode(line, type=Head)
        except msgspec.MsgspecError as error:
            raise BackupRefused(f"{self._path}: not a backup of tongguan ({error})") from error
        if head.tongguan_backup != FORMAT:
            raise BackupRefused(f"{self._path}: of format {head.tongguan_backup}; this program reads {FORMAT}")
        self._digest.update(line)
        return head

    def items(self) -> Iterator[_Begin | End | list[list[Any]]]:
        """Return beginnings of tables, lots of rows, and the end, which is checked."""
        lot: list[list[Any]] = []
        size = 0
        while line := self._next():
            try:
                found = _line.decode(line)
                if isinstance(found, list):
                    lot.append(found)
                elif "sha256" in found:
                    yield from ([lot] if lot else [])
                    yield self._end(msgspec.convert(found, End))
                    return
                else:
                    begin = msgspec.convert(found, _Begin)
            except msgspec.MsgspecError as error:
                raise self.damaged(error) from error
            self._digest.update(line)
            self._rows += isinstance(found, list)
            size += len(line)
            if lot and (isinstance(found, dict) or len(lot) == ROWS or size > LOT_BYTES):
                yield lot
                lot, size = [], 0
            if isinstance(found, dict):
                yield begin

    def _next(self) -> bytes:
        try:
            return next(iter(islice(self._packed, 1)), b"")
        except (EOFError, OSError, zlib.error) as error:
            raise self.damaged(error) from error

    def _end(self, end: End) -> End:
        if end != End(self._rows, self._digest.hexdigest()):
            raise self.damaged("its checksum is another")
        if self._next():
            raise self.damaged("there is more behind its end")
        return end

    def table_of(self, begin: _Begin) -> Table:
        """Return the table that begins."""
        table = schema.metadata.tables.get(begin.table)
        if table is None or table in LEFT_OUT or begin.columns != [column.name for column in table.columns]:
            raise self.damaged(f"table {begin.table} is not that of its schema")
        return table

    def photos_of(self, rows: list[list[Any]]) -> Iterator[tuple[str, bytes]]:
        """Yield photos by their names, which say what must be in them."""
        for row in rows:
            try:
                name, body = str(row[0]), b64decode(row[1])
            except (ValueError, TypeError, IndexError) as error:
                raise self.damaged(error) from error
            if hashlib.sha256(body).hexdigest() != name:
                raise self.damaged(f"photo {name[:80]} is not what it was")
            yield name, body

    def values_of(self, table: Table, row: list[Any]) -> dict[str, Any]:
        """Return a row by column."""
        try:
            return {
                column.name: b64decode(value) if isinstance(column.type, LargeBinary) and value is not None else value
                for column, value in zip(table.columns, row, strict=True)
            }
        except (ValueError, TypeError) as error:
            raise self.damaged(error) from error


def _audit(store: Store, now_ms: int, action: str, subject: str, detail: str) -> None:
    with store.write() as db:
        db.execute(insert(schema.audit), [_row(now_ms, action, subject, detail)])


def _row(now_ms: int, action: str, subject: str, detail: str) -> dict[str, object]:
    return {"t": now_ms, "actor": "command line", "action": action, "subject": subject, "detail": detail}
