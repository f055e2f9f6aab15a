"""What casework takes from the plan: case specs, grids with their offices, drill sensors; and the city's categories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np

from geo.crs import quantize
from rules.catalogue import Catalogue, Category, shipped_catalogue
from rules.model import CaseSpec, Comparison, Enabled, MergeBy, Rule
from rules.plan import Plan

if TYPE_CHECKING:
    from geo.grids import GridSet


@dataclass(frozen=True, slots=True)
class Office:
    """Who answers for a grid; `title` is the Chinese name of the department."""

    name: str | None = None
    department: str | None = None
    officer: str | None = None
    title: str | None = None

    @property
    def names(self) -> dict[str, str]:
        """Return the department's title by its code, where both are known."""
        return {self.department: self.title} if self.department and self.title else {}


@dataclass(frozen=True, slots=True)
class ClearLine:
    """Where a level's alert begins to clear: at `clear`, else where `set` no longer holds."""

    set: Comparison
    clear: Comparison | None = None

    def reached(self, value: float) -> bool:
        """Tell whether a measure is past the line, on the side where all is well."""
        return self.clear.holds(value) if self.clear is not None else not self.set.holds(value)

    def __str__(self) -> str:
        return f"解除线 {self.clear}" if self.clear is not None else f"报警线 {self.set}"


@dataclass(frozen=True, slots=True)
class RuleEntry:
    """What casework needs of a rule; `spec` null: it warns and opens nothing; `lines` by level, none for absence."""

    title: str
    version: int
    spec: CaseSpec | None
    lines: Mapping[int, ClearLine] = field(default_factory=dict)


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
            rule.id: RuleEntry(
                rule.title, rule.version, rule.case if rule.enabled is Enabled.ON else None, _lines(rule)
            )
            for rule in plan.rules
        }
        drills = frozenset(row.sensor for row in plan.registry.rows if row.drill)
        offices = offices_of(plan.grids) if offices is None else offices
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


def _lines(rule: Rule) -> dict[int, ClearLine]:
    return {int(level.name): ClearLine(level.set, level.clear) for level in rule.levels if level.set is not None}


def offices_of(grids: GridSet | None) -> dict[str, Office]:
    """Return who answers for each grid, by its code, as the grids' properties say."""
    if grids is None:
        return {}
    return {code: _office(grids.properties[row]) for row, code in enumerate(grids.codes)}


def _office(properties: Mapping[str, Any]) -> Office:
    found = {key: str(properties[key]) for key in ("name", "department", "officer") if properties.get(key)}
    title = properties.get("department_name")
    if not title and found.get("department") == str(properties.get("street")):
        title = properties.get("street_name")
    return Office(**found, title=str(title) if title else None)


_in_force: list[Catalogue] = []


def use_catalogue(catalogue: Catalogue) -> None:
    """Put a city's categories and departments in force for this process; every process of a city is given the same."""
    _in_force[:] = [catalogue]


def catalogue() -> Catalogue:
    """Return the catalogue in force: the shipped one unless the city gave its own."""
    return _in_force[0] if _in_force else shipped_catalogue()


def category(code: str) -> Category:
    """Return a category of the catalogue; an unknown one is titled by its code."""
    return catalogue().category(code)


def known_categories() -> list[Category]:
    """Return all categories of the catalogue, by code."""
    return catalogue().sorted()


def title_en(of: str, code: str) -> str | None:
    """Return the English title of a rule, category, department or kind, if the catalogue has one."""
    return catalogue().title_en(of, code)


def department_title(code: str, names: Mapping[str, str]) -> str:
    """Return the Chinese title of a department: as `names` says, as the catalogue does, or its code."""
    return names.get(code) or catalogue().departments.get(code, code)
