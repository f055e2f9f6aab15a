"""Reading a rule's `case` block: what work an alert of the rule is (spec/cases.md)."""

from __future__ import annotations

import re

from rules import fields
from rules.document import FaultList, Node
from rules.model import LEVEL_WORDS, VERIFY_FOR_MS, VERIFY_WAIT_MS, Auto, CaseSpec, Close, LevelName, Merge, MergeBy

KEYS = ("category", "department", "auto", "close", "merge", "priority", "verify_for", "verify_wait")
CATEGORY = re.compile(r"[\w.-]{1,32}")
DEPARTMENT = re.compile(r"[\w.-]{1,64}")


def read_case(node: Node, faults: FaultList) -> CaseSpec | None:
    """Read the block; None and faults where it is wrong."""
    before = len(faults.faults)
    section = fields.Section.open(node, "case.", faults, KEYS)
    if section is None:
        return None
    rule = 'must be a code in quotes, such as "0401"'
    category = fields.matching(section.need("category"), "case.category", faults, CATEGORY, rule)
    rule = "must be the name of a department"
    department = fields.matching(section.need("department"), "case.department", faults, DEPARTMENT, rule)
    auto = fields.word(section.get("auto"), "case.auto", faults, tuple(Auto)) or Auto.REPORT
    close = fields.word(section.get("close"), "case.close", faults, tuple(Close)) or Close.INSPECTOR
    merge = read_merge(section.get("merge"), faults)
    priority = _priority(section.get("priority"), faults)
    verify_for = fields.duration(section.get("verify_for"), "case.verify_for", faults)
    verify_wait = fields.duration(section.get("verify_wait"), "case.verify_wait", faults)
    if len(faults.faults) > before or category is None or department is None:
        return None
    return CaseSpec(
        category,
        department,
        Auto(auto),
        Close(close),
        merge,
        priority,
        VERIFY_FOR_MS if verify_for is None else verify_for,
        VERIFY_WAIT_MS if verify_wait is None else verify_wait,
    )


def read_merge(node: Node | None, faults: FaultList) -> Merge:
    """Read `{by: sensor | grid}` or `{near: {metres: N}}`, each with `within`."""
    section = None if node is None else fields.Section.open(node, "case.merge.", faults, ("by", "near", "within"))
    if node is None or section is None:
        return Merge()
    within = fields.duration(section.get("within"), "case.merge.within", faults)
    by, near = section.get("by"), section.get("near")
    if by is not None and near is not None:
        faults.add(node, "case.merge", "must have one of by and near", "both")
        return Merge()
    if near is not None:
        return Merge(MergeBy.NEAR, metres(near, "case.merge.near.", faults), within)
    word = fields.word(by, "case.merge.by", faults, (MergeBy.SENSOR, MergeBy.GRID)) or MergeBy.SENSOR
    return Merge(MergeBy(word), None, within)


def metres(node: Node, prefix: str, faults: FaultList) -> float | None:
    """Read `{metres: N}`, a distance above 0 and at most 100 km."""
    section = fields.Section.open(node, prefix, faults, ("metres",))
    if section is None:
        return None
    key = section.key("metres")
    found = fields.number(section.need("metres"), key, faults)
    if found is not None and not 0 < found <= 100_000:
        faults.add(section.found["metres"], key, "must be above 0 and at most 100000")
        return None
    return found


def _priority(node: Node | None, faults: FaultList) -> tuple[tuple[LevelName, int], ...]:
    section = None if node is None else fields.Section.open(node, "case.priority.", faults, tuple(LEVEL_WORDS))
    if section is None:
        return ()
    found = [
        (LEVEL_WORDS[name], fields.whole(value, section.key(name), faults, 0, 99)) for name, value in section.items()
    ]
    return tuple(sorted((level, number) for level, number in found if number is not None))
