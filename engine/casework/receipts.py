"""Receipts: what each destination answered to each message of a case, and when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, case, select
from sqlalchemy.dialects import postgresql, sqlite

from engine.casework.people_schema import receipt

ANSWER_LIMIT = 300


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """One message at one destination. `state`: taken, waiting (it is tried again), given_up; times ms by the machine's
    clock; `answer` is what the other side said last."""

    destination: str
    case: str
    seq: int
    state: Literal["taken", "waiting", "given_up"]
    tries: int
    first_t: int
    last_t: int
    answer: str


def tried(destination: str, case_id: str, seq: int, state: str, t_ms: int, answer: str) -> dict[str, Any]:
    """Return one try as a row."""
    row: dict[str, Any] = {"destination": destination, "case": case_id, "seq": seq, "state": state}
    plain = "".join(char if char.isprintable() else " " for char in answer)
    return row | {"tries": 1, "first_t": t_ms, "last_t": t_ms, "answer": plain[:ANSWER_LIMIT]}


def keep(db: Connection, rows: Iterable[dict[str, Any]]) -> None:
    """Keep tries: a further one counts up, and what was taken stays taken."""
    make: Any = postgresql.insert(receipt) if db.dialect.name == "postgresql" else sqlite.insert(receipt)
    new = make.excluded
    again = {
        "state": case((receipt.c.state == "taken", "taken"), else_=new.state),
        "tries": receipt.c.tries + 1,
        "last_t": new.last_t,
        "answer": new.answer,
    }
    statement = make.on_conflict_do_update(index_elements=["destination", "case", "seq"], set_=again)
    for row in rows:
        db.execute(statement, [row])


def receipts_of(db: Connection, case_id: str) -> list[Receipt]:
    """Return the receipts of a case, by its messages."""
    order = (receipt.c.seq, receipt.c.destination)
    rows = db.execute(select(receipt).where(receipt.c.case == case_id).order_by(*order))
    return [Receipt(**row._asdict()) for row in rows]
