"""Which events of the stream a caller is sent: those of cases that he may see and that pass his filters."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson

from engine.api.places import in_area, in_box

if TYPE_CHECKING:
    from engine.casework.people import Actor
    from engine.casework.service import CaseFilter, OutboxRow


def sees(actor: Actor, case: dict[str, Any]) -> bool:
    """Return whether a case lies in the caller's area and, if he is of a department, is that department's."""
    return in_area(actor.area, case["grid"]) and actor.department in (None, case["department"])


def passes(where: CaseFilter, case: dict[str, Any]) -> bool:
    """Return whether a case, as the event tells it, passes the filters of lists."""
    overdue = "overdue" in case["flags"]
    text = " ".join(str(case[name] or "") for name in ("id", "title", "text", "sensor")).lower()
    return (
        (not where.state or case["state"] in where.state)
        and (not where.level or case["level"] in where.level)
        and (not where.category or case["category"] in where.category)
        and (not where.department or case["department"] in where.department)
        and (not where.grid or str(case["grid"] or "").startswith(where.grid))
        and in_box(where.bbox, case["lon"], case["lat"])
        and where.overdue in (None, overdue)
        and where.open in (None, case["open"])
        and where.drill in (None, case["drill"])
        and where.q.lower() in text
    )


def wanted_by(actor: Actor, where: CaseFilter) -> Callable[[OutboxRow], bool]:
    """Return what decides whether a row is sent to this caller."""

    def wanted(row: OutboxRow) -> bool:
        case = orjson.loads(row.payload)["case"]
        return sees(actor, case) and passes(where, case)

    return wanted
