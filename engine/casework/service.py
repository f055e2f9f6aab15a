"""Casework: the alerts log and people's moves go in, cases come out; one writer, one transaction each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from engine.casework import audit, outbox, queries, schema, tokens, values
from engine.casework.arrival import AlertRecord, Arrival, Clock, Poison
from engine.casework.attaching import AttachmentView, PhotoCounter, attachments_of
from engine.casework.bulk import delete_rows, insert_rows
from engine.casework.counter import Counter, Report, allowed
from engine.casework.desk import Desk
from engine.casework.directory import Directory
from engine.casework.errors import CursorLost, OffsetGap, StoreAway
from engine.casework.newlog import keep_below
from engine.casework.outbox import OutboxRow
from engine.casework.overview import Overview, overview
from engine.casework.people import CONTACT_ROLES, Actor, Role
from engine.casework.photos import Photo
from engine.casework.plans import Plans
from engine.casework.platform import Fault, PlatformCounter
from engine.casework.privacy import has_contact
from engine.casework.queries import AlertFilter, CaseFilter
from engine.casework.store import Store
from engine.casework.story import case_view
from engine.casework.values import SensorValue, Series
from engine.casework.views import AlertNews, AlertPage, CaseDetail, CasePage, CaseView, ChangeView, Counts
from engine.clock import wall_clock_ms

__all__ = [
    "AlertFilter",
    "AlertRecord",
    "Applied",
    "CaseFilter",
    "Casework",
    "Fault",
    "OutboxRow",
    "Report",
    "Settings",
]

_ALERTS = "alerts"
_C = TypeVar("_C", bound=Counter)


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch did. `cursor` and `clock` (C, null before the first mark of every partition) are those after it;
    `opened_at` holds, for each case opened, the log time of the record that opened it."""

    cursor: int
    clock: int | None
    changes: int = 0
    repeats: int = 0
    stills: int = 0
    marks: int = 0
    skipped: int = 0
    opened: int = 0
    events: int = 0
    opened_at: list[int] = []
    quarantined: dict[str, int] = {}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """`partitions`: of the readings log, each must have marked before C starts. `reopen_ms`: how long after the close
    a case can be reopened. `change_keep`: how many records of the alerts log back changes are kept for people.
    `first_offset`: of the alerts log, 1 in the journal, 0 in Kafka; the cursor before it stands for none."""

    partitions: int = 1
    first_offset: int = 1
    reopen_ms: int = 30 * 86_400_000
    change_keep: int = 50_000


