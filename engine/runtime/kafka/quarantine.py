"""What was rejected on Kafka, and how it comes back after a fix: once, by the audit of the database.

A row is known by the place of its text (topic, partition, offset, index): a worker that starts again may tell it twice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection as Database
from sqlalchemy import insert, select

from engine.casework.schema import audit
from engine.casework.store import Store
from engine.runtime.kafka.client import Connection
from engine.runtime.kafka.history import history
from engine.runtime.kafka.sending import Record, Sender
from engine.runtime.kafka.topics import Topics
from engine.runtime.log import Stream
from engine.runtime.quarantine import NEVER_BACK
from engine.runtime.raw import raw_bytes

ACTION = "quarantine.replay"
TOGETHER = 200


@dataclass(frozen=True, slots=True)
class Row:
    """A rejected text: `offset` in city.quarantine, what the stream says of it, and who put it back, if anyone did."""

    offset: int
    log_time: int
    said: dict[str, Any]
    replayed_by: str | None

    @property
    def place(self) -> str:
        """Return where its text stood in the log."""
        return place_of(self.said)


def place_of(said: dict[str, Any]) -> str:
    """Return the place of a rejected text as one word."""
    return f"{said.get('topic')}/{said.get('partition')}/{said.get('offset')}/{said.get('index', 0)}"


async def rows(
    connection: Connection, topics: Topics, store: Store | None, *, reason: str | None = None
) -> AsyncIterator[Row]:
    """Yield the quarantine in order, each row once; without a store nobody knows what came back."""
    back = replayed(store) if store is not None else {}
    seen: set[str] = set()
    async for kept in history(connection, topics.quarantine, 0):
        said = orjson.loads(kept.value)
        place = place_of(said)
        if place not in seen and reason in (None, said["reason"]):
            yield Row(kept.offset, kept.log_time, said, back.get(place))
        seen.add(place)


def replayed(store: Store) -> dict[str, str]:
    """Return who put back which text, by its place."""
    with store.read() as db:
        return _replayed(db)


def _replayed(db: Database) -> dict[str, str]:
    found = db.execute(select(audit.c.subject, audit.c.actor).where(audit.c.action == ACTION))
    return {row.subject: row.actor for row in found}


async def replay(
    sender: Sender,
    topics: Topics,
    store: Store,
    chosen: Sequence[Row],
    *,
    actor: str,
    now_ms: int,
    log_time: int | None,
) -> int:
    """Append the raw texts again where they were, and note who did it; return how many that were.

    Writers take turns at the database, so that two commands put a text back once. If this one dies between the log and
    the note, the text may come back again later: detect then knows the reading as a duplicate. `log_time` (ms) on a
    player's clock. Only readings come back: whoever sent a command that was refused sends another one.
    """
    done = 0
    fresh = [row for row in chosen if row.said["reason"] not in NEVER_BACK and row.said["topic"] == Stream.READINGS]
    for first in range(0, len(fresh), TOGETHER):
        with store.write() as db:
            back = _replayed(db)
            some = [row for row in fresh[first : first + TOGETHER] if row.place not in back]
            if not some:
                continue
            await sender.send(
                [
                    Record(topics.readings, raw_bytes(row.said), None, int(row.said["partition"]), log_time)
                    for row in some
                ]
            )
            db.execute(
                insert(audit),
                [
                    {
                        "t": now_ms,
                        "actor": actor,
                        "action": ACTION,
                        "subject": row.place,
                        "detail": f"{row.said['reason']}, city.quarantine offset {row.offset}",
                    }
                    for row in some
                ],
            )
            done += len(some)
    return done
