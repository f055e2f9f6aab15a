"""The files that make a city — rules, registry, grids, zones, kinds — read into one plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.casework.directory import use_catalogue
from engine.detect.offline import FilesRefused, PlanFiles, build_plan
from engine.runtime.config import Config, duration_ms
from geo.city import City
from geo.city import load as load_city
from geo.errors import FileRefused
from geo.grids import GridSet
from geo.synthetic.furnish import playable as furnish
from rules.catalogue import load_catalogue
from rules.errors import Refused
from rules.kinds import Kinds, load_kinds
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
    """Read what the settings name: a city's folder, or its files; without any of them the shipped city.

    Raises FilesRefused with every fault; faulty rules are left out, rules that are nowhere are refused.
    """
    if config.rules and not Path(config.rules).exists():
        raise FilesRefused([f"{config.rules}: rules must be a folder of rules or a rule file; got nothing"])
    if config.city and (config.grids or config.zones):
        raise FilesRefused(["city: a city's folder brings its own grids and zones; got grids or zones beside it"])
    if config.city or not (config.registry or config.grids or config.zones):
        return _of_folder(config)
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


def own_file(folder: str | Path | None, name: str) -> Path | None:
    """What of the city's own words stands beside its geometry: kinds.yaml, categories.yaml, rules/; None without it."""
    path = Path(folder) / name if folder else None
    return path if path is not None and path.exists() else None


def own_rules(folder: str | Path | None) -> list[Path]:
    """The shipped rules, and those of the city's folder."""
    own = own_file(folder, "rules")
    return [LIBRARY] if own is None else [LIBRARY, own]


def own_kinds(folder: str | Path | None, path: Path | None = None) -> Kinds:
    """The shipped kinds with those of a file, else of the city's folder. Raises FilesRefused."""
    try:
        return load_kinds(path or own_file(folder, "kinds.yaml"))
    except Refused as refusal:
        raise FilesRefused([str(fault) for fault in refusal.faults]) from refusal


def read_registry(config: Config) -> Registry:
    """Read the registry of sensors alone, as `read_city` would. Raises FilesRefused."""
    if not (config.city or config.registry) and (config.grids or config.zones):
        return Registry()
    return _registry(config, own_kinds(config.city, _path(config.kinds)), None if config.registry else city_of(config))


def use_categories(path: Path | None, folder: str | Path | None) -> None:
    """Put a city's categories and departments in force for this process: of a file, else of the city's folder.

    Raises FilesRefused.
    """
    try:
        use_catalogue(load_catalogue(path or own_file(folder, "categories.yaml")))
    except Refused as refusal:
        raise FilesRefused([str(fault) for fault in refusal.faults]) from refusal


def city_of(config: Config) -> City:
    """The city of the folder that the settings name, else the shipped one. Raises FilesRefused."""
    try:
        return City(config.city) if config.city else load_city()
    except FileRefused as refusal:
        raise FilesRefused([str(fault) for fault in refusal.faults]) from refusal


def played(folder: Path | None, beside: Path) -> tuple[City, bool]:
    """The city of a folder, and whether something that it is played with was made up (and written `beside`).

    None: the shipped one, which lacks nothing. Raises FilesRefused.
    """
    try:
        city = load_city() if folder is None else City(folder)
        made = city if folder is None else furnish(city, beside)
    except FileRefused as refusal:
        raise FilesRefused([str(fault) for fault in refusal.faults]) from refusal
    return made, made is not city


def _registry(config: Config, kinds: Kinds, city: City | None) -> Registry:
    """The registry that the settings name, else the city's; a city of a folder may have none."""
    path = Path(config.registry) if city is None or config.registry else city.registry_path
    if city is not None and not config.registry and not path.exists():
        return Registry()
    try:
        return load_registry(path, kinds, config.tz)
    except Refused as refusal:
        raise FilesRefused([str(fault) for fault in refusal.faults]) from refusal


def _of_folder(config: Config) -> CityFiles:
    city = city_of(config)
    kinds = own_kinds(config.city, _path(config.kinds))
    try:
        grids, zones = city.grids, city.zones
    except FileRefused as refusal:
        raise FilesRefused([str(fault) for fault in refusal.faults]) from refusal
    loaded = load_rules(_path(config.rules) or own_rules(config.city), kinds=kinds, zones=zones, tz=config.tz)
    plan = Plan(
        loaded.rules,
        kinds,
        _registry(config, kinds, city),
        grids,
        zones,
        config.tz,
        duration_ms(config.max_delay),
        duration_ms(config.max_age),
    )
    return CityFiles(plan, grids, city.name, city.divisions, tuple(map(str, loaded.faults)))


def _path(text: str) -> Path | None:
    return Path(text) if text else None
