"""Scenario files: by name from the shipped ones, or by path."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from simulators import reading_yaml as read
from simulators.errors import ScenarioError, ScenarioFault
from simulators.scenario import FAULTS, Fault, Scenario

SHIPPED = Path(__file__).parent / "scenarios"
LARGEST = 256 * 1024


def names() -> list[str]:
    """Return the names of the shipped scenarios, sorted."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def load(name_or_path: str | Path) -> Scenario:
    """Read a scenario, a shipped one by its name (`-` counts as `_`), or a file.

    `extends: NAME` takes what the file leaves out from a shipped one.

    ScenarioError names every fault of the file: unknown and missing keys, wrong types, values out of bounds.
    """
    known = str(name_or_path).replace("-", "_")
    path = SHIPPED / f"{known}.yaml" if known in names() else Path(name_or_path)
    faults: list[ScenarioFault] = []
    place = read.Place(path.name, faults)
    tree = _parse(path, place)
    scenario = None if tree is None else _scenario(tree, place)
    if faults or scenario is None:
        raise ScenarioError(faults)
    return scenario


def _parse(path: Path, place: read.Place) -> CommentedMap | None:
    if not path.is_file():
        return place.fault(f"must be a file, or one of {', '.join(names())}", str(path))
    if path.stat().st_size > LARGEST:
        return place.fault(f"must be at most {LARGEST} bytes", f"{path.stat().st_size} bytes")
    try:
        tree: Any = YAML(typ="rt", pure=True).load(path.read_text(encoding="utf-8"))
    except MarkedYAMLError as error:
        mark = error.problem_mark
        spot = place.at((mark.line, mark.column), "file") if mark is not None else place
        return spot.fault("must be YAML", (error.problem or "unreadable").split("\n")[0])
    except (YAMLError, UnicodeDecodeError, RecursionError) as error:
        return place.fault("must be YAML in UTF-8", str(error).split("\n")[0])
    return tree if isinstance(tree, CommentedMap) else place.fault("must be a map", tree)


def _scenario(tree: CommentedMap, place: read.Place) -> Scenario | None:
    parent = None
    if "extends" in tree:
        spot = place.at(tree.lc.value("extends"), "extends")
        base = read.choice(names())(tree.pop("extends"), spot)
        parent = None if base is None else load(base)
        if base is None:
            return None
    scenario = read.section(Scenario, parent)(tree, place)
    if scenario is None:
        return None
    if parent is not None:
        scenario = replace(scenario, signals={**parent.signals, **scenario.signals})
    if (scenario.storm is None) != (scenario.water is None):
        place.fault("storm and water must stand together", "only one of them")
    for i, fault in enumerate(scenario.faults):
        _needs(fault, place.at((0, 0), f"faults[{i}]"))
    return replace(scenario, signals=dict(sorted(scenario.signals.items())))


def _needs(fault: Fault, place: read.Place) -> None:
    for name in FAULTS[fault.fault]:
        if not getattr(fault, name):
            word = "for" if name == "lasts_ms" else name.removesuffix("_ms")
            place.fault(f"{fault.fault} must have {word}", "nothing")


def fault_of(text: str) -> Fault:
    """Read one fault as it is given on a command line: `drop_out: {chance: 0.1, kinds: [rain.minute]}`."""
    faults: list[ScenarioFault] = []
    place = read.Place("fault", faults)
    fault = None
    try:
        tree: Any = YAML(typ="rt", pure=True).load(text)
    except YAMLError as error:
        raise ScenarioError([ScenarioFault("fault", 1, 1, "fault", "must be YAML", text[:60])]) from error
    if not isinstance(tree, CommentedMap) or len(tree) != 1 or not isinstance(next(iter(tree.values())), CommentedMap):
        place.fault("must be one fault with its parameters, NAME: {…}", text)
    else:
        name, parameters = next(iter(tree.items()))
        parameters.insert(0, "fault", name)
        parameters.lc.add_kv_line_col("fault", [0, 0, 0, 0])
        fault = read.section(Fault)(parameters, place)
        if fault is not None:
            _needs(fault, place)
    if faults or fault is None:
        raise ScenarioError(faults)
    return fault
