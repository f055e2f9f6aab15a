"""The case store: SQLite now, PostgreSQL by the same SQL later."""

from __future__ import annotations

from pathlib import Path


class Store:
    """`Store.open(path)` creates the file if need be; `upgrade(store)` brings the schema up; `close()` at the end."""

    @classmethod
    def open(cls, path: Path) -> Store:
        """Open a SQLite file (WAL, synchronous=FULL, foreign keys)."""
        raise NotImplementedError

    def close(self) -> None:
        """Close all connections."""
        raise NotImplementedError


def upgrade(store: Store) -> str:
    """Bring the schema to the newest revision and return its name."""
    raise NotImplementedError
