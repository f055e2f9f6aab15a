"""What happens in the demo, in sentences: warnings that climb, cases and their moves. Chinese, English by a switch."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson

from engine.casework.service import AlertRecord, Applied, OutboxRow
from engine.casework.words import LEVELS
from engine.detect.batch import RecordBatch
from engine.detect.changes import Change
from engine.detect.last_values import LastValue
from engine.detect.output import Output
from rules.plan import Plan

LEVEL_ORDER: Final = ("blue", "yellow", "orange", "red")
LEVELS_EN: Final = {"blue": "blue", "yellow": "yellow", "orange": "orange", "red": "red"}
STYLES: Final = {"blue": "blue", "yellow": "yellow", "orange": "dark_orange", "red": "red"}
ROLES_EN: Final = {"system": "the system", "citizen": "a citizen"}
WHO: Final = {"citizen": "市民", "operator": "受理员", "dispatcher": "派遣员"}
BY_THE_WAY: Final = ("accept", "file")
"""What the system does at once, between the report and the dispatch: not told."""
DONE_EN: Final = {
    "report": "reported",
    "accept": "accepted",
    "reject": "rejected",
    "file": "filed",
    "dispatch": "dispatched",
    "return": "returned by the department",
    "start": "the crew is on the spot",
    "finish": "the crew reports it done",
    "close": "closed",
    "comment": "remark",
    "joined": "another citizen's call joins",
    "recovered": "recovered before anyone came",
    "sensor_silent": "the sensor is silent; an inspector must look",
    "supervise": "supervised",
    "suspend": "suspended",
    "resume": "resumed",
    "extend": "extended",
    "void": "void",
    "merge": "merged into another case",
    "reopen": "opened again",
    "attach": "attachment",
}


class Teller:
    """Keep the latest sentences as (time ms, level or "", text); a listener hears of each. Thread-safe."""

    def __init__(self, plan: Plan, *, english: bool = False, kept: int = 200) -> None:
        self._titles = {rule.id: rule.title for rule in plan.rules}
        self._cases = frozenset(rule.id for rule in plan.rules if rule.case is not None)
        self._units = {kind.name: kind.unit for kind in plan.kinds}
        self._zone = ZoneInfo(plan.tz)
        self._english = english
        self._lock = threading.Lock()
        self._warned: dict[tuple[str, str], str] = {}
        self.sentences: deque[tuple[int, str, str]] = deque(maxlen=kept)
        self.listener: Callable[[int, str, str], None] | None = None
        self.changes = 0

    def time(self, t_ms: int) -> str:
        """Return the city's wall clock."""
        return datetime.fromtimestamp(t_ms / 1000, self._zone).strftime("%H:%M:%S")

    def _say(self, t_ms: int, level: str, text: str) -> None:
        with self._lock:
            self.sentences.append((t_ms, level, text))
        if self.listener is not None:
            self.listener(t_ms, level, text)

    # ---- warnings, from detect

    def detected(self, _batch: RecordBatch, output: Output, _last: Sequence[LastValue], _seconds: float) -> None:
        """Tell of warnings that open no case when the highest one of the city goes up, or the last one ends."""
        for change in output.items.changes:
            if not change.shadow:
                self.changes += 1
                if change.rule not in self._cases:
                    self._warn(change)

    def checkpointed(self, _seconds: float, _size_bytes: int) -> None:
        """A checkpoint is no news."""

    def applied(self, _records: Sequence[AlertRecord], _applied: Applied, _seconds: float) -> None:
        """What casework did is told from the outbox."""

    def _warn(self, change: Change) -> None:
        theme = change.rule.partition("_")[0]
        before = self._highest(theme)
        if change.level is None:
            self._warned.pop((change.rule, change.sensor), None)
        else:
            self._warned[change.rule, change.sensor] = change.level
        after = self._highest(theme)
        if after is None and before is not None:
            ended = "all warnings have ended" if self._english else "预警全部解除"
            self._say(change.t, "", f"{self._theme(change.rule)}{' ' if self._english else ''}{ended}")
        elif after is not None and (before is None or LEVEL_ORDER.index(after) > LEVEL_ORDER.index(before)):
            self._say(change.t, after, self._warning(change, after))

    def _highest(self, theme: str) -> str | None:
        levels = [level for (rule, _), level in self._warned.items() if rule.partition("_")[0] == theme]
        return max(levels, key=LEVEL_ORDER.index, default=None)

    def _theme(self, rule: str) -> str:
        return rule if self._english else self._titles.get(rule, rule).partition("（")[0]

    def _warning(self, change: Change, level: str) -> str:
        value = "" if change.value is None else f"{change.value:g} {self._units.get(change.kind, '')}".rstrip()
        if self._english:
            return f"{LEVELS_EN[level]} warning: {change.rule}, {value} at {change.sensor}"
        return f"{LEVELS[level]}预警：{self._titles.get(change.rule, change.rule)}，{change.sensor} 测得 {value}"

    # ---- cases, from the outbox

    def message(self, row: OutboxRow) -> None:
        """Tell of one event of a case."""
        said = orjson.loads(row.payload)
        event, case = said["event"], said["case"]
        if event["role"] == "system" and event["move"] in BY_THE_WAY:
            return
        text = self._case_english(event, case) if self._english else self._case_chinese(event, case)
        level = case.get("level") or ""
        self._say(int(event["t"]), level, f"{row.case} {text}")

    def _value(self, event: dict[str, Any]) -> str:
        change = event["data"].get("change") or {}
        if change.get("value") is None:
            return ""
        return f"{change['value']:g} {self._units.get(change['kind'], '')}".rstrip()

    def _case_chinese(self, event: dict[str, Any], case: dict[str, Any]) -> str:
        who = (
            "系统"
            if event["role"] == "system"
            else WHO.get(event["role"]) or case.get("department_title") or event["actor"]
        )
        parts = [f"{case['title']}：{event['title']}"]
        if event["move"] == "alert" and (value := self._value(event)):
            parts.append(f"实测 {value}")
        if event["move"] == "report" and case.get("grid_name"):
            parts.append(f"在{case['grid_name']}")
        if event["move"] == "dispatch":
            parts.append(f"责任单位{case.get('department_title') or '待定'}")
        if event.get("note"):
            parts.append(f"{who}：{event['note']}")
        elif event["move"] not in ("alert", "dispatch", "report"):
            parts.append(f"由{who}")
        return "，".join(parts)

    def _case_english(self, event: dict[str, Any], case: dict[str, Any]) -> str:
        move = event["move"]
        if move == "alert":
            change = event["data"].get("change") or {}
            what = f"{change.get('level') or ''} {change.get('change', 'alert')} {self._value(event)}".strip()
        elif move == "verify":
            passed = event["data"].get("result") == "pass"
            what = "verified by the sensor" if passed else "sent back: the sensor still reads above its clear line"
        else:
            what = DONE_EN.get(move, move)
        who = ROLES_EN.get(event["role"], event["actor"])
        where = f" in grid {case['grid']}" if move == "report" and case.get("grid") else ""
        return f"{case.get('rule') or case['category']}: {what}{where} ({who})"


def moment_name(zone: str, t_ms: int) -> str:
    """Return date and time of a moment in a time zone."""
    moment = datetime.fromtimestamp(t_ms / 1000, ZoneInfo(zone))
    return moment.strftime("%Y-%m-%d %H:%M:%S")
