"""Records as CloudEvents 1.0 in binary mode: what the headers of each stream's records say.

The payload stays as it is; `ce_id` is unique under its `ce_source`, and the same for a record that is said again.
Records of city.readings come from gateways; their headers are passed over.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, TypeAlias

import orjson

from engine.casework.outbox import OutboxRow
from engine.detect.changes import Change, Item, Mark, Still
from engine.detect.last_values import LastValue
from engine.runtime.log import Stream

Pair: TypeAlias = tuple[str, bytes]
Headers: TypeAlias = tuple[Pair, ...]

SPEC_VERSION: Final = b"1.0"
TYPES: Final = {
    Stream.ALERTS: (
        "alert.raised",
        "alert.escalated",
        "alert.downgraded",
        "alert.cleared",
        "alert.mark",
        "alert.still",
    ),
    Stream.SHADOW: ("shadow.raised", "shadow.escalated", "shadow.downgraded", "shadow.cleared", "shadow.still"),
    Stream.CASES: ("case.event",),
    Stream.SENSORS: ("sensor.value",),
    Stream.QUARANTINE: ("reading.rejected",),
    Stream.LATE: ("reading.late",),
}
"""The types of events that each stream carries, each with `tongguan.` before it."""


def event(source: str, kind: str, name: str, t_ms: int | None = None) -> Headers:
    """Return the headers of one event of a type without its `tongguan.`."""
    same = same_of(source, kind)
    if t_ms is None:
        return ("ce_id", name.encode()), *same
    return ("ce_id", name.encode()), ("ce_time", rfc3339(t_ms).encode()), *same


@lru_cache(maxsize=256)
def same_of(source: str, kind: str) -> Headers:
    """Return the headers that all events of a source and a type have, which stand behind `ce_id` and `ce_time`."""
    return (
        ("ce_specversion", SPEC_VERSION),
        ("ce_source", source.encode()),
        ("ce_type", f"tongguan.{kind}".encode()),
        ("content-type", b"application/json"),
    )


def of_row(topic: str, value: bytes) -> Headers:
    """Return the headers of a row of the late store or the quarantine by its topic (with its prefix)."""
    kind = "reading.late" if topic.endswith(Stream.LATE) else "reading.rejected"
    said = orjson.loads(value)
    where = (str(said.get(part, "-")) for part in ("topic", "partition", "offset", "index"))
    return event(f"/tongguan/{topic}", kind, "/".join(where))


def of_cases(prefix: str = "") -> Callable[[OutboxRow], Headers]:
    """Return what gives the headers of a row of the outbox: for the relay to city.cases."""
    source = f"/tongguan/{prefix}{Stream.CASES}"
    return lambda row: event(source, "case.event", f"{row.case}:{row.seq}")


def named(stream: str, item: Item | LastValue) -> tuple[str, str, int]:
    """Return the type, the id and the time of what detect said."""
    room = _room(stream)
    match item:
        case Change():
            return f"{room}.{item.change}", item.id, item.t
        case LastValue():
            return "sensor.value", f"{item.sensor}|{item.kind}|{item.t}", item.t
        case Mark():
            return f"{room}.mark", f"mark:{item.partition}:{item.mark}", item.mark
        case Still():
            return still_type(stream), f"still:{item.still}:{item.t}", item.t


def still_type(stream: str) -> str:
    """Return the type of the stills of a stream."""
    return f"{_room(stream)}.still"


def _room(stream: str) -> str:
    return "alert" if stream == Stream.ALERTS else "shadow"


def rfc3339(t_ms: int) -> str:
    """Return a time in UTC, with milliseconds."""
    minutes, ms = divmod(t_ms, 60_000)
    return f"{_minute(minutes)}:{ms // 1000:02d}.{ms % 1000:03d}Z"


@lru_cache(maxsize=4_096)
def _minute(minutes: int) -> str:
    return f"{datetime.fromtimestamp(60 * minutes, UTC):%Y-%m-%dT%H:%M}"
