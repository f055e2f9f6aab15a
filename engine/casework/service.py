"""Casework: the alerts log and people's moves go in, cases come out; one writer, one transaction each.

Signatures are final; what still raises NotImplementedError is being built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from engine.casework.people import Actor
from engine.casework.views import AlertPage, CaseDetail, CasePage, CaseView, ChangeView, Counts


class AlertRecord(NamedTuple):
    """One record of the alerts log: offset from 1 without gaps, JSON bytes, log time in ms."""

    offset: int
    value: bytes
    log_time: int


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch did. `cursor` and `clock` (C, null before the first mark of every partition) are those after it."""

    cursor: int
    clock: int | None
    changes: int = 0
    repeats: int = 0
    stills: int = 0
    marks: int = 0
    skipped: int = 0
    opened: int = 0
    events: int = 0
    quarantined: dict[str, int] = {}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """`partitions`: of the readings log, each must have marked before C starts. `reopen_ms`: how long after the close
    a case can be reopened. `change_keep`: how many recent alert changes are kept for people."""

    partitions: int = 1
    reopen_ms: int = 30 * 86_400_000
    change_keep: int = 20_000


class Report(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person reports. Category as in categories.yaml; lon, lat WGS-84 both or neither; `level` blue … red;
    `source` api, open311, 12345 or commands."""

    category: str
    text: str = ""
    lon: float | None = None
    lat: float | None = None
    grid: str | None = None
    level: str | None = None
    contact_name: str | None = None
    contact_phone: str | None = None
    source: str = "api"
    drill: bool = False
    photos: list[str] = []


class CaseFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Filters of lists; empty means all. `grid` is a prefix; `bbox` west, south, east, north, borders included;
    `open` true only open ones; `now_ms` is needed with `overdue`; `q` searches id, title, text, sensor."""

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


class Casework:
    """All of casework over one store. Thread-safe: writes take turns, reads go beside them."""

    def __init__(
        self,
        store: Any,
        plans: Any,
        settings: Settings = Settings(),  # noqa: B008
        *,
        before_commit: Callable[[], None] | None = None,
        after_commit: Callable[[], None] | None = None,
    ) -> None:
        """`plans` is `StoredPlans(store)`; the hooks run around the commit of `apply` (for crash tests)."""

    # --- the alerts log

    def cursor(self) -> int:
        """Return the last applied offset of the alerts log, 0 for none."""
        raise NotImplementedError

    def clock(self) -> int | None:
        """Return casework's time C in ms, null before every partition has marked."""
        raise NotImplementedError

    def apply(self, records: Sequence[AlertRecord]) -> Applied:
        """Apply consecutive records in one transaction; offsets at or below the cursor are skipped.

        Raises CursorLost, OffsetGap, PlanUnknown: then nothing was applied.
        """
        raise NotImplementedError

    # --- people

    def move(
        self,
        case_id: str,
        move: str,
        actor: Actor,
        *,
        args: Mapping[str, Any] | None = None,
        expected_version: int | None = None,
        idempotency_key: str | None = None,
        t_ms: int,
    ) -> CaseView:
        """Make a person's move at once and return the case after it. Raises Refused: then nothing changed.

        `args` by move: reason (reject, return, extend, void, reopen, verify fail, override), note, department or
        departments and officer (dispatch), work_order (start, finish, return), result pass|fail and override (verify),
        due (extend, ms), into (merge), photos (finish, attach: http(s) URLs).
        The same idempotency key with the same content answers again without doing it again; with other content 422.
        """
        raise NotImplementedError

    def report(
        self, report: Report, actor: Actor, *, idempotency_key: str | None = None, t_ms: int
    ) -> CaseView:
        """Open a case for a person's report, or join it to the open case that holds its merge key."""
        raise NotImplementedError

    # --- questions (what the actor may not see is not there: None, or left out)

    def case(self, case_id: str, actor: Actor) -> CaseDetail | None:
        """Return one case with events, alerts, reports, and the moves that the actor may make now."""
        raise NotImplementedError

    def cases(self, where: CaseFilter, actor: Actor, *, cursor: str | None = None, limit: int = 100) -> CasePage:
        """Return cases, the latest opened first. Limit 1 to 1000; a bad cursor is Refused 422."""
        raise NotImplementedError

    def alerts(
        self, actor: Actor, *, open_only: bool = True, rule: str = "", level: Sequence[str] = (), grid: str = "",
        cursor: str | None = None, limit: int = 100,
    ) -> AlertPage:
        """Return episodes, the latest raise first."""
        raise NotImplementedError

    def changes(self, actor: Actor, *, after: int = 0, limit: int = 100) -> list[ChangeView]:
        """Return recent alert changes with an offset above `after`, ascending; after=-1: the latest `limit`."""
        raise NotImplementedError

    def counts(self) -> Counts:
        """Return figures for metrics."""
        raise NotImplementedError

    # --- tokens

    def who(self, token: str, *, now_ms: int) -> Actor | None:
        """Return whose token it is; null when unknown, expired or revoked."""
        raise NotImplementedError

    def has_tokens(self) -> bool:
        """Tell whether any token was ever made (without one, only loopback may be served)."""
        raise NotImplementedError

    # --- the one relay

    def assign_positions(self, limit: int = 1000) -> int:
        """Give positions to committed outbox rows in commit order; return how many got one. Only the relay calls it."""
        raise NotImplementedError

    def read_outbox(self, after_position: int, limit: int) -> list[OutboxRow]:
        """Return rows with a position above `after_position`, ascending."""
        raise NotImplementedError


class OutboxRow(msgspec.Struct, frozen=True):
    """One message: position, case id, seq in the case, JSON payload {"id": "<case>:<seq>", "event": EventView,
    "case": CaseView without work orders and moves}."""

    position: int
    case: str
    seq: int
    payload: bytes
