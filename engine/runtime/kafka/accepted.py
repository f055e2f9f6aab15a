"""Gaps that were accepted, of a log whose positions the database keeps."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from engine.casework.log_schema import gap as table
from engine.casework.schema import audit
from engine.casework.store import Store
from engine.runtime.gaps import Gap

_COLUMNS = tuple(table.c[name] for name in ("stream", "partition", "first", "last", "reason", "actor", "t"))


def accepted(db: Connection, stream: str | None = None, partition: int | None = None) -> tuple[Gap, ...]:
    """Return the gaps that were accepted, the oldest first; of one stream or partition only, if it is named."""
    query = select(*_COLUMNS).order_by(table.c.id)
    if stream is not None:
        query = query.where(table.c.stream == stream)
    if partition is not None:
        query = query.where(table.c.partition == partition)
    return tuple(Gap(*row) for row in db.execute(query))


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
