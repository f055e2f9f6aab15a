"""The tables of the case store. Portable between SQLite and PostgreSQL; times are ms UTC, JSON is text.

The first migration creates these tables; a later change of a table comes with its own migration.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def line(length: int) -> String:
    """Return text of at most so many characters, in the order of code points in every database."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


Prose = Text().with_variant(Text(collation="C"), "postgresql")
Serial = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only as INTEGER
_CaseId = line(32)

# where casework stands in the alerts log, its time C, and the plan that was named last
cursor = Table(
    "cursor",
    metadata,
    Column("name", line(16), primary_key=True),
    Column("offset", BigInteger, nullable=False),
    Column("clock", BigInteger),
    Column("plan", line(12)),
)

# the latest mark of each partition of the readings log
mark = Table(
    "mark",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("t", BigInteger),
)

plan = Table(
    "plan",
    metadata,
    Column("digest", line(64), primary_key=True),
    Column("short", line(12), nullable=False, unique=True),
    Column("body", LargeBinary, nullable=False),
    Column("offices", LargeBinary, nullable=False),
    Column("stored_t", BigInteger, nullable=False),
)

incident = Table(
    "incident",
    metadata,
    Column("id", _CaseId, primary_key=True),
    Column("opened_t", BigInteger, nullable=False),
    Column("category", line(16), nullable=False),
    Column("title", Prose, nullable=False),
    Column("grid", line(15)),
    Column("lon", Float(53)),
    Column("lat", Float(53)),
    Column("drill", Boolean, nullable=False),
)

