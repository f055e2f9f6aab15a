"""A small city to work on: a store in a temporary folder, rules, and alert changes and marks as detect writes them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.casework.directory import ClearLine, Directory, Office, RuleEntry
from engine.casework.people import Actor, Role
from engine.casework.plans import FixedPlans
from engine.casework.service import AlertRecord, Applied, CaseFilter, Casework, Settings
from engine.casework.store import Store, upgrade
from engine.casework.views import CaseDetail, CaseView
from rules.model import Auto, CaseSpec, Close, Comparison, LevelName, Merge, MergeBy, Op
from tests.parts import postgres

T0 = 1_760_000_000_000  # 2025-10-09 16:53:20 in Asia/Shanghai
MINUTE = 60_000
PLAN = "0123456789ab"
GRID = "330100001001001"
OTHER_GRID = "330100002001001"

PONDING = ClearLine(Comparison(Op.GE, 5.0), Comparison(Op.LT, 3.0))
RULES = {
    "water.road_ponding": RuleEntry(
        "道路积水", 1, CaseSpec("0403", "drainage", Auto.DISPATCH, Close.SENSOR), dict.fromkeys(range(1, 5), PONDING)
    ),
    "gas.methane_leak": RuleEntry("燃气浓度超限", 1, CaseSpec("0401", "gas", Auto.FILE, Close.SENSOR)),
    "fire.smoke": RuleEntry(
        "烟雾报警",
        2,
        CaseSpec(
            "0406", "drainage", Auto.REPORT, Close.INSPECTOR, priority=((LevelName.YELLOW, 2), (LevelName.RED, 1))
        ),
    ),
    "waste.full": RuleEntry(
        "垃圾满溢", 1, CaseSpec("0103", "sanitation", merge=Merge(MergeBy.GRID, None, 30 * MINUTE))
    ),
    "waste.seen": RuleEntry("垃圾满溢", 1, CaseSpec("0103", "sanitation", merge=Merge(MergeBy.GRID))),
    "water.near": RuleEntry("路面积水", 1, CaseSpec("0405", "drainage", merge=Merge(MergeBy.NEAR, 50.0, 30 * MINUTE))),
    "rain.warning": RuleEntry("暴雨预警", 1, None),
}


def directory(short: str = PLAN) -> Directory:
    """Return the plan of these tests."""
    office = Office("南门社区第一网格", "street", "王芳")
    return Directory(short, RULES, {GRID: office}, frozenset({"exercise"}))


def actor(role: str, department: str | None = None, area: str = "") -> Actor:
    """Return somebody with a role; a handler is of the drainage department unless told otherwise."""
    if role == "handler" and department is None:
        department = "drainage"
    return Actor(name=f"a {role}", role=Role(role), area=area, department=department)


class Town:
    """Casework over a store, with a log of alerts that is written record by record."""

    def __init__(self, store: Store, settings: Settings = Settings()) -> None:  # noqa: B008
        self.store = store
        self.casework = Casework(store, FixedPlans([directory()]), settings)
        self.log: list[AlertRecord] = []
        self.seqs: dict[str, int] = {}
        self.t = T0

    # --- the alerts log

    def write(self, item: dict[str, Any] | bytes) -> AlertRecord:
        """Append a record to the alerts log without applying it."""
        value = item if isinstance(item, bytes) else msgspec.json.encode(item)
        self.log.append(AlertRecord(len(self.log) + 1, value, self.t))
        return self.log[-1]

    def feed(self, item: dict[str, Any] | bytes) -> Applied:
        """Append a record and apply it."""
        return self.casework.apply([self.write(item)])

    def change(self, episode: str, change: str, level: str | None, **given: Any) -> dict[str, Any]:
        """Return a change as detect writes it; episode `ep_<sensor>` of the road ponding rule unless told otherwise."""
        seq = given.pop("seq", self.seqs.get(episode, -1) + 1)
        self.seqs[episode] = seq
        rule = given.pop("rule", "water.road_ponding")
        return {
            "id": f"ep_{episode}:{seq}",
            "episode": f"ep_{episode}",
            "seq": seq,
            "change": change,
            "cause": "reading",
            "rule": rule,
            "rule_version": 1,
            "sensor": f"sensor-{episode}",
            "kind": "water.level",
            "level": level,
            "previous": None,
            "t": self.t,
            "since": None if change == "cleared" else self.t,
            "value": 12.5,
            "lon": 120.1,
            "lat": 30.1,
            "grid": GRID,
            "evidence": {"partition": 0, "first_offset": 1, "last_offset": 1},
            "plan": PLAN,
        } | given

    def raised(self, episode: str = "a", level: str = "yellow", **given: Any) -> Applied:
        """Feed a raise."""
        return self.feed(self.change(episode, "raised", level, **given))

    def escalated(self, episode: str = "a", level: str = "red", **given: Any) -> Applied:
        """Feed an escalation."""
        return self.feed(self.change(episode, "escalated", level, **given))

    def cleared(self, episode: str = "a", **given: Any) -> Applied:
        """Feed a clear."""
        return self.feed(self.change(episode, "cleared", None, **given))

    def still(self, episode: str = "a", value: float = 11.0, t: int | None = None) -> Applied:
        """Feed a still."""
        return self.feed({"still": f"ep_{episode}", "t": self.t if t is None else t, "value": value})

    def mark(self, t: int | None = None, partition: int = 0) -> Applied:
        """Feed a mark of the present time."""
        return self.feed({"mark": self.t if t is None else t, "partition": partition, "plan": PLAN})

    def later(self, ms: int) -> Applied:
        """Let casework time pass."""
        self.t += ms
        return self.mark()

    # --- people

    def do(self, move: str, role: str, case: str | None = None, **args: Any) -> CaseView:
        """Make a move, on the only case unless told otherwise."""
        given = {name: args.pop(name) for name in ("expected_version", "idempotency_key") if name in args}
        who = args.pop("by", None) or actor(role)
        return self.casework.move(case or self.only().id, move, who, args=args, t_ms=self.t, **given)

    def cases(self, **where: Any) -> list[CaseView]:
        """Return all cases, the first opened first."""
        return self.casework.cases(CaseFilter(**where), actor("supervisor"), limit=1000).cases[::-1]

    def only(self) -> CaseView:
        """Return the one case that there is."""
        (case,) = self.cases()
        return case

    def story(self, case: str | None = None) -> CaseDetail:
        """Return a case with its events."""
        detail = self.casework.case(case or self.only().id, actor("supervisor"))
        assert detail is not None
        return detail

    def moves(self, case: str | None = None) -> list[str]:
        """Return the names of a case's events."""
        return [event.move for event in self.story(case).events]

    def handled(self, episode: str = "a", **given: Any) -> str:
        """Raise an alert of road ponding and bring its case to `handled`."""
        self.raised(episode, **given)
        case = self.cases()[-1].id
        self.later(1000)
        self.do("start", "handler", case)
        self.do("finish", "handler", case, note="已抽排")
        return case


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of an empty store with its tables, to be copied."""
    path = tmp_path_factory.mktemp("empty") / "cases.db"
    store = Store.open(path)
    upgrade(store)
    store.close()
    return path


@pytest.fixture
def file_store(tmp_path: Path, empty: Path) -> Iterator[Store]:
    """Return an empty store with its tables: a SQLite file."""
    store = Store.open(shutil.copy(empty, tmp_path / "cases.db"))
    yield store
    store.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgres"))])
def store(request: pytest.FixtureRequest) -> Store:
    """Return an empty store with its tables: once a SQLite file, once a PostgreSQL database."""
    if request.param == "sqlite":
        return request.getfixturevalue("file_store")
    store: Store = request.getfixturevalue("postgres_pair")[0]
    postgres.empty(store)
    return store


@pytest.fixture
def town(store: Store) -> Town:
    """Return casework over an empty store."""
    return Town(store)
