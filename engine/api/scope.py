"""Which events of the stream a caller is sent: those of cases that he may see and that pass his filters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import orjson

from engine.api.places import in_area, in_box

if TYPE_CHECKING:
    from engine.api.services import StreamEvent
    from engine.casework.people import Actor
    from engine.casework.service import CaseFilter, Casework


def sees(actor: Actor, event: StreamEvent, casework: Casework) -> bool:
    """Return whether a case lies in the caller's area and, if he is of a department, is that department's.

    Events name the leading department only: whether another has a work order of the case is asked of the store.
    """
    if not in_area(actor.area, event.grid):
        return False
    if actor.department in (None, event.department):
        return True
    return event.case is not None and casework.brief(event.case, actor) is not None


def passes(where: CaseFilter, event: StreamEvent) -> bool:
    """Return whether the case of an event, as it stands after it, passes the filters of lists but for departments."""
    return (
        (not where.state or event.state in where.state)
        and (not where.level or event.level in where.level)
        and (not where.category or event.category in where.category)
        and (event.grid or "").startswith(where.grid)
        and in_box(where.bbox, event.lon, event.lat)
        and where.overdue in (None, event.overdue)
        and where.q.lower() in event.text.lower()
        and _told(where, event)
    )


def _works_there(departments: Sequence[str], event: StreamEvent, actor: Actor, casework: Casework) -> bool:
    """Return whether one of them leads the case or (asked of the store) has a work order of it, as in lists."""
    if not departments or event.department in departments:
        return True
    found = casework.brief(event.case, actor) if event.case is not None else None
    return found is not None and any(order.department in departments for order in found.work_orders)


def _told(where: CaseFilter, event: StreamEvent) -> bool:
    if where.open is None and where.drill is None:
        return True
    case = orjson.loads(event.data)["case"]
    return where.open in (None, case["open"]) and where.drill in (None, case["drill"])


def wanted_by(actor: Actor, where: CaseFilter, casework: Casework) -> Callable[[StreamEvent], bool]:
    """Return what decides whether an event is sent to this caller; called from a worker thread."""
    return lambda event: (
        passes(where, event) and sees(actor, event, casework) and _works_there(where.department, event, actor, casework)
    )
