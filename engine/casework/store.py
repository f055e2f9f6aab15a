"""The case store: one SQLite file now, PostgreSQL by the same SQL later."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from threading import Lock
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, inspect

from engine.casework.errors import SchemaMismatch

BUSY_TIMEOUT_MS = 10_000


class Store:
    """A database with the tables of schema.py. Writes take turns in this process and between processes."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._turn = Lock()
        event.listen(engine, "begin", _begin)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _prepare)

    @classmethod
    def open(cls, path: Path | str) -> Store:
        """Open a SQLite file, made if need be: WAL, synchronous=FULL, foreign keys, busy timeout 10 s."""
        return cls(create_engine(f"sqlite:///{path}", pool_size=8, max_overflow=24))

    def close(self) -> None:
        """Close all connections; the store cannot be used afterwards."""
        self.engine.dispose()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield a connection inside one write transaction: committed at the end, rolled back on any error."""
        with (
            self._turn,
            self.engine.connect().execution_options(tongguan_write=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a connection that sees one state of the store."""
        with self.engine.connect() as connection, connection.begin():
            yield connection


def upgrade(store: Store) -> str:
    """Bring the schema to the newest revision, an empty store included, and return its name.

    Raises SchemaMismatch when a newer program has already upgraded the store.
    """
    config = _config()
    scripts = ScriptDirectory.from_config(config)
    head = scripts.get_current_head()
    assert head is not None
    with store.engine.connect() as connection:
        now = MigrationContext.configure(connection).get_current_revision()
    if now == head:
        return head
    if now is not None and now not in {script.revision for script in scripts.walk_revisions()}:
        raise SchemaMismatch(f"case store: schema {now} is newer than this program's {head}; use the newer program")
    with store.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return head


def check_schema(store: Store) -> None:
    """Raise SchemaMismatch unless the store has this program's schema."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    with store.engine.connect() as connection:
        now = MigrationContext.configure(connection).get_current_revision()
        tables = inspect(connection).get_table_names()
    if now != head:
        found = f"schema {now}" if now else ("tables of something else" if tables else "an empty store")
        raise SchemaMismatch(f"case store: this program needs schema {head}; got {found}; run `tongguan db upgrade`")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("engine.casework").joinpath("migrations")))
    return config


def _prepare(connection: Any, _record: object) -> None:
    if not isinstance(connection, SqliteConnection):
        return
    connection.isolation_level = None  # transactions are begun by _begin, not by the driver
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        write = connection.get_execution_options().get("tongguan_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
