"""Last values of sensors, for people and charts, never for decisions: a day of all, and a case's own as long as it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, and_, delete, exists, func, or_, select

from engine.casework.bulk import insert_rows
from engine.casework.schema import cases, episode, sensor_value
from engine.casework.store import Store

DAY_MS = 86_400_000
BEFORE_MS = 3_600_000  # how long before its raise a case's story begins


class SensorValue(NamedTuple):
    """A released reading; `level` 0 (none) to 4 (red)."""

    sensor: str
    kind: str
    t: int
    v: float
    level: int = 0


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Values of one sensor and kind by time: points of [t ms, value]."""

    sensor: str
    kind: str
    points: list[tuple[int, float]]


def keep_values(store: Store, values: Iterable[SensorValue]) -> int:
    """Keep values, each (sensor, kind, t) once; return how many were new."""
    rows = list({value[:3]: value._asdict() for value in values}.values())
    if not rows:
        return 0
    with store.write() as db:
        return insert_rows(db, sensor_value, rows, known=True)


def trim_values(store: Store, now_ms: int) -> int:
    """Drop what is older than a day and is no part of a case's story; return how many rows went."""
    t = sensor_value.c["t"]
    told = select(episode.c.id).where(
        episode.c.sensor == sensor_value.c.sensor,
        episode.c.kind == sensor_value.c.kind,
        episode.c.case == cases.c.id,
        t >= episode.c.raised_t - BEFORE_MS,
        or_(cases.c.closed_t.is_(None), t <= cases.c.closed_t),
    )
    with store.write() as db:
        return db.execute(delete(sensor_value).where(t < now_ms - DAY_MS, ~exists(told))).rowcount


def values_of_case(db: Connection, case_id: str) -> list[Series]:
    """Return the values of a case's sensors from an hour before the first raise to the close."""
    sensors = (
        select(episode.c.sensor, episode.c.kind, func.min(episode.c.raised_t))
        .where(or_(episode.c.case == case_id, episode.c.home == case_id))
        .group_by(episode.c.sensor, episode.c.kind)
        .order_by(episode.c.sensor, episode.c.kind)
    )
    closed = db.execute(select(cases.c.closed_t).where(cases.c.id == case_id)).scalar()
    return [
        values_of_sensor(db, sensor, kind, raised - BEFORE_MS, closed)
        for sensor, kind, raised in db.execute(sensors).all()
    ]


def values_of_sensor(db: Connection, sensor: str, kind: str, since: int, until: int | None) -> Series:
    """Return the values of one sensor and kind, both ends included."""
    t = sensor_value.c["t"]
    terms = and_(sensor_value.c.sensor == sensor, sensor_value.c.kind == kind, t >= since)
    query = select(t, sensor_value.c.v).where(terms).order_by(t)
    rows = db.execute(query.where(t <= until) if until is not None else query)
    return Series(sensor=sensor, kind=kind, points=[(row[0], row[1]) for row in rows])
