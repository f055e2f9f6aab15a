"""What workers on a shared log keep beside the cases: detect's checkpoints, skips and gaps, leases, destinations.

The embedded engine has the same tables and leaves them empty. `position` is the next offset to read.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table

from engine.casework.schema import Prose, Serial, line, metadata

# a stream as it was first met: another number of partitions or another topic of that name is refused
log_identity = Table(
    "log_identity",
    metadata,
    Column("stream", line(128), primary_key=True),
    Column("partitions", Integer, nullable=False),
    Column("topic_id", line(64)),
    Column("noted_t", BigInteger, nullable=False),
)

# a partition's newest generation, moved by compare-and-swap; `fingerprint` is that of the record before `position`
checkpoint_head = Table(
    "checkpoint_head",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("generation", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("log_time", BigInteger, nullable=False),
    Column("fingerprint", line(64), nullable=False),
    Column("plan", line(64), nullable=False),
    Column("written_t", BigInteger, nullable=False),
    Column("writer", Prose, nullable=False),
)

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("generation", BigInteger, primary_key=True, autoincrement=False),
    Column("chunk", Integer, primary_key=True, autoincrement=False),
    Column("chunks", Integer, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("checksum", line(64), nullable=False),
    Column("plan", line(64), nullable=False),
    Column("format", line(64), nullable=False),
)

# starts at one position that did not live to the next checkpoint
attempt = Table(
    "attempt",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("number", Integer, nullable=False),
    Column("writer", Prose, nullable=False),
    Column("t", BigInteger, nullable=False),
)

# records that every worker passes over
skip = Table(
    "skip",
    metadata,
    Column("stream", line(128), primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("reason", Prose, nullable=False),
    Column("actor", Prose, nullable=False),
    Column("t", BigInteger, nullable=False),
)

# what somebody knowingly went on without, `first` and `last` included
gap = Table(
    "gap",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("stream", line(128), nullable=False),
    Column("partition", Integer, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("reason", Prose, nullable=False),
    Column("actor", Prose, nullable=False),
    Column("t", BigInteger, nullable=False),
    Index("ix_gap_stream_partition", "stream", "partition"),
)

lease = Table(
    "lease",
    metadata,
    Column("name", line(128), primary_key=True),
    Column("holder", Prose, nullable=False),
    Column("until_t", BigInteger, nullable=False),
)

# how far each destination of the outbox has been told
destination = Table(
    "destination",
    metadata,
    Column("name", line(128), primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("next_t", BigInteger),
    Column("detail", Prose),
)

# the plan that is to be in force, repeated into the log
plan_now = Table(
    "plan_now",
    metadata,
    Column("name", line(16), primary_key=True),
    Column("digest", line(64), nullable=False),
    Column("set_t", BigInteger, nullable=False),
    Column("actor", Prose, nullable=False),
)
