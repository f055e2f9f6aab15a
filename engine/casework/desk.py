"""What one transaction works on: rows read in few queries, changed in memory, written at the end in few statements."""

from __future__ import annotations

import hashlib
from base64 import b32encode
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Select, Table, delete, select

from engine.casework import audit, schema
from engine.casework.bulk import add_up, among, delete_rows, insert_rows, update_rows
from engine.casework.model import MOVES, CaseState, Event, OrderState, State, WorkOrder
from engine.casework.projection import step
from engine.casework.story import outbox_payload


class Episode(msgspec.Struct):
    """A row of `episode`. `heard_t`: event time of its last change by a reading or still; `level` 0 once cleared."""

    id: str
    rule: str
    rule_version: int
    title: str
    sensor: str
    kind: str
    seq: int
    level: int
    peak: int
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
    home: str | None
    drill: bool
    plan: str

    @property
    def signal(self) -> str:
        """Return whose state it is: rule, sensor and kind."""
        return f"{self.rule}|{self.sensor}|{self.kind}"


_JSON = ("keys", "unproven", "priorities", "names")
_SCALARS = tuple(str(column.name) for column in schema.cases.columns if column.name not in _JSON)
_EPISODE = tuple(str(column.name) for column in schema.episode.columns)


class Desk:
    """The rows at hand, of one transaction. What was asked for and is not there is remembered as not there."""

    def __init__(self, db: Connection, now_ms: int | None = None) -> None:
        """`now_ms` is the machine's time, for the audit of what is written; null: the time of each event."""
        self.db = db
        self.now_ms = now_ms
        self.cases: dict[str, CaseState] = {}
        self.episodes: dict[str, Episode] = {}
        self.keys: dict[str, str | None] = {}
        self.timers: dict[tuple[str, str], int] = {}
        self.rows: dict[Table, list[dict[str, Any]]] = {}
        self.events = 0
        self._prefixes: set[str] = set()
        self._made: Counter[str] = Counter()
        self._stored_cases: set[str] = set()
        self._stored_keys: dict[str, str] = {}
        self._stored_timers: dict[tuple[str, str], int] = {}
        self._stored_episodes: set[str] = set()
        self._changed_cases: set[str] = set()
        self._changed_episodes: set[str] = set()

    # --- reading

    def load_cases(self, ids: Iterable[str]) -> None:
        """Bring cases with their work orders, keys, timers and open episodes to the desk."""
        wanted = sorted(set(ids) - self.cases.keys())
        for row in self._rows(select(schema.cases), schema.cases.c.id, wanted):
            values = row._asdict()
            lists = {name: msgspec.json.decode(values[name]) for name in _JSON}
            scalars = {name: values[name] for name in _SCALARS}
            case = CaseState(**{**scalars, **lists, "state": State(values["state"])})
            self.cases[case.id] = case
            self._stored_cases.add(case.id)
        found = [case for case in wanted if case in self.cases]
        for row in self._rows(select(schema.work_order), schema.work_order.c.case, found):
            self.cases[row.case].orders.append(_order(row))
        for case_id in found:
            self.cases[case_id].orders.sort(key=lambda order: order.n)
        for row in self._rows(select(schema.case_key), schema.case_key.c.case, found):
            self._hold(row.key, row.case)
        for row in self._rows(select(schema.timer), schema.timer.c.case, found):
            self.timers[row.case, row.name] = self._stored_timers[row.case, row.name] = row.due
        opened = select(schema.episode).where(schema.episode.c.level > 0)
        for episode in self._episodes(self._rows(opened, schema.episode.c.case, found)):
            self.cases[str(episode.case)].alerts[episode.id] = episode.level

    def load_episodes(self, ids: Iterable[str]) -> None:
        """Bring episodes, and the cases that they belong to."""
        wanted = sorted(set(ids) - self.episodes.keys())
        found = self._episodes(self._rows(select(schema.episode), schema.episode.c.id, wanted))
        self.load_cases(episode.case for episode in found if episode.case is not None)

    def load_episodes_of_case(self, case: str) -> list[Episode]:
        """Bring all episodes, cleared ones too, whose changes go to the case, and return them by id."""
        self._episodes(self._rows(select(schema.episode), schema.episode.c.case, [case]))
        return sorted((e for e in self.episodes.values() if e.case == case), key=lambda e: e.id)

    def load_episodes_of_homes(self, homes: Iterable[str]) -> list[Episode]:
        """Bring all episodes whose home is one of the cases, and return them by id."""
        self._episodes(self._rows(select(schema.episode), schema.episode.c.home, sorted(homes)))
        inside = set(homes)
        return sorted((e for e in self.episodes.values() if e.home in inside), key=lambda e: e.id)

    def load_keys(self, keys: Iterable[str]) -> None:
        """Look up merge keys, and bring the cases that hold them."""
        wanted = sorted(set(keys) - self.keys.keys())
        rows = list(self._rows(select(schema.case_key), schema.case_key.c.key, wanted))
        for row in rows:
            self._hold(row.key, row.case)
        self.load_cases(row.case for row in rows)
        for key in wanted:
            self.keys.setdefault(key, None)

    def load_near(self, prefix: str) -> list[str]:
        """Bring all keys that begin with a prefix and their holders, and return those that are held, sorted."""
        if prefix not in self._prefixes:
            self._prefixes.add(prefix)
            key = schema.case_key.c.key
            rows = self.db.execute(select(schema.case_key).where(key.startswith(prefix, autoescape=True))).all()
            for row in rows:
                self._hold(row.key, row.case)
            self.load_cases([*(row.case for row in rows), *(row.key.removeprefix(prefix) for row in rows)])
        return sorted(key for key, case in self.keys.items() if case is not None and key.startswith(prefix))

    def load_due(self, clock: int) -> None:
        """Bring the cases that have a timer due at or before a time."""
        due = select(schema.timer.c.case).where(schema.timer.c.due <= clock)
        self.load_cases(self.db.execute(due).scalars())

    def set_aside(self, digests: Iterable[str]) -> set[str]:
        """Return those of the records, by the digests of their bytes, that stand in quarantine."""
        column = schema.quarantine.c.digest
        return {row.digest for row in self._rows(select(column), column, sorted(set(digests)))}

    def _rows(self, query: Select[Any], column: ColumnElement[Any], values: Sequence[str]) -> Iterator[Row[Any]]:
        if values:
            yield from self.db.execute(query.where(among(self.db, column, values)))

    def _episodes(self, rows: Iterable[Row[Any]]) -> list[Episode]:
        found = []
        for row in rows:
            episode = self.episodes.get(row.id)
            if episode is None:
                episode = self.episodes[row.id] = Episode(**row._asdict())
                self._stored_episodes.add(row.id)
            found.append(episode)
        return found

    def _hold(self, key: str, case: str) -> None:
        self._stored_keys[key] = case
        self.keys.setdefault(key, case)

    # --- changing

    def open_case(self, case_id: str) -> CaseState:
        """Put a new case on the desk; its first event must follow."""
        case = self.cases[case_id] = CaseState(id=case_id)
        return case

    def write_event(self, case: CaseState, event: Event, address: str = "") -> None:
        """Apply the next event to its case; the row, its message and its audit go out with the transaction."""
        step(case, event)
        self._changed_cases.add(case.id)
        self.events += 1
        if event.move in MOVES:
            self._made[event.move] += not case.drill
        if event.move in MOVES or event.person:
            now = event.t if self.now_ms is None else self.now_ms
            detail = f"{event.seq} {case.state}{' drill' if case.drill else ''}"
            self.add(
                schema.audit, audit.row(now, event.actor, f"case.{event.move}", case.id, detail, event.role, address)
            )
        row = {name: getattr(event, name) for name in event.__struct_fields__}
        self.add(schema.case_event, row | {"data": _json(event.data)})
        payload = outbox_payload(case, event)
        self.add(schema.outbox, {"case": case.id, "seq": event.seq, "payload": payload})

    def add(self, table: Table, row: dict[str, Any]) -> None:
        """Insert a row with the transaction, in the order of the calls."""
        self.rows.setdefault(table, []).append(row)

    def touch(self, episode: Episode) -> None:
        """Say that an episode was made or changed."""
        self.episodes[episode.id] = episode
        self._changed_episodes.add(episode.id)

    def keys_of(self, case: str) -> list[str]:
        """Return the keys that a case holds now, sorted."""
        return sorted(key for key, holder in self.keys.items() if holder == case)

    def give_up_keys(self, case: str) -> None:
        """Free all keys that a case holds."""
        for key in self.keys_of(case):
            self.keys[key] = None

    def take_free_keys(self, case: CaseState, but: str | None = None) -> None:
        """Take those of the case's own keys that nobody holds (or that `but` holds)."""
        for key in case.keys:
            if self.keys.get(key) in (None, but):
                self.keys[key] = case.id

    def set_timer(self, case: str, name: str, due: int | None) -> None:
        """Set, move or remove a timer."""
        if due is None:
            self.timers.pop((case, name), None)
        else:
            self.timers[case, name] = due

    # --- writing

    def flush(self) -> None:
        """Write everything to the open transaction."""
        for table in (schema.incident,):
            self._insert(table)
        self._flush_cases()
        self._flush_keys()
        self._flush_episodes()
        self._flush_timers()
        for table in tuple(self.rows):
            self._insert(table)
        self._flush_totals()

    def _insert(self, table: Table) -> None:
        insert_rows(self.db, table, self.rows.pop(table, []))

    def _flush_cases(self) -> None:
        changed = [self.cases[case] for case in sorted(self._changed_cases)]
        fresh = [case for case in changed if case.id not in self._stored_cases]
        stale = [case for case in changed if case.id in self._stored_cases]
        insert_rows(self.db, schema.cases, [_case_row(case) for case in fresh])
        update_rows(self.db, schema.cases, ("id",), [_case_row(case) for case in stale])
        if stale:
            ids = [case.id for case in stale]
            self.db.execute(delete(schema.work_order).where(among(self.db, schema.work_order.c.case, ids)))
        orders = [_order_row(case.id, order) for case in changed for order in case.orders]
        insert_rows(self.db, schema.work_order, orders)

    def _flush_keys(self) -> None:
        old = {key: case for key, case in self._stored_keys.items() if self.keys.get(key) != case}
        new = [
            {"key": key, "case": case}
            for key, case in sorted(self.keys.items())
            if case is not None and self._stored_keys.get(key) != case
        ]
        delete_rows(self.db, schema.case_key, [{"key": key} for key in sorted(old)])
        insert_rows(self.db, schema.case_key, new)

    def _flush_episodes(self) -> None:
        changed = sorted(self._changed_episodes)
        rows = {name: _episode_row(self.episodes[name]) for name in changed}
        fresh = [rows[name] for name in changed if name not in self._stored_episodes]
        stale = [rows[name] for name in changed if name in self._stored_episodes]
        insert_rows(self.db, schema.episode, fresh)
        update_rows(self.db, schema.episode, ("id",), stale)

    def _flush_totals(self) -> None:
        rows = [{"move": move, "number": number} for move, number in sorted((+self._made).items())]
        add_up(self.db, schema.move_total, "move", "number", rows)

    def _flush_timers(self) -> None:
        gone = sorted(key for key, due in self._stored_timers.items() if self.timers.get(key) != due)
        new = sorted(item for item in self.timers.items() if self._stored_timers.get(item[0]) != item[1])
        delete_rows(self.db, schema.timer, [{"case": case, "name": name} for case, name in gone])
        insert_rows(self.db, schema.timer, [{"case": case, "name": name, "due": due} for (case, name), due in new])


def short_hash(text: str) -> str:
    """Return RFC 4648 base32 of the first 50 bits of SHA-256 of the text: ten letters and digits."""
    return b32encode(hashlib.sha256(text.encode()).digest()[:10])[:10].decode()


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _order(row: Row[Any]) -> WorkOrder:
    values = row._asdict()
    values.pop("case")
    return WorkOrder(
        **{**values, "state": OrderState(values["state"]), "photos": msgspec.json.decode(values["photos"])}
    )


def _order_row(case: str, order: WorkOrder) -> dict[str, Any]:
    row = {name: getattr(order, name) for name in order.__struct_fields__}
    return row | {"case": case, "state": str(order.state), "photos": _json(order.photos)}


def _case_row(case: CaseState) -> dict[str, Any]:
    row = {name: getattr(case, name) for name in _SCALARS}
    lists = {name: _json(getattr(case, name)) for name in _JSON}
    return row | lists | {"state": str(case.state)}


def _episode_row(episode: Episode) -> dict[str, Any]:
    return {name: getattr(episode, name) for name in _EPISODE}
