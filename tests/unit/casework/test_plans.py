"""Plans as casework keeps and sees them."""

from __future__ import annotations

from engine.casework.directory import Directory, Office, category, known_categories
from engine.casework.plans import StoredPlans
from engine.casework.store import Store
from geo.grids import GridSet
from geo.polygons import Polygons
from rules.load import LIBRARY, load_rules
from rules.model import Enabled
from rules.plan import Plan
from rules.registry import Registry, Row

from .conftest import GRID, T0


def test_every_category_of_the_shipped_rules_has_a_title() -> None:
    known = {kind.code for kind in known_categories()}
    used = {rule.case.category for rule in load_rules(LIBRARY).rules if rule.case is not None}
    assert used
    assert used <= known
    assert category("0404").title == "下穿通道积水"


def city() -> Plan:
    """Return a plan with the shipped rules, one grid of one square, and a sensor of an exercise."""
    corners = [(0, 0), (10_000, 0), (10_000, 10_000), (0, 10_000), (0, 0)]
    ring = [(1_200_000_000 + x, 300_000_000 + y) for x, y in corners]
    office = {"name": "第一网格", "department": "330683001", "officer": "王芳"}
    grid = GridSet([GRID], Polygons.build([[[ring]]]), [office])
    registry = Registry([Row("g1", "gas.methane", drill=True), Row("g2", "gas.methane")])
    return Plan(load_rules(LIBRARY, zones={}).rules, registry=registry, grids=grid)


def test_a_stored_plan_gives_the_same_directory_in_another_process(store: Store) -> None:
    plan = city()
    assert StoredPlans(store).add(plan, t_ms=T0) == plan.digest
    assert StoredPlans(store).add(plan, t_ms=T0 + 1) == plan.digest
    for plans in (StoredPlans(store), StoredPlans(store)):
        found = plans.directory(plan.short)
        assert found is not None
        assert found.rules == Directory.from_plan(plan).rules
        assert found.office(GRID) == Office("第一网格", "330683001", "王芳")
        assert found.drills == {"g1"}
        assert found.locate(120.0005, 30.0005) == GRID
        assert found.locate(121.0, 30.0) is None
        assert plans.first() == found
        assert plans.plan(plan.digest) == plan


def test_a_plan_that_was_never_stored_is_not_there(store: Store) -> None:
    plans = StoredPlans(store)
    assert plans.directory("0" * 12) is None
    assert plans.plan("0" * 64) is None
    assert plans.first() is None


def test_only_rules_that_are_on_open_cases() -> None:
    rules = load_rules(LIBRARY, zones={}).rules
    found = Directory.from_plan(Plan(rules)).rules
    assert {name for name, entry in found.items() if entry.spec is not None} == {
        rule.id for rule in rules if rule.case is not None and rule.enabled is Enabled.ON
    }
    assert all(entry.title for entry in found.values())
