"""The outbox: what is to be told of cases, numbered after commit by the one relay."""

from __future__ import annotations

import msgspec
from sqlalchemy import bindparam, func, select, update

from engine.casework.schema import outbox
from engine.casework.store import Store


class OutboxRow(msgspec.Struct, frozen=True):
    """One message: position, case id, seq in the case, JSON payload {"id": "<case>:<seq>", "event": EventView,
    "case": CaseView without work orders and moves}."""

    position: int
    case: str
    seq: int
    payload: bytes


def assign_positions(store: Store, limit: int) -> int:
    """Number the rows that have no position yet, in the order of their commits; return how many got one."""
    with store.read() as db:
        waiting = db.execute(select(outbox.c.id).where(outbox.c.position.is_(None)).limit(1)).first()
    if waiting is None:
        return 0
    with store.write() as db:
        new = select(outbox.c.id).where(outbox.c.position.is_(None)).order_by(outbox.c.id).limit(limit)
        ids = db.execute(new).scalars().all()
        last = db.execute(select(func.max(outbox.c.position))).scalar() or 0
        rows = [{"row": row, "number": last + n} for n, row in enumerate(ids, start=1)]
        if rows:
            number = update(outbox).where(outbox.c.id == bindparam("row")).values(position=bindparam("number"))
            db.execute(number, rows)
    return len(rows)


def read_outbox(store: Store, after_position: int, limit: int) -> list[OutboxRow]:
    """Return numbered rows after a position, ascending."""
    columns = (outbox.c.position, outbox.c.case, outbox.c.seq, outbox.c.payload)
    query = select(*columns).where(outbox.c.position > after_position).order_by(outbox.c.position).limit(limit)
    with store.read() as db:
        return [OutboxRow(*row) for row in db.execute(query)]


def positions(store: Store) -> tuple[int, int]:
    """Return the smallest and the largest position given; (1, 0) when none was."""
    with store.read() as db:
        first, last = db.execute(select(func.min(outbox.c.position), func.max(outbox.c.position))).one()
    return (first, last) if first is not None else (1, 0)
