"""Messages of the outbox are let go of a week after everybody had them; the newest stays, for positions to go on.

How far the outbox was is noted once a day, in rows of table destination: messages themselves bear the time of the log.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, select

from engine.casework.bulk import insert_rows
from engine.casework.log_schema import destination
from engine.casework.schema import outbox
from engine.casework.store import Store

DAY_MS = 86_400_000
KEEP_MS = 7 * DAY_MS
TOGETHER = 5_000
_NOTE = "outbox:"


def told(store: Store, names: Sequence[str]) -> int:
    """Return up to which position each of these destinations was told; 0 when one never was."""
    with store.read() as db:
        query = select(destination.c.name, destination.c.position).where(destination.c.name.in_(names))
        found = {row.name: row.position for row in db.execute(query)}
    return min((found.get(name, 0) for name in names), default=0)


def let_go(store: Store, up_to: int, *, now_ms: int, keep_ms: int = KEEP_MS) -> int:
    """Delete the messages that have had a position for `keep_ms`, at most up to one; return how many.

    Positions stay in order: what is gone is a beginning of the outbox, and never all of it.
    """
    with store.beside() as db:
        last = db.execute(select(func.max(outbox.c.position))).scalar()
        if last is None:
            return 0
        _note(db, last, now_ms)
        table = destination.c
        due = table.name.startswith(_NOTE) & (table.next_t <= now_ms - keep_ms)
        notes = [(row.position, row.name) for row in db.execute(select(table.position, table.name).where(due))]
        if not notes:
            return 0
        oldest_kept = max(notes)
        db.execute(delete(destination).where(table.name.in_([name for _, name in notes if name != oldest_kept[1]])))
    upto, gone = min(oldest_kept[0], up_to, last - 1), 0
    while some := _some(store, upto):
        gone += some
    return gone


def _note(db: Connection, last: int, now_ms: int) -> None:
    row = {"name": f"{_NOTE}{now_ms // DAY_MS}", "position": last, "failed": 0, "next_t": now_ms, "detail": None}
    insert_rows(db, destination, [row], known=True)


def _some(store: Store, upto: int) -> int:
    with store.beside() as db:
        first = select(outbox.c.id).where(outbox.c.position <= upto).order_by(outbox.c.position).limit(TOGETHER)
        return db.execute(delete(outbox).where(outbox.c.id.in_(first))).rowcount
