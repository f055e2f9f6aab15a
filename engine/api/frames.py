"""Bodies of readings as records of the log."""

from __future__ import annotations

import orjson

from engine.api.problems import Problem
from engine.api.services import Judged, Sensors
from engine.detect.decode.frames import split
from engine.detect.decode.reasons import Reason, Refusal

NOT_JSON = frozenset({str(Reason.BAD_JSON), str(Reason.BAD_UTF8)})


def as_frame(body: bytes) -> bytes:
    """Return the body as a frame, split as detect will split it, so that no control record can stand alone in it.

    A frame (an array, or several lines) stays as it is; a single text is put into an array. Raises `Problem` 400 or 413
    for what cannot be split.
    """
    try:
        if split(body).framed:
            return body
        framed = b"[" + body + b"]"
        split(framed)
    except Refusal as refusal:
        raise _unsplit(str(refusal.reason), refusal.detail) from None
    return framed


def refuse_malformed(judged: Judged) -> None:
    """Refuse a body that was not split into readings, or in which nothing is JSON."""
    reasons = {one.reason for one in judged.rejected}
    if reasons and (judged.readings == 0 or (judged.readings == len(judged.rejected) and reasons <= NOT_JSON)):
        raise _unsplit(judged.rejected[0].reason, judged.rejected[0].reason)


def _unsplit(reason: str, detail: str) -> Problem:
    if reason == Reason.FRAME_TOO_LARGE:
        return Problem(413, "too_many_readings", f"a body holds at most 10,000 readings: {detail}")
    return Problem(400, "bad_json", f"the body is no frame of readings: {detail}")


def only_own_sensors(frame: bytes, area: str, sensors: Sensors) -> None:
    """Refuse a frame that names a sensor outside the caller's area (403); strict about its JSON (400)."""
    parts = split(frame).spans
    for index, (start, end) in enumerate(parts):
        try:
            reading = orjson.loads(frame[start:end])
        except orjson.JSONDecodeError as error:
            raise Problem(400, "bad_json", f"reading {index} is not JSON: {error}") from None
        name = reading.get("sensor") if isinstance(reading, dict) else None
        grid = sensors.grid_of(name) if isinstance(name, str) else None
        if grid is None or not grid.startswith(area):
            raise Problem(403, "not_yours", f"reading {index} is not of a sensor registered in your area {area}")
