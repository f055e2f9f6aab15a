"""The rules that P1 measures: thirteen, kept here as they were first measured, so that figures stay comparable.

The library goes on; what is added to it, and to the kinds that ship, changes neither the work nor the checksum of P1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bench import readings
from geo.grids import GridSet
from geo.zones import load_zones
from rules.kinds import Kinds, load_kinds
from rules.load import load_rules
from rules.plan import Plan
from rules.registry_file import load_registry

RULES: Final = Path(__file__).parent / "rules"
KINDS: Final = frozenset(
    f"{domain}.{name}"
    for domain, names in {
        "gas": "methane pressure",
        "water": "level",
        "rain": "minute",
        "drain": "level",
        "fire": "smoke heat residual_current hydrant_pressure",
        "waste": "fill weight",
        "vehicle": "position",
        "video": "flame smoke lane_blocked waste_overflow dumping vendor spill ponding",
    }.items()
    for name in names.split()
)
MAX_DELAY_MS: Final = 2_000


def plan(made: readings.Files) -> Plan:
    """Build the plan: the thirteen rules, their kinds, and the town's registry, grids and zones."""
    kinds = Kinds(kind for kind in load_kinds() if kind.name in KINDS)
    zones = load_zones(made.zones, assume="wgs84")
    loaded = load_rules(RULES, kinds=kinds, zones=frozenset(zones))
    if loaded.faults:
        raise SystemExit("\n".join(str(fault) for fault in loaded.faults))
    return Plan(
        loaded.rules,
        kinds,
        load_registry(made.registry, kinds),
        GridSet.from_geojson(made.grids, assume="wgs84"),
        zones,
        max_delay_ms=MAX_DELAY_MS,
    )
