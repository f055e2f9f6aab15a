"""Reading a rule with `correlate`: alerts that together are one incident. Casework judges it, here is its shape."""

from __future__ import annotations

from rules import fields
from rules.case_block import metres
from rules.document import FaultList, Node
from rules.model import Correlation, Member, Same
from rules.names import RULE_ID, RULE_ID_FORM

KEYS = ("id", "version", "title", "source", "runbook", "enabled", "correlate", "within", "near", "level", "case")


def read_correlation(section: fields.Section, faults: FaultList) -> Correlation | None:
    """Read `correlate`, `within`, `near` and `level`; None and faults where they are wrong."""
    before = len(faults.faults)
    members = _members(section.found["correlate"], faults)
    within = fields.duration(section.need("within"), "within", faults)
    near = section.need("near")
    distance, same = (None, None) if near is None else _near(near, faults)
    level = fields.level_name(section.need("level"), "level", faults)
    if len(faults.faults) > before or within is None or level is None:
        return None
    return Correlation(members, within, distance, same, level)


def _members(node: Node, faults: FaultList) -> tuple[Member, ...]:
    if not node.items:
        faults.add(node, "correlate", "must be a list of {alert, at_least}")
        return ()
    found = (_member(item, f"correlate[{number}].", faults) for number, item in enumerate(node.items))
    return tuple(member for member in found if member is not None)


def _member(node: Node, prefix: str, faults: FaultList) -> Member | None:
    section = fields.Section.open(node, prefix, faults, ("alert", "at_least"))
    if section is None:
        return None
    alert = fields.matching(section.need("alert"), section.key("alert"), faults, RULE_ID, RULE_ID_FORM)
    level = fields.level_name(section.need("at_least"), section.key("at_least"), faults)
    return None if alert is None or level is None else Member(alert, level)


def _near(node: Node, faults: FaultList) -> tuple[float | None, Same | None]:
    section = fields.Section.open(node, "near.", faults, ("metres", "same"))
    if section is None:
        return None, None
    if ("metres" in section.found) == ("same" in section.found):
        faults.add(node, "near", "must have one of metres and same")
        return None, None
    if "same" in section.found:
        word = fields.word(section.found["same"], "near.same", faults, tuple(Same))
        return None, None if word is None else Same(word)
    return metres(node, "near.", faults), None
