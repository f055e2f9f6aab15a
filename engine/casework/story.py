"""Cases, events and alerts as people and programs are shown them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from engine.casework.directory import category, department_title
from engine.casework.model import CaseState, Event, WorkOrder, level_name
from engine.casework.privacy import mask_actor, mask_data, mask_text
from engine.casework.views import CaseView, EventView, WorkOrderView
from engine.casework.words import ORDERS, STATES, event_title


def case_view(
    case: CaseState, *, moves: Sequence[str] = (), orders: bool = True, now_ms: int | None = None, plain: bool = False
) -> CaseView:
    """Return a case for people. `overdue` is flagged when `now_ms` is past its due time; `plain`: nothing is masked."""
    return CaseView(
        id=case.id,
        incident=case.incident,
        title=case.title,
        state=str(case.state),
        state_title=STATES[case.state],
        open=case.is_open,
        level=level_name(case.level),
        peak=level_name(case.peak),
        category=case.category,
        category_title=category(case.category).title,
        department=case.department,
        department_title=department_title(case.department, case.names) if case.department else None,
        rule=case.rule,
        sensor=case.sensor,
        close=case.close,
        grid=case.grid,
        grid_name=case.grid_name,
        officer=case.officer,
        lon=case.lon,
        lat=case.lat,
        text=case.text if plain else _masked(case.text),
        flags=_flags(case, now_ms),
        drill=case.drill,
        rework=case.rework,
        priority=case.priority,
        opened_t=case.opened_t,
        changed_t=case.changed_t,
        closed_t=case.closed_t,
        due_t=case.due_t,
        merged_into=case.merged_into,
        version=case.version,
        seq=case.seq,
        work_orders=[order_view(case, order, plain) for order in case.orders] if orders else [],
        moves=list(moves),
    )


def _flags(case: CaseState, now_ms: int | None) -> list[str]:
    overdue = now_ms is not None and case.is_open and case.due_t is not None and case.due_t < now_ms
    told = {
        "drill": case.drill,
        "recovered": case.recovered,
        "supervised": case.supervised,
        "sensor_silent": case.sensor_silent,
        "overdue": overdue,
    }
    return [name for name, so in told.items() if so]


def _masked(text: str | None) -> str | None:
    return mask_text(text) if text else text


def order_view(case: CaseState, order: WorkOrder, plain: bool = False) -> WorkOrderView:
    """Return a work order for people."""
    return WorkOrderView(
        id=f"{case.id}/{order.n}",
        department=order.department,
        department_title=department_title(order.department, case.names),
        state=str(order.state),
        state_title=ORDERS[order.state],
        officer=order.officer,
        dispatched_t=order.dispatched_t,
        started_t=order.started_t,
        finished_t=order.finished_t,
        due_t=order.due_t,
        note=order.note if plain else _masked(order.note),
        photos=order.photos,
    )


def event_view(event: Event, state: str, version: int, plain: bool = False) -> EventView:
    """Return an event for people; `state` and `version` are the case's after it; `plain`: nothing is masked."""
    return EventView(
        case=event.case,
        seq=event.seq,
        move=event.move,
        title=event_title(event.move, event.data),
        actor=event.actor if plain else mask_actor(event.actor, event.role),
        role=event.role,
        person=event.person,
        t=event.t,
        note=event.note if plain else _masked(event.note),
        data=event.data if plain else mask_data(event.data),
        position=event.position,
        state=state,
        version=version,
    )


class Message(msgspec.Struct, frozen=True):
    """What goes out for an event: a stable id, the event, and the case after it."""

    id: str
    event: EventView
    case: CaseView


def outbox_payload(case: CaseState, event: Event) -> bytes:
    """Return the message of an event as JSON, without contact data and with numbers in free text masked."""
    shown = case_view(case, orders=False)
    return msgspec.json.encode(Message(f"{case.id}:{event.seq}", event_view(event, shown.state, case.version), shown))
