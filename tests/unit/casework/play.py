"""Random stories: changes, marks and stills of one or two partitions, and what people do in between."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import select

from engine.casework import schema
from engine.casework.counter import Report, allowed
from engine.casework.desk import Desk
from engine.casework.errors import Refused
from engine.casework.model import CaseState, Move, State
from engine.casework.people import Actor
from engine.casework.store import Store

from .conftest import GRID, MINUTE, RULES, Town, actor

MEMORY = Path("/dev/shm")
ROLES = ["operator", "dispatcher", "handler", "inspector", "supervisor"]
ARGS: dict[str, dict[str, Any]] = {
    "reject": {"reason": "r"},
    "return": {"reason": "r"},
    "void": {"reason": "r"},
    "reopen": {"reason": "r"},
    "comment": {"note": "n"},
    "attach": {"photos": ["https://city.example/1.jpg"]},
    "dispatch": {"department": "drainage"},
    "extend": {"due": 1_800_000_000_000, "reason": "r"},
}
WORK = [
    ("accept", "operator"),
    ("file", "operator"),
    ("dispatch", "dispatcher"),
    ("start", "handler"),
    ("finish", "handler"),
]
WEIGHTS = {"comment": 1, "attach": 1, "supervise": 1, "void": 1, "suspend": 8, "resume": 20}
BEFORE_HANDLED = [State.REPORTED, State.ACCEPTED, State.FILED, State.DISPATCHED, State.HANDLING]

SIGNALS = [(rule, sensor) for rule in ["water.road_ponding"] * 2 + sorted(RULES) for sensor in (1, 2)]
STEPS = {"change": 30, "mark": 18, "still": 6, "work": 12, "move": 28, "report": 6, "broken": 3}

seeds = st.integers(0, 2**32)
lengths = st.integers(10, 45)
cuts = st.lists(st.integers(1, 12), min_size=1, max_size=8)


class Play:
    """Writes a story, drawn from a seed, into a town: records are applied in batches as `cut` says, and before each
    thing that people do. Sensor 2 is of partition 1 where there are two; `partition` has that of each record."""

    def __init__(self, town: Town, seed: int, cut: list[int], partitions: int = 1) -> None:
        self.town = town
        self.partitions = partitions
        self.partition: list[int] = []
        self.chance = Random(seed)
        self.cut = cut
        self.applied = 0
        self.open: dict[tuple[str, int], str] = {}
        self.number = 0

    def go(self, length: int) -> None:
        for _ in range(length):
            (step,) = self.chance.choices(list(STEPS), list(STEPS.values()))
            getattr(self, step)()
            if len(self.town.log) - self.applied >= self.cut[self.applied % len(self.cut)]:
                self.flush()
        self.flush()

    def of(self, sensor: int) -> int:
        """Return the partition of a sensor."""
        return (sensor - 1) % self.partitions

    def write(self, partition: int, item: dict[str, Any] | bytes) -> None:
        """Append a record of a partition to the alerts log."""
        self.town.write(item)
        self.partition.append(partition)

    def flush(self) -> None:
        if self.applied < len(self.town.log):
            self.applied = self.town.casework.apply(self.town.log[self.applied :]).cursor

    def change(self) -> None:
        self.town.t += 1000
        if self.open and self.chance.random() < 0.5:
            signal = self.chance.choice(sorted(self.open))
        else:
            signal = self.chance.choice(SIGNALS)
        rule, sensor = signal
        known = self.open.get(signal)
        partition = self.of(sensor)
        given = {"rule": rule, "sensor": f"s{sensor}", "lat": 30.1 + sensor * 0.0004, "cause": "reading"}
        given |= {"evidence": {"partition": partition, "first_offset": 1, "last_offset": 1}}
        if known is None:
            self.number += 1
            name = self.open[signal] = f"{rule}-{self.number}"
            self.write(partition, self.town.change(name, "raised", self.chance.choice(["blue", "yellow"]), **given))
        elif self.chance.random() < 0.7:
            del self.open[signal]
            given["cause"] = self.chance.choice(["reading", "reading", "plan"])
            self.write(partition, self.town.change(known, "cleared", None, **given))
        else:
            self.write(partition, self.town.change(known, "escalated", self.chance.choice(["orange", "red"]), **given))

    def mark(self) -> None:
        self.town.t += self.chance.choice([1000, 11 * MINUTE, 31 * MINUTE])
        for partition in range(self.partitions):
            self.write(partition, {"mark": self.town.t, "partition": partition, "plan": "0123456789ab"})

    def still(self) -> None:
        if self.open:
            signal = self.chance.choice(sorted(self.open))
            self.town.t += MINUTE
            still = {"still": f"ep_{self.open[signal]}", "t": self.town.t, "value": self.chance.random()}
            self.write(self.of(signal[1]), still)

    def broken(self) -> None:
        self.number += 1
        self.write(self.number % self.partitions, b'{"mark": "never", "number": %d}' % self.number)

    def cases(self) -> list[CaseState]:
        """Return all cases as they stand, by id, after everything written so far."""
        self.flush()
        with self.town.store.read() as db:
            desk = Desk(db)
            desk.load_cases(db.execute(select(schema.cases.c.id)).scalars())
        return sorted(desk.cases.values(), key=lambda case: case.id)

    def move(self) -> None:
        """Make one of the moves that somebody may make on a case now."""
        cases = self.cases()
        if not cases:
            return
        case = self.chance.choice(cases)
        possible = {move: role for role in ROLES for move in allowed(case, self.who(case, role))}
        names = sorted(possible)
        (move,) = self.chance.choices(names, [WEIGHTS.get(name, 4) for name in names])
        args = dict(ARGS.get(move, {}))
        if move == Move.MERGE:
            args["into"] = self.chance.choice(cases).id
        if move == Move.VERIFY:
            args |= self.chance.choice([{}, {"result": "fail", "reason": "r"}, {"override": True, "reason": "r"}])
        with suppress(Refused):  # merged into itself, still active, not by this role
            self.town.do(move, possible[move], case.id, by=self.who(case, possible[move]), **args)

    def who(self, case: CaseState, role: str) -> Actor:
        return actor(role, case.department if role == "handler" else None)

    def work(self) -> None:
        """Bring a case on its way to `handled`, more or less far."""
        ready = [case for case in self.cases() if case.state in BEFORE_HANDLED]
        if ready:
            case = self.chance.choice(ready)
            at = BEFORE_HANDLED.index(case.state)
            for move, role in WORK[at : self.chance.choice([at + 1, 5, 5])]:
                department = "drainage" if move == "dispatch" else case.department
                self.town.do(move, role, case.id, by=self.who(case, role), **ARGS.get(move, {}))
                case.department = department

    def report(self) -> None:
        self.flush()
        self.number += 1
        place = self.chance.choice([{}, {"lon": 120.1, "lat": 30.1, "grid": GRID}])
        category = self.chance.choice(["0103", "0405", "0101"])
        report = Report(category=category, text="积水", contact_name="张三", contact_phone="13812345678", **place)
        key = f"report-{self.number}"
        self.town.casework.report(report, actor("operator"), idempotency_key=key, t_ms=self.town.t)


@contextmanager
def stores(empty: Path) -> Iterator[tuple[Store, Store]]:
    """Yield two empty stores, in memory where there is room: a sync to disk is none of what is tested here."""
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        two = [Store.open(shutil.copy(empty, Path(folder) / name)) for name in ("one.db", "two.db")]
        try:
            yield two[0], two[1]
        finally:
            for store in two:
                store.close()
