"""The stream of case events, and the ticket for callers that cannot send headers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response

from engine.api.guard import actor, desk
from engine.api.routes.cases import Filter
from engine.api.scope import wanted_by
from engine.api.stream import EventStream, Hub, follow, parse_position


def add_routes(router: APIRouter, hub: Hub) -> None:
    """Add the stream and its tickets."""

    @router.get("/api/v1/stream", tags=["stream"], response_class=Response)
    async def stream(
        request: Request,
        where: Filter,
        last_event_id: Annotated[str | None, Header()] = None,
        after: Annotated[str | None, Query(description="as Last-Event-ID, for callers that cannot send it")] = None,
        ticket: Annotated[str | None, Query(description="one-use, of POST /api/v1/stream/ticket")] = None,  # noqa: ARG001
    ) -> Response:
        """Server-sent events of cases, filters as for lists; `Last-Event-ID` resumes with no gap and no repeat."""
        hub.has_room()
        position = last_event_id if last_event_id is not None else after
        start = None if position is None else parse_position(position)
        wanted = wanted_by(actor(request), where, desk(request).services.casework)
        source = follow(hub, start, wanted, request.state.credential)
        return EventStream(source, hub.settings.send_timeout_s)

    @router.post("/api/v1/stream/ticket", tags=["stream"])
    def stream_ticket(request: Request) -> dict[str, str | float]:
        """Trade the caller's token or session for a ticket that opens one stream within 60 s."""
        here = desk(request)
        ticket = here.sessions.stream.issue(request.state.credential)
        return {"ticket": ticket, "expires_in_s": here.services.settings.ticket_ttl_s}
