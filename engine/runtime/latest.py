"""What a sensor said beside its last value, found in the log when somebody asks: for people, never for decisions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from engine.runtime.errors import RuntimeFault
from engine.runtime.journal import Journal
from engine.runtime.log import Stream

LOOK_BYTES = 4 << 20
FAST_MS = 300_000  # how far a reading may be ahead of the log (spec/readings.md)


def attributes(journal: Journal, sensor: str, kind: str, since_ms: int) -> dict[str, Any] | None:
    """Return the `attrs` of the sensor's last reading among the records since its time; null if it is not there.

    Looked through are the first 4 MiB of them: a last value is a minute old at most. A clock may be fast.
    """
    for log_time in (since_ms, since_ms - FAST_MS):
        try:
            after = journal.offset_before(Stream.READINGS, 0, log_time)
            records = journal.read(Stream.READINGS, 0, after, limit_bytes=LOOK_BYTES)
        except RuntimeFault:
            return None
        for reading in _readings(records.values, orjson.dumps(sensor)):
            if (reading.get("sensor"), reading.get("kind")) == (sensor, kind):
                found = reading.get("attrs")
                return found if isinstance(found, dict) else {}
    return None


def _readings(records: Sequence[bytes], name: bytes) -> Iterator[dict[str, Any]]:
    """Yield the readings of the records that hold this name, the last first: one, an array, or a line each."""
    for record in (record for record in reversed(records) if name in record):
        for text in reversed(record.splitlines()) if record[:1] == b"{" else (record,):
            try:
                said = orjson.loads(text) if name in text else None
            except orjson.JSONDecodeError:
                continue
            yield from (one for one in reversed(said if isinstance(said, list) else [said]) if isinstance(one, dict))
