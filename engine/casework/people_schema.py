"""What is kept around cases for the people who work on them: photos, handovers, receipts of notices,
browsers that are signed in, failed logins."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, UniqueConstraint

from engine.casework.schema import Prose, Serial, line, metadata

# a photo of a case; its bytes stand in a file that `sha256` names, beside the database
attachment = Table(
    "attachment",
    metadata,
    Column("case", line(32), ForeignKey("cases.id"), primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("sha256", line(64), nullable=False),
    Column("type", line(32), nullable=False),
    Column("size", Integer, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("actor", Prose, nullable=False),
    Column("t", BigInteger, nullable=False),
    UniqueConstraint("case", "sha256"),
)

# 交接班: `body` is what was open and what had happened since `since_t`, as JSON; `taker` signs after `giver`
handover = Table(
    "handover",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("area", line(15), nullable=False),
    Column("since_t", BigInteger, nullable=False),
    Column("t", BigInteger, nullable=False),
    Column("giver", Prose, nullable=False),
    Column("note", Prose, nullable=False),
    Column("body", Prose, nullable=False),
    Column("taker", Prose),
    Column("taken_t", BigInteger),
    Column("taker_note", Prose),
    Index("ix_handover_area_t", "area", "t"),
)

# what a destination answered to a message; `state` taken, waiting (it is tried again) or given_up
receipt = Table(
    "receipt",
    metadata,
    Column("destination", line(128), primary_key=True),
    Column("case", line(32), ForeignKey("cases.id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("state", line(16), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("first_t", BigInteger, nullable=False),
    Column("last_t", BigInteger, nullable=False),
    Column("answer", Prose, nullable=False),
    Index("ix_receipt_case", "case"),
)

# a browser that is signed in: hashes of its cookie and of the token that it came with
login_session = Table(
    "login_session",
    metadata,
    Column("key", line(64), primary_key=True),
    Column("token", line(64), nullable=False),
    Column("until_t", BigInteger, nullable=False),
)

# `key` is a hash of a name with an address, of an address or of a name; refused until `until_t` once too many failed
login_failure = Table(
    "login_failure",
    metadata,
    Column("key", line(64), primary_key=True),
    Column("failed", Integer, nullable=False),
    Column("first_t", BigInteger, nullable=False),
    Column("until_t", BigInteger, nullable=False),
)
