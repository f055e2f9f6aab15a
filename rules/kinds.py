"""Kinds: what is observed, in which unit, and what is still a value and not an error code (spec/readings.md)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path

from rules import fields
from rules.document import FaultList, Node, read_text, read_yaml
from rules.errors import KindsRefused

KIND_NAME = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*)+")
MAX_NAME = 64


@dataclass(frozen=True, slots=True)
class Kind:
    """`low` and `high` are the range, both ends included; `title` is what a duty officer reads."""

    name: str
    unit: str
    low: float
    high: float
    title: str


class Kinds:
    """Kinds in ascending order of name; a kind's number is its place in that order."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self.all: tuple[Kind, ...] = tuple(sorted(kinds, key=lambda kind: kind.name))
        self._index = {kind.name: number for number, kind in enumerate(self.all)}

    def __len__(self) -> int:
        return len(self.all)

    def __iter__(self) -> Iterator[Kind]:
        return iter(self.all)

    def __contains__(self, name: object) -> bool:
        return name in self._index

    def __getitem__(self, number: int) -> Kind:
        return self.all[number]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Kinds) and self.all == other.all

    def __hash__(self) -> int:
        return hash(self.all)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(kind.name for kind in self.all)

    def index(self, name: str) -> int:
        """Return the number of a kind; KeyError if there is none of that name."""
        return self._index[name]

    def get(self, name: str) -> Kind | None:
        number = self._index.get(name)
        return None if number is None else self.all[number]


@lru_cache(maxsize=1)
def shipped_kinds() -> Kinds:
    """Return the kinds of spec/readings.md."""
    path = resources.files("rules") / "kinds.yaml"
    return Kinds(_read(path.read_text(encoding="utf-8"), FaultList("rules/kinds.yaml")))


def load_kinds(path: Path | None = None) -> Kinds:
    """Return the shipped kinds and those of a city's file; the city's word counts where both name a kind.

    Raises KindsRefused, all faults named.
    """
    if path is None:
        return shipped_kinds()
    faults = FaultList(str(path))
    text = read_text(path, faults)
    own = [] if text is None else _read(text, faults)
    if faults.faults:
        raise KindsRefused(faults.faults)
    return Kinds({kind.name: kind for kind in (*shipped_kinds(), *own)}.values())


def _read(text: str, faults: FaultList) -> list[Kind]:
    document = read_yaml(text, faults)
    if document is None:
        return []
    section = fields.Section.open(document, "", faults, None)
    if section is None:
        return []
    kinds = [_kind(section, name, node, faults) for name, node in section.items()]
    return [kind for kind in kinds if kind is not None]


def _kind(section: fields.Section, name: str, node: Node, faults: FaultList) -> Kind | None:
    before = len(faults.faults)
    if not KIND_NAME.fullmatch(name) or len(name) > MAX_NAME:
        faults.add(section.keys[name], name, "a kind must be named domain.name in lower case", name)
    body = fields.Section.open(node, f"{name}.", faults, ("unit", "range", "title"))
    if body is None:
        return None
    unit = fields.text(body.need("unit"), body.key("unit"), faults, limit=40)
    title = fields.text(body.get("title"), body.key("title"), faults, limit=80)
    low, high = _range(body.need("range"), body.key("range"), faults)
    if len(faults.faults) > before or unit is None:
        return None
    return Kind(name, unit, low, high, title or name)


def _range(node: Node | None, key: str, faults: FaultList) -> tuple[float, float]:
    if node is None:
        return 0.0, 0.0
    if node.items is None or len(node.items) != 2:
        faults.add(node, key, "must be a list of two numbers, the lowest and the highest value")
        return 0.0, 0.0
    low, high = (fields.number(item, key, faults) for item in node.items)
    if low is not None and high is not None and low >= high:
        faults.add(node, key, "the lowest value must be below the highest")
    return low or 0.0, high or 0.0
