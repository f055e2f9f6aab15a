"""Detect's state in the database: rows of at most 1 MiB, two complete generations, monotone by compare-and-swap.

A partition has one head; whoever moves it must have read it. A worker that was away and does not know that another took
its partitions loses there, and drops the partition. Beside the head stand the starts that did not live to a checkpoint,
the records that every worker passes over, and the gaps that somebody accepted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from engine.casework import schema
from engine.casework.log_schema import attempt, checkpoint, checkpoint_head, log_identity, skip
from engine.casework.store import Store
from engine.runtime.checkpoints import CHUNK_BYTES, KEPT, Checkpoint, checksum
from engine.runtime.crashpoints import CrashPoint, crash_point
from engine.runtime.errors import RuntimeFault
from engine.runtime.gaps import Gap
from engine.runtime.kafka.accepted import accepted
from engine.runtime.kafka.partition import Snapshot
from engine.runtime.log import Stream

_log = logging.getLogger(__name__)
_READINGS = Stream.READINGS.value


class Superseded(RuntimeFault):
    """`by` has moved the head of this partition to `head`: if that was another worker, it is no longer ours."""

    def __init__(self, partition: int, generation: int, by: Writer, head: Head) -> None:
        self.by, self.head = by, head
        super().__init__(f"city.readings/{partition}: worker {by.name} has moved on from generation {generation}")


@dataclass(frozen=True, slots=True)
class Writer:
    """A worker's process: its name, and when it began (ms), told apart by chance."""

    name: str
    began_ms: int
    nonce: str = field(default_factory=lambda: uuid4().hex[:8])

    def __str__(self) -> str:
        return f"{self.name}#{self.began_ms}#{self.nonce}"

    @classmethod
    def parse(cls, text: str) -> Writer:
        """Read what `str` wrote."""
        name, began_ms, nonce = text.rsplit("#", 2)
        return cls(name, int(began_ms), nonce)


@dataclass(frozen=True, slots=True)
class Head:
    """The newest generation of a partition; generation 0: there is none."""

    generation: int = 0
    position: int = 0
    log_time: int = 0
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """What the database knows of a partition that is taken over.

    `attempts`: so many starts from `head` did not live to the next one.
    """

    head: Head
    skips: frozenset[int]
    gaps: tuple[Gap, ...]
    attempts: int


@dataclass(frozen=True, slots=True)
class Identity:
    """How a stream was when this database first met it."""

    partitions: int
    topic_id: str | None