class Casework:
    """All of casework over one store. Thread-safe: writes take turns, reads go beside them."""

    def __init__(
        self,
        store: Store,
        plans: Plans,
        settings: Settings = Settings(),  # noqa: B008
        *,
        before_commit: Callable[[], None] | None = None,
        after_commit: Callable[[], None] | None = None,
        wall_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        """`plans` is `StoredPlans(store)`; the hooks run around the commit of `apply` (for crash tests); `wall_ms` is
        the machine's clock, for the audit."""
        self.store = store
        self.plans = plans
        self.settings = settings
        self._wall_ms = wall_ms
        self._before_commit = before_commit
        self._after_commit = after_commit
        self._seen: int | None = None

    # --- the alerts log

    def cursor(self) -> int:
        """Return the last applied offset of the alerts log; the one before `first_offset` for none."""
        with self.store.read() as db:
            self._seen = self._cursor(db)[0]
        return self._seen

    def clock(self) -> int | None:
        """Return casework's time C in ms, null before every partition has marked."""
        with self.store.read() as db:
            return self._cursor(db)[1]

    def marks(self) -> dict[int, int | None]:
        """Return the latest mark of each known partition: the one that holds C back is the smallest, or null."""
        with self.store.read() as db:
            return self._expected() | _stored_marks(db)

    def apply(self, records: Sequence[AlertRecord]) -> Applied:
        """Apply consecutive records in one transaction; offsets at or below the cursor are skipped.

        The same records in other batches do the same. Raises CursorLost, OffsetGap, PlanUnknown: nothing was applied.
        Raises StoreAway: ask `cursor()`, since the connection may have broken after the commit.
        """
        seen = self._seen if self._seen is not None else self.cursor()
        fresh = [record for record in records if record.offset > seen]
        expected = seen + 1
        for record in fresh:
            if (record.offset if record.gap_from is None else record.gap_from) != expected:
                raise OffsetGap(expected, record.offset)
            expected = record.offset + 1
        poison: dict[int, str] = {}
        while True:
            try:
                return self._apply(fresh, seen, len(records) - len(fresh), poison)
            except StoreAway:
                self._seen = None
                raise
            except Poison as fault:
                if fault.offset in poison:
                    raise
                poison[fault.offset] = str(fault)

    def set_aside(self, record: AlertRecord, why: str) -> Applied:
        """Keep the record after the cursor in quarantine: a case tells the supervisor. Raises what `apply` raises."""
        seen = self.cursor()
        if record.offset != seen + 1:
            raise CursorLost(record.offset - 1)
        return self._apply([record], seen, 0, {record.offset: why})

    def go_to(self, seen: int, to: int) -> None:
        """Move the cursor from `seen` to `to`: over offsets that the log itself uses, or back to where it began anew.

        Raises CursorLost when it is not at `seen`.
        """
        with self.store.write() as db:
            self._swap(db, seen, to)
            db.execute(delete(schema.change).where(schema.change.c.offset > to))
            if to < seen:
                keep_below(db)
        self._seen = to

    def _apply(self, fresh: Sequence[AlertRecord], seen: int, skipped: int, poison: Mapping[int, str]) -> Applied:
        if not fresh:
            return Applied(cursor=seen, clock=self.clock(), skipped=skipped)
        with self.store.write() as db:
            c, plan = self._swap(db, seen, fresh[-1].offset)
            marks = _stored_marks(db)
            clock = Clock(self._expected() | marks, c, plan)
            arrival = Arrival(Desk(db, self._wall_ms()), self.plans, clock, poison)
            arrival.take(fresh)
            arrival.desk.flush()
            if (clock.c, clock.plan) != (c, plan):
                here = schema.cursor.c.name == _ALERTS
                db.execute(update(schema.cursor).where(here).values(clock=clock.c, plan=clock.plan))
            self._keep_marks(db, marks, clock.marks)
            old = fresh[-1].offset - self.settings.change_keep
            if old >= self.settings.first_offset:
                db.execute(delete(schema.change).where(schema.change.c.offset <= old))
            if self._before_commit is not None:
                self._before_commit()
        self._seen = fresh[-1].offset
        if self._after_commit is not None:
            self._after_commit()
        return Applied(
            cursor=self._seen,
            clock=clock.c,
            skipped=skipped,
            events=arrival.desk.events,
            opened_at=arrival.opened_at,
            quarantined=arrival.quarantined,
            **arrival.counts,
        )

    def _cursor(self, db: Connection) -> tuple[int, int | None, str | None]:
        """Return offset, clock C and the plan named last."""
        columns = schema.cursor.c
        query = select(columns.offset, columns.clock, columns.plan).where(columns.name == _ALERTS)
        row = db.execute(query).first()
        return (row[0], row[1], row[2]) if row is not None else (self.settings.first_offset - 1, None, None)

    def _swap(self, db: Connection, seen: int, to: int) -> tuple[int | None, str | None]:
        """Move the cursor from where this process saw it; return clock and plan. CursorLost when it is not there."""
        columns = schema.cursor.c
        swap = update(schema.cursor).where(columns.name == _ALERTS, columns.offset == seen).values(offset=to)
        row = db.execute(swap.returning(columns.clock, columns.plan)).first()
        if row is not None:
            return row[0], row[1]
        if seen >= self.settings.first_offset or db.execute(select(columns.name)).first() is not None:
            raise CursorLost(seen)
        db.execute(insert(schema.cursor), [{"name": _ALERTS, "offset": to, "clock": None, "plan": None}])
        return None, None

    def _expected(self) -> dict[int, int | None]:
        return dict.fromkeys(range(self.settings.partitions))

    def _keep_marks(self, db: Connection, stored: dict[int, int | None], now: dict[int, int | None]) -> None:
        """Write the marks that moved; those of partitions that never marked too, that their lack be seen."""
        moved = sorted(partition for partition, t in now.items() if partition not in stored or stored[partition] != t)
        delete_rows(db, schema.mark, [{"partition": partition} for partition in moved])
        insert_rows(db, schema.mark, [{"partition": partition, "t": now[partition]} for partition in moved])

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
        with self.store.write() as db:
            case = self._counter(db, Counter).move(
                case_id, move, actor, args or {}, expected_version, idempotency_key, t_ms
            )
        return case_view(case, moves=allowed(case, actor), now_ms=t_ms)

    def report(self, report: Report, actor: Actor, *, idempotency_key: str | None = None, t_ms: int) -> CaseView:
        """Open a case for a person's report, or join it to the open case that holds its merge key."""
        with self.store.write() as db:
            case = self._counter(db, Counter).report(report, actor, idempotency_key, t_ms)
        return case_view(case, moves=allowed(case, actor), now_ms=t_ms)

    def platform(self, fault: Fault, actor: Actor, *, idempotency_key: str | None = None, t_ms: int) -> str | None:
        """Note a fault of the platform itself, or that it is over; return its case, null when there is none."""
        with self.store.write() as db:
            case = self._counter(db, PlatformCounter).tell(fault, actor, idempotency_key, t_ms)
            return case.id if case is not None else None

    def _counter(self, db: Connection, kind: type[_C]) -> _C:
        offset, c, plan = self._cursor(db)
        directory = (self.plans.directory(plan) if plan else None) or self.plans.first() or Directory("", {})
        return kind(db, offset, c, directory, self.settings.reopen_ms, self._wall_ms())

    # --- questions (what the actor may not see is not there: None, or left out)

    def case(self, case_id: str, actor: Actor, *, now_ms: int | None = None) -> CaseDetail | None:
        """Return one case with events, alerts, reports, and the moves that the actor may make now.

        Who is shown a citizen's contact data is noted in the audit first.
        """
        with self.store.read() as db:
            found = queries.one_case(db, case_id, actor, now_ms)
        person = actor.role in CONTACT_ROLES - {Role.SYSTEM}
        if found is not None and person and has_contact(found.reports):
            self.note(actor, "contact.read", case_id)
        return found

    def brief(self, case_id: str, actor: Actor) -> CaseView | None:
        """Return one case without its story."""
        with self.store.read() as db:
            case = queries.seen_case(db, case_id, actor)
        return case_view(case) if case is not None else None

    def cases(self, where: CaseFilter, actor: Actor, *, cursor: str | None = None, limit: int = 100) -> CasePage:
        """Return cases, the latest opened first. Limit 1 to 1000; a bad cursor is Refused 422."""
        with self.store.read() as db:
            return queries.list_cases(db, where, actor, cursor, limit)

    def alerts(self, where: AlertFilter, actor: Actor, *, cursor: str | None = None, limit: int = 100) -> AlertPage:
        """Return episodes, the latest raise first."""
        with self.store.read() as db:
            return queries.list_alerts(db, where, actor, cursor, limit)

    def changed_alerts(self, actor: Actor, *, after: int | None, limit: int = 1000) -> AlertNews:
        """Return the episodes that changed after an offset of the alerts log, and the offset to ask after next."""
        with self.store.read() as db:
            return queries.changed_alerts(db, actor, after, limit, self.settings.change_keep)

    def overview(self, actor: Actor, *, grid: str = "", now_ms: int) -> Overview:
        """Return the figures of the area that `grid` names, of what the actor may see."""
        with self.store.read() as db:
            return overview(db, actor, grid, now_ms)

    def changes(self, actor: Actor, *, after: int = 0, limit: int = 100) -> list[ChangeView]:
        """Return recent alert changes with an offset above `after`, ascending; after=-1: the latest `limit`."""
        with self.store.read() as db:
            return queries.recent_changes(db, actor, after, limit)

    def values(self, case_id: str, actor: Actor) -> list[Series] | None:
        """Return the values of a case's sensors, from an hour before the first raise to the close, for charts."""
        with self.store.read() as db:
            if queries.seen_case(db, case_id, actor) is None:
                return None
            return values.values_of_case(db, case_id)

    def values_of_sensor(self, sensor: str, kind: str, *, since_ms: int) -> Series:
        """Return the kept values of one sensor and kind from a time on, for charts; whose it is, the caller asks."""
        with self.store.read() as db:
            return values.values_of_sensor(db, sensor, kind, since_ms, None)

    def keep_values(self, rows: Iterable[SensorValue]) -> int:
        """Keep last values of sensors for charts; return how many were new. No decision reads them."""
        return values.keep_values(self.store, rows)

    def trim_values(self, *, now_ms: int) -> int:
        """Drop values older than a day that belong to no case's story; return how many."""
        return values.trim_values(self.store, now_ms)

    # --- photos

    def may_attach(self, case_id: str, actor: Actor) -> None:
        """Raise Refused 404 or 403 unless the actor may add photos to the case."""
        with self.store.read() as db:
            self._counter(db, PhotoCounter).may_attach(case_id, actor)

    def attach(self, case_id: str, photo: Photo, actor: Actor, *, t_ms: int) -> AttachmentView:
        """Add a photo, whose file is kept already, to a case: a move. The same picture is added once."""
        with self.store.write() as db:
            _, number = self._counter(db, PhotoCounter).attach(case_id, photo, actor, t_ms)
            return attachments_of(db, case_id)[number - 1]

    def attachments(self, case_id: str, actor: Actor) -> list[AttachmentView] | None:
        """Return the photos of a case; null when there is none such or the actor may not see it."""
        with self.store.read() as db:
            if queries.seen_case(db, case_id, actor) is None:
                return None
            return attachments_of(db, case_id)

    # --- the audit

    def note(self, actor: Actor, action: str, subject: str, detail: str = "") -> None:
        """Keep a line of the audit, durable on return."""
        audit.note_by(self.store, self._wall_ms(), actor, action, subject, detail)

    def counts(self) -> Counts:
        """Return figures for metrics."""
        with self.store.read() as db:
            return queries.count(db)

    def silent_by_street(self) -> dict[str, int]:
        """Return how many sensors are missed, by street code."""
        with self.store.read() as db:
            return queries.silent_by_street(db)

    # --- tokens

    def who(self, token: str, *, now_ms: int) -> Actor | None:
        """Return whose token it is; null when unknown, expired or revoked."""
        return tokens.who(self.store, token, now_ms=now_ms)

    def has_tokens(self) -> bool:
        """Tell whether any token was ever made (without one, only loopback may be served)."""
        return tokens.has_tokens(self.store)

    # --- the one relay

    def assign_positions(self, limit: int = 1000) -> int:
        """Give positions to committed outbox rows in commit order; return how many got one. Only the relay calls it."""
        return outbox.assign_positions(self.store, limit)

    def read_outbox(self, after_position: int, limit: int) -> list[OutboxRow]:
        """Return rows with a position above `after_position`, ascending."""
        return outbox.read_outbox(self.store, after_position, limit)

    def positions(self) -> tuple[int, int]:
        """Return the smallest and the largest position given; (1, 0) when none was."""
        return outbox.positions(self.store)


def _stored_marks(db: Connection) -> dict[int, int | None]:
    rows = db.execute(select(schema.mark.c.partition, schema.mark.c["t"]))
    return {row[0]: row[1] for row in rows}
