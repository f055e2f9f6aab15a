"""Readings in: one body is one record of the log, answered once it is durable."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from engine.api.bodies import JSON, NDJSON
from engine.api.guard import actor, desk
from engine.api.problems import Problem

if TYPE_CHECKING:
    from engine.api.services import Intake, Judged, Sensors

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


def as_record(body: bytes, media_type: str) -> bytes:
    """Return the body as one record that no decoder can take for a control record standing alone.

    JSON must be an array. NDJSON that is one value altogether (one line, or an object spread over lines) is put into
    an array; NDJSON of several values stays as it is.
    """
    body = body.strip(b" \t\r\n")
    if media_type == JSON:
        if not body.startswith(b"["):
            raise Problem(400, "not_an_array", "the body must be a JSON array of readings, or NDJSON by its media type")
        return body
    try:
        json.loads(body)
    except RecursionError:
        raise Problem(400, "bad_json", "the body is nested too deeply") from None
    except ValueError:
        return body  # several values, or malformed: the decoder says which
    return b"[" + body + b"]"


def only_own_sensors(record: bytes, area: str, sensors: Sensors) -> None:
    """Refuse a body that names a sensor outside the caller's area; callers for the whole city are not asked."""
    try:
        readings = orjson.loads(record if record.startswith(b"[") else b"[" + b",".join(record.splitlines()) + b"]")
    except orjson.JSONDecodeError as error:
        raise Problem(400, "bad_json", f"the body is not JSON: {error}") from None
    for index, reading in enumerate(readings):
        name = reading.get("sensor") if isinstance(reading, dict) else None
        grid = sensors.grid_of(name) if isinstance(name, str) else None
        if grid is None or not grid.startswith(area):
            raise Problem(403, "not_yours", f"reading {index} is not of a sensor registered in your area {area}")


def refuse_unsplit(judged: Judged) -> None:
    """Refuse a body that the decoder could not split into readings."""
    if judged.readings or not judged.rejected:
        return
    reason = judged.rejected[0].reason
    if reason == "frame_too_large":
        raise Problem(413, "too_many_readings", "a body holds at most 10,000 readings")
    raise Problem(400, "bad_json", f"the body cannot be split into readings: {reason}")


def take(intake: Intake, record: bytes) -> bytes:
    """Judge a record and make it durable; return the answer as JSON."""
    judged = intake.judge(record)
    refuse_unsplit(judged)
    if judged.readings:
        intake.append(record, judged.readings)
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
        services = desk(request).services
        if services.intake is None:
            raise Problem(503, "no_intake", "this process takes no readings")
        record = as_record(await request.body(), request.state.media_type)
        area = actor(request).area
        if area:
            await run_in_threadpool(only_own_sensors, record, area, services.sensors)
        return Response(await run_in_threadpool(take, services.intake, record), media_type=JSON)
