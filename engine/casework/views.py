"""What people and programs are shown of cases: frozen structs, JSON by `msgspec.to_builtins`. Times are ms UTC."""

from __future__ import annotations

from typing import Any

import msgspec

from engine.casework.receipts import Receipt


class WorkOrderView(msgspec.Struct, frozen=True, kw_only=True):
    """What one department is asked to do. `id` is `<case>/<n>`."""

    id: str
    department: str
    department_title: str
    state: str
    state_title: str
    officer: str | None = None
    dispatched_t: int | None = None
    started_t: int | None = None
    finished_t: int | None = None
    due_t: int | None = None
    note: str | None = None
    photos: list[str] = []


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a case's story. `version` is the case's number of moves after it; `data` holds no contact data."""

    case: str
    seq: int
    move: str
    title: str
    actor: str
    role: str
    person: bool
    t: int
    note: str | None
    data: dict[str, Any]
    position: int
    state: str
    version: int


class AlertView(msgspec.Struct, frozen=True, kw_only=True):
    """One episode. `level` is the present one (null when cleared), `peak` the highest so far, `value` the last."""

    episode: str
    rule: str
    rule_version: int
    title: str
    sensor: str
    kind: str
    level: str | None
    peak: str
    open: bool
    raised_t: int
    changed_t: int
    heard_t: int | None
    cleared_t: int | None
    cause: str
    value: float | None
    lon: float | None
    lat: float | None
    grid: str | None
    case: str | None
    drill: bool
    plan: str


class ChangeView(msgspec.Struct, frozen=True, kw_only=True):
    """One recent alert change: its place in the alerts log, and the change as detect wrote it."""

    offset: int
    change: dict[str, Any]


class ReportView(msgspec.Struct, frozen=True, kw_only=True):
    """One person's report that a case gathers. Contact data is masked (张*, 138****1234) unless the role needs it."""

    t: int
    source: str
    category: str
    text: str
    lon: float | None
    lat: float | None
    grid: str | None
    contact_name: str | None
    contact_phone: str | None


class CaseView(msgspec.Struct, frozen=True, kw_only=True):
    """One case as it stands. `level` is that of its highest open alert, null when none is open; `peak` the highest
    so far; `flags` of drill, recovered, supervised, sensor_silent, overdue; `moves` those the caller may make now."""

    id: str
    incident: str
    title: str
    state: str
    state_title: str
    open: bool
    level: str | None
    peak: str | None
    category: str
    category_title: str
    department: str | None
    department_title: str | None
    rule: str | None
    sensor: str | None
    close: str
    grid: str | None
    grid_name: str | None
    officer: str | None
    lon: float | None
    lat: float | None
    text: str | None
    flags: list[str]
    drill: bool
    rework: int
    priority: int | None
    opened_t: int
    changed_t: int
    closed_t: int | None
    due_t: int | None
    merged_into: str | None
    version: int
    seq: int
    work_orders: list[WorkOrderView] = []
    moves: list[str] = []


class CaseDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One case with its story; `receipts` say who was told of which of its events, when, and what they answered."""

    case: CaseView
    events: list[EventView]
    alerts: list[AlertView]
    reports: list[ReportView]
    receipts: list[Receipt] = []


class CasePage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a list; `cursor` asks for the next one, null on the last page."""

    cases: list[CaseView]
    cursor: str | None


class AlertNews(msgspec.Struct, frozen=True, kw_only=True):
    """Episodes that changed, as they stand, the last changed last; `offset` is what to ask after next. `reset`: the
    offset asked for is not kept, the list has to be loaded anew."""

    alerts: list[AlertView]
    offset: int
    reset: bool


class AlertPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of episodes, the latest raise first."""

    alerts: list[AlertView]
    cursor: str | None


class CaseCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many open cases are in a state at a level (`none` when no alert is open)."""

    state: str
    level: str
    count: int


class AlertCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many open episodes a rule has at a level."""

    rule: str
    level: str
    count: int


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Figures for /metrics. `moves` says how often each move was ever made."""

    cases: list[CaseCount]
    alerts: list[AlertCount]
    moves: dict[str, int]
    quarantine: dict[str, int]
    outbox_pending: int
