"""Readings in: one body is one record of the log, answered once it is durable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from engine.api.bodies import JSON, NDJSON
from engine.api.frames import as_frame, only_own_sensors, refuse_malformed
from engine.api.guard import actor, desk
from engine.api.problems import Problem

if TYPE_CHECKING:
    from engine.api.services import Services

READING: dict[str, Any] = {
    "type": "object",
    "required": ["sensor", "kind", "t", "v"],
    "properties": {
        "sensor": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,64}$"},
        "kind": {"type": "string", "examples": ["water.level"]},
        "t": {"type": ["integer", "string"], "description": "ms since 1970 UTC, or RFC 3339 with offset"},
        "v": {"type": ["number", "boolean"]},
        "lon": {"type": ["number", "null"]},
        "lat": {"type": ["number", "null"]},
        "crs": {"enum": ["wgs84", "cgcs2000", "gcj02", "bd09", None]},
        "attrs": {"type": ["object", "null"], "maxProperties": 32},
    },
}
TAKEN: dict[str, Any] = {
    "type": "object",
    "required": ["accepted", "rejected"],
    "properties": {
        "accepted": {"type": "integer"},
        "rejected": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["index", "reason"],
                "properties": {"index": {"type": "integer"}, "reason": {"type": "string"}},
            },
        },
    },
}
DOCUMENTED: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": {"type": "array", "maxItems": 10_000, "items": READING}},
            NDJSON: {"schema": {"type": "string", "description": "one reading a line"}},
        },
    },
    "responses": {"200": {"description": "durable", "content": {JSON: {"schema": TAKEN}}}},
}


def take(services: Services, body: bytes, area: str) -> bytes:
    """Judge a body and make it durable; return the answer as JSON. Raises `Problem`, `Overloaded`, `Unavailable`."""
    if services.intake is None:
        raise Problem(503, "no_intake", "this process takes no readings")
    frame = as_frame(body)
    judged = services.intake.judge(frame)
    refuse_malformed(judged)
    if area:
        only_own_sensors(frame, area, services.sensors)
    if judged.readings:
        services.intake.append(frame, judged.readings)
    rejected = [{"index": one.index, "reason": one.reason} for one in judged.rejected]
    return orjson.dumps({"accepted": judged.readings - len(rejected), "rejected": rejected})


def add_routes(router: APIRouter) -> None:
    """Add `POST /api/v1/readings`."""

    @router.post("/api/v1/readings", tags=["readings"], openapi_extra=DOCUMENTED, response_class=Response)
    async def post_readings(request: Request) -> Response:
        """Take readings: a JSON array or NDJSON, at most 1 MiB and 10,000 readings; 200 only once they are durable.

        Readings that detect will reject are named by their position; they are kept in quarantine. A malformed body is
        refused whole and not kept.
        """
        body = (await request.body()).strip(b" \t\r\n")
        if request.state.media_type == JSON and not body.startswith(b"["):
            raise Problem(400, "not_an_array", "the body must be a JSON array of readings, or NDJSON by its media type")
        answer = await run_in_threadpool(take, desk(request).services, body, actor(request).area)
        return Response(answer, media_type=JSON)
