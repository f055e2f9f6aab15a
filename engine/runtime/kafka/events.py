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
from engine.runtime.log import Entry, Stream

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
    same = _same(source, kind)
    if t_ms is None:
        return ("ce_id", name.encode()), *same
    return ("ce_id", name.encode()), ("ce_time", _rfc3339(t_ms).encode()), *same


@lru_cache(maxsize=256)
def _same(source: str, kind: str) -> Headers:
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


def headers_of(stream: str, entry: Entry, prefix: str = "") -> Headers:
    """Return the headers of a record of detect's, by its stream; `prefix` is that of the topics."""
    topic = f"{prefix}{stream}"
    if entry.item is None:
        return of_row(topic, entry.value)
    return event(f"/tongguan/{topic}", *_named(stream, entry.item))


def of_still(stream: str, prefix: str = "") -> Headers:
    """Return the headers that all stills of a stream have, which stand behind their `ce_id` and `ce_time`."""
    return _same(f"/tongguan/{prefix}{stream}", f"{_room(stream)}.still")


def of_cases(prefix: str = "") -> Callable[[OutboxRow], Headers]:
    """Return what gives the headers of a row of the outbox: for the relay to city.cases."""
    source = f"/tongguan/{prefix}{Stream.CASES}"
    return lambda row: event(source, "case.event", f"{row.case}:{row.seq}")


def _named(stream: str, item: Item | LastValue) -> tuple[str, str, int]:
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
            return f"{room}.still", f"still:{item.still}:{item.t}", item.t


def _room(stream: str) -> str:
    return "alert" if stream == Stream.ALERTS else "shadow"


def _rfc3339(t_ms: int) -> str:
    seconds, ms = divmod(t_ms, 1000)
    return f"{_second(seconds)}.{ms:03d}Z"


@lru_cache(maxsize=1_024)
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
