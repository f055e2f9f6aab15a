"""The files that make a city — rules, registry, grids, zones, kinds — read into one plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.detect.offline import FilesRefused, PlanFiles, build_plan
from engine.runtime.config import Config, duration_ms
from geo.city import load as load_city
from geo.grids import GridSet
from rules.errors import Refused
from rules.kinds import load_kinds
from rules.load import LIBRARY, load_rules
from rules.plan import Plan
from rules.registry import Registry
from rules.registry_file import load_registry


@dataclass(frozen=True, slots=True)
class CityFiles:
    """A plan with what people see around it; `faults` are those of rule files that were left out of it."""

    plan: Plan
    grids: GridSet
    name: str
    divisions: Mapping[str, str]
    faults: tuple[str, ...]


def read_city(config: Config) -> CityFiles:
    """Read what the settings name; without registry, grids and zones the shipped city.

    Raises FilesRefused with every fault; faulty rules are left out, rules that are nowhere are refused.
    """
    if config.rules and not Path(config.rules).exists():
        raise FilesRefused([f"{config.rules}: rules must be a folder of rules or a rule file; got nothing"])
    if not (config.registry or config.grids or config.zones):
        return _shipped(config)
    files = PlanFiles(
        _path(config.rules) or LIBRARY,
        _path(config.registry),
        _path(config.grids),
        _path(config.zones),
        _path(config.kinds),
        duration_ms(config.max_delay),
        duration_ms(config.max_age),
        config.tz,
    )
    built = build_plan(files)
    return CityFiles(built.plan, built.plan.grids or GridSet.empty(), "本市", {}, built.rule_faults)


def read_registry(config: Config) -> Registry:
    """Read the registry of sensors alone, as `read_city` would. Raises FilesRefused."""
    if not config.registry and (config.grids or config.zones):
        return Registry()
    path = Path(config.registry) if config.registry else load_city().registry_path
    try:
        return load_registry(path, load_kinds(_path(config.kinds)), config.tz)
    except Refused as refusal:
        raise FilesRefused([str(fault) for fault in refusal.faults]) from refusal


def _shipped(config: Config) -> CityFiles:
    city = load_city()
    kinds = load_kinds(_path(config.kinds))
    loaded = load_rules(_path(config.rules) or LIBRARY, kinds=kinds, zones=city.zones, tz=config.tz)
    plan = Plan(
        loaded.rules,
        kinds,
        load_registry(city.registry_path, kinds, config.tz),
        city.grids,
        city.zones,
        config.tz,
        duration_ms(config.max_delay),
        duration_ms(config.max_age),
    )
    return CityFiles(plan, city.grids, city.name, city.divisions, tuple(map(str, loaded.faults)))


def _path(text: str) -> Path | None:
    return Path(text) if text else None
