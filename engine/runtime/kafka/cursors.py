"""How far readers of ours are whose positions are no part of casework's transaction, and by what a log is known again.

Both are rows of table destination, which has one for whatever follows a log at its own pace.
"""

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


def known_record(store: Store, name: str) -> tuple[int, str] | None:
    """Return the offset and the fingerprint of a record that was read once. Raises StoreAway."""
    columns = (destination.c.position, destination.c.detail)
    with store.read() as db:
        row = db.execute(select(*columns).where(destination.c.name == name)).first()
    return (row[0], row[1] or "") if row is not None else None


def note_record(store: Store, name: str, offset: int, fingerprint: str) -> None:
    """Keep by what the log is known again."""
    row = {"position": offset, "failed": 0, "detail": fingerprint}
    keeping = insert(destination).values(name=name, **row)
    with store.beside() as db:
        db.execute(keeping.on_conflict_do_update(index_elements=[destination.c.name], set_=row))


def forget_record(store: Store, name: str) -> None:
    """Know the log by nothing: it is begun anew."""
    with store.beside() as db:
        db.execute(destination.delete().where(destination.c.name == name))
