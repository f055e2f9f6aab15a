"""Who people are, and who may do which move on which case."""

from __future__ import annotations

from enum import StrEnum

import msgspec
from sqlalchemy import ColumnElement, and_, exists, or_, select, true

from engine.casework.model import CaseState, Move, WorkOrder
from engine.casework.schema import cases, episode, work_order


class Role(StrEnum):
    """Roles of tokens; `citizen` and `system` are never a token's."""

    OPERATOR = "operator"
    DISPATCHER = "dispatcher"
    HANDLER = "handler"
    INSPECTOR = "inspector"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"
    AUDITOR = "auditor"
    SENSOR = "sensor"
    VIEWER = "viewer"
    CITIZEN = "citizen"
    SYSTEM = "system"


TOKEN_ROLES = tuple(role for role in Role if role not in (Role.CITIZEN, Role.SYSTEM))
_WORKING = frozenset({Role.OPERATOR, Role.DISPATCHER, Role.HANDLER, Role.INSPECTOR, Role.SUPERVISOR})
READERS = _WORKING | {Role.ADMIN, Role.AUDITOR, Role.VIEWER, Role.SYSTEM}
CONTACT_ROLES = _WORKING | {Role.SYSTEM}

_WHO: dict[Move, frozenset[Role]] = {
    Move.REPORT: frozenset({Role.OPERATOR, Role.CITIZEN}),
    Move.ACCEPT: frozenset({Role.OPERATOR}),
    Move.REJECT: frozenset({Role.OPERATOR}),
    Move.FILE: frozenset({Role.OPERATOR}),
    Move.DISPATCH: frozenset({Role.DISPATCHER}),
    Move.RETURN: frozenset({Role.HANDLER}),
    Move.START: frozenset({Role.HANDLER}),
    Move.FINISH: frozenset({Role.HANDLER}),
    Move.VERIFY: frozenset({Role.INSPECTOR}),
    Move.CLOSE: frozenset({Role.SUPERVISOR}),
    Move.EXTEND: frozenset({Role.SUPERVISOR}),
    Move.SUSPEND: frozenset({Role.SUPERVISOR}),
    Move.RESUME: frozenset({Role.SUPERVISOR}),
    Move.SUPERVISE: frozenset({Role.SUPERVISOR}),
    Move.MERGE: frozenset({Role.SUPERVISOR}),
    Move.UNMERGE: frozenset({Role.SUPERVISOR}),
    Move.VOID: frozenset({Role.SUPERVISOR}),
    Move.REOPEN: frozenset({Role.SUPERVISOR}),
    Move.COMMENT: _WORKING | {Role.ADMIN},
    Move.ATTACH: _WORKING | {Role.ADMIN},
}
_HANDLING = frozenset({Move.RETURN, Move.START, Move.FINISH})


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts. `area` is a prefix of grid codes ("" is the whole city); `department` null is any department;
    `address` is where the call came from, for the audit."""

    name: str
    role: Role
    area: str = ""
    department: str | None = None
    address: str = ""


SYSTEM = Actor(name="system", role=Role.SYSTEM)


class Decision(msgspec.Struct, frozen=True):
    """An answer with its named reason: ok, role, area, department."""

    allowed: bool
    reason: str


_OK = Decision(True, "ok")


def may(actor: Actor, move: str, case: CaseState, *, override: bool = False) -> Decision:
    """Decide whether the actor may make the move on the case at all (whether it fits now is another question).

    Handlers act on work orders of their own department (any, without one); a supervisor verifies only by overriding.
    """
    roles = _WHO.get(Move(move), frozenset())
    if override and move == Move.VERIFY:
        roles = frozenset({Role.SUPERVISOR})
    if actor.role not in roles:
        return Decision(False, "role")
    sight = visible(actor, case)
    if not sight.allowed:
        return sight
    if move in _HANDLING and case.orders and not own_orders(actor, case):
        return Decision(False, "department")
    return _OK


def may_report(actor: Actor, grid: str | None) -> Decision:
    """Decide whether the actor may report something in that grid (null: outside every grid)."""
    if actor.role not in _WHO[Move.REPORT]:
        return Decision(False, "role")
    return _OK if _in_area(actor, grid) else Decision(False, "area")


def visible(actor: Actor, case: CaseState) -> Decision:
    """Decide whether the case is the actor's to see: role, area (a case without a grid is the whole city's), and
    department (leading, or of a work order) where the actor has one."""
    if actor.role not in READERS:
        return Decision(False, "role")
    if not _in_area(actor, case.grid):
        return Decision(False, "area")
    departments = {case.department, *(order.department for order in case.orders)}
    if actor.department is not None and actor.department not in departments:
        return Decision(False, "department")
    return _OK


def _in_area(actor: Actor, grid: str | None) -> bool:
    return actor.area == "" or (grid is not None and grid.startswith(actor.area))


def own_orders(actor: Actor, case: CaseState) -> list[WorkOrder]:
    """Return the work orders that the actor may work on: of a handler, those of his department if he has one."""
    if actor.role != Role.HANDLER or actor.department is None:
        return list(case.orders)
    return [order for order in case.orders if order.department == actor.department]


def cases_visible(actor: Actor) -> ColumnElement[bool]:
    """Return the same answer as `visible`, as a condition on rows of `cases`."""
    if actor.role not in READERS:
        return ~true()
    terms: list[ColumnElement[bool]] = []
    if actor.area:
        terms.append(cases.c.grid.startswith(actor.area, autoescape=True))
    if actor.department is not None:
        terms.append(_of_department(actor.department))
    return and_(true(), *terms)


def _of_department(name: str) -> ColumnElement[bool]:
    order = select(work_order.c.n).where(work_order.c.case == cases.c.id, work_order.c.department == name)
    return or_(cases.c.department == name, exists(order))


def alerts_visible(actor: Actor) -> ColumnElement[bool]:
    """Return which rows of `episode` the actor may see: those of his area, and where he has a department, of a case
    that is its own; a mere warning is every department's."""
    if actor.role not in READERS:
        return ~true()
    terms: list[ColumnElement[bool]] = []
    if actor.area:
        terms.append(episode.c.grid.startswith(actor.area, autoescape=True))
    if actor.department is not None:
        own = exists(select(cases.c.id).where(cases.c.id == episode.c.case, _of_department(actor.department)))
        terms.append(or_(episode.c.case.is_(None), own))
    return and_(true(), *terms)
