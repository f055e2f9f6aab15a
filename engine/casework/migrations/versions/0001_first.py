"""The first tables: incidents, cases, work orders, events, keys, alerts, people, outbox, audit, plans."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("t", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_table(
        "change",
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("episode", sa.String(length=64), nullable=False),
        sa.Column("grid", sa.String(length=15), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("offset", name=op.f("pk_change")),
    )
    op.create_index(op.f("ix_change_episode"), "change", ["episode"], unique=False)
    op.create_table(
        "cursor",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("clock", sa.BigInteger(), nullable=True),
        sa.Column("plan", sa.String(length=12), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_cursor")),
    )
    op.create_table(
        "incident",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("opened_t", sa.BigInteger(), nullable=False),
        sa.Column("category", sa.String(length=16), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("grid", sa.String(length=15), nullable=True),
        sa.Column("lon", sa.Float(precision=53), nullable=True),
        sa.Column("lat", sa.Float(precision=53), nullable=True),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident")),
    )
    op.create_table(
        "mark",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("t", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("partition", name=op.f("pk_mark")),
    )
    op.create_table(
        "move_total",
        sa.Column("move", sa.String(length=32), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("move", name=op.f("pk_move_total")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("case", sa.String(length=32), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("case", "seq", name=op.f("uq_outbox_case_seq")),
        sa.UniqueConstraint("position", name=op.f("uq_outbox_position")),
    )
    op.create_table(
        "plan",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("short", sa.String(length=12), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("offices", sa.LargeBinary(), nullable=False),
        sa.Column("stored_t", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_plan")),
        sa.UniqueConstraint("short", name=op.f("uq_plan_short")),
    )
    op.create_table(
        "sensor_value",
        sa.Column("sensor", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("t", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("v", sa.Float(precision=53), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("sensor", "kind", "t", name=op.f("pk_sensor_value")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_sensor_value_t", "sensor_value", ["t"], unique=False)
    op.create_table(
        "token",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("area", sa.String(length=15), nullable=False),
        sa.Column("department", sa.String(length=64), nullable=True),
        sa.Column("created_t", sa.BigInteger(), nullable=False),
        sa.Column("expires_t", sa.BigInteger(), nullable=True),
        sa.Column("revoked_t", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token")),
        sa.UniqueConstraint("hash", name=op.f("uq_token_hash")),
    )
    op.create_table(
        "cases",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("incident", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("category", sa.String(length=16), nullable=False),
        sa.Column("department", sa.String(length=64), nullable=True),
        sa.Column("rule", sa.String(length=128), nullable=True),
        sa.Column("sensor", sa.String(length=64), nullable=True),
        sa.Column("auto", sa.String(length=16), nullable=False),
        sa.Column("close", sa.String(length=16), nullable=False),
        sa.Column("merge_by", sa.String(length=16), nullable=False),
        sa.Column("within_ms", sa.BigInteger(), nullable=True),
        sa.Column("verify_for_ms", sa.BigInteger(), nullable=False),
        sa.Column("verify_wait_ms", sa.BigInteger(), nullable=False),
        sa.Column("priorities", sa.Text(), nullable=False),
        sa.Column("names", sa.Text(), nullable=False),
        sa.Column("grid", sa.String(length=15), nullable=True),
        sa.Column("grid_name", sa.Text(), nullable=True),
        sa.Column("officer", sa.Text(), nullable=True),
        sa.Column("lon", sa.Float(precision=53), nullable=True),
        sa.Column("lat", sa.Float(precision=53), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("peak", sa.Integer(), nullable=False),
        sa.Column("said_level", sa.Integer(), nullable=False),
        sa.Column("recovered", sa.Boolean(), nullable=False),
        sa.Column("supervised", sa.Boolean(), nullable=False),
        sa.Column("sensor_silent", sa.Boolean(), nullable=False),
        sa.Column("started", sa.Boolean(), nullable=False),
        sa.Column("rework", sa.Integer(), nullable=False),
        sa.Column("opened_t", sa.BigInteger(), nullable=False),
        sa.Column("changed_t", sa.BigInteger(), nullable=False),
        sa.Column("change_t", sa.BigInteger(), nullable=False),
        sa.Column("cleared_t", sa.BigInteger(), nullable=True),
        sa.Column("finished_t", sa.BigInteger(), nullable=True),
        sa.Column("closed_t", sa.BigInteger(), nullable=True),
        sa.Column("due_t", sa.BigInteger(), nullable=True),
        sa.Column("resume_to", sa.String(length=16), nullable=True),
        sa.Column("unmerge_to", sa.String(length=16), nullable=True),
        sa.Column("merged_into", sa.String(length=32), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("keys", sa.Text(), nullable=False),
        sa.Column("unproven", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"], name=op.f("fk_cases_incident")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
    )
    op.create_index("ix_cases_category_state", "cases", ["category", "state"], unique=False)
    op.create_index("ix_cases_department_state", "cases", ["department", "state"], unique=False)
    op.create_index("ix_cases_grid_opened_t", "cases", ["grid", "opened_t"], unique=False)
    op.create_index(op.f("ix_cases_incident"), "cases", ["incident"], unique=False)
    op.create_index(op.f("ix_cases_merged_into"), "cases", ["merged_into"], unique=False)
    op.create_index("ix_cases_opened_t_id", "cases", ["opened_t", "id"], unique=False)
    op.create_index("ix_cases_state_level", "cases", ["state", "level"], unique=False)
    op.create_table(
        "case_event",
        sa.Column("case", sa.String(length=32), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("move", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("person", sa.Boolean(), nullable=False),
        sa.Column("t", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["case"], ["cases.id"], name=op.f("fk_case_event_case")),
        sa.PrimaryKeyConstraint("case", "seq", name=op.f("pk_case_event")),
    )
    op.create_table(
        "case_key",
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("case", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["case"], ["cases.id"], name=op.f("fk_case_key_case")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_case_key")),
    )
    op.create_index(op.f("ix_case_key_case"), "case_key", ["case"], unique=False)
    op.create_table(
        "command",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("area", sa.String(length=15), nullable=False),
        sa.Column("department", sa.String(length=64), nullable=True),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("request", sa.String(length=64), nullable=False),
        sa.Column("case", sa.String(length=32), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("move", sa.String(length=16), nullable=False),
        sa.Column("args", sa.Text(), nullable=False),
        sa.Column("t", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["case"], ["cases.id"], name=op.f("fk_command_case")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_command")),
        sa.UniqueConstraint("actor", "key", name=op.f("uq_command_actor_key")),
    )
    op.create_table(
        "episode",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("rule", sa.String(length=128), nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("sensor", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("peak", sa.Integer(), nullable=False),
        sa.Column("raised_t", sa.BigInteger(), nullable=False),
        sa.Column("changed_t", sa.BigInteger(), nullable=False),
        sa.Column("heard_t", sa.BigInteger(), nullable=True),
        sa.Column("cleared_t", sa.BigInteger(), nullable=True),
        sa.Column("cause", sa.String(length=16), nullable=False),
        sa.Column("value", sa.Float(precision=53), nullable=True),
        sa.Column("lon", sa.Float(precision=53), nullable=True),
        sa.Column("lat", sa.Float(precision=53), nullable=True),
        sa.Column("grid", sa.String(length=15), nullable=True),
        sa.Column("case", sa.String(length=32), nullable=True),
        sa.Column("home", sa.String(length=32), nullable=True),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.Column("plan", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(["case"], ["cases.id"], name=op.f("fk_episode_case")),
        sa.ForeignKeyConstraint(["home"], ["cases.id"], name=op.f("fk_episode_home")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_episode")),
    )
    op.create_index(op.f("ix_episode_case"), "episode", ["case"], unique=False)
    op.create_index(op.f("ix_episode_home"), "episode", ["home"], unique=False)
    op.create_index("ix_episode_level_rule", "episode", ["level", "rule"], unique=False)
    op.create_index("ix_episode_raised_t_id", "episode", ["raised_t", "id"], unique=False)
    op.create_index("ix_episode_sensor_kind", "episode", ["sensor", "kind"], unique=False)
    op.create_table(
        "quarantine",
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_time", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("case", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["case"], ["cases.id"], name=op.f("fk_quarantine_case")),
        sa.PrimaryKeyConstraint("offset", name=op.f("pk_quarantine")),
    )
    op.create_table(
        "report",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("case", sa.String(length=32), nullable=False),
        sa.Column("incident", sa.String(length=32), nullable=False),
        sa.Column("t", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("category", sa.String(length=16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("lon", sa.Float(precision=53), nullable=True),
        sa.Column("lat", sa.Float(precision=53), nullable=True),
        sa.Column("grid", sa.String(length=15), nullable=True),
        sa.Column("contact_name", sa.Text(), nullable=True),
        sa.Column("contact_phone", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["case"], ["cases.id"], name=op.f("fk_report_case")),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"], name=op.f("fk_report_incident")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report")),
    )
    op.create_index(op.f("ix_report_case"), "report", ["case"], unique=False)
    op.create_table(
        "timer",
        sa.Column("case", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["case"], ["cases.id"], name=op.f("fk_timer_case")),
        sa.PrimaryKeyConstraint("case", "name", name=op.f("pk_timer")),
    )
    op.create_index(op.f("ix_timer_due"), "timer", ["due"], unique=False)
    op.create_table(
        "work_order",
        sa.Column("case", sa.String(length=32), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("department", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("dispatched_t", sa.BigInteger(), nullable=False),
        sa.Column("officer", sa.Text(), nullable=True),
        sa.Column("started_t", sa.BigInteger(), nullable=True),
        sa.Column("finished_t", sa.BigInteger(), nullable=True),
        sa.Column("due_t", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("photos", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["case"], ["cases.id"], name=op.f("fk_work_order_case")),
        sa.PrimaryKeyConstraint("case", "n", name=op.f("pk_work_order")),
    )
    op.create_index(op.f("ix_work_order_department"), "work_order", ["department"], unique=False)
