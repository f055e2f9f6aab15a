"""The state of a case as its events say: one pure fold, by which the engine itself keeps the state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from engine.casework.model import (
    LEVEL_OF,
    MOVES,
    CaseState,
    Event,
    Move,
    Note,
    OrderState,
    State,
    WorkOrder,
)


def project(events: Iterable[Event]) -> CaseState:
    """Return the state of the case whose events, seq 1 first, are given; ValueError when one is missing."""
    state: CaseState | None = None
    for event in events:
        state = state or CaseState(id=event.case)
        step(state, event)
    if state is None:
        raise ValueError("a case has at least the event that opened it")
    return state


def step(state: CaseState, event: Event) -> None:
    """Change the state by its next event."""
    if event.seq != state.seq + 1 or event.case != state.id:
        raise ValueError(f"{state.id}: event {state.seq + 1} expected; got {event.case} {event.seq}")
    state.seq = event.seq
    state.changed_t = max(state.changed_t, event.t)
    if event.move in MOVES:
        state.version += 1
    effect = _EFFECTS.get(event.move)
    if effect is not None:
        effect(state, event)


def _report(state: CaseState, event: Event) -> None:
    for name, value in event.data["case"].items():
        setattr(state, name, value)
    state.opened_t = state.change_t = event.t
    state.peak = state.said_level
    change = event.data.get("change")
    if change:
        _judge(state, change, event.t)
    _set_level(state)


def _alert(state: CaseState, event: Event) -> None:
    _judge(state, event.data["change"], event.data["at"])
    _set_level(state)


def _judge(state: CaseState, change: Mapping[str, Any], at: int) -> None:
    """Take a change of an alert into account: which are open, which clears prove nothing; `at` in casework time."""
    signal = f"{change['rule']}|{change['sensor']}|{change['kind']}"
    state.change_t = max(state.change_t, change["t"])
    if change["change"] == "cleared":
        state.alerts.pop(change["episode"], None)
        others = [name for name in state.unproven if name != signal]
        state.unproven = others if change["cause"] == "reading" else sorted([*others, signal])
        state.cleared_t = max(state.cleared_t or at, at)
    else:
        state.alerts[change["episode"]] = LEVEL_OF[change["level"]]
        state.recovered = False


def _set_level(state: CaseState) -> None:
    open_level = max(state.alerts.values(), default=0)
    state.level = max(open_level, state.said_level)
    state.peak = max(state.peak, state.level)


def _joined(state: CaseState, event: Event) -> None:
    state.change_t = max(state.change_t, event.t)
    state.said_level = max(state.said_level, event.data.get("level", 0))
    if "platform" in event.data:
        state.recovered = False
    _set_level(state)


def _dispatch(state: CaseState, event: Event) -> None:
    state.state = State.DISPATCHED if state.state in (State.FILED, State.RETURNED) else state.state
    fresh = [
        WorkOrder(order["n"], order["department"], OrderState.DISPATCHED, event.t, order.get("officer"))
        for order in event.data["orders"]
    ]
    numbers = {order.n for order in fresh}
    kept = [order for order in state.orders if order.n not in numbers]
    state.orders = sorted([*kept, *fresh], key=lambda order: order.n)
    state.department = state.orders[0].department


def _orders(state: CaseState, event: Event) -> list[WorkOrder]:
    return [order for order in state.orders if order.n in event.data["orders"]]


def _return(state: CaseState, event: Event) -> None:
    for order in _orders(state, event):
        order.state, order.note = OrderState.RETURNED, event.note
    if all(order.state == OrderState.RETURNED for order in state.orders):
        state.state = State.RETURNED


def _start(state: CaseState, event: Event) -> None:
    for order in _orders(state, event):
        order.state, order.started_t = OrderState.HANDLING, event.t
    state.state, state.started = State.HANDLING, True


def _finish(state: CaseState, event: Event) -> None:
    for order in _orders(state, event):
        order.state, order.finished_t, order.note = OrderState.HANDLED, event.t, event.note
        order.photos = [*order.photos, *event.data.get("photos", [])]
    if all(order.state == OrderState.HANDLED for order in state.orders):
        state.state, state.finished_t, state.sensor_silent = State.HANDLED, event.t, False


def _verify(state: CaseState, event: Event) -> None:
    state.sensor_silent = False
    if event.data["result"] == "pass":
        state.state = State.VERIFIED
        return
    state.rework += 1
    _back_to_work(state)


def _back_to_work(state: CaseState) -> None:
    state.state, state.finished_t = State.HANDLING, None
    for order in state.orders:
        order.state, order.finished_t = OrderState.HANDLING, None


def _close(state: CaseState, event: Event) -> None:
    state.state, state.closed_t = State.CLOSED, event.t


def _reopen(state: CaseState, _event: Event) -> None:
    state.closed_t = None
    _back_to_work(state)


def _extend(state: CaseState, event: Event) -> None:
    state.due_t = event.data["due"]
    for order in state.orders:
        order.due_t = event.data["due"]


def _suspend(state: CaseState, _event: Event) -> None:
    state.resume_to, state.state = state.state, State.SUSPENDED


def _resume(state: CaseState, _event: Event) -> None:
    state.state, state.resume_to = State(state.resume_to or State.DISPATCHED), None


def _supervise(state: CaseState, _event: Event) -> None:
    state.supervised = True


def _merge(state: CaseState, event: Event) -> None:
    state.unmerge_to, state.state, state.merged_into = state.state, State.MERGED, event.data["into"]
    state.alerts, state.closed_t = {}, event.t
    _set_level(state)


def _unmerge(state: CaseState, event: Event) -> None:
    state.state, state.unmerge_to = State(state.unmerge_to or State.REPORTED), None
    state.merged_into = state.closed_t = None
    state.alerts = dict(event.data["alerts"])
    state.unproven, state.cleared_t = event.data["unproven"], event.data["cleared_t"]
    _set_level(state)


def _absorbed(state: CaseState, event: Event) -> None:
    state.alerts.update(event.data["alerts"])
    state.unproven = sorted({*state.unproven, *event.data["unproven"]})
    if event.data["cleared_t"] is not None:
        state.cleared_t = max(state.cleared_t or 0, event.data["cleared_t"])
    state.change_t = max(state.change_t, event.data["change_t"])
    _set_level(state)


def _released(state: CaseState, event: Event) -> None:
    for episode in event.data["alerts"]:
        state.alerts.pop(episode, None)
    state.unproven = [signal for signal in state.unproven if signal not in event.data["signals"]]
    _set_level(state)


def _ended(to: State) -> Callable[[CaseState, Event], None]:
    def end(state: CaseState, event: Event) -> None:
        state.state, state.closed_t = to, event.t

    return end


def _moved(to: State) -> Callable[[CaseState, Event], None]:
    def move(state: CaseState, _event: Event) -> None:
        state.state = to

    return move


def _flag_recovered(state: CaseState, _event: Event) -> None:
    state.recovered = True


def _flag_silent(state: CaseState, _event: Event) -> None:
    state.sensor_silent = True


_EFFECTS: dict[str, Callable[[CaseState, Event], None]] = {
    Move.REPORT: _report,
    Move.ACCEPT: _moved(State.ACCEPTED),
    Move.REJECT: _ended(State.REJECTED),
    Move.FILE: _moved(State.FILED),
    Move.DISPATCH: _dispatch,
    Move.RETURN: _return,
    Move.START: _start,
    Move.FINISH: _finish,
    Move.VERIFY: _verify,
    Move.CLOSE: _close,
    Move.EXTEND: _extend,
    Move.SUSPEND: _suspend,
    Move.RESUME: _resume,
    Move.SUPERVISE: _supervise,
    Move.MERGE: _merge,
    Move.UNMERGE: _unmerge,
    Move.VOID: _ended(State.VOID),
    Move.REOPEN: _reopen,
    Note.ALERT: _alert,
    Note.JOINED: _joined,
    Note.ABSORBED: _absorbed,
    Note.RELEASED: _released,
    Note.RECOVERED: _flag_recovered,
    Note.SENSOR_SILENT: _flag_silent,
}
