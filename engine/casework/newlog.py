"""Casework going on with an alerts log that counts its offsets anew."""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, select, update

from engine.casework import schema


def begin_log(db: Connection, first_offset: int) -> None:
    """Let casework begin another alerts log at its start: cases stay, and what comes again of theirs is known."""
    db.execute(update(schema.cursor).values(offset=first_offset - 1))
    db.execute(delete(schema.mark))
    db.execute(delete(schema.change))
    keep_below(db)


def keep_below(db: Connection) -> None:
    """Give what is in quarantine offsets below those of the new log."""
    column = schema.quarantine.c.offset
    low, high = db.execute(select(func.min(column), func.max(column))).one()
    if low is not None:
        db.execute(update(schema.quarantine).values(offset=column - (high + 1 - min(low, 0))))
