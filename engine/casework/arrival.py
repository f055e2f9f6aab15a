"""What a batch of the alerts log does: changes join or open cases, stills keep values, marks let timers fire."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from engine.casework import merging
from engine.casework.alertlog import Change, Item, Mark, Still, parse
from engine.casework.clerk import Clerk
from engine.casework.desk import Desk, Episode, short_hash
from engine.casework.directory import ClearLine, Directory, RuleEntry, category
from engine.casework.errors import PlanUnknown, StoreAway, Unprocessable
from engine.casework.model import LEVEL_OF, CaseState, Level, Move, Note
from engine.casework.opening import open_case
from engine.casework.plans import Plans
from engine.casework.schema import change as change_table
from engine.casework.schema import quarantine
from rules.model import CaseSpec, MergeBy

TROUBLE = "0699"  # category of cases about changes that casework could not process
MAX_TIMERS = 100_000


class AlertRecord(NamedTuple):
    """One record of the alerts log: offset from 1 without gaps, JSON bytes, log time in ms.

    With `gap_from` it stands for the offsets from there up to its own, which are lost and were accepted as missing.
    """

    offset: int
    value: bytes
    log_time: int
    gap_from: int | None = None


class Poison(Exception):
    """A record on which the engine itself failed; the batch is done again with it set aside."""

    def __init__(self, offset: int, cause: Exception) -> None:
        super().__init__(f"offset {offset}: {type(cause).__name__}: {cause}")
        self.offset = offset
        self.cause = cause


@contextmanager
def _blamed(record: AlertRecord) -> Iterator[None]:
    """Say which record it was on which the engine failed; what the database or the plan is to blame for goes on up."""
    try:
        yield
    except (Unprocessable, PlanUnknown, SQLAlchemyError, StoreAway, MemoryError):
        raise
    except Exception as fault:
        raise Poison(record.offset, fault) from fault


class Clock(msgspec.Struct):
    """Casework's time: the latest mark of each known partition (null before its first), C, and the plan named last."""

    marks: dict[int, int | None]
    c: int | None
    plan: str | None


