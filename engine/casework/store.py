"""The case store: one SQLite file, or a PostgreSQL database, by the same SQL."""

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
from sqlalchemy import URL, Connection, Engine, create_engine, event, func, inspect, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from engine.casework import log_schema as _log_schema  # noqa: F401  (its tables belong to the same metadata)
from engine.casework import people_schema as _people_schema  # noqa: F401  (its tables too)
from engine.casework.errors import BadStore, SchemaMismatch, StoreAway
from engine.casework.patience import as_long_as_it_takes, be_patient
from engine.casework.schema import metadata

BUSY_TIMEOUT_MS = 10_000
CONNECTIONS = 16  # at most, of one process, to PostgreSQL
_WRITERS = 0x746F6E67  # "tong": the advisory lock of whoever writes
_FROZEN_MS = 15_000  # after this a writer that stands still loses its transaction, and its turn
_SERVER = {
    "statement_timeout": 60_000,
    "lock_timeout": _FROZEN_MS + 5_000,
    "idle_in_transaction_session_timeout": _FROZEN_MS,
}
_CLIENT = {
    "application_name": "tongguan",
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
# read only: after a failover the name may still lead to the standby; ended for standing still in a transaction
_AWAY = frozenset({"25006", "25P03", "25P04"})


class Store:
    """A database with the tables of schema.py and log_schema.py.

    Writes take turns in this process and between processes. When PostgreSQL is away, both `read` and `write` raise
    StoreAway; what a `write` that raised was to do is not there, unless the connection broke during the commit itself.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.name = engine.url.render_as_string(hide_password=True)
        self._turn = Lock()
        event.listen(engine, "begin", _begin)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _prepare)

    @classmethod
    def open(cls, path: Path | str) -> Store:
        """Open a SQLite file, made if need be: WAL, synchronous=FULL, foreign keys, busy timeout 10 s."""
        return cls(create_engine(f"sqlite:///{path}", pool_size=8, max_overflow=24, hide_parameters=True))

    @classmethod
    def connect(cls, where: Path | str) -> Store:
        """Open what a setting names: a URL postgresql+psycopg://user:password@host:port/name, or the path of a file.

        Nothing is connected yet. Raises BadStore for another URL.
        """
        if "://" not in str(where):
            return cls.open(where)
        try:
            url = make_url(str(where))
        except (ArgumentError, ValueError) as error:
            raise BadStore("database: not a URL") from error
        if url.drivername not in ("postgresql", "postgresql+psycopg"):
            raise BadStore(f"database: must be postgresql+psycopg://user:password@host:port/name; got {url!r}")
        return cls(_postgresql(url.set(drivername="postgresql+psycopg")))

    def close(self) -> None:
        """Close all connections; the store cannot be used afterwards."""
        self.engine.dispose()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield a connection inside one write transaction: committed at the end, rolled back on any error."""
        with (
            self._told(),
            self._turn,
            self.engine.connect().execution_options(tongguan_write=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def beside(self) -> Iterator[Connection]:
        """Yield a connection inside a transaction that waits for no turn: for rows that casework does not touch. (In a
        file there is one writer at a time, so there it waits.)"""
        if self.engine.dialect.name == "sqlite":
            with self.write() as connection:
                yield connection
            return
        with self._told(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a connection that sees one state of the store, and can change nothing of it."""
        with self._told(), self.engine.connect() as connection:
            if self.engine.dialect.name == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                yield connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, PoolTimeout) as error:
            # what is wrong with a file is named by who opened it: it is not away
            if self.engine.dialect.name == "postgresql" and _is_away(error):
                raise StoreAway(self.name, error) from error
            raise


def _is_away(error: DBAPIError | PoolTimeout) -> bool:
    if not isinstance(error, DBAPIError):
        return True
    return isinstance(error, OperationalError | InterfaceError) or getattr(error.orig, "sqlstate", None) in _AWAY


def upgrade(store: Store, to: str | None = None) -> str:
    """Bring the schema to a revision, the newest if not given, an empty store included; return its name.

    Raises SchemaMismatch when a newer program has already upgraded the store.
    """
    config, known = _config(), _revisions()
    wanted = to or known[0]
    if revision(store) == wanted:
        return wanted
    with store.write() as connection:
        as_long_as_it_takes(connection)
        now = MigrationContext.configure(connection).get_current_revision()  # another may have upgraded it meanwhile
        if now is not None and now not in known:
            raise SchemaMismatch(_newer(now, known[0]))
        config.attributes["connection"] = connection
        command.upgrade(config, wanted)
    return wanted


def revision(store: Store) -> str | None:
    """Return the name of the schema that the store has, null for none."""
    with store.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def check_schema(store: Store) -> None:
    """Raise SchemaMismatch unless the store has this program's schema."""
    known = _revisions()
    with store.read() as connection:
        now = MigrationContext.configure(connection).get_current_revision()
        tables = inspect(connection).get_table_names()
    if now == known[0]:
        return
    if now is not None and now not in known:
        raise SchemaMismatch(_newer(now, known[0]))
    found = f"schema {now}" if now else ("tables of something else" if tables else "an empty store")
    raise SchemaMismatch(f"case store: this program needs schema {known[0]}; got {found}; run `tongguan db upgrade`")


def renumber(connection: Connection) -> None:
    """Let rows that number themselves go on after the largest number there is, for rows that came with theirs."""
    if connection.dialect.name != "postgresql":
        return  # SQLite looks for the largest by itself
    for table in metadata.sorted_tables:
        if "id" in table.c and table.c.id.autoincrement is True:
            largest = connection.execute(select(func.max(table.c.id))).scalar() or 0
            sequence = func.pg_get_serial_sequence(table.name, "id")
            connection.execute(select(func.setval(sequence, largest + 1, False)))


def _newer(now: str, head: str) -> str:
    return f"case store: schema {now} is newer than this program's {head}; use the newer program"


def _revisions() -> list[str]:
    """Return this program's revisions, the newest first."""
    return [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()]


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("engine.casework").joinpath("migrations")))
    return config


def _postgresql(url: URL) -> Engine:
    """Return an engine with every limit set: what is not answered in time is an error, never a wait without end."""
    given = url.query.get("options", "")
    options = [f"-c {name}={value}" for name, value in _SERVER.items()]
    arguments = {name: value for name, value in _CLIENT.items() if name not in url.query}
    engine = create_engine(
        url,
        pool_size=CONNECTIONS // 2,
        max_overflow=CONNECTIONS // 2,
        pool_timeout=10,
        pool_pre_ping=True,
        hide_parameters=True,  # a fault is logged, and must not tell what somebody reported
        connect_args=arguments | {"options": " ".join([*options, *([given] if isinstance(given, str) else given)])},
    )
    be_patient(engine)
    return engine


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
    """Begin a transaction; whoever writes waits for its turn before it looks at anything."""
    write = connection.get_execution_options().get("tongguan_write")
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
    elif write:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS})")
