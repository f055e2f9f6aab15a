"""What detect says: alert changes, marks and stills, as they stand in the alerts log (spec/alerts.md)."""

from __future__ import annotations

import hashlib
from typing import Final, Literal, TypeAlias

import msgspec

LEVEL_WORDS: Final = (None, "blue", "yellow", "orange", "red")
CHANGE_WORDS: Final = ("", "raised", "escalated", "downgraded", "cleared")
CAUSE_WORDS: Final = ("reading", "quiet", "absent", "schedule", "plan")
NO_KEY: Final = "-"

Level: TypeAlias = Literal["blue", "yellow", "orange", "red"]


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """The records behind a change; offsets are null without one. Offline: partition 0 and line numbers."""

    partition: int
    first_offset: int | None
    last_offset: int | None


class Change(msgspec.Struct, frozen=True, omit_defaults=True, dict=True):
    """One change of one episode; times in ms, places in WGS-84 degrees.

    `key`, not part of the JSON, is the community code of the episode's raise, or "-".
    """

    id: str
    episode: str
    seq: int
    change: str
    cause: str
    rule: str
    rule_version: int
    sensor: str
    kind: str
    level: str | None
    previous: str | None
    t: int
    since: int | None
    value: float | None
    lon: float | None
    lat: float | None
    grid: str | None
    evidence: Evidence
    plan: str
    shadow: bool = False

    @property
    def key(self) -> str:
        key: str = self.__dict__.get("key", NO_KEY)
        return key


class Mark(msgspec.Struct, frozen=True, gc=False):
    """Every change due before the time `mark` has been told."""

    mark: int
    partition: int
    plan: str


class Still(msgspec.Struct, frozen=True, gc=False):
    """The present value of an open episode. `key`, its change's, and `shadow`, its rule's, are not part of the JSON."""

    still: str
    t: int
    value: float | None
    key: str = NO_KEY
    shadow: bool = False


Item: TypeAlias = Change | Mark | Still

_encoder = msgspec.json.Encoder()


def encode(item: Item) -> bytes:
    """Return an item as one JSON line without its newline; the same item gives the same bytes."""
    if isinstance(item, Still):
        return _encoder.encode({"still": item.still, "t": item.t, "value": item.value})
    return _encoder.encode(item)


def episode_id(rule: str, sensor: str, kind: str, raised_ms: int) -> str:
    """Name an episode by what it is, so that a replay gives it the same name."""
    return "ep_" + hashlib.sha256(f"{rule}|{sensor}|{kind}|{raised_ms}".encode()).hexdigest()[:20]
