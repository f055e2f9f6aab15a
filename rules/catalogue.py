"""The catalogue: categories of cases and departments, which a city supplies as a file (spec/cases.md)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from pathlib import Path

from rules import fields
from rules.case_block import CATEGORY, DEPARTMENT
from rules.document import FaultList, Node, read_text, read_yaml
from rules.errors import CatalogueRefused
from rules.faults import Fault
from rules.model import Rule

ENGLISH = ("departments", "categories", "kinds", "rules")
_FORM = "must be 1 to {} letters, digits, . _ -"


@dataclass(frozen=True, slots=True)
class Category:
    """A category of cases: Chinese title, and departments that get a work order beside the leading one."""

    code: str
    title: str
    further: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Categories by code; Chinese titles of departments by their names; English titles by what they are of."""

    categories: Mapping[str, Category]
    departments: Mapping[str, str]
    english: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def category(self, code: str) -> Category:
        """Return a category; an unknown one is titled by its code."""
        return self.categories.get(code) or Category(code, code)

    def title_en(self, of: str, code: str) -> str | None:
        """Return the English title of a rule, category, department or kind (`of`: one of ENGLISH), if it has one."""
        return self.english.get(of, {}).get(code)

    def sorted(self) -> list[Category]:
        """Return all categories by code."""
        return [self.categories[code] for code in sorted(self.categories)]

    def unknown(self, rules: Iterable[Rule]) -> list[Fault]:
        """Name the rules whose work has a category or a department that is not here."""
        faults = []
        for rule in rules:
            if rule.case is not None and rule.case.category not in self.categories:
                known = "must be a category of the catalogue"
                faults.append(Fault(rule.path, 0, 0, "case.category", known, rule.case.category))
            if rule.case is not None and rule.case.department not in self.departments:
                known = "must be a department of the catalogue"
                faults.append(Fault(rule.path, 0, 0, "case.department", known, rule.case.department))
        return faults


@lru_cache(maxsize=1)
def shipped_catalogue() -> Catalogue:
    """Return the categories and departments that ship."""
    text = (resources.files("rules") / "categories.yaml").read_text(encoding="utf-8")
    return _read(text, FaultList("rules/categories.yaml"), Catalogue({}, {}))


def load_catalogue(path: Path | None = None) -> Catalogue:
    """Return the shipped catalogue with what a city's file adds or says otherwise.

    Raises CatalogueRefused, all faults named.
    """
    if path is None:
        return shipped_catalogue()
    faults = FaultList(str(path))
    text = read_text(path, faults)
    found = None if text is None else _read(text, faults, shipped_catalogue())
    if faults.faults or found is None:
        raise CatalogueRefused(faults.faults)
    return found


def _read(text: str, faults: FaultList, before: Catalogue) -> Catalogue:
    document = read_yaml(text, faults)
    section = (
        None
        if document is None
        else fields.Section.open(document, "", faults, ("departments", "categories", "english"))
    )
    if section is None:
        return before
    departments, categories = dict(before.departments), dict(before.categories)
    named = _entries(section, "departments", faults)
    for key, name, title in named:
        _named(key, f"departments.{name}", name, DEPARTMENT, f"a department's name {_FORM.format(64)}", faults)
        departments[name] = fields.text(title, f"departments.{name}", faults, limit=80) or name
    coded = _entries(section, "categories", faults)
    for key, code, body in coded:
        found = _category(key, code, body, departments, faults)
        if found is not None:
            categories[code] = found
    anew = {"departments": {name for _, name, _ in named}, "categories": {code for _, code, _ in coded}}
    return Catalogue(categories, departments, _english(section, before, anew, faults))


def _english(
    section: fields.Section, before: Catalogue, anew: Mapping[str, set[str]], faults: FaultList
) -> dict[str, dict[str, str]]:
    """Return the English titles; what a city titles anew loses the one that it had."""
    node = section.get("english")
    inner = None if node is None else fields.Section.open(node, "english.", faults, ENGLISH)
    found = {}
    for of in ENGLISH:
        kept = before.english.get(of, {}).items()
        found[of] = {code: title for code, title in kept if code not in anew.get(of, ())}
        for _, code, title in [] if inner is None else _entries(inner, of, faults):
            found[of][code] = fields.text(title, f"english.{of}.{code}", faults, limit=120) or code
    return found


def _entries(section: fields.Section, name: str, faults: FaultList) -> list[tuple[Node, str, Node]]:
    """Return the keys of a mapping, what they are called, and their values; none where there is no mapping."""
    node = section.get(name)
    inner = None if node is None else fields.Section.open(node, f"{section.prefix}{name}.", faults, None)
    return [] if inner is None else [(inner.keys[key], key, value) for key, value in inner.items()]


def _category(key: Node, code: str, node: Node, departments: Mapping[str, str], faults: FaultList) -> Category | None:
    prefix = f"categories.{code}"
    _named(key, prefix, code, CATEGORY, f"a category's code {_FORM.format(32)}", faults)
    body = fields.Section.open(node, prefix + ".", faults, ("title", "further"))
    if body is None:
        return None
    title = fields.text(body.need("title"), body.key("title"), faults, limit=80)
    return Category(code, title or code, _further(body, departments, faults))


def _further(body: fields.Section, departments: Mapping[str, str], faults: FaultList) -> tuple[str, ...]:
    node = body.get("further")
    if node is None:
        return ()
    if node.items is None:
        faults.add(node, body.key("further"), "must be a list of departments")
        return ()
    names = [fields.word(item, body.key("further"), faults, departments) for item in node.items]
    return tuple(dict.fromkeys(name for name in names if name is not None))


def _named(node: Node, key: str, name: str, form: re.Pattern[str], rule: str, faults: FaultList) -> None:
    if not form.fullmatch(name):
        faults.add(node, key, rule, name)