class Arrival:
    """One batch at the desk. `counts` are its figures; `clock` is moved on by its marks.

    What detect repeats, since a worker died or did not know that another had taken over, changes nothing: changes are
    known by their seq, marks and stills by not being later, and what was set aside by its bytes.
    """

    def __init__(self, desk: Desk, plans: Plans, clock: Clock, poison: Mapping[int, str]) -> None:
        self.desk = desk
        self.plans = plans
        self.clock = clock
        self.poison = poison
        self.clerk = Clerk(desk, 0, clock.c)
        self.counts = {"changes": 0, "repeats": 0, "stills": 0, "marks": 0, "opened": 0}
        self.quarantined: dict[str, int] = {}
        self.opened_at: list[int] = []
        self._aside: set[str] = set()

    def take(self, records: Sequence[AlertRecord]) -> None:
        """Apply the records one after the other. Raises PlanUnknown, and Poison for a record that broke the engine."""
        self._aside = self.desk.set_aside(digest(record.value) for record in records)
        records = [record for record in records if not self._known(record)]
        items = [self._parsed(record) for record in records]
        self._fetch(records, items)
        for record, item in zip(records, items, strict=True):
            self.clerk.position = record.offset
            if self._known(record):
                continue
            try:
                with _blamed(record):
                    self._one(record, item)
            except Unprocessable as fault:
                self._set_aside(record, fault, item.t if isinstance(item, Change) else record.log_time)

    def _known(self, record: AlertRecord) -> bool:
        """Tell, and count, a record that was set aside before."""
        known = bool(self._aside) and digest(record.value) in self._aside
        self.counts["repeats"] += known
        return known

    def _parsed(self, record: AlertRecord) -> Item | Unprocessable:
        if record.offset in self.poison:
            return Unprocessable("engine_fault", self.poison[record.offset])
        if record.gap_from is not None:
            said = record.value.decode(errors="replace")
            return Unprocessable("gap", f"offsets {record.gap_from} to {record.offset} are missing: {said}")
        try:
            return parse(record.value)
        except Unprocessable as fault:
            return fault

    def _fetch(self, records: Sequence[AlertRecord], items: Sequence[object]) -> None:
        """Bring everything to the desk that the batch needs, in few queries."""
        changes = [item for item in items if isinstance(item, Change)]
        stills = [item.still for item in items if isinstance(item, Still)]
        self.desk.load_episodes([*(change.episode for change in changes), *stills])
        keys: list[str] = []
        for record, item in zip(records, items, strict=True):
            if isinstance(item, Change) and item.change == "raised" and item.episode not in self.desk.episodes:
                with _blamed(record):
                    key = self._key(item, record.offset)
                keys += [key] if key else []
        self.desk.load_keys(keys)
        marks = [item.mark for item in items if isinstance(item, Mark)]
        if marks:
            self.desk.load_due(max(marks))

    def _key(self, change: Change, offset: int) -> str | None:
        directory = self._directory(change.plan, offset)
        entry = directory.rules.get(change.rule)
        if entry is None or entry.spec is None:
            return None
        return merging.key_of(entry.spec, change, change.sensor in directory.drills)

    def _directory(self, short: str, offset: int) -> Directory:
        directory = self.plans.directory(short)
        if directory is None:
            raise PlanUnknown(short, offset)
        return directory

    def _one(self, record: AlertRecord, item: Item | Unprocessable) -> None:
        if isinstance(item, Change):
            self._change(record, item)
        elif isinstance(item, Mark):
            self._mark(item)
        elif isinstance(item, Still):
            self._still(item)
        else:
            raise item

    # --- marks and stills

    def _mark(self, mark: Mark) -> None:
        clock = self.clock
        last = clock.marks.get(mark.partition)
        if last is not None and mark.mark <= last:
            self.counts["repeats"] += 1
            return
        self.counts["marks"] += 1
        clock.marks[mark.partition] = mark.mark
        clock.plan = mark.plan or clock.plan
        known = [t for t in clock.marks.values() if t is not None]
        if len(known) == len(clock.marks):
            clock.c = max(min(known), clock.c if clock.c is not None else min(known))
            self.clerk.c = clock.c
            self._fire(clock.c)

    def _fire(self, c: int) -> None:
        for _ in range(MAX_TIMERS):
            due = min(((t, *key) for key, t in self.desk.timers.items() if t <= c), default=None)
            if due is None:
                return
            self.clerk.check(self.desk.cases[due[1]], due[0], self._clear_line)
        raise RuntimeError("timers fire without end")

    def _clear_line(self, episode: Episode) -> ClearLine | None:
        directory = self.plans.directory(episode.plan)
        entry = directory.rules.get(episode.rule) if directory is not None else None
        return entry.lines.get(episode.level) if entry is not None else None

    def _still(self, still: Still) -> None:
        episode = self.desk.episodes.get(still.still)
        if episode is None or episode.level == 0 or (episode.heard_t is not None and still.t <= episode.heard_t):
            self.counts["repeats"] += 1
            return
        self.counts["stills"] += 1
        episode.heard_t = still.t
        episode.value = still.value if still.value is not None else episode.value
        self.desk.touch(episode)
        case = self.desk.cases.get(episode.case or "")
        if case is not None and case.sensor_silent:
            self.clerk.settle(case)

    # --- changes

    def _change(self, record: AlertRecord, change: Change) -> None:
        episode = self.desk.episodes.get(change.episode)
        if episode is not None and change.seq <= episode.seq:
            self.counts["repeats"] += 1
            return
        if episode is None and change.change != "raised":
            raise Unprocessable("unknown_episode", f"{change.id}: its raise was never seen")
        if episode is not None and change.seq > episode.seq + 1:
            gap = f"{change.id}: the change before it had seq {episode.seq}"
            self._set_aside(record, Unprocessable("sequence_gap", gap), change.t)
        entry = self._entry(record, change) if episode is None else None
        self.counts["changes"] += 1
        self.clock.plan = change.plan or self.clock.plan
        if change.partition is not None:
            self.clock.marks.setdefault(change.partition, None)
        body = record.value.decode().strip()
        self.desk.add(
            change_table, {"offset": record.offset, "episode": change.episode, "grid": change.grid, "body": body}
        )
        if entry is not None:
            self._raised(record, change, entry)
        elif episode is not None:
            self._changed(episode, change)

    def _entry(self, record: AlertRecord, change: Change) -> RuleEntry:
        entry = self._directory(change.plan, record.offset).rules.get(change.rule)
        if entry is None:
            raise Unprocessable("unknown_rule", f"{change.id}: plan {change.plan} has no rule {change.rule}")
        return entry

    def _changed(self, episode: Episode, change: Change) -> None:
        self._note_change(episode, change)
        if episode.case is None:
            return
        self._join(self.desk.cases[episode.case], change)

    def _note_change(self, episode: Episode, change: Change) -> None:
        episode.seq, episode.cause = change.seq, change.cause
        episode.level = LEVEL_OF[change.level] if change.level else 0
        episode.peak = max(episode.peak, episode.level)
        episode.changed_t = change.t
        episode.cleared_t = change.t if change.change == "cleared" else None
        if change.cause == "reading":
            episode.heard_t = max(change.t, episode.heard_t if episode.heard_t is not None else change.t)
        if change.value is not None:
            episode.value = change.value
        if change.lon is not None:
            episode.lon, episode.lat, episode.grid = change.lon, change.lat, change.grid
        self.desk.touch(episode)

    def _raised(self, record: AlertRecord, change: Change, entry: RuleEntry) -> None:
        directory = self._directory(change.plan, record.offset)
        drill = change.sensor in directory.drills
        episode = _episode(change, entry.title, drill)
        self._note_change(episode, change)
        if entry.spec is None or change.shadow:
            return
        case = self._case_for(change, entry.spec, drill)
        if case is not None:
            episode.case = episode.home = case.id
            self._join(case, change)
        else:
            self._open(change, entry.spec, directory, episode, record.log_time)

    def _case_for(self, change: Change, spec: CaseSpec, drill: bool) -> CaseState | None:
        key = merging.key_of(spec, change, drill)
        if key is not None:
            return merging.holder(self.desk, key, change.t)
        assert change.lon is not None
        assert change.lat is not None
        prefix = merging.near_prefix(spec.category, drill)
        metres = spec.merge.metres or 0.0
        return merging.nearest(self.desk, prefix, change.lon, change.lat, metres, change.t, spec.within_ms)

    def _join(self, case: CaseState, change: Change) -> None:
        at = change.t if self.clock.c is None else max(change.t, self.clock.c)
        self.clerk.record(case, Note.ALERT, change.t, data={"change": msgspec.to_builtins(change), "at": at})
        gone = change.change == "cleared" and not case.alerts
        if gone and case.is_open and not case.started and not case.recovered:
            self.clerk.record(case, Note.RECOVERED, change.t)

    def _count_opened(self, log_time: int) -> None:
        self.counts["opened"] += 1
        self.opened_at.append(log_time)

    def _open(self, change: Change, spec: CaseSpec, directory: Directory, episode: Episode, log_time: int) -> None:
        case_id = f"WO-{directory.local_date(change.t)}-{short_hash(change.id)}"
        key = merging.key_of(spec, change, episode.drill)
        by = merging.merge_by(spec, change)
        office = directory.office(change.grid)
        facts = {
            "title": episode.title,
            "category": spec.category,
            "department": spec.department or office.department,
            "rule": change.rule,
            "sensor": change.sensor,
            "auto": str(spec.auto),
            "close": str(spec.close),
            "merge_by": str(by),
            "within_ms": spec.within_ms,
            "verify_for_ms": spec.verify_for_ms,
            "verify_wait_ms": spec.verify_wait_ms,
            "priorities": {level.word: number for level, number in spec.priority},
            "grid": change.grid,
            "grid_name": office.name,
            "officer": office.officer,
            "names": office.names,
            "lon": change.lon,
            "lat": change.lat,
            "drill": episode.drill,
            "keys": [key if key is not None else merging.near_prefix(spec.category, episode.drill) + case_id],
        }
        assert by != MergeBy.NEAR or key is None
        case = open_case(self.clerk, case_id, facts, change.t, {"change": msgspec.to_builtins(change)})
        episode.case = episode.home = case.id
        self._count_opened(log_time)
        self.clerk.go_on(case, change.t)

    # --- what cannot be processed

    def _set_aside(self, record: AlertRecord, fault: Unprocessable, t_ms: int) -> None:
        """Keep the record in quarantine and see that a case tells the supervisor."""
        key = f"quarantine|{fault.reason}"
        case = merging.holder(self.desk, key, t_ms)
        data = {"offset": record.offset, "reason": fault.reason}
        note = f"告警日志第 {record.offset} 条无法处理（{fault.reason}）：{fault.detail[:500]}"
        if case is not None:
            self.clerk.record(case, Note.JOINED, t_ms, note=note, data=data)
        else:
            case_id = f"WO-{self._date(t_ms)}-{short_hash(f'city.alerts:{digest(record.value)}')}"
            facts: dict[str, Any] = {
                "title": category(TROUBLE).title,
                "category": TROUBLE,
                "department": None,
                "text": note,
            }
            facts |= {"said_level": int(Level.ORANGE), "keys": [key]}
            case = open_case(self.clerk, case_id, facts, t_ms, data, note=note)
            self.clerk.record(case, Move.SUPERVISE, t_ms, note="请督办人员核实")
            self._count_opened(record.log_time)
        self.quarantined[fault.reason] = self.quarantined.get(fault.reason, 0) + 1
        row: dict[str, Any] = {"offset": record.offset, "log_time": record.log_time, "reason": fault.reason}
        name = digest(record.value)
        self._aside.add(name)
        row |= {"detail": fault.detail, "raw": record.value, "digest": name, "case": case.id}
        self.desk.add(quarantine, row)

    def _date(self, t_ms: int) -> str:
        directory = self.plans.directory(self.clock.plan) if self.clock.plan else None
        directory = directory or self.plans.first() or Directory("", {})
        return directory.local_date(t_ms)


def digest(value: bytes) -> str:
    """Return the name by which a record that was set aside is known again: SHA-256 in hex digits."""
    return hashlib.sha256(value).hexdigest()


def _episode(change: Change, title: str, drill: bool) -> Episode:
    return Episode(
        id=change.episode,
        rule=change.rule,
        rule_version=change.rule_version,
        title=title,
        sensor=change.sensor,
        kind=change.kind,
        seq=change.seq,
        level=0,
        peak=0,
        raised_t=change.t,
        changed_t=change.t,
        heard_t=None,
        cleared_t=None,
        cause=change.cause,
        value=change.value,
        lon=change.lon,
        lat=change.lat,
        grid=change.grid,
        case=None,
        home=None,
        drill=drill,
        plan=change.plan,
    )
