"""What casework takes from the plan: case specs, grids with their offices, drill sensors; and the city's categories."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field
from datetime import datetime
from functools import lru_cache
from importlib.resources import files
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from ruamel.yaml import YAML
from sqlalchemy import select

from engine.casework import schema
from geo.crs import quantize
from rules.model import CaseSpec, Enabled, MergeBy
from rules.plan import Plan

if TYPE_CHECKING:
    from engine.casework.store import Store
    from geo.grids import GridSet


@dataclass(frozen=True, slots=True)
class Category:
    """A category of cases: Chinese title, and departments that get a work order beside the leading one."""

    code: str
    title: str
    further: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Office:
    """Who answers for a grid."""

    name: str | None = None
    department: str | None = None
    officer: str | None = None


@dataclass(frozen=True, slots=True)
class RuleEntry:
    """What casework needs of a rule; `spec` null: it warns and opens nothing."""

    title: str
    version: int
    spec: CaseSpec | None


@dataclass(frozen=True)
class Directory:
    """One plan as casework sees it. `short` is the first 12 hex digits of its digest."""

    short: str
    rules: Mapping[str, RuleEntry]
    offices: Mapping[str, Office] = field(default_factory=dict)
    drills: frozenset[str] = frozenset()
    tz: str = "Asia/Shanghai"
    grids: GridSet | None = None

    @classmethod
    def from_plan(cls, plan: Plan, offices: Mapping[str, Office] | None = None) -> Directory:
        """Read a directory off a plan; `offices` where its grids carry no properties (as a stored plan's do not)."""
        rules = {
            rule.id: RuleEntry(rule.title, rule.version, rule.case if rule.enabled is Enabled.ON else None)
            for rule in plan.rules
        }
        drills = frozenset(row.sensor for row in plan.registry.rows if row.drill)
        offices = _offices(plan.grids) if offices is None else offices
        return cls(plan.short, rules, offices, drills, plan.tz, plan.grids)

    def office(self, grid: str | None) -> Office:
        """Return who answers for a grid, nobody for none."""
        return self.offices.get(grid, _NOBODY) if grid else _NOBODY

    def locate(self, lon: float, lat: float) -> str | None:
        """Return the unit grid of a WGS-84 place, null outside every grid."""
        if self.grids is None or len(self.grids.codes) == 0:
            return None
        lon_e7, lat_e7 = quantize(np.array([lon], np.float64), np.array([lat], np.float64))
        row = int(self.grids.locate(lon_e7, lat_e7)[0])
        return self.grids.codes[row] if row >= 0 else None

    def near_metres(self, category: str) -> float | None:
        """Return the widest `near` distance of the category's rules, null when none merges by place."""
        specs = [entry.spec for entry in self.rules.values() if entry.spec is not None]
        found = [spec.merge.metres for spec in specs if spec.category == category and spec.merge.by == MergeBy.NEAR]
        return max((metres for metres in found if metres is not None), default=None)

    def local_date(self, t_ms: int) -> str:
        """Return the city's date of a time as yyyymmdd."""
        return datetime.fromtimestamp(t_ms / 1000, ZoneInfo(self.tz)).strftime("%Y%m%d")


_NOBODY = Office()


def _offices(grids: GridSet | None) -> dict[str, Office]:
    if grids is None:
        return {}
    return {code: _office(grids.properties[row]) for row, code in enumerate(grids.codes)}


def _office(properties: Mapping[str, Any]) -> Office:
    name, department, officer = (properties.get(key) for key in ("name", "department", "officer"))
    return Office(*(str(value) if value else None for value in (name, department, officer)))


class Plans(Protocol):
    """Where directories come from."""

    def directory(self, short: str) -> Directory | None:
        """Return the directory of a plan by its 12 hex digits, null when it is not stored."""

    def first(self) -> Directory | None:
        """Return the directory of the plan that was stored first, null when none is."""


class FixedPlans:
    """Directories given at hand."""

    def __init__(self, directories: Iterable[Directory]) -> None:
        self._directories = {directory.short: directory for directory in directories}

    def directory(self, short: str) -> Directory | None:
        """Return one by its 12 hex digits."""
        return self._directories.get(short)

    def first(self) -> Directory | None:
        """Return the one given first."""
        return next(iter(self._directories.values()), None)


class StoredPlans:
    """Plans in the case store, by the short digest that changes name. `add` before a change that names it arrives.

    The offices of the grids are kept as they were when the plan was first added: they are no part of its digest.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._known: dict[str, Directory] = {}
        self._lock = Lock()

    def add(self, plan: Plan, *, t_ms: int) -> str:
        """Keep a plan's canonical bytes under its digest (once) and return the digest."""
        with self.store.write() as db:
            known = db.execute(select(schema.plan.c.digest).where(schema.plan.c.digest == plan.digest)).first()
            if known is None:
                row = {"digest": plan.digest, "short": plan.short, "body": plan.canonical(), "stored_t": t_ms}
                offices = {code: astuple(office) for code, office in _offices(plan.grids).items()}
                db.execute(schema.plan.insert(), [row | {"offices": msgspec.json.encode(offices)}])
        return plan.digest

    def plan(self, digest: str) -> Plan | None:
        """Return the plan by its digest or its first 12 hex digits, null when it is not stored."""
        with self.store.read() as db:
            row = db.execute(select(schema.plan.c.body).where(schema.plan.c.short == digest[:12])).first()
        return Plan.from_canonical(row[0]) if row is not None else None

    def directory(self, short: str) -> Directory | None:
        """Return the directory of a stored plan; read once."""
        with self._lock:
            if short not in self._known:
                plan = self.plan(short)
                if plan is None:
                    return None
                self._known[short] = Directory.from_plan(plan, self._stored_offices(short))
            return self._known[short]

    def _stored_offices(self, short: str) -> dict[str, Office]:
        with self.store.read() as db:
            body = db.execute(select(schema.plan.c.offices).where(schema.plan.c.short == short)).scalar_one()
        return {code: Office(*values) for code, values in msgspec.json.decode(body).items()}

    def first(self) -> Directory | None:
        """Return the directory of the plan that was stored first."""
        columns = schema.plan.c
        with self.store.read() as db:
            row = db.execute(select(columns.short).order_by(columns.stored_t, columns.digest).limit(1)).first()
        return self.directory(row[0]) if row is not None else None


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    table = YAML(typ="safe").load(files("engine.casework").joinpath("categories.yaml").read_text(encoding="utf-8"))
    assert isinstance(table, dict)
    return table


@lru_cache(maxsize=1024)
def category(code: str) -> Category:
    """Return a category of categories.yaml; an unknown one is titled by its code."""
    row = _table()["categories"].get(code) or {"title": code}
    return Category(code, row["title"], tuple(row.get("further", ())))


def known_categories() -> list[Category]:
    """Return all categories of categories.yaml, by code."""
    return [category(code) for code in sorted(_table()["categories"])]


def department_title(code: str | None) -> str | None:
    """Return the Chinese title of a department; an unknown one is titled by its code."""
    return None if code is None else str(_table()["departments"].get(code, code))
