"""Questions about cases and alerts: filtered pages, one case's story, counts for metrics."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Select, and_, exists, func, or_, select

from engine.casework.bulk import among
from engine.casework.counter import allowed
from engine.casework.desk import Desk
from engine.casework.errors import Refused
from engine.casework.model import CLOSED_STATES, LEVEL_OF, OPEN_STATES, CaseState, Event, level_name
from engine.casework.people import CONTACT_ROLES, READERS, Actor, alerts_visible, cases_visible, visible
from engine.casework.privacy import mask_name, mask_phone, mask_text
from engine.casework.projection import step
from engine.casework.receipts import receipts_of
from engine.casework.schema import (
    case_event,
    cases,
    change,
    episode,
    move_total,
    outbox,
    quarantine,
    work_order,
)
from engine.casework.schema import cursor as cursor_table
from engine.casework.schema import report as report_table
from engine.casework.story import case_view, event_view
from engine.casework.views import (
    AlertCount,
    AlertNews,
    AlertPage,
    AlertView,
    CaseCount,
    CaseDetail,
    CasePage,
    ChangeView,
    Counts,
    EventView,
    ReportView,
)

LIMIT = 1000
CURSOR = r"^(\d{1,15}):([A-Za-z0-9_-]{1,64})$"
"""Where a page ended: time and key of its last row."""
STREET_DIGITS = 9
_NUMBER = re.compile(r"\d{3}")  # whoever is shown masked numbers must not find them by guessing either


class CaseFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Filters of lists; empty means all. `grid` is a prefix; `bbox` west, south, east, north, borders included;
    `open` true only open ones; `now_ms` is needed with `overdue`; `q` searches id, title, text, sensor, grid name."""

    state: Sequence[str] = ()
    level: Sequence[str] = ()
    category: Sequence[str] = ()
    department: Sequence[str] = ()
    grid: str = ""
    bbox: tuple[float, float, float, float] | None = None
    overdue: bool | None = None
    open: bool | None = None
    drill: bool | None = None
    q: str = ""
    now_ms: int | None = None


def list_cases(db: Connection, where: CaseFilter, actor: Actor, cursor: str | None, limit: int) -> CasePage:
    """Return a page of cases, the latest opened first."""
    limit = _limit(limit)
    query = select(cases.c.id).where(cases_visible(actor), *_terms(where, actor))
    rows = db.execute(_paged(query, cases.c.opened_t, cases.c.id, cursor, limit).add_columns(cases.c.opened_t)).all()
    desk = Desk(db)
    desk.load_cases(row.id for row in rows[:limit])
    shown = [desk.cases[row.id] for row in rows[:limit]]
    views = [case_view(case, moves=allowed(case, actor), now_ms=where.now_ms) for case in shown]
    return CasePage(cases=views, cursor=_next(rows, limit))


def _terms(where: CaseFilter, actor: Actor) -> list[ColumnElement[bool]]:
    terms: list[ColumnElement[bool]] = []
    for column, wanted in ((cases.c.state, where.state), (cases.c.category, where.category)):
        if wanted:
            terms.append(column.in_(list(wanted)))
    if where.level:
        terms.append(cases.c.level.in_(_levels(where.level)))
    if where.department:
        order = select(work_order.c.n).where(
            work_order.c.case == cases.c.id, work_order.c.department.in_(list(where.department))
        )
        terms.append(or_(cases.c.department.in_(list(where.department)), exists(order)))
    if where.grid:
        terms.append(cases.c.grid.startswith(where.grid, autoescape=True))
    if where.bbox is not None:
        west, south, east, north = where.bbox
        terms += [cases.c.lon.between(west, east), cases.c.lat.between(south, north)]
    if where.open is not None:
        ended = cases.c.state.in_([str(state) for state in sorted(CLOSED_STATES)])
        terms.append(~ended if where.open else ended)
    if where.drill is not None:
        terms.append(cases.c.drill.is_(where.drill))
    if where.overdue is not None:
        terms.append(_overdue(where))
    if where.q:
        columns = [cases.c.id, cases.c.title, cases.c.sensor, cases.c.grid_name, cases.c.grid]
        if actor.role in CONTACT_ROLES or not _NUMBER.search(where.q):
            columns.append(cases.c.text)
        terms.append(or_(*(column.icontains(where.q, autoescape=True) for column in columns)))
    return terms


def _overdue(where: CaseFilter) -> ColumnElement[bool]:
    if where.now_ms is None:
        raise Refused("bad_args", 422, "按超期筛选须给出当前时间")
    ended = cases.c.state.in_([str(state) for state in sorted(CLOSED_STATES)])
    late = and_(~ended, cases.c.due_t.is_not(None), cases.c.due_t < where.now_ms)
    return late if where.overdue else or_(ended, cases.c.due_t.is_(None), cases.c.due_t >= where.now_ms)


