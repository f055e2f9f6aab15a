"""The duty room: who is on duty, and handing over."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from engine.api.guard import actor, desk
from engine.casework.duty import DutyView
from engine.casework.handover import HandoverView, Shift, hand_over, latest, shift_of, take_over
from engine.casework.people import CONTACT_ROLES, Role

ENCODER = msgspec.json.Encoder()
PHONES = CONTACT_ROLES | {Role.ADMIN}


class HandoverBody(BaseModel):
    """What one side says to the other."""

    model_config = ConfigDict(extra="forbid", strict=True)

    note: Annotated[str, Field(max_length=4000)] = ""


class HandoverNow(msgspec.Struct, frozen=True, kw_only=True):
    """What would be handed over now; the handover that waits for the other side's signature, if one does; the latest
    ones; and who is on duty."""

    shift: Shift
    waiting: HandoverView | None
    recent: list[HandoverView]
    duty: DutyView


def _duty(request: Request) -> DutyView:
    services = desk(request).services
    now = services.now_ms()
    if services.roster is None:
        return DutyView(t=now, posts=[], faults=[])
    return services.roster.view(now, plain=actor(request).role in PHONES)


def _answer(body: object, status: int = 200) -> Response:
    return Response(ENCODER.encode(body), status, {"cache-control": "no-store"}, "application/json")


def add_routes(router: APIRouter) -> None:
    """Add the routes of the duty room."""

    @router.get("/api/v1/duty", tags=["duty"], response_class=Response)
    def duty(request: Request) -> Response:
        """Who is on duty now and next, by post, as the roster (值班表) says."""
        return _answer(_duty(request))

    @router.get("/api/v1/handover", tags=["duty"], response_class=Response)
    def handover(
        request: Request,
        since: Annotated[int | None, Query(ge=0, le=4_102_444_800_000, description="ms; else the last one")] = None,
    ) -> Response:
        """What would be handed over now (交接班): open cases, what happened since the last handover, who is on duty."""
        services = desk(request).services
        with services.casework.store.read() as db:
            shift, recent = shift_of(db, actor(request), since, services.now_ms()), latest(db, actor(request))
        waiting = next((one for one in recent if one.taken_t is None), None)
        return _answer(HandoverNow(shift=shift, waiting=waiting, recent=recent, duty=_duty(request)))

    @router.post("/api/v1/handover", tags=["duty"], response_class=Response, status_code=201)
    def give(request: Request, body: HandoverBody) -> Response:
        """Sign the shift over; what is open now is kept with it. 409: the one before waits for its taker."""
        services = desk(request).services
        with services.casework.store.write() as db:
            return _answer(hand_over(db, actor(request), body.note, services.now_ms(), services.wall_ms()), 201)

    @router.post("/api/v1/handover/{number}/sign", tags=["duty"], response_class=Response)
    def take(request: Request, number: Annotated[int, Path(ge=1, le=2**53)], body: HandoverBody) -> Response:
        """Sign for a shift that somebody else handed over."""
        services = desk(request).services
        with services.casework.store.write() as db:
            return _answer(take_over(db, actor(request), number, body.note, services.now_ms(), services.wall_ms()))
