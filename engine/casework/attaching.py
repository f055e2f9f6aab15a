"""Photos of a case: an upload is the move `attach`, once for each picture."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from engine.casework.counter import Counter, digest, forbidden
from engine.casework.errors import Refused
from engine.casework.model import CaseState, Move
from engine.casework.people import Actor, may
from engine.casework.people_schema import attachment
from engine.casework.photos import Photo

MOST = 100
"""Photos of one case."""


class AttachmentView(msgspec.Struct, frozen=True, kw_only=True):
    """One photo of a case: where it is (`url`), what it is, who brought it and when (ms)."""

    n: int
    url: str
    type: str
    size: int
    width: int
    height: int
    sha256: str
    actor: str
    t: int


class PhotoCounter(Counter):
    """One photo at the desk."""

    def may_attach(self, case_id: str, actor: Actor) -> CaseState:
        """Return the case. Raises Refused 404 or 403."""
        self.desk.load_cases([case_id])
        case = self.desk.cases.get(case_id)
        if case is None:
            raise Refused("no_such_case", 404, f"没有案件 {case_id[:40]}")
        decision = may(actor, Move.ATTACH, case)
        if not decision.allowed:
            raise forbidden(decision.reason)
        return case

    def attach(self, case_id: str, photo: Photo, actor: Actor, t_ms: int) -> tuple[CaseState, int]:
        """Add a photo, whose file is there, to a case; return the case and the photo's number. The same picture is
        added once. Raises Refused."""
        case = self.may_attach(case_id, actor)
        of_case = attachment.c.case == case_id
        known = self.db.execute(select(attachment.c.n).where(of_case, attachment.c.sha256 == photo.sha256)).scalar()
        if known is not None:
            return case, known
        number = (self.db.execute(select(func.max(attachment.c.n)).where(of_case)).scalar() or 0) + 1
        if number > MOST:
            raise Refused("too_many_photos", 409, f"一件案件至多 {MOST} 张照片")
        told: dict[str, Any] = {"attachment": msgspec.to_builtins(photo)}
        data = {"photos": [address(case_id, number)], "attachment": {"n": number, **told["attachment"]}}
        self.clerk.record(case, Move.ATTACH, t_ms, actor=actor, data=data)
        row = {"case": case_id, "n": number, "actor": actor.name, "t": t_ms, **told["attachment"]}
        self.desk.add(attachment, row)
        self.note(
            actor, None, digest({"case": case_id, "move": Move.ATTACH, **told}), case, case.seq, Move.ATTACH, told, t_ms
        )
        self.desk.flush()
        return case, number


def address(case_id: str, number: int) -> str:
    """Return the path of a photo."""
    return f"/api/v1/cases/{case_id}/attachments/{number}"


def attachments_of(db: Connection, case_id: str) -> list[AttachmentView]:
    """Return the photos of a case by number."""
    query = select(attachment).where(attachment.c.case == case_id).order_by(attachment.c.n)
    rows = (row._asdict() for row in db.execute(query))
    return [AttachmentView(url=address(row.pop("case"), row["n"]), **row) for row in rows]
