"""The proof that cases follow from two things: the alerts log, and the moves that people made.

`rerun` does both again in an empty store; `verify` compares what comes out with what is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Table, func, select

from engine.casework import schema
from engine.casework.counter import KEYLESS, Report, report_id
from engine.casework.errors import CaseworkFault
from engine.casework.people import Actor, Role
from engine.casework.people_schema import attachment
from engine.casework.photos import Photo
from engine.casework.plans import Plans, StoredPlans
from engine.casework.platform import MOVE, Fault
from engine.casework.service import AlertRecord, Casework, Settings
from engine.casework.store import Store, upgrade

BATCH = 500

# what must be equal, without numbers that only count rows of this store and the moment of the relay
_COMPARED: dict[Table, tuple[str, ...]] = {
    schema.cursor: ("name",),
    schema.mark: ("partition",),
    schema.incident: ("id",),
    schema.cases: ("id",),
    schema.work_order: ("case", "n"),
    schema.case_event: ("case", "seq"),
    schema.case_key: ("key",),
    schema.move_total: ("move",),
    schema.episode: ("id",),
    schema.report: ("id",),
    schema.timer: ("case", "name"),
    schema.command: ("case", "seq", "move"),
    schema.quarantine: ("offset",),
    schema.outbox: ("case", "seq"),
    attachment: ("case", "n"),
}
_IGNORED = {schema.command: ("id",), schema.outbox: ("id", "position")}


class Difference(NamedTuple):
    """A row that is not the same; `stored` or `rerun` is null where there is none."""

    table: str
    key: tuple[object, ...]
    stored: dict[str, Any] | None
    rerun: dict[str, Any] | None

    def __str__(self) -> str:
        """Name the row and the columns that differ."""
        where = f"{self.table} {'/'.join(map(str, self.key))}"
        if self.stored is None or self.rerun is None:
            return f"{where}: {'only after the rerun' if self.stored is None else 'only in the store'}"
        names = [name for name in self.stored if self.stored[name] != self.rerun[name]]
        return "; ".join(f"{where}: {name}: {self.stored[name]!r} became {self.rerun[name]!r}" for name in names)


class CannotRerun(CaseworkFault):
    """The alerts log does not reach as far as the store, or a move of the store is refused now."""


class Command(NamedTuple):
    """A move or report as it was asked for; `position`: the alerts log's offset that had been applied before it."""

    position: int
    case: str
    move: str
    actor: Actor
    args: dict[str, Any]
    key: str | None
    t: int


def commands(store: Store) -> list[Command]:
    """Return everything that people did, in the order in which it was done."""
    with store.read() as db:
        rows = [row._asdict() for row in db.execute(select(schema.command).order_by(schema.command.c.id))]
        contacts = _contacts(db)
    return [_command(row, contacts) for row in rows]


def _contacts(db: Connection) -> dict[str, dict[str, Any]]:
    """Return contact data by report; commands hold none."""
    columns = schema.report.c
    rows = db.execute(select(columns.id, columns.contact_name, columns.contact_phone))
    return {row[0]: {"contact_name": row[1], "contact_phone": row[2]} for row in rows}


def _command(row: dict[str, Any], contacts: dict[str, dict[str, Any]]) -> Command:
    args = msgspec.json.decode(row["args"])
    if row["move"] == "report":
        args |= contacts[report_id(row["actor"], row["key"])]
    actor = Actor(name=row["actor"], role=Role(row["role"]), area=row["area"], department=row["department"])
    key = None if row["key"].startswith(KEYLESS) else row["key"]
    return Command(row["position"], row["case"], row["move"], actor, args, key, row["t"])


def rerun(source: Store, records: Iterable[AlertRecord], into: Store, plans: Plans, settings: Settings) -> Casework:
    """Apply the alerts log as far as `source` has, and people's moves at the positions at which they were made.

    `records` begin with the first offset of `settings`. Raises CannotRerun when they end too early or a move is
    refused.
    """
    casework = Casework(into, plans, settings)
    feed = _Feed(casework, records)
    for command in commands(source):
        feed.upto(command.position)
        _do(casework, command)
    feed.upto(Casework(source, plans, settings).cursor())
    return casework


