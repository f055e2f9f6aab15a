"""Who did or read what, from where: kept at least 184 days (网络安全法 第二十一条: six months), changed by nobody.

The database itself refuses to change a row, and to delete one before its time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Connection, delete, insert, select

from engine.casework.errors import Refused
from engine.casework.schema import audit
from engine.casework.store import Store

if TYPE_CHECKING:
    from engine.casework.people import Actor

LEAST_MS = 184 * 86_400_000
LIMIT = 1000
_PAGE = 5000


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the audit. `t` ms by the machine's clock; `role` and `address` null where nobody called."""

    id: int
    t: int
    actor: str
    role: str | None
    address: str | None
    action: str
    subject: str
    detail: str


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the audit, the latest first; `cursor` asks for the next one, null on the last."""

    lines: list[Line]
    cursor: str | None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines: `since` included, `until` not, ms; `action` is a beginning (`case.`), empty: all."""

    since: int | None = None
    until: int | None = None
    actor: str = ""
    action: str = ""
    subject: str = ""


def row(
    t_ms: int, actor: str, action: str, subject: str, detail: str = "", role: str | None = None, address: str = ""
) -> dict[str, Any]:
    """Return a line as a row of the table."""
    who = {"t": t_ms, "actor": actor, "role": role, "address": address[:64] or None}
    return who | {"action": action, "subject": subject, "detail": detail}


def note(store: Store, t_ms: int, actor: str, action: str, subject: str, detail: str) -> None:
    """Keep one line of something done on the command line, durable on return."""
    with store.write() as db:
        db.execute(insert(audit), [row(t_ms, actor, action, subject, detail)])


def note_by(store: Store, t_ms: int, actor: Actor, action: str, subject: str, detail: str = "") -> None:
    """Keep one line of something that a caller of the API did, durable on return."""
    line = row(t_ms, actor.name, action, subject, detail, str(actor.role), actor.address)
    with store.write() as db:
        db.execute(insert(audit), [line])


def page(db: Connection, wanted: Wanted, cursor: str | None, limit: int) -> Page:
    """Return lines, the latest first."""
    if not 1 <= limit <= LIMIT:
        raise Refused("bad_limit", 422, f"limit 须为 1 至 {LIMIT}")
    query = _chosen(wanted)
    if cursor is not None:
        if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
            raise Refused("bad_cursor", 422, "翻页位置（cursor）无效")
        query = query.where(audit.c.id < int(cursor))
    rows = db.execute(query.order_by(audit.c.id.desc()).limit(limit + 1)).all()
    lines = [Line(**found._asdict()) for found in rows[:limit]]
    return Page(lines=lines, cursor=str(lines[-1].id) if len(rows) > limit else None)


def lines(store: Store, wanted: Wanted) -> Iterator[Line]:
    """Yield all lines in the order in which they were written."""
    last = 0
    while True:
        with store.read() as db:
            query = _chosen(wanted).where(audit.c.id > last).order_by(audit.c.id).limit(_PAGE)
            found = [Line(**one._asdict()) for one in db.execute(query)]
        if not found:
            return
        yield from found
        last = found[-1].id


def trim(store: Store, now_ms: int, keep_ms: int) -> int:
    """Let go of lines older than `keep_ms`, but never of the last 184 days; return how many went."""
    with store.write() as db:
        old = delete(audit).where(audit.c.t < now_ms - max(keep_ms, LEAST_MS))
        return db.execute(old).rowcount


def _chosen(wanted: Wanted) -> Any:
    columns = [audit.c[name] for name in Line.__struct_fields__]
    query = select(*columns)
    if wanted.since is not None:
        query = query.where(audit.c["t"] >= wanted.since)
    if wanted.until is not None:
        query = query.where(audit.c["t"] < wanted.until)
    if wanted.actor:
        query = query.where(audit.c.actor == wanted.actor)
    if wanted.action:
        query = query.where(audit.c.action.startswith(wanted.action, autoescape=True))
    if wanted.subject:
        query = query.where(audit.c.subject == wanted.subject)
    return query