def _levels(names: Sequence[str]) -> list[int]:
    unknown = [name for name in names if name not in LEVEL_OF]
    if unknown:
        raise Refused("bad_level", 422, f"没有级别 {unknown[0][:20]}")
    return [int(LEVEL_OF[name]) for name in names]


def _limit(limit: int) -> int:
    if not 1 <= limit <= LIMIT:
        raise Refused("bad_limit", 422, f"limit 须为 1 至 {LIMIT}")
    return limit


def _paged(
    query: Select[Any], time: ColumnElement[int], key: ColumnElement[str], cursor: str | None, limit: int
) -> Select[Any]:
    """Order by (time, key) descending, go on after the cursor, and read one row more to see whether it goes on."""
    if cursor is not None:
        t, name = _parse_cursor(cursor)
        query = query.where(or_(time < t, and_(time == t, key < name)))
    return query.order_by(time.desc(), key.desc()).limit(limit + 1)


def _next(rows: Sequence[Row[Any]], limit: int) -> str | None:
    if len(rows) <= limit:
        return None
    last = rows[limit - 1]._asdict()
    key, t = last.values()
    return f"{t}:{key}"


def _parse_cursor(cursor: str) -> tuple[int, str]:
    found = re.fullmatch(CURSOR, cursor, re.ASCII)
    if found is None:
        raise Refused("bad_cursor", 422, "翻页位置（cursor）无效")
    return int(found[1]), found[2]


def one_case(db: Connection, case_id: str, actor: Actor, now_ms: int | None = None) -> CaseDetail | None:
    """Return a case with its story; null when there is none or the actor may not see it.

    Nothing is masked for roles that need contact data.
    """
    case = seen_case(db, case_id, actor)
    if case is None:
        return None
    plain = actor.role in CONTACT_ROLES
    rows = db.execute(select(episode).where(or_(episode.c.case == case_id, episode.c.home == case_id)))
    alerts = sorted((alert_view(row) for row in rows), key=lambda alert: (alert.raised_t, alert.episode))
    told = db.execute(select(report_table).where(report_table.c.case == case_id).order_by(report_table.c.t))
    return CaseDetail(
        case=case_view(case, moves=allowed(case, actor), now_ms=now_ms, plain=plain),
        events=_story(events_of(db, case_id), plain),
        alerts=alerts,
        reports=[_report(row, plain) for row in told],
        receipts=receipts_of(db, case_id),
    )


def seen_case(db: Connection, case_id: str, actor: Actor) -> CaseState | None:
    """Return a case, null when there is none or the actor may not see it."""
    desk = Desk(db)
    desk.load_cases([case_id])
    case = desk.cases.get(case_id)
    return case if case is not None and visible(actor, case).allowed else None


def events_of(db: Connection, case_id: str) -> list[Event]:
    """Return all events of a case by seq."""
    query = select(case_event).where(case_event.c.case == case_id).order_by(case_event.c.seq)
    return [_event(row) for row in db.execute(query)]


def _event(row: Row[Any]) -> Event:
    return Event(**{**row._asdict(), "data": msgspec.json.decode(row.data)})


def _story(events: Sequence[Event], plain: bool) -> list[EventView]:
    case = CaseState(id=events[0].case)
    views = []
    for event in events:
        step(case, event)
        views.append(event_view(event, str(case.state), case.version, plain))
    return views


def _report(row: Row[Any], plain: bool) -> ReportView:
    name, phone = row.contact_name, row.contact_phone
    return ReportView(
        t=row._mapping["t"],
        source=row.source,
        category=row.category,
        text=row.text if plain else mask_text(row.text),
        lon=row.lon,
        lat=row.lat,
        grid=row.grid,
        contact_name=name if plain else mask_name(name),
        contact_phone=phone if plain else mask_phone(phone),
    )


class AlertFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Filters of lists of episodes, as those of cases."""

    open_only: bool = True
    rule: str = ""
    level: Sequence[str] = ()
    grid: str = ""
    drill: bool | None = None


def list_alerts(db: Connection, where: AlertFilter, actor: Actor, cursor: str | None, limit: int) -> AlertPage:
    """Return a page of episodes, the latest raise first."""
    limit = _limit(limit)
    query = select(episode.c.id, episode.c.raised_t).where(alerts_visible(actor))
    if where.open_only:
        query = query.where(episode.c.level > 0)
    if where.rule:
        query = query.where(episode.c.rule == where.rule)
    if where.level:
        query = query.where(episode.c.level.in_(_levels(where.level)))
    if where.grid:
        query = query.where(episode.c.grid.startswith(where.grid, autoescape=True))
    if where.drill is not None:
        query = query.where(episode.c.drill.is_(where.drill))
    rows = db.execute(_paged(query, episode.c.raised_t, episode.c.id, cursor, limit)).all()
    wanted = [row.id for row in rows[:limit]]
    found = {row.id: row for row in db.execute(select(episode).where(episode.c.id.in_(wanted)))}
    return AlertPage(alerts=[alert_view(found[name]) for name in wanted], cursor=_next(rows, limit))


def alert_view(row: Row[Any]) -> AlertView:
    """Return an episode for people."""
    values: Mapping[str, Any] = row._asdict()
    same = {name: values[name] for name in AlertView.__struct_fields__ if name in values}
    return AlertView(
        **{
            **same,
            "episode": values["id"],
            "level": level_name(values["level"]),
            "peak": level_name(values["peak"]) or "",
            "open": values["level"] > 0,
        }
    )


def recent_changes(db: Connection, actor: Actor, after: int, limit: int) -> list[ChangeView]:
    """Return changes above an offset, ascending; after=-1: the latest."""
    limit = _limit(limit)
    if actor.role not in READERS:
        return []
    query = select(change.c.offset, change.c.body)
    if actor.area:
        query = query.where(change.c.grid.startswith(actor.area, autoescape=True))
    if after < 0:
        rows = list(db.execute(query.order_by(change.c.offset.desc()).limit(limit)))[::-1]
    else:
        rows = list(db.execute(query.where(change.c.offset > after).order_by(change.c.offset).limit(limit)))
    return [ChangeView(offset=row.offset, change=msgspec.json.decode(row.body)) for row in rows]


def changed_alerts(db: Connection, actor: Actor, after: int | None, limit: int, kept: int) -> AlertNews:
    """Return the episodes with a change above an offset of the alerts log, as they stand; without one only the offset.

    `kept`: how many records back changes are kept; whoever asks from before that is told to begin anew (`reset`).
    """
    now = max(db.execute(select(cursor_table.c.offset).where(cursor_table.c.name == "alerts")).scalar() or 0, 0)
    if after is None:
        return AlertNews(alerts=[], offset=now, reset=False)
    if not now - kept <= after <= now:
        return AlertNews(alerts=[], offset=now, reset=True)
    told = select(change.c.offset, change.c.episode).where(change.c.offset > after)
    rows = db.execute(told.order_by(change.c.offset).limit(limit)).all()
    names = {row.episode for row in rows}
    found = db.execute(select(episode).where(among(db, episode.c.id, names), alerts_visible(actor)))
    alerts = sorted((alert_view(row) for row in found), key=lambda alert: (alert.changed_t, alert.episode))
    return AlertNews(alerts=alerts, offset=rows[-1].offset if len(rows) == limit else now, reset=False)


def count(db: Connection) -> Counts:
    """Return figures for metrics; closed cases are not among them, nor are exercises."""
    number = func.count()
    going = [str(state) for state in sorted(OPEN_STATES)]
    by_state = select(cases.c.state, cases.c.level, number).where(cases.c.state.in_(going), ~cases.c.drill)
    by_rule = select(episode.c.rule, episode.c.level, number).where(episode.c.level > 0, ~episode.c.drill)
    by_move = select(move_total.c.move, move_total.c.number)
    by_reason = select(quarantine.c.reason, number).group_by(quarantine.c.reason)
    pending = select(number).select_from(outbox).where(outbox.c.position.is_(None))
    return Counts(
        cases=[
            CaseCount(state=state, level=level_name(level) or "none", count=n)
            for state, level, n in db.execute(by_state.group_by(cases.c.state, cases.c.level))
        ],
        alerts=[
            AlertCount(rule=rule, level=level_name(level) or "none", count=n)
            for rule, level, n in db.execute(by_rule.group_by(episode.c.rule, episode.c.level))
        ],
        moves={row[0]: row[1] for row in db.execute(by_move)},
        quarantine={row[0]: row[1] for row in db.execute(by_reason)},
        outbox_pending=db.execute(pending).scalar_one(),
    )


def silent_by_street(db: Connection) -> dict[str, int]:
    """Return how many open alerts say that a sensor is missed, by the street code of its grid (`-` outside of all)."""
    street = func.coalesce(func.substr(episode.c.grid, 1, STREET_DIGITS), "-")
    missed = select(street, func.count()).where(episode.c.level > 0, episode.c.cause == "absent", ~episode.c.drill)
    return {row[0]: row[1] for row in db.execute(missed.group_by(street))}
