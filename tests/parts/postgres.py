"""A real PostgreSQL: one server a session, one fresh database a test, cloned from one that was migrated once.

With ``TONGGUAN_TEST_POSTGRES=url`` the databases are made on that server (its user must be allowed to), and tests that
stop the server are not run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from engine.casework.schema import metadata
from engine.casework.store import Store, renumber, upgrade
from tests.parts.ports import free_port

GIVEN = "TONGGUAN_TEST_POSTGRES"
SCRIPT = Path(__file__).parents[2] / "deploy/local/postgres"


def found() -> bool:
    """Say whether there is a PostgreSQL to test with."""
    programs = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return GIVEN in os.environ or shutil.which("initdb") is not None or any(programs)


@dataclass
class Server:
    """A server and the databases on it; `folder` is null for one that is not ours to stop."""

    url: str
    folder: Path | None
    template: str = field(default_factory=lambda: f"tongguan_template_{os.getpid()}")
    _numbers: Iterator[int] = field(default_factory=count)

    def stop_now(self) -> None:
        """End it at once, as a power cut would."""
        assert self.folder is not None
        _script("stop-now", str(self.folder))

    def start(self) -> None:
        """Start it again on the same port."""
        assert self.folder is not None
        _script("start", str(self.folder), str(make_url(self.url).port))

    def at(self, database: str) -> str:
        """Return the URL of one of its databases."""
        return make_url(self.url).set(database=database).render_as_string(hide_password=False)

    def make(self, *, migrated: bool = True) -> str:
        """Make a database, with our tables or empty, and return its name."""
        name = f"tongguan_{os.getpid()}_{next(self._numbers)}"
        self.do(f"CREATE DATABASE {name}" + (f" TEMPLATE {self.template}" if migrated else ""))
        return name

    def drop(self, name: str) -> None:
        """Drop a database, whoever is still connected."""
        self.do(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def do(self, statement: str) -> None:
        """Run one statement outside of any transaction."""
        engine = create_engine(self.at("postgres"), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                connection.execute(text(statement))
        finally:
            engine.dispose()


@dataclass
class Database:
    """A fresh, migrated database: its URL and an open store on it."""

    server: Server
    url: str
    store: Store


def _script(*arguments: str) -> str:
    done = subprocess.run([str(SCRIPT), *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def empty(store: Store) -> None:
    """Leave a store as it was after its migration, its numbers from 1 again; quicker than another database."""
    statements = ["SET LOCAL session_replication_role = replica"]  # no trigger keeps what is kept for good
    statements += [f'DELETE FROM "{table.name}"' for table in reversed(metadata.sorted_tables)]
    with store.write() as connection:
        connection.exec_driver_sql("; ".join(statements))
        renumber(connection)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """Return the session's server, with the template from which databases are cloned."""
    given = os.environ.get(GIVEN)
    folder = None if given else Path(tempfile.mkdtemp(prefix="tongguan-postgres-"))
    try:
        if folder is not None:
            folder.chmod(0o755)
            given = _script("start", str(folder / "server"), str(free_port()))
        assert given is not None
        server = Server(given, folder / "server" if folder is not None else None)
        server.do(f"CREATE DATABASE {server.template}")
        store = Store.connect(server.at(server.template))
        upgrade(store)
        store.close()
        yield server
        server.drop(server.template)
    finally:
        if folder is not None:
            _script("stop-now", str(folder / "server"))
            shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_pair(postgres_server: Server) -> Iterator[tuple[Store, Store]]:
    """Return the stores of two databases of the session, for tests that begin with `empty`."""
    with fresh(postgres_server) as one, fresh(postgres_server) as two:
        yield one.store, two.store


@pytest.fixture
def database(postgres_server: Server) -> Iterator[Database]:
    """Return a fresh, migrated database."""
    with fresh(postgres_server) as made:
        yield made


@contextmanager
def fresh(server: Server, *, migrated: bool = True) -> Iterator[Database]:
    """Make a database, with our tables or empty, and drop it at the end."""
    name = server.make(migrated=migrated)
    store = Store.connect(server.at(name))
    try:
        yield Database(server, server.at(name), store)
    finally:
        store.close()
        server.drop(name)
