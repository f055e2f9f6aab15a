"""A plan is named by what it says, and can be built again from its bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from geo.grids import GridSet
from geo.polygons import Polygons
from geo.zones import ZoneSet
from rules.errors import PlanUnreadable
from rules.kinds import Kind, Kinds, load_kinds
from rules.load import LIBRARY, load_rules
from rules.model import Rule
from rules.plan import Plan
from rules.registry import Registry, Row
from tests.reference.plans import plan_of as plan_of_data
from tests.reference.stories import Story, stories

FILES = {
    "leak.yaml": 'id: gas.leak\nreads: gas.methane\nlevels: {red: {set: ">= 50", clear: "< 40.5", for: 1m}}\n',
    "ponding.yaml": "id: flood.ponding\nreads: water.level\nwhere: inside(\"underpasses\")\nmeasure: v * 2\n"
    'levels: {red: {set: "> 1e20"}}\nenabled: shadow\n',
    "night.yaml": 'id: waste.night\nreads: waste.*\nwhere: hour() > 3\nlevels: {red: {set: "> 1"}}\n'
    'schedule: {inactive: [{days: [sat], from: "22:00", to: "24:00"}]}\nquiet: 1h\nmax_gap: 5m\n'
    'window: {agg: sum, over: 5m}\n'
    'case: {category: "0103", department: x, merge: {near: {metres: 50.5}, within: 30m}, priority: {red: 1}}\n',
    "silent.yaml": "id: gas.silent\nreads: gas.pressure\nabsent: 30m\nlevels: {yellow: {}}\nenabled: false\n",
    "both.yaml": "id: fire.both\ncorrelate: [{alert: gas.leak, at_least: red}]\nwithin: 2m\n"
    "near: {same: grid}\nlevel: red\n",
}  # fmt: skip


def square(west: int, south: int, size: int = 1_000_000) -> Polygons:
    east, north = west + size, south + size
    return Polygons.build([[[[(west, south), (east, south), (east, north), (west, north)]]]])


UNDERPASSES = ZoneSet("underpasses", square(1_200_000_000, 300_000_000))
SCHOOL = ZoneSet("school", square(1_210_000_000, 300_000_000))
GRIDS = GridSet(["330683001001001"], square(1_200_000_000, 300_000_000))
ROWS = (Row("S1", "gas.methane", 1_200_000_001, 300_000_001, since_ms=5), Row("S1", "waste.fill", gateway="G"))


@pytest.fixture
def rules(tmp_path: Path) -> tuple[Rule, ...]:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    loaded = load_rules(tmp_path, zones=("underpasses",))
    assert loaded.faults == ()
    return loaded.rules


def plan_of(rules: tuple[Rule, ...], **changed: Any) -> Plan:
    settings: dict[str, Any] = {
        "registry": Registry(ROWS),
        "grids": GRIDS,
        "zones": {"underpasses": UNDERPASSES, "school": SCHOOL},
        "max_delay_ms": 5000,
        "calendars": {"2026.yaml": b"holidays: []\n"},
    }
    return Plan(rules, **(settings | changed))


def test_a_plan_is_built_again_from_its_bytes(rules: tuple[Rule, ...]) -> None:
    plan = plan_of(rules)
    again = Plan.from_canonical(plan.canonical())
    assert (again.digest, again.canonical()) == (plan.digest, plan.canonical())
    assert (again.rules, again.kinds, again.registry) == (plan.rules, plan.kinds, plan.registry)
    assert again.zones.keys() == plan.zones.keys()
    assert again.calendars == plan.calendars
    assert (again.tz, again.max_delay_ms, again.max_age_ms) == (plan.tz, 5000, 604_800_000)
    assert [again.rule_digest(rule.id) for rule in rules] == [plan.rule_digest(rule.id) for rule in rules]


def test_the_shipped_rules_make_a_plan_and_come_back_as_they_were() -> None:
    loaded = load_rules(LIBRARY, zones=("underpasses",))
    plan = Plan(loaded.rules, zones={"underpasses": UNDERPASSES})
    assert Plan.from_canonical(plan.canonical()).rules == loaded.rules


def test_the_digest_is_the_sha_256_of_the_bytes(rules: tuple[Rule, ...]) -> None:
    plan = plan_of(rules)
    assert plan.digest == hashlib.sha256(plan.canonical()).hexdigest()
    assert plan.short == plan.digest[:12]


def test_the_order_in_which_parts_came_does_not_matter(rules: tuple[Rule, ...]) -> None:
    zones = {"school": SCHOOL, "underpasses": UNDERPASSES}
    assert plan_of(rules[::-1], zones=zones, registry=Registry(ROWS[::-1])) == plan_of(rules)


def test_an_empty_plan_has_a_name_too() -> None:
    assert Plan.from_canonical(Plan().canonical()) == Plan()


@pytest.mark.parametrize(
    "changed",
    [
        {"registry": Registry(ROWS[:1])},
        {"registry": Registry((ROWS[0], Row("S1", "waste.fill", gateway="H")))},
        {"grids": None},
        {"grids": GridSet(["330683001001002"], square(1_200_000_000, 300_000_000))},
        {"zones": {"underpasses": UNDERPASSES}},
        {"zones": {"underpasses": ZoneSet("underpasses", square(1, 1)), "school": SCHOOL}},
        {"tz": "UTC"},
        {"max_delay_ms": 5001},
        {"max_age_ms": 1},
        {"calendars": {}},
        {"kinds": Kinds([*load_kinds(), Kind("air.pm25", "µg/m³", 0, 2000, "细颗粒物")])},
    ],
    ids=["a row less", "a gateway", "no grids", "a code", "a set less", "a border", "tz", "max_delay", "max_age",
         "a calendar less", "a kind more"],
)  # fmt: skip
def test_whatever_shapes_a_decision_changes_the_name(rules: tuple[Rule, ...], changed: dict[str, Any]) -> None:
    assert plan_of(rules, **changed).digest != plan_of(rules).digest


CHANGES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "a row of methane": ({"registry": Registry(ROWS[1:])}, {"gas.leak"}),
    "the place of a row": ({"registry": Registry((Row("S1", "gas.methane", 1, 1, since_ms=5), ROWS[1]))}, {"gas.leak"}),
    "the since of a row": (
        {"registry": Registry((Row("S1", "gas.methane", 1_200_000_001, 300_000_001, since_ms=6), ROWS[1]))},
        {"gas.leak"},
    ),
    "the gateway of a row": ({"registry": Registry((ROWS[0], Row("S1", "waste.fill", gateway="H")))}, set()),
    "a zone set that a rule asks": (
        {"zones": {"underpasses": ZoneSet("underpasses", square(1, 1)), "school": SCHOOL}},
        {"flood.ponding"},
    ),
    "a zone set that no rule asks": ({"zones": {"underpasses": UNDERPASSES}}, set()),
    "the city's time zone": ({"tz": "UTC"}, {"waste.night"}),
    "grids": ({"grids": None}, set()),
    "max_delay": ({"max_delay_ms": 1}, set()),
    "a kind's range": (
        {"kinds": Kinds({k.name: k for k in (*load_kinds(), Kind("gas.methane", "%LEL", 0, 9, ""))}.values())},
        {"gas.leak"},
    ),
}


@pytest.mark.parametrize(("changed", "touched"), CHANGES.values(), ids=CHANGES.keys())
def test_a_rule_changes_only_with_what_it_reads(
    rules: tuple[Rule, ...], changed: dict[str, Any], touched: set[str]
) -> None:
    before, after = plan_of(rules), plan_of(rules, **changed)
    assert {rule.id for rule in rules if before.rule_digest(rule.id) != after.rule_digest(rule.id)} == touched


def test_detect_runs_what_is_on_or_in_the_shadow(rules: tuple[Rule, ...]) -> None:
    assert [rule.id for rule in plan_of(rules).detect_rules] == ["flood.ponding", "gas.leak", "waste.night"]


def test_two_rules_of_one_id_make_no_plan(rules: tuple[Rule, ...]) -> None:
    with pytest.raises(ValueError, match="one id"):
        plan_of((*rules, rules[0]))


@pytest.mark.parametrize("spoil", [
    lambda _: b"",
    lambda _: b"{}",
    lambda data: data[:-1],
    lambda data: data[: len(data) // 2],
    lambda data: data + b"x",
    lambda data: data.replace(b'"semantics":1', b'"semantics":2'),
    lambda data: data.replace(b">= 50", b">= fi"),
    lambda data: data.replace(b">= 50", b">=  5"),
    lambda data: data.replace(b"gas.leak", b"gas leak"),
    lambda data: data.replace(b"kinds", b"kimds", 1),
], ids=["empty", "JSON", "a byte less", "half", "a byte more", "other semantics", "a faulty rule", "another spelling",
        "a faulty id", "a part less"])  # fmt: skip
def test_bytes_that_are_no_plan_are_refused(rules: tuple[Rule, ...], spoil: Any) -> None:
    data = plan_of(rules).canonical()
    assert spoil(data) != data
    with pytest.raises(PlanUnreadable):
        Plan.from_canonical(spoil(data))


@settings(max_examples=50)
@given(stories())
def test_random_plans_come_back_as_they_were(story: Story) -> None:
    plan = plan_of_data(story.plans[-1])
    again = Plan.from_canonical(plan.canonical())
    assert (again, again.rules, again.registry, again.kinds) == (plan, plan.rules, plan.registry, plan.kinds)
    assert all(again.rule_digest(rule.id) == plan.rule_digest(rule.id) for rule in plan.rules)
