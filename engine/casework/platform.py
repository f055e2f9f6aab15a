"""Faults of the platform itself, as its monitoring tells them: a case for the supervisor, never one of the city's.

Faults of one group are one case, as long as it is open: their only merge key names the group, and no rule has it.
"""

from __future__ import annotations

import msgspec

from engine.casework import merging
from engine.casework.counter import Counter, digest, forbidden
from engine.casework.desk import short_hash
from engine.casework.directory import category
from engine.casework.errors import Refused
from engine.casework.model import LEVEL_OF, CaseState, Move, Note
from engine.casework.moves import TEXT_LIMIT
from engine.casework.opening import open_case
from engine.casework.people import Actor, Role

CATEGORY = "0698"
DEPARTMENT = "platform"
MOVE = "platform"
"""How it stands among what people asked for; it is no move of theirs."""
TELLERS = frozenset({Role.SENSOR, Role.ADMIN})
GROUP_LIMIT = 200
TITLE_LIMIT = 120


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What monitoring says. `group`: which faults are one; `level` blue … red; `over`: all of the group are gone."""

    group: str
    title: str
    text: str = ""
    level: str | None = None
    over: bool = False


class PlatformCounter(Counter):
    """One message of the monitoring at the desk."""

    def tell(self, fault: Fault, actor: Actor, key: str | None, t_ms: int) -> CaseState | None:
        """Open the group's case, join it, or note that all is well again; null when there is nothing to be noted.

        The same key is carried out once, whatever the text says by then. Raises Refused.
        """
        _check(fault, actor)
        request = digest({MOVE: {"group": fault.group, "over": fault.over}})
        done = self.done(actor, key, request)
        if done is not None:
            self.desk.load_cases([done])
            return self.desk.cases[done]
        merge_key = f"platform|{fault.group}"
        case = merging.holder(self.desk, merge_key, t_ms)
        level = int(LEVEL_OF[fault.level]) if fault.level else 0
        told = {"platform": fault.group}
        note = fault.text or fault.title
        if case is None and fault.over:
            return None
        if case is None:
            seq = 1
            case = self._open_platform(fault, merge_key, level, key, actor, t_ms)
        else:
            seq = case.seq + 1
            move = Note.RECOVERED if fault.over else Note.JOINED
            self.clerk.record(case, move, t_ms, actor=actor, note=note, data={"level": level, **told})
        self.note(actor, key, request, case, seq, MOVE, msgspec.to_builtins(fault), t_ms)
        self.desk.flush()
        return case

    def _open_platform(
        self, fault: Fault, merge_key: str, level: int, key: str | None, actor: Actor, t_ms: int
    ) -> CaseState:
        name = f"{merge_key}|{key or t_ms}"
        case_id = f"WO-{self.directory.local_date(t_ms)}-{short_hash(name)}"
        facts = {
            "title": fault.title or category(CATEGORY).title,
            "category": CATEGORY,
            "department": DEPARTMENT,
            "text": fault.text or None,
            "said_level": level,
            "keys": [merge_key],
        }
        self.desk.load_cases([case_id])
        if case_id in self.desk.cases:
            raise Refused("key_taken", 409, "该 Idempotency-Key 已用于另一件案件")
        case = open_case(
            self.clerk, case_id, facts, t_ms, {"platform": fault.group}, actor=actor, note=fault.text or fault.title
        )
        self.clerk.record(case, Move.SUPERVISE, t_ms, note="请督办人员核实平台故障")
        return case


def _check(fault: Fault, actor: Actor) -> None:
    if actor.role not in TELLERS:
        raise forbidden("role")
    if actor.area or actor.department is not None:
        raise forbidden("area" if actor.area else "department")
    limits = ((fault.group, GROUP_LIMIT), (fault.title, TITLE_LIMIT), (fault.text, TEXT_LIMIT))
    if not fault.group or any(len(text) > limit or "\x00" in text for text, limit in limits):
        raise Refused("bad_args", 422, "文字过长、缺少分组或含有空字符")
    if fault.level is not None and fault.level not in LEVEL_OF:
        raise Refused("bad_level", 422, "级别须为 blue、yellow、orange、red 之一")
