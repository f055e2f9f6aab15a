"""How the runtime opens its SQLite files, and what it says when one cannot be used."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from engine.runtime.errors import Corrupt, DiskFull, LogFailed, RuntimeFault, Unusable

APPLICATION_ID = 0x746F6E67  # "tong"
_FULL = "no room left on the device; free some and start again, nothing acknowledged is lost"
_CORRUPT = "the file is damaged; restore it from a copy, or move it away with all files beside it of the same name"
_READONLY = "the file cannot be written; give this user the folder, or another --data"


def open_writer(path: Path, *, schema: str, version: int) -> sqlite3.Connection:
    """Open for the one writer: WAL, every commit synced; create the tables of `schema` in a new file.

    Raises Unusable, Corrupt or DiskFull with the file and what to do; Unusable too for a file of a newer release.
    """
    try:
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
        fresh = not path.exists()
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA wal_autocheckpoint=4000")
        _agree_on_version(connection, path, version)
        connection.executescript(
            f"BEGIN IMMEDIATE; {schema}; PRAGMA user_version={version}; PRAGMA application_id={APPLICATION_ID}; COMMIT"
        )
    except (sqlite3.Error, OSError) as error:
        raise fault_of(path, error) from error
    if fresh:
        sync_folder(path.parent)
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Open an existing file to read what is committed, also while a writer is at work."""
    if not path.exists():
        raise Unusable(f"{path}: no such file; is this the right --data folder?")
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False, timeout=30
        )
        connection.execute("PRAGMA query_only=1")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        raise fault_of(path, error) from error
    return connection


def sync_folder(folder: Path) -> None:
    """Make the names of new files durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def fault_of(path: Path, error: Exception) -> RuntimeFault:
    """Name the file, what is wrong with it and what to do."""
    if isinstance(error, RuntimeFault):
        return error
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if code is not None else None
    if primary == sqlite3.SQLITE_FULL:
        return DiskFull(f"{path}: {_FULL} ({error})")
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return Corrupt(f"{path}: {_CORRUPT} ({error})")
    if primary in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return Unusable(f"{path}: {_READONLY} ({error})")
    if isinstance(error, OSError):
        return Unusable(f"{path}: {error.strerror}; give this user the folder, or another --data")
    return LogFailed(f"{path}: writing failed, start again; nothing acknowledged is lost ({error})")


def _agree_on_version(connection: sqlite3.Connection, path: Path, version: int) -> None:
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if found > version:
        raise Unusable(f"{path}: written by a newer release (format {found}, this one reads {version}); start that one")
    if owner != APPLICATION_ID and (owner or tables):
        raise Unusable(f"{path}: a database, but not one of ours; give another --data")