# the projection of case_event, one row a case (`case` itself is a reserved word)
cases = Table(
    "cases",
    metadata,
    Column("id", _CaseId, primary_key=True),
    Column("incident", _CaseId, ForeignKey("incident.id"), nullable=False, index=True),
    Column("state", line(16), nullable=False),
    Column("title", Prose, nullable=False),
    Column("category", line(16), nullable=False),
    Column("department", line(64)),
    Column("rule", line(128)),
    Column("sensor", line(64)),
    Column("auto", line(16), nullable=False),
    Column("close", line(16), nullable=False),
    Column("merge_by", line(16), nullable=False),
    Column("within_ms", BigInteger),
    Column("verify_for_ms", BigInteger, nullable=False),
    Column("verify_wait_ms", BigInteger, nullable=False),
    Column("priorities", Prose, nullable=False),
    Column("names", Prose, nullable=False),
    Column("grid", line(15)),
    Column("grid_name", Prose),
    Column("officer", Prose),
    Column("lon", Float(53)),
    Column("lat", Float(53)),
    Column("text", Prose),
    Column("drill", Boolean, nullable=False),
    Column("level", Integer, nullable=False),
    Column("peak", Integer, nullable=False),
    Column("said_level", Integer, nullable=False),
    Column("recovered", Boolean, nullable=False),
    Column("supervised", Boolean, nullable=False),
    Column("sensor_silent", Boolean, nullable=False),
    Column("started", Boolean, nullable=False),
    Column("rework", Integer, nullable=False),
    Column("opened_t", BigInteger, nullable=False),
    Column("changed_t", BigInteger, nullable=False),
    Column("change_t", BigInteger, nullable=False),
    Column("cleared_t", BigInteger),
    Column("finished_t", BigInteger),
    Column("closed_t", BigInteger),
    Column("due_t", BigInteger),
    Column("resume_to", line(16)),
    Column("unmerge_to", line(16)),
    Column("merged_into", _CaseId, index=True),
    Column("version", Integer, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("keys", Prose, nullable=False),
    Column("unproven", Prose, nullable=False),
    Index("ix_cases_opened_t_id", "opened_t", "id"),
    Index("ix_cases_state_level", "state", "level"),
    Index("ix_cases_category_state", "category", "state"),
    Index("ix_cases_department_state", "department", "state"),
    Index("ix_cases_grid_opened_t", "grid", "opened_t"),
)

work_order = Table(
    "work_order",
    metadata,
    Column("case", _CaseId, ForeignKey("cases.id"), primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("department", line(64), nullable=False, index=True),
    Column("state", line(16), nullable=False),
    Column("dispatched_t", BigInteger, nullable=False),
    Column("officer", Prose),
    Column("started_t", BigInteger),
    Column("finished_t", BigInteger),
    Column("due_t", BigInteger),
    Column("note", Prose),
    Column("photos", Prose, nullable=False),
)

case_event = Table(
    "case_event",
    metadata,
    Column("case", _CaseId, ForeignKey("cases.id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("move", line(32), nullable=False),
    Column("actor", Prose, nullable=False),
    Column("role", line(16), nullable=False),
    Column("person", Boolean, nullable=False),
    Column("t", BigInteger, nullable=False),
    Column("note", Prose),
    Column("data", Prose, nullable=False),
    Column("position", BigInteger, nullable=False),
)

# how often each move was made, counted with the events, so that figures need not read them all
move_total = Table(
    "move_total",
    metadata,
    Column("move", line(32), primary_key=True),
    Column("number", BigInteger, nullable=False),
)

# a row is the right to gather what has this key: no two open cases can have it
case_key = Table(
    "case_key",
    metadata,
    Column("key", line(255), primary_key=True),
    Column("case", _CaseId, ForeignKey("cases.id"), nullable=False, index=True),
)

# `case`: where its changes go; `home`: the case that it opened or joined first; both null for a mere warning
episode = Table(
    "episode",
    metadata,
    Column("id", line(64), primary_key=True),
    Column("rule", line(128), nullable=False),
    Column("rule_version", Integer, nullable=False),
    Column("title", Prose, nullable=False),
    Column("sensor", line(64), nullable=False),
    Column("kind", line(64), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("level", Integer, nullable=False),
    Column("peak", Integer, nullable=False),
    Column("raised_t", BigInteger, nullable=False),
    Column("changed_t", BigInteger, nullable=False),
    Column("heard_t", BigInteger),
    Column("cleared_t", BigInteger),
    Column("cause", line(16), nullable=False),
    Column("value", Float(53)),
    Column("lon", Float(53)),
    Column("lat", Float(53)),
    Column("grid", line(15)),
    Column("case", _CaseId, ForeignKey("cases.id"), index=True),
    Column("home", _CaseId, ForeignKey("cases.id"), index=True),
    Column("drill", Boolean, nullable=False),
    Column("plan", line(12), nullable=False),
    Index("ix_episode_level_rule", "level", "rule"),
    Index("ix_episode_raised_t_id", "raised_t", "id"),
    Index("ix_episode_sensor_kind", "sensor", "kind"),
)

# recent changes as detect wrote them, for people; the alerts log is the record
change = Table(
    "change",
    metadata,
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("episode", line(64), nullable=False, index=True),
    Column("grid", line(15)),
    Column("body", Prose, nullable=False),
)

report = Table(
    "report",
    metadata,
    Column("id", line(64), primary_key=True),
    Column("case", _CaseId, ForeignKey("cases.id"), nullable=False, index=True),
    Column("incident", _CaseId, ForeignKey("incident.id"), nullable=False),
    Column("t", BigInteger, nullable=False),
    Column("source", line(32), nullable=False),
    Column("category", line(16), nullable=False),
    Column("text", Prose, nullable=False),
    Column("lon", Float(53)),
    Column("lat", Float(53)),
    Column("grid", line(15)),
    Column("contact_name", Prose),
    Column("contact_phone", Prose),
)

timer = Table(
    "timer",
    metadata,
    Column("case", _CaseId, ForeignKey("cases.id"), primary_key=True),
    Column("name", line(16), primary_key=True),
    Column("due", BigInteger, nullable=False, index=True),
)

# what people asked for and got, in the order in which it was done: answers a repeated request, and replays the store
command = Table(
    "command",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("actor", Prose, nullable=False),
    Column("role", line(16), nullable=False),
    Column("area", line(15), nullable=False),
    Column("department", line(64)),
    Column("key", line(255), nullable=False),
    Column("request", line(64), nullable=False),
    Column("case", _CaseId, ForeignKey("cases.id"), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("move", line(16), nullable=False),
    Column("args", Prose, nullable=False),
    Column("t", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    UniqueConstraint("actor", "key"),
)

# `id` is the order of commits, `position` is given by the relay
outbox = Table(
    "outbox",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("position", BigInteger, unique=True),
    Column("case", _CaseId, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    UniqueConstraint("case", "seq"),
)

# records of the alerts log that casework could not process; one that comes again is known by its `digest`, SHA-256
quarantine = Table(
    "quarantine",
    metadata,
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("log_time", BigInteger, nullable=False),
    Column("reason", line(32), nullable=False),
    Column("detail", Prose, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("case", _CaseId, ForeignKey("cases.id")),
    Column("digest", line(64), index=True),
)

token = Table(
    "token",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("hash", line(64), nullable=False, unique=True),
    Column("name", Prose, nullable=False),
    Column("role", line(16), nullable=False),
    Column("area", line(15), nullable=False),
    Column("department", line(64)),
    Column("created_t", BigInteger, nullable=False),
    Column("expires_t", BigInteger),
    Column("revoked_t", BigInteger),
)

# who did or read what, by the machine's clock; triggers refuse to change a row, or to delete one of the last 184 days
audit = Table(
    "audit",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("t", BigInteger, nullable=False, index=True),
    Column("actor", Prose, nullable=False),
    Column("action", line(64), nullable=False),
    Column("subject", Prose, nullable=False, index=True),
    Column("detail", Prose, nullable=False),
    Column("role", line(16)),
    Column("address", line(64)),
)

# last values of sensors, for people and charts: a day of them, and those of a case's sensors as long as the case
sensor_value = Table(
    "sensor_value",
    metadata,
    Column("sensor", line(64), primary_key=True),
    Column("kind", line(64), primary_key=True),
    Column("t", BigInteger, primary_key=True, autoincrement=False),
    Column("v", Float(53), nullable=False),
    Column("level", Integer, nullable=False),
    Index("ix_sensor_value_t", "t"),
    sqlite_with_rowid=False,
)
