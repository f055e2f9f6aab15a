"""Reading a rule's `schedule`."""

from __future__ import annotations

import re

from rules import fields
from rules.civil import known_zone
from rules.document import FaultList, Node
from rules.schedule import DAYS, MINUTES_PER_DAY, Schedule, Span

_TIME = re.compile(r"(([01][0-9]|2[0-3]):[0-5][0-9])|24:00", re.ASCII)


def read_schedule(node: Node, faults: FaultList, city_tz: str) -> Schedule | None:
    """Read `{tz, active: [...]}` or `{tz, inactive: [...]}`; None and faults where it is wrong."""
    before = len(faults.faults)
    section = fields.Section.open(node, "schedule.", faults, ("tz", "active", "inactive"))
    if section is None:
        return None
    tz = fields.text(section.get("tz"), "schedule.tz", faults, limit=64) if section.get("tz") else city_tz
    if tz is not None and not known_zone(tz):
        faults.add(section.found["tz"], "schedule.tz", "must be a time zone of the IANA database")
    active, inactive = section.get("active"), section.get("inactive")
    if (active is None) == (inactive is None):
        got = "neither" if active is None else "both"
        faults.add(node, "schedule", "must have one of active and inactive", got)
        return None
    name = "active" if active is not None else "inactive"
    spans = _spans(section.found[name], f"schedule.{name}", faults)
    if len(faults.faults) > before or tz is None:
        return None
    return Schedule(tz, spans, inverted=name == "inactive")


def _spans(node: Node, key: str, faults: FaultList) -> tuple[Span, ...]:
    if node.items is None or not node.items:
        faults.add(node, key, "must be a list of spans, {days, from, to}")
        return ()
    spans = (_span(item, f"{key}[{number}].", faults) for number, item in enumerate(node.items))
    return tuple(span for span in spans if span is not None)


def _span(node: Node, prefix: str, faults: FaultList) -> Span | None:
    section = fields.Section.open(node, prefix, faults, ("days", "from", "to"))
    if section is None:
        return None
    days = _days(section.get("days"), section.key("days"), faults)
    start = _minute(section.need("from"), section.key("from"), faults)
    end = _minute(section.need("to"), section.key("to"), faults)
    if start == MINUTES_PER_DAY:
        faults.add(section.found["from"], section.key("from"), "must be from 00:00 to 23:59; 24:00 ends a day")
        return None
    if start is None or end is None:
        return None
    if start == end:
        faults.add(section.found["to"], section.key("to"), "must differ from `from`")
        return None
    return Span(days, start, end)


def _days(node: Node | None, key: str, faults: FaultList) -> tuple[int, ...]:
    if node is None:
        return tuple(range(7))
    if node.items is None:
        faults.add(node, key, f"must be a list of {', '.join(DAYS)}")
        return ()
    words = [fields.word(item, f"{key}[{number}]", faults, DAYS) for number, item in enumerate(node.items)]
    days = {DAYS.index(word) for word in words if word is not None}
    return tuple(sorted(days)) if node.items else tuple(range(7))


def _minute(node: Node | None, key: str, faults: FaultList) -> int | None:
    found = fields.matching(node, key, faults, _TIME, 'must be a time "HH:MM" from "00:00" to "24:00"')
    return None if found is None else int(found[:2]) * 60 + int(found[3:])
