"""Records of the alerts log as typed structs: changes, marks and stills (spec/alerts.md)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec

from engine.casework.errors import Unprocessable

LevelWord = Literal["blue", "yellow", "orange", "red"]


Time = Annotated[int, msgspec.Meta(ge=0, lt=253_402_300_800_000)]  # ms, up to the year 9999
RECORD_LIMIT = 64 << 10


def _text(length: int) -> msgspec.Meta:
    return msgspec.Meta(max_length=length)


Name = Annotated[str, _text(64)]


class Change(msgspec.Struct, frozen=True):
    """One change of one episode."""

    id: Annotated[str, _text(80)]
    episode: Name
    seq: int
    change: Literal["raised", "escalated", "downgraded", "cleared"]
    cause: Literal["reading", "quiet", "absent", "schedule", "plan"]
    rule: Annotated[str, _text(128)]
    rule_version: int
    sensor: Name
    kind: Name
    t: Time
    level: LevelWord | None = None
    previous: LevelWord | None = None
    since: int | None = None
    value: float | None = None
    lon: float | None = None
    lat: float | None = None
    grid: Annotated[str, _text(15)] | None = None
    evidence: dict[str, Any] | None = None
    plan: Annotated[str, _text(12)] = ""
    shadow: bool = False

    @property
    def signal(self) -> str:
        """Return whose state it is: rule, sensor and kind."""
        return f"{self.rule}|{self.sensor}|{self.kind}"

    @property
    def partition(self) -> int | None:
        """Return the partition of the readings log that it came from."""
        partition = (self.evidence or {}).get("partition")
        return partition if isinstance(partition, int) else None


class Mark(msgspec.Struct, frozen=True):
    """Detect's watermark `mark` (ms) of a partition of the readings log."""

    mark: Time
    partition: int
    plan: str = ""


class Still(msgspec.Struct, frozen=True):
    """A reading that changed nothing of the open episode `still`."""

    still: str
    t: Time
    value: float | None = None


Item = Change | Mark | Still

_KEYS = re.compile(rb'^\s*\{\s*"(mark|still)"')
_changes = msgspec.json.Decoder(Change)
_marks = msgspec.json.Decoder(Mark)
_stills = msgspec.json.Decoder(Still)
_objects = msgspec.json.Decoder(dict[str, msgspec.Raw])


def parse(value: bytes) -> Item:
    """Return the item of one record; raises Unprocessable (bad_json, bad_change)."""
    found = _KEYS.match(value)
    try:
        if len(value) > RECORD_LIMIT:
            raise Unprocessable("bad_change", f"{len(value)} bytes; at most {RECORD_LIMIT}")
        if b"\\u0000" in value:
            raise Unprocessable("bad_change", "a NUL character, which no database takes")
        if found is None and b'"change"' not in value:
            keys = _objects.decode(value)
            if "mark" in keys:
                return _marks.decode(value)
            if "still" in keys:
                return _stills.decode(value)
        elif found is not None:
            return _marks.decode(value) if found[1] == b"mark" else _stills.decode(value)
        return _checked(_changes.decode(value))
    except msgspec.ValidationError as error:
        raise Unprocessable("bad_change", str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unprocessable("bad_json", str(error)) from error


def _checked(change: Change) -> Change:
    if (change.change == "cleared") != (change.level is None):
        raise Unprocessable("bad_change", f"{change.change} with level {change.level}")
    if not change.episode or not change.rule or not change.sensor:
        raise Unprocessable("bad_change", "an empty episode, rule or sensor")
    if change.seq < 0 or (change.change == "raised") != (change.seq == 0):
        raise Unprocessable("bad_change", f"{change.change} with seq {change.seq}")
    return change
