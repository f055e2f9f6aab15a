"""What a case is: its states and moves, its events, and the state that follows from them."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Any

import msgspec


class State(StrEnum):
    """States of a case."""

    REPORTED = "reported"
    ACCEPTED = "accepted"
    FILED = "filed"
    DISPATCHED = "dispatched"
    RETURNED = "returned"
    HANDLING = "handling"
    HANDLED = "handled"
    VERIFIED = "verified"
    CLOSED = "closed"
    REJECTED = "rejected"
    SUSPENDED = "suspended"
    MERGED = "merged"
    VOID = "void"


CLOSED_STATES = frozenset({State.CLOSED, State.REJECTED, State.MERGED, State.VOID})
OPEN_STATES = frozenset(State) - CLOSED_STATES


class Move(StrEnum):
    """Moves: what people, and the system, do with a case. Each counts in `version`."""

    REPORT = "report"
    ACCEPT = "accept"
    REJECT = "reject"
    FILE = "file"
    DISPATCH = "dispatch"
    RETURN = "return"
    START = "start"
    FINISH = "finish"
    VERIFY = "verify"
    CLOSE = "close"
    EXTEND = "extend"
    SUSPEND = "suspend"
    RESUME = "resume"
    SUPERVISE = "supervise"
    MERGE = "merge"
    UNMERGE = "unmerge"
    VOID = "void"
    REOPEN = "reopen"
    COMMENT = "comment"
    ATTACH = "attach"


class Note(StrEnum):
    """Events that are no moves: what befell the case. They leave `version` alone."""

    ALERT = "alert"  # a change of an alert joined
    JOINED = "joined"  # another person's report joined
    ABSORBED = "absorbed"  # another case was merged into this one
    RELEASED = "released"  # that case was taken out again
    RECOVERED = "recovered"  # all alerts cleared before anyone came
    SENSOR_SILENT = "sensor_silent"  # nothing heard of an open alert since the finish


MOVES = frozenset(str(move) for move in Move)


class Level(IntEnum):
    """Levels in their order; NONE is no open alert."""

    NONE = 0
    BLUE = 1
    YELLOW = 2
    ORANGE = 3
    RED = 4


LEVEL_OF: dict[str, Level] = {level.name.lower(): level for level in Level}


def level_name(level: int) -> str | None:
    """Return `blue` to `red`, null for none."""
    return Level(level).name.lower() if level else None


class OrderState(StrEnum):
    """States of a work order."""

    DISPATCHED = "dispatched"
    RETURNED = "returned"
    HANDLING = "handling"
    HANDLED = "handled"


class WorkOrder(msgspec.Struct):
    """What one department is asked to do; numbered from 1 in its case. Times ms; photos are URLs."""

    n: int
    department: str
    state: OrderState
    dispatched_t: int
    officer: str | None = None
    started_t: int | None = None
    finished_t: int | None = None
    due_t: int | None = None
    note: str | None = None
    photos: list[str] = []


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `case_event`. `position`: offset of the alerts log at which it was applied; `data`: all that the
    projection needs beside the row itself."""

    case: str
    seq: int
    move: str
    actor: str
    role: str
    person: bool
    t: int
    note: str | None
    data: dict[str, Any]
    position: int


class CaseState(msgspec.Struct):
    """One case as its events say. `alerts` are the open episodes with their levels; `unproven` the signals
    (`rule|sensor|kind`) whose last clear was not by a reading; `keys` the merge keys that are the case's own; `names`
    titles of departments that categories.yaml does not know."""

    id: str
    incident: str = ""
    state: State = State.REPORTED
    title: str = ""
    category: str = ""
    department: str | None = None
    rule: str | None = None
    sensor: str | None = None
    auto: str = "report"
    close: str = "inspector"
    merge_by: str = "sensor"
    within_ms: int | None = None
    verify_for_ms: int = 0
    verify_wait_ms: int = 0
    priorities: dict[str, int] = {}
    names: dict[str, str] = {}
    grid: str | None = None
    grid_name: str | None = None
    officer: str | None = None
    lon: float | None = None
    lat: float | None = None
    text: str | None = None
    drill: bool = False
    level: int = 0
    peak: int = 0
    said_level: int = 0
    recovered: bool = False
    supervised: bool = False
    sensor_silent: bool = False
    started: bool = False
    rework: int = 0
    opened_t: int = 0
    changed_t: int = 0
    change_t: int = 0
    cleared_t: int | None = None
    finished_t: int | None = None
    closed_t: int | None = None
    due_t: int | None = None
    resume_to: str | None = None
    unmerge_to: str | None = None
    merged_into: str | None = None
    version: int = 0
    seq: int = 0
    keys: list[str] = []
    unproven: list[str] = []
    alerts: dict[str, int] = {}
    orders: list[WorkOrder] = []

    @property
    def is_open(self) -> bool:
        """Tell whether the case is in no closed state."""
        return self.state not in CLOSED_STATES

    @property
    def priority(self) -> int | None:
        """Return the priority that the rule gives its highest level so far."""
        name = level_name(self.peak)
        return self.priorities.get(name) if name else None
