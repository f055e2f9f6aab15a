"""The peers' job: one rule, one kind, 20,000 sensors; and what of a change is compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench import town
from engine.detect.offline import PlanFiles, build_plan
from rules.plan import Plan

PEERS = Path(__file__).parents[1] / "peers"
RULES = PEERS / "rules"
KIND = "gas.methane"


class Said(NamedTuple):
    """What counts of a change (bench/peers/README.md)."""

    sensor: str
    kind: str
    change: str
    level: str | None
    previous: str | None
    t: int
    since: int | None
    value: float | None
    lon: float | None
    lat: float | None


def methane_town(seed: int) -> town.Town:
    """The benchmark's town with a methane sensor at every place, none of them registered."""
    place = town.build(seed)
    number = next(number for number, shape in enumerate(town.KINDS) if shape.name == KIND)
    ids = tuple(f"gas-methane-{sensor:06d}" for sensor in range(town.SENSORS))
    return replace(place, ids=ids, kind=np.full(town.SENSORS, number), placed=np.zeros(town.SENSORS, np.bool_))


def one_rule() -> Plan:
    """The plan of the job: the one rule, no registry, no grids."""
    return build_plan(PlanFiles(RULES)).plan
