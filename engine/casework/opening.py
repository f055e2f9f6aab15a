"""How a case begins: with its incident, its first event and its merge keys."""

from __future__ import annotations

from typing import Any

from engine.casework.clerk import Clerk
from engine.casework.model import CaseState, Move
from engine.casework.schema import incident


def open_case(
    clerk: Clerk,
    case_id: str,
    facts: dict[str, Any],
    t_ms: int,
    data: dict[str, Any],
    **event: Any,
) -> CaseState:
    """Open a case with its incident: the first event says what it is, and it takes its merge keys."""
    case = clerk.desk.open_case(case_id)
    incident_id = "IN" + case_id.removeprefix("WO")
    place = {name: facts.get(name) for name in ("grid", "lon", "lat")}
    row = {"id": incident_id, "opened_t": t_ms, "category": facts["category"], "title": facts["title"]}
    clerk.desk.add(incident, row | place | {"drill": facts.get("drill", False)})
    clerk.record(case, Move.REPORT, t_ms, data={"case": facts | {"incident": incident_id}, **data}, **event)
    clerk.desk.take_free_keys(case)
    return case
