"""How far readers of ours are whose positions are no part of casework's transaction: rows of table destination."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from engine.casework.log_schema import destination
from engine.casework.store import Store


def cursor_of(store: Store, name: str) -> int | None:
    """Return the next position of a reader, None if it never kept one. Raises StoreAway."""
    with store.read() as db:
        found: int | None = db.execute(
            select(destination.c.position).where(destination.c.name == name)
        ).scalar_one_or_none()
    return found


def keep_cursor(store: Store, name: str, position: int) -> None:
    """Keep the next position of a reader; what it did up to there may be done twice, and must bear that."""
    row = {"position": position, "failed": 0}
    keeping = insert(destination).values(name=name, **row)
    with store.beside() as db:
        db.execute(keeping.on_conflict_do_update(index_elements=[destination.c.name], set_=row))
