"""交接班: what is open and what happened since the last handover, handed over by one side and taken by the other."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, select, update

from engine.casework.audit import row as audit_row
from engine.casework.errors import Refused
from engine.casework.model import MOVES, OPEN_STATES, level_name
from engine.casework.people import Actor, Role, cases_visible
from engine.casework.people_schema import handover
from engine.casework.privacy import mask_text
from engine.casework.schema import audit, case_event, cases
from engine.casework.words import STATES

HANDING = frozenset({Role.OPERATOR, Role.DISPATCHER, Role.INSPECTOR, Role.SUPERVISOR})
NOTE_LIMIT = 4000
SHOWN = 500
KEPT = 10
LONGEST_MS = 7 * 86_400_000


class OpenCase(msgspec.Struct, frozen=True, kw_only=True):
    """One case that is handed over."""

    id: str
    title: str
    state: str
    state_title: str
    level: str | None
    department: str | None
    grid_name: str | None
    opened_t: int
    due_t: int | None
    supervised: bool
    sensor_silent: bool
    drill: bool


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """What a shift leaves: cases that are open (at most 500 are listed), and how often each thing happened since
    `since_t`; exercises (演练) are listed with their mark and not counted."""

    since_t: int
    open: list[OpenCase]
    open_total: int
    opened: int
    closed: int
    moves: dict[str, int]


class HandoverView(msgspec.Struct, frozen=True, kw_only=True):
    """One handover; the taker's fields are null until he signed."""

    id: int
    area: str
    since_t: int
    t: int
    giver: str
    note: str
    shift: Shift
    taker: str | None
    taken_t: int | None
    taker_note: str | None


def shift_of(db: Connection, actor: Actor, since_t: int | None, now_ms: int) -> Shift:
    """Return what the caller would hand over now; `since_t` null: since the last handover of his area that was taken,
    at most a week."""
    if since_t is None:
        taken = select(func.max(handover.c["t"])).where(handover.c.area == actor.area, handover.c.taken_t.is_not(None))
        since_t = max(db.execute(taken).scalar() or 0, now_ms - LONGEST_MS)
    seen = cases_visible(actor)
    going = cases.c.state.in_([str(state) for state in sorted(OPEN_STATES)])
    names = ("id", "title", "state", "department", "grid_name", "opened_t", "due_t", "supervised", "sensor_silent")
    query = select(*(cases.c[name] for name in names), cases.c.drill, cases.c.level).where(seen, going)
    rows = db.execute(query.order_by(cases.c.drill, cases.c.level.desc(), cases.c.opened_t).limit(SHOWN)).all()
    number = select(func.count()).select_from(cases).where(seen, ~cases.c.drill)
    return Shift(
        since_t=since_t,
        open=[_open_case(row._asdict()) for row in rows],
        open_total=db.execute(number.where(going)).scalar_one(),
        opened=db.execute(number.where(cases.c.opened_t >= since_t)).scalar_one(),
        closed=db.execute(number.where(cases.c.closed_t >= since_t)).scalar_one(),
        moves=_moves(db, actor, since_t),
    )


def _open_case(row: dict[str, Any]) -> OpenCase:
    told = {"level": level_name(row["level"]), "state_title": STATES[row["state"]], "title": mask_text(row["title"])}
    return OpenCase(**{**row, **told})


def _moves(db: Connection, actor: Actor, since_t: int) -> dict[str, int]:
    query = (
        select(case_event.c.move, func.count())
        .join(cases, cases.c.id == case_event.c.case)
        .where(cases_visible(actor), ~cases.c.drill, cases.c.changed_t >= since_t, case_event.c["t"] >= since_t)
        .group_by(case_event.c.move)
    )
    return {row[0]: row[1] for row in db.execute(query) if row[0] in MOVES}


def hand_over(db: Connection, actor: Actor, note: str, t_ms: int, now_ms: int) -> HandoverView:
    """Sign a shift over; another one that nobody took yet must be taken first. Raises Refused."""
    _check(actor, note)
    waiting = select(handover.c.id).where(handover.c.area == actor.area, handover.c.taken_t.is_(None))
    if db.execute(waiting).first() is not None:
        raise Refused("handover_waits", 409, "上一次交班尚未接班，请先由接班人签字")
    shift = shift_of(db, actor, None, t_ms)
    row = {"area": actor.area, "since_t": shift.since_t, "t": t_ms, "giver": actor.name, "note": note}
    row |= {"body": msgspec.json.encode(shift).decode()}
    number = db.execute(insert(handover).values(**row).returning(handover.c.id)).scalar_one()
    _audit(db, actor, "handover.give", number, now_ms)
    return one(db, actor, number)


def take_over(db: Connection, actor: Actor, number: int, note: str, t_ms: int, now_ms: int) -> HandoverView:
    """Sign for a shift that somebody else handed over. Raises Refused."""
    _check(actor, note)
    found = one(db, actor, number)
    if found.taken_t is not None:
        raise Refused("handover_taken", 409, f"{found.taker} 已接班")
    if found.giver == actor.name:
        raise Refused("same_person", 409, "交班人不能自己接班")
    signed = {"taker": actor.name, "taken_t": t_ms, "taker_note": note}
    db.execute(update(handover).where(handover.c.id == number).values(**signed))
    _audit(db, actor, "handover.take", number, now_ms)
    return one(db, actor, number)


def one(db: Connection, actor: Actor, number: int) -> HandoverView:
    """Return one handover of the caller's area; Refused 404."""
    own = handover.c.area == actor.area
    row = db.execute(select(handover).where(handover.c.id == number, own)).first()
    if row is None:
        raise Refused("no_such_handover", 404, f"没有第 {number} 号交接班记录")
    return _view(row._asdict())


def latest(db: Connection, actor: Actor) -> list[HandoverView]:
    """Return the latest handovers of the caller's area, the latest first."""
    query = select(handover).where(handover.c.area == actor.area).order_by(handover.c.id.desc()).limit(KEPT)
    return [_view(row._asdict()) for row in db.execute(query)]


def _view(row: dict[str, Any]) -> HandoverView:
    shift = msgspec.json.decode(row.pop("body"), type=Shift)
    return HandoverView(**row, shift=shift)


def _check(actor: Actor, note: str) -> None:
    if actor.role not in HANDING or actor.department is not None:
        raise Refused("role", 403, "交接班由值班的受理、派遣、核查、督办人员办理")
    if len(note) > NOTE_LIMIT or "\x00" in note:
        raise Refused("bad_args", 422, f"说明过长（至多 {NOTE_LIMIT} 字）或含有空字符")


def _audit(db: Connection, actor: Actor, action: str, number: int, now_ms: int) -> None:
    line = audit_row(now_ms, actor.name, action, str(number), "", str(actor.role), actor.address)
    db.execute(insert(audit), [line])
