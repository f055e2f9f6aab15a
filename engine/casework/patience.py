"""Connections to PostgreSQL that do not wait for ever: one may be silent without being broken.

What the server limits (statement_timeout) holds only while the server hears of it. A proxy that stands still, or a
server whose disk does, keeps the connection open and says nothing; then the wait ends here, and the connection with it.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg
from sqlalchemy import Connection, Engine, event, text

PING_S = 5.0
"""For the question whether a connection that was at rest still answers."""
MORE_S = 5.0
"""Beyond what the server grants a statement."""
T = TypeVar("T")
_LIMIT = "SELECT setting::bigint FROM pg_settings WHERE name = 'statement_timeout'"


class Patient(psycopg.Connection[Any]):
    """A connection that waits `patience_s` for each answer; None: as long as it takes."""

    patience_s: float | None = PING_S

    def wait(self, gen: Any, *arguments: Any, **named: Any) -> Any:
        """Wait for an answer. OperationalError when there is none in time: the connection is closed then."""
        if self.patience_s is not None:
            gen = self._in_time(gen, self.patience_s)
        return super().wait(gen, *arguments, **named)

    def _in_time(self, gen: Generator[Any, int, T], seconds: float) -> Generator[Any, int, T]:
        deadline = time.monotonic() + seconds
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() > deadline:
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"the server says nothing for {seconds:.0f} s")
                wanted = gen.send(ready)
        except StopIteration as end:
            value: T = end.value
            return value


def be_patient(engine: Engine) -> None:
    """Let the connections of an engine wait a little longer than the server lets a statement take, and no longer."""

    def connected(connection: Patient, record: Any) -> None:
        (limit_ms,) = connection.execute(_LIMIT).fetchone() or (0,)
        connection.rollback()
        record.info["patience_s"] = limit_ms / 1000 + MORE_S if limit_ms else None

    def out(connection: Patient, record: Any, _: Any) -> None:
        connection.patience_s = record.info["patience_s"]

    def back(connection: Patient | None, _: Any) -> None:
        if connection is not None:
            connection.patience_s = PING_S

    event.listen(engine, "do_connect", lambda _dialect, _record, given, named: Patient.connect(*given, **named))
    event.listen(engine, "connect", connected)
    event.listen(engine, "checkout", out)
    event.listen(engine, "checkin", back)


def as_long_as_it_takes(db: Connection) -> None:
    """Let the statements of this transaction take their time."""
    if db.dialect.name == "postgresql":
        db.execute(text("SET LOCAL statement_timeout = 0"))
        db.connection.driver_connection.patience_s = None  # type: ignore[union-attr]