class _Feed:
    """Hands the records over in batches, never past the offset asked for."""

    def __init__(self, casework: Casework, records: Iterable[AlertRecord]) -> None:
        self._casework = casework
        self._records = iter(records)
        self._at = casework.cursor()

    def upto(self, offset: int) -> None:
        while self._at < offset:
            batch = self._take(min(BATCH, offset - self._at))
            self._casework.apply(batch)
            self._at = batch[-1].offset

    def _take(self, number: int) -> list[AlertRecord]:
        batch = list(islice(self._records, number))
        if not batch:
            raise CannotRerun(f"city.alerts: the log ends at offset {self._at}; the store has applied more")
        return batch


def _do(casework: Casework, command: Command) -> None:
    try:
        if command.move == "report":
            report = msgspec.convert(command.args, Report)
            casework.report(report, command.actor, idempotency_key=command.key, t_ms=command.t)
        elif "attachment" in command.args:
            photo = msgspec.convert(command.args["attachment"], Photo)
            casework.attach(command.case, photo, command.actor, t_ms=command.t)
        elif command.move == MOVE:
            fault = msgspec.convert(command.args, Fault)
            casework.platform(fault, command.actor, idempotency_key=command.key, t_ms=command.t)
        else:
            casework.move(
                command.case,
                command.move,
                command.actor,
                args=command.args,
                idempotency_key=command.key,
                t_ms=command.t,
            )
    except CaseworkFault as fault:
        raise CannotRerun(f"{command.case}: {command.move} at offset {command.position}: {fault}") from fault


def verify(
    source: Store, records: Iterable[AlertRecord], plans: Plans, settings: Settings, folder: Path | None = None
) -> list[Difference]:
    """Rerun into a temporary store (in `folder`) and return what differs from the store: nothing, if all is well."""
    with TemporaryDirectory(dir=folder) as temporary:
        again = Store.open(Path(temporary) / "rerun.db")
        try:
            upgrade(again)
            rerun(source, records, again, plans, settings)
            return differences(source, again)
        finally:
            again.close()


def recompute_and_compare(store: Store, records: Iterable[AlertRecord], settings: Settings | None = None) -> list[str]:
    """Return what differs between a store, on whichever database, and a rerun of the alerts log from its first record.

    `records` begin at the start of the log, offset 0 or 1; `settings` null: as many partitions as the store has marks
    of, and no others than the defaults.
    """
    found = iter(records)
    first = list(islice(found, 1))
    if settings is None:
        with store.read() as db:
            partitions = (db.execute(select(func.max(schema.mark.c.partition))).scalar() or 0) + 1
        settings = Settings(partitions=partitions, first_offset=first[0].offset if first else 0)
    plans = StoredPlans(store)
    return [str(difference) for difference in verify(store, chain(first, found), plans, settings)]


def differences(store: Store, again: Store) -> list[Difference]:
    """Return the rows in which two stores differ, order of events in the outbox included."""
    found: list[Difference] = []
    with store.read() as here, again.read() as there:
        gone = set(_order(there)[: _let_go(here)])
        for table, key in _COMPARED.items():
            mine, theirs = _rows(here, table, key), _rows(there, table, key)
            if table is schema.outbox:
                theirs = {name: row for name, row in theirs.items() if name not in gone}
            pairs = ((name, mine.get(name), theirs.get(name)) for name in sorted({*mine, *theirs}, key=str))
            found += [Difference(table.name, name, one, other) for name, one, other in pairs if one != other]
        if not found and _order(here) != _order(there)[len(gone) :]:
            found.append(Difference("outbox", ("order",), {}, None))
    return found


def _rows(db: Connection, table: Table, key: Sequence[str]) -> dict[tuple[object, ...], dict[str, Any]]:
    names = [column.name for column in table.columns if column.name not in _IGNORED.get(table, ())]
    rows = [row._asdict() for row in db.execute(select(*(table.c[name] for name in names)))]
    return {tuple(row[name] for name in key): row for row in rows}


def _let_go(db: Connection) -> int:
    """Return how many messages the outbox no longer has, from its beginning."""
    first: int | None = db.execute(select(func.min(schema.outbox.c.position))).scalar()
    return 0 if first is None else first - 1


def _order(db: Connection) -> list[tuple[str, int]]:
    query = select(schema.outbox.c.case, schema.outbox.c.seq).order_by(schema.outbox.c.id)
    return [(row[0], row[1]) for row in db.execute(query)]
