"""The city at a glance (驾驶舱): what is open and with whom, how fast it goes, what is slowest, what has gone silent.

Exercises are counted apart and are in no other figure. Everything is limited to what the actor may see.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, func, select, true

from engine.casework.desk import Desk
from engine.casework.directory import department_title
from engine.casework.model import LEVEL_OF, OPEN_STATES, level_name
from engine.casework.people import Actor, alerts_visible, cases_visible
from engine.casework.queries import alert_view
from engine.casework.schema import cases, episode
from engine.casework.story import case_view
from engine.casework.views import AlertView, CaseView

HOUR_MS = 3_600_000
HOURS = 24
SLOWEST = 10
SILENT = 50
BELOW = {0: 9, 6: 9, 9: 12, 12: 15}
"""How long the codes below an area are, by the length of its own: streets, communities, grids."""

Levels = dict[str, int]


class DepartmentLoad(msgspec.Struct, frozen=True, kw_only=True):
    """What one department leads and has open; `levels` by the present level, `none` where no alert is open."""

    department: str | None
    title: str | None
    open: int
    overdue: int
    levels: Levels


class HourFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One hour from `t`: alerts raised, cases opened and cases closed in it."""

    t: int
    raised: int
    opened: int
    closed: int


class AreaFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What is open in an area below the one asked for."""

    code: str
    open: int
    overdue: int
    levels: Levels
    silent: int


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of an area at `now`: see the module."""

    now: int
    grid: str
    open: int
    overdue: int
    supervised: int
    rework: int
    drills: int
    levels: Levels
    alerts: Levels
    states: Levels
    departments: list[DepartmentLoad]
    hours: list[HourFigures]
    areas: list[AreaFigures]
    slowest: list[CaseView]
    silent: int
    silent_sensors: list[AlertView]


def overview(db: Connection, actor: Actor, grid: str, now_ms: int) -> Overview:
    """Return the figures of the area that `grid` names ("" is all); the hours are the last 24, the present one last."""
    seen = and_(cases_visible(actor), _within(cases.c.grid, grid))
    going = and_(seen, cases.c.state.in_([str(state) for state in sorted(OPEN_STATES)]))
    heard = and_(alerts_visible(actor), _within(episode.c.grid, grid))
    real = and_(going, ~cases.c.drill)
    raised = and_(heard, episode.c.level > 0, ~episode.c.drill)
    missed = and_(raised, episode.c.cause == "absent")
    late = and_(cases.c.due_t.is_not(None), cases.c.due_t < now_ms)

    def number(*terms: ColumnElement[bool]) -> int:
        found: int = db.execute(select(func.count()).select_from(cases).where(*terms)).scalar_one()
        return found

    return Overview(
        now=now_ms,
        grid=grid,
        open=number(real),
        overdue=number(real, late),
        supervised=number(real, cases.c.supervised),
        rework=number(real, cases.c.rework > 0),
        drills=number(going, cases.c.drill),
        levels=_by_level(db, cases.c.level, real),
        alerts=_by_level(db, episode.c.level, raised),
        states=dict(_pairs(db, cases.c.state, real)),
        departments=_departments(db, real, late),
        hours=_hours(db, and_(seen, ~cases.c.drill), and_(heard, ~episode.c.drill), now_ms),
        areas=_areas(db, BELOW.get(len(grid), 15), real, late, missed),
        slowest=_slowest(db, real, now_ms),
        silent=_count_of(db, missed),
        silent_sensors=_silent(db, missed),
    )


def _within(column: ColumnElement[str], grid: str) -> ColumnElement[bool]:
    return column.startswith(grid, autoescape=True) if grid else true()


def _pairs(db: Connection, column: ColumnElement[Any], where: ColumnElement[bool]) -> list[tuple[Any, int]]:
    rows = db.execute(select(column, func.count()).where(where).group_by(column).order_by(column))
    return [(row[0], row[1]) for row in rows]


def _count_of(db: Connection, where: ColumnElement[bool]) -> int:
    found: int = db.execute(select(func.count()).select_from(episode).where(where)).scalar_one()
    return found


