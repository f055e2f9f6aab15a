"""A plan of the interpreter as a plan of the engine."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from geo import NO_PLACE
from geo.grids import GridSet
from geo.polygons import Polygons
from geo.zones import ZoneSet
from rules.kinds import Kind, Kinds
from rules.load import load_rules
from rules.plan import Plan
from rules.registry import Registry, Row
from tests.reference.interpreter import Interpreter
from tests.reference.stories import Story


def shapes(polygons: list[list[list[tuple[int, int]]]]) -> Polygons:
    return Polygons.build([[rings] for rings in polygons])


def plan_of(data: dict[str, Any]) -> Plan:
    """Build the engine's plan through the real loader; a fault is a mistake of the generator."""
    kinds = Kinds(Kind(name, "", low, high, name) for name, (low, high) in data["kinds"].items())
    rows = [
        Row(
            r["sensor"],
            r["kind"],
            *((NO_PLACE, NO_PLACE) if r["lon_e7"] is None else (r["lon_e7"], r["lat_e7"])),
            since_ms=r["since"],
        )
        for r in data["registry"]
    ]
    with tempfile.TemporaryDirectory() as folder:
        for rule in data["rules"]:
            path = Path(folder) / rule["id"].replace(".", "/")
            path.parent.mkdir(exist_ok=True)
            YAML(typ="safe").dump(rule, path.with_suffix(".yaml"))
        loaded = load_rules(Path(folder), kinds=kinds, zones=data["zones"], tz=data["tz"])
    assert not loaded.faults, [str(fault) for fault in loaded.faults]
    return Plan(
        loaded.rules,
        kinds,
        Registry(rows),
        GridSet([code for code, _ in data["grids"]], shapes([rings for _, rings in data["grids"]])),
        {name: ZoneSet(name, shapes(polygons)) for name, polygons in data["zones"].items()},
        data["tz"],
        data["max_delay"],
        data["max_age"],
    )


class Named(NamedTuple):
    """All that the interpreter wants of a plan of the engine: what it is called."""

    digest: str
    short: str


def told_by_the_interpreter(
    story: Story, plans: Sequence[Plan | Named], log: list[tuple[int, int | None, bytes]]
) -> Interpreter:
    """Run the interpreter over a log."""
    known = {plan.digest: {**data, "short": plan.short} for plan, data in zip(plans, story.plans, strict=True)}
    interpreter = Interpreter(known, offline=plans[0].digest if story.offline else None)
    for offset, log_time, value in log:
        interpreter.record(offset, value, log_time)
    if story.offline:
        interpreter.finish()
    return interpreter
