"""Rule files to rules: every fault of every file at once, and one bad rule never stops the others."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from rules.civil import CITY_TZ
from rules.document import FaultList, Node, read_text, read_yaml
from rules.faults import Fault
from rules.kinds import Kinds, load_kinds
from rules.model import Rule
from rules.rule_file import Surroundings, read_rule

LIBRARY = Path(__file__).parent / "library"
SUFFIXES = (".yaml", ".yml")
MAX_RULE_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Loaded:
    """Rules in ascending order of id, and the faults of the files that gave none, in order of file and place."""

    rules: tuple[Rule, ...]
    faults: tuple[Fault, ...]


def load_rules(
    paths: Path | Iterable[Path],
    *,
    kinds: Kinds | None = None,
    zones: Collection[str] = (),
    tz: str = CITY_TZ,
    complete: bool = False,
) -> Loaded:
    """Load a folder of rules, or files.

    In a folder every `*.yaml` and `*.yml` that is not hidden and no `*.test.yaml` is a rule. `zones`: names of the zone
    sets that exist. `complete` asks for what the library asks for: version, title, source, a file named as the rule,
    tests beside it. Of two files with one id the first in order of path counts, the other is a fault. A folder that is
    not there is a fault.
    """
    around = Surroundings(kinds or load_kinds(), frozenset(zones), tz, complete)
    rules: dict[str, Rule] = {}
    faults: list[Fault] = []
    for path in rule_files(paths, faults):
        rule, found = load_file(path, around)
        faults.extend(found)
        if rule is not None and rule.id in rules:
            first = rules[rule.id].path
            faults.append(Fault(str(path), *_place_of_id(path), "id", f"must be unique (first in {first})", rule.id))
        elif rule is not None:
            rules[rule.id] = rule
    return Loaded(tuple(rules[rule_id] for rule_id in sorted(rules)), tuple(sorted(faults)))


def load_file(path: Path, around: Surroundings) -> tuple[Rule | None, list[Fault]]:
    """Read one rule file; None and its faults where it has any."""
    faults = FaultList(str(path))
    document = _document(path, faults)
    rule = None if document is None else read_rule(document, str(path), around, faults)
    if around.complete and rule is not None:
        _complete(path, rule, faults)
    return (None if faults.faults else rule), faults.faults


def rule_files(paths: Path | Iterable[Path], faults: list[Fault]) -> list[Path]:
    """List rule files in order of path; a path that is not there is a fault."""
    found: list[Path] = []
    for path in [paths] if isinstance(paths, Path) else paths:
        if path.is_dir():
            found.extend(each for each in sorted(path.rglob("*")) if _is_rule_file(each, path))
        elif path.is_file():
            found.append(path)
        else:
            faults.append(Fault(str(path), 0, 0, "file", "must be a folder of rules or a rule file", "nothing"))
    return found


def trial_path(path: Path) -> Path:
    """Return where the test cases of a rule file stand: `name.yaml` → `name.test.yaml`."""
    return path.with_name(f"{path.stem}.test.yaml")


def _is_rule_file(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    there = path.is_file() or path.is_symlink()  # a link to nothing is a fault, not a rule less
    return path.suffix in SUFFIXES and not path.stem.endswith(".test") and not hidden and there


def _document(path: Path, faults: FaultList) -> Node | None:
    text = read_text(path, faults, MAX_RULE_BYTES)
    return None if text is None else read_yaml(text, faults)


def _complete(path: Path, rule: Rule, faults: FaultList) -> None:
    if path.stem != rule.id.partition(".")[2]:
        line, column = _place_of_id(path)
        faults.at(line, column, "id", f"must end in the name of its file, .{path.stem}", rule.id)
    if not trial_path(path).is_file():
        faults.at(0, 0, "test", f"must have its test cases beside it in {trial_path(path).name}", "nothing")


def _place_of_id(path: Path) -> tuple[int, int]:
    document = _document(path, FaultList(str(path)))
    for key, value in (document.entries if document is not None else None) or []:
        if key.text == "id":
            return value.line, value.column
    return 0, 0
