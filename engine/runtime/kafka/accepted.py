"""Gaps that were accepted, of a log whose positions the database keeps, and how many partitions it agreed on."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from engine.casework.log_schema import gap as table
from engine.casework.log_schema import log_identity
from engine.casework.schema import audit
from engine.casework.store import Store
from engine.runtime.gaps import Gap, unread
from engine.runtime.log import Stream

_COLUMNS = tuple(table.c[name] for name in ("stream", "partition", "first", "last", "reason", "actor", "t"))


def accepted(db: Connection, stream: str | None = None, partition: int | None = None) -> tuple[Gap, ...]:
    """Return the gaps that were accepted, the oldest first; of one stream or partition only, if it is named."""
    query = select(*_COLUMNS).order_by(table.c.id)
    if stream is not None:
        query = query.where(table.c.stream == stream)
    if partition is not None:
        query = query.where(table.c.partition == partition)
    return tuple(Gap(*row) for row in db.execute(query))


def agreed(db: Connection) -> int | None:
    """Return how many partitions city.readings had when it was first met: the homes of sensors. None before that."""
    rows = select(log_identity.c.partitions).where(log_identity.c.stream == Stream.READINGS.value)
    return db.execute(rows).scalar_one_or_none()


def readable(db: Connection, partitions: int) -> bool:
    """Tell whether workers read a log of so many: those agreed, and others only where each was accepted."""
    known = agreed(db)
    if known is None or known == partitions:
        return True
    return known < partitions and not unread(accepted(db, Stream.READINGS), Stream.READINGS, known, partitions)


def accept(store: Store, gap: Gap) -> None:
    """Keep a gap and who answers for it, durable on return; workers go on within seconds."""
    subject = f"{gap.stream}/{gap.partition} {gap.first}..{gap.last}"
    said = {"t": gap.at_ms, "actor": gap.actor, "action": "gap.accept", "subject": subject, "detail": gap.reason}
    with store.write() as db:
        row = {column.name: value for column, value in zip(_COLUMNS, _values(gap), strict=True)}
        db.execute(insert(table), [row])
        db.execute(insert(audit), [said])


def _values(gap: Gap) -> tuple[object, ...]:
    return (gap.stream, gap.partition, gap.first, gap.last, gap.reason, gap.actor, gap.at_ms)