def _by_level(db: Connection, column: ColumnElement[int], where: ColumnElement[bool]) -> Levels:
    found = {level_name(level) or "none": count for level, count in _pairs(db, column, where)}
    return {name: found.get(name, 0) for name in _LEVELS}


_LEVELS = tuple(name for name in reversed(LEVEL_OF))
"""red, orange, yellow, blue, none."""


def _departments(db: Connection, real: ColumnElement[bool], late: ColumnElement[bool]) -> list[DepartmentLoad]:
    code = cases.c.department
    levels: dict[str | None, Counter[str]] = {}
    for department, level, count in db.execute(
        select(code, cases.c.level, func.count()).where(real).group_by(code, cases.c.level)
    ):
        levels.setdefault(department, Counter())[level_name(level) or "none"] += count
    overdue = dict(_pairs(db, code, and_(real, late)))
    names = {
        row[0]: msgspec.json.decode(row[1] or "{}")
        for row in db.execute(select(code, func.max(cases.c.names)).where(real).group_by(code))
    }
    found = [
        DepartmentLoad(
            department=name,
            title=department_title(name, names.get(name) or {}) if name else None,
            open=sum(by.values()),
            overdue=overdue.get(name, 0),
            levels={level: by[level] for level in _LEVELS},
        )
        for name, by in levels.items()
    ]
    return sorted(found, key=lambda load: (-load.open, load.department or ""))


def _hours(db: Connection, seen: ColumnElement[bool], heard: ColumnElement[bool], now_ms: int) -> list[HourFigures]:
    last = now_ms // HOUR_MS
    first = last - HOURS + 1

    def each(column: ColumnElement[int], where: ColumnElement[bool]) -> dict[int, int]:
        # the statement groups by time itself, so that no number of cases makes it heavy in Python
        hour = column // HOUR_MS
        return dict(_pairs(db, hour, and_(where, column >= first * HOUR_MS)))

    raised = each(episode.c.raised_t, heard)
    opened = each(cases.c.opened_t, seen)
    closed = each(cases.c.closed_t, and_(seen, cases.c.state == "closed"))
    return [
        HourFigures(
            t=hour * HOUR_MS, raised=raised.get(hour, 0), opened=opened.get(hour, 0), closed=closed.get(hour, 0)
        )
        for hour in range(first, last + 1)
    ]


def _areas(
    db: Connection, digits: int, real: ColumnElement[bool], late: ColumnElement[bool], missed: ColumnElement[bool]
) -> list[AreaFigures]:
    code = func.substr(cases.c.grid, 1, digits)
    levels: dict[str, Counter[str]] = {}
    placed = and_(real, cases.c.grid.is_not(None))
    for area, level, count in db.execute(
        select(code, cases.c.level, func.count()).where(placed).group_by(code, cases.c.level)
    ):
        levels.setdefault(area, Counter())[level_name(level) or "none"] += count
    overdue = dict(_pairs(db, code, and_(placed, late)))
    silent = dict(_pairs(db, func.substr(episode.c.grid, 1, digits), and_(missed, episode.c.grid.is_not(None))))
    return [
        AreaFigures(
            code=area,
            open=sum(levels.get(area, Counter()).values()),
            overdue=overdue.get(area, 0),
            levels={level: levels.get(area, Counter())[level] for level in _LEVELS},
            silent=silent.get(area, 0),
        )
        for area in sorted({*levels, *silent})
    ]


def _slowest(db: Connection, real: ColumnElement[bool], now_ms: int) -> list[CaseView]:
    query = select(cases.c.id).where(real).order_by(cases.c.opened_t, cases.c.id).limit(SLOWEST)
    wanted = [row.id for row in db.execute(query)]
    desk = Desk(db)
    desk.load_cases(wanted)
    return [case_view(desk.cases[name], now_ms=now_ms) for name in wanted]


def _silent(db: Connection, missed: ColumnElement[bool]) -> list[AlertView]:
    query = select(episode).where(missed).order_by(episode.c.raised_t, episode.c.id).limit(SILENT)
    return [alert_view(row) for row in db.execute(query)]
