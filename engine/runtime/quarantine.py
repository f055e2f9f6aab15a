"""What was rejected, and how it comes back after a fix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from engine.runtime.errors import AlreadyReplayed
from engine.runtime.journal import Journal
from engine.runtime.log import Append, Entry, Replayed, Stream, read_through
from engine.runtime.raw import raw_bytes

BATCH_BYTES = 1 << 20
NEVER_BACK = frozenset({"control_in_frame", "bad_control", "gap"})
"""Reasons of control records (standing alone they would steer the log), and of gaps, which have no text."""


@dataclass(frozen=True, slots=True)
class Row:
    """A rejected text: `offset` in city.quarantine, what the stream says of it, and where it went when it came back."""

    offset: int
    log_time: int
    said: dict[str, Any]
    replayed_as: int | None


def rows(journal: Journal, *, reason: str | None = None) -> Iterator[Row]:
    """Yield the quarantine in order."""
    back = journal.replays()
    done, end = journal.start(Stream.QUARANTINE, 0) - 1, journal.end(Stream.QUARANTINE, 0)
    for found in read_through(journal, Stream.QUARANTINE, 0, done, end, limit_bytes=BATCH_BYTES):
        for offset, log_time, value in zip(found.offset.tolist(), found.log_time.tolist(), found.values, strict=True):
            said = orjson.loads(value)
            if reason in (None, said["reason"]):
                yield Row(offset, log_time, said, back[offset][0] if offset in back else None)


def replay(journal: Journal, row: Row, *, actor: str, at_ms: int) -> int | None:
    """Append the raw text again, durable on return, and note who did it; return its new offset.

    None when it came back before (also at the same moment by somebody else), or is a control record.
    """
    if row.replayed_as is not None or row.said["reason"] in NEVER_BACK:
        return None
    append = Append(Stream.READINGS, int(row.said["partition"]), [Entry(raw_bytes(row.said))])
    try:
        return journal.commit([append], replays=[Replayed(row.offset, actor, at_ms)]).result()[0].first_offset
    except AlreadyReplayed:
        return None
