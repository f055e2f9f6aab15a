"""Sensor-verified closure: when to look at a handled case, and what the sensors then say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from engine.casework.model import CaseState, Move, Note, State


class Signal(Protocol):
    """What closure needs of an open episode."""

    @property
    def id(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def sensor(self) -> str: ...
    @property
    def heard_t(self) -> int | None: ...
    @property
    def value(self) -> float | None: ...


class Line(Protocol):
    """A level's clear line."""

    def reached(self, value: float) -> bool: ...


class Step(NamedTuple):
    """An event that the system writes."""

    move: str
    note: str | None
    data: dict[str, Any]


def next_check(case: CaseState, heard: Iterable[int | None] = ()) -> int | None:
    """Return when casework looks at the case again, in time C; null when nothing is to be looked at.

    An open alert: `verify_wait` after the finish. All cleared by readings: `verify_for` after the last clear, not
    before the finish. `heard` are the times at which the open alerts of a `sensor_silent` case were last heard: it is
    looked at again only when all of them have spoken since the finish.
    """
    if case.close != "sensor" or case.state != State.HANDLED or case.finished_t is None:
        return None
    if case.alerts:
        if case.sensor_silent and not all(_since(t, case.finished_t) for t in heard):
            return None
        return case.finished_t + case.verify_wait_ms
    if case.unproven or case.cleared_t is None:
        return None
    return max(case.cleared_t + case.verify_for_ms, case.finished_t)


def judge(case: CaseState, alerts: Sequence[tuple[Signal, Line | None]]) -> list[Step]:
    """Return what the system does when the check falls due; `alerts` are the case's open episodes, each with the clear
    line of its level.

    Nothing, when all of them read past their clear lines and have only to hold for the rule's `clear_for`.
    """
    if not alerts:
        proof = {"result": "pass", "proof": "sensor"}
        return [Step(Move.VERIFY, "传感器读数已恢复正常并保持", proof), Step(Move.CLOSE, None, {})]
    finished = case.finished_t if case.finished_t is not None else 0
    silent = [alert for alert, _ in alerts if not _since(alert.heard_t, finished)]
    if silent:
        names = "、".join(dict.fromkeys(alert.sensor for alert in silent))
        return [Step(Note.SENSOR_SILENT, f"反馈后未收到传感器数据：{names}", {"alerts": [a.id for a in silent]})]
    above = [(alert, line) for alert, line in alerts if not _past(alert, line)]
    if not above:
        return []
    told = "；".join(_told(alert, line) for alert, line in above[:5])
    data = {"result": "fail", "orders": [order.n for order in case.orders], "alerts": [a.id for a, _ in above]}
    return [Step(Move.VERIFY, f"报警仍未解除：{told}", data)]


def _since(heard_t: int | None, finished_t: int) -> bool:
    return heard_t is not None and heard_t > finished_t


def _past(alert: Signal, line: Line | None) -> bool:
    return line is not None and alert.value is not None and line.reached(alert.value)


def _told(alert: Signal, line: Line | None) -> str:
    now = "" if alert.value is None else f"，当前值 {alert.value:g}"
    return f"{alert.title}（{alert.sensor}{now}{'' if line is None else f'，{line}'}）"