class Checkpoints:
    """Checkpoints of city.readings in one database; any thread may ask. Raises StoreAway when the database is away."""

    def __init__(self, store: Store, writer: str, clock: Callable[[], int], *, chunk_bytes: int = CHUNK_BYTES) -> None:
        self._store = store
        self.writer = Writer(writer, clock())
        self._writer = str(self.writer)
        self._clock = clock
        self._chunk_bytes = chunk_bytes

    def agree(self, partitions: int, topic_id: str | None) -> Identity:
        """Return how city.readings was first met, which is now if it was not."""
        with self._store.write() as db:
            row = db.execute(select(log_identity).where(log_identity.c.stream == _READINGS)).one_or_none()
            if row is not None:
                return Identity(row.partitions, row.topic_id)
            values = {"stream": _READINGS, "partitions": partitions, "topic_id": topic_id, "noted_t": self._clock()}
            db.execute(insert(log_identity).values(values))
            return Identity(partitions, topic_id)

    def look(self, partition: int) -> Kept:
        """Return what is kept of a partition."""
        with self._store.read() as db:
            head = _head(db, partition)
            row = _attempt(db, partition)
            died = row.number if row is not None and row.position == head.position else 0
            return Kept(head, _skips(db, partition), accepted(db, _READINGS, partition), died)

    def starts(self, partition: int, position: int, *, again: bool) -> None:
        """Note that a worker starts from the checkpoint at `position`; `again`: it is the one that noted it last."""
        with self._store.write() as db:
            row = _attempt(db, partition)
            died = row.number if row is not None and row.position == position else 0
            number = max(1, died if again else died + 1)
            db.execute(delete(attempt).where(attempt.c.partition == partition))
            values = {"partition": partition, "position": position, "number": number}
            db.execute(insert(attempt).values(**values, writer=self._writer, t=self._clock()))

    def gaps(self, partition: int | None = None) -> tuple[Gap, ...]:
        """Return the gaps that were accepted, of one partition or of all, in order of their acceptance."""
        with self._store.read() as db:
            return accepted(db, _READINGS, partition)

    def lived(self) -> None:
        """Note that this worker lives: whoever starts next from the same checkpoints is the first."""
        with self._store.write() as db:
            db.execute(delete(attempt).where(attempt.c.writer == self._writer))

    def generations(self, partition: int) -> Iterator[Checkpoint]:
        """Yield what can be restored, newest first; what is damaged is passed over and logged."""
        rows = checkpoint.c
        with self._store.read() as db:
            found = db.execute(
                select(rows.generation)
                .where(rows.partition == partition)
                .group_by(rows.generation)
                .having(func.count() == func.max(rows.chunks))
                .order_by(rows.generation.desc())
            ).scalars()
            generations = list(found)
        for generation in generations:
            try:
                yield self._read(partition, generation)
            except ValueError as error:
                _log.warning("checkpoint %d of partition %d: %s; passed over", generation, partition, error)

    def _read(self, partition: int, generation: int) -> Checkpoint:
        rows = checkpoint.c
        with self._store.read() as db:
            found = db.execute(
                select(checkpoint)
                .where(rows.partition == partition, rows.generation == generation)
                .order_by(rows.chunk)
            ).all()
        if not found:
            raise ValueError("gone meanwhile")
        for row in found:
            if (
                checksum((partition, generation, row.chunk, row.chunks, row.position), row.data, (row.plan, row.format))
                != row.checksum
            ):
                raise ValueError(f"chunk {row.chunk} is damaged")
        data = b"".join(row.data for row in found)
        return Checkpoint(found[0].position, data, found[0].plan, found[0].format)

    def write(self, partition: int, expected: int, snapshot: Snapshot) -> Head:
        """Write a generation behind `expected`, durable on return, and let go of those behind the newest two.

        Raises Superseded when the head is not at `expected`.
        """
        kept, generation = snapshot.checkpoint, expected + 1
        head = Head(generation, kept.position, snapshot.log_time, snapshot.fingerprint)
        crash_point(CrashPoint.CHECKPOINT_BEFORE)
        try:
            with self._store.beside() as db:
                self._move(db, partition, expected, head, kept.plan)
                db.execute(
                    delete(checkpoint).where(
                        checkpoint.c.partition == partition, checkpoint.c.generation <= generation - KEPT
                    )
                )
                for chunk in self._chunks(partition, generation, kept):
                    db.execute(insert(checkpoint).values(chunk))
                    crash_point(CrashPoint.CHECKPOINT_MID)
                db.execute(delete(attempt).where(attempt.c.partition == partition))
        except IntegrityError as error:
            with self._store.read() as db:
                raise _superseded(db, partition, expected) from error
        crash_point(CrashPoint.CHECKPOINT_AFTER)
        return head

    def _move(self, db: Connection, partition: int, expected: int, head: Head, plan: str) -> None:
        values = {
            "generation": head.generation,
            "position": head.position,
            "log_time": head.log_time,
            "fingerprint": head.fingerprint,
            "plan": plan,
            "written_t": self._clock(),
            "writer": self._writer,
        }
        if expected == 0:
            db.execute(insert(checkpoint_head).values(partition=partition, **values))
            return
        rows = checkpoint_head.c
        moved = db.execute(
            update(checkpoint_head).where(rows.partition == partition, rows.generation == expected).values(values)
        )
        if moved.rowcount != 1:
            raise _superseded(db, partition, expected)

    def _chunks(self, partition: int, generation: int, kept: Checkpoint) -> Sequence[dict[str, object]]:
        size = self._chunk_bytes
        chunks = max(1, -(-len(kept.data) // size))
        rows = []
        for chunk in range(chunks):
            data = kept.data[chunk * size : (chunk + 1) * size]
            head, tail = (partition, generation, chunk, chunks, kept.position), (kept.plan, kept.format)
            names = ("partition", "generation", "chunk", "chunks", "position")
            row: dict[str, object] = dict(zip(names, head, strict=True))
            rows.append(
                row | {"data": data, "checksum": checksum(head, data, tail), "plan": tail[0], "format": tail[1]}
            )
        return rows

    def pass_over(self, partition: int, offset: int, reason: str) -> None:
        """Put a record on the skip-list that every worker obeys, and into the audit."""
        now = self._clock()
        with self._store.write() as db:
            here = select(skip.c.offset).where(
                skip.c.stream == _READINGS, skip.c.partition == partition, skip.c.offset == offset
            )
            if db.execute(here).first() is not None:
                return
            row = {"stream": _READINGS, "partition": partition, "offset": offset}
            db.execute(insert(skip).values(**row, reason=reason, actor="system", t=now))
            subject = f"{_READINGS}/{partition}/{offset}"
            audited = {"t": now, "actor": "system", "action": "skip", "subject": subject, "detail": reason}
            db.execute(insert(schema.audit).values(audited))


def _superseded(db: Connection, partition: int, generation: int) -> Superseded:
    found = db.execute(select(checkpoint_head.c.writer).where(checkpoint_head.c.partition == partition)).scalar_one()
    return Superseded(partition, generation, Writer.parse(found), _head(db, partition))


def _head(db: Connection, partition: int) -> Head:
    row = db.execute(select(checkpoint_head).where(checkpoint_head.c.partition == partition)).one_or_none()
    return Head() if row is None else Head(row.generation, row.position, row.log_time, row.fingerprint)


def _attempt(db: Connection, partition: int) -> Any:
    return db.execute(select(attempt).where(attempt.c.partition == partition)).one_or_none()


def _skips(db: Connection, partition: int) -> frozenset[int]:
    rows = select(skip.c.offset).where(skip.c.stream == _READINGS, skip.c.partition == partition)
    return frozenset(db.execute(rows).scalars())
