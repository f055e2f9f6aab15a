"""What workers on a shared log keep: checkpoints, skips, gaps, leases, destinations. Text in order of code points;
records that were set aside are known by their digest."""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _line(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


_PROSE = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        _order_text_by_code_points()
    _name_what_was_set_aside()
    op.create_table(
        "attempt",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("writer", _PROSE, nullable=False),
        sa.Column("t", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("partition", name=op.f("pk_attempt")),
    )
    op.create_table(
        "checkpoint",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("generation", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("chunk", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("chunks", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("checksum", _line(64), nullable=False),
        sa.Column("plan", _line(64), nullable=False),
        sa.Column("format", _line(64), nullable=False),
        sa.PrimaryKeyConstraint("partition", "generation", "chunk", name=op.f("pk_checkpoint")),
    )
    op.create_table(
        "checkpoint_head",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("log_time", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", _line(64), nullable=False),
        sa.Column("plan", _line(64), nullable=False),
        sa.Column("written_t", sa.BigInteger(), nullable=False),
        sa.Column("writer", _PROSE, nullable=False),
        sa.PrimaryKeyConstraint("partition", name=op.f("pk_checkpoint_head")),
    )
    op.create_table(
        "destination",
        sa.Column("name", _line(128), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("next_t", sa.BigInteger(), nullable=True),
        sa.Column("detail", _PROSE, nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_destination")),
    )
    op.create_table(
        "gap",
        sa.Column("id", _SERIAL, autoincrement=True, nullable=False),
        sa.Column("stream", _line(128), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("reason", _PROSE, nullable=False),
        sa.Column("actor", _PROSE, nullable=False),
        sa.Column("t", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gap")),
    )
    op.create_index("ix_gap_stream_partition", "gap", ["stream", "partition"], unique=False)
    op.create_table(
        "lease",
        sa.Column("name", _line(128), nullable=False),
        sa.Column("holder", _PROSE, nullable=False),
        sa.Column("until_t", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "log_identity",
        sa.Column("stream", _line(128), nullable=False),
        sa.Column("partitions", sa.Integer(), nullable=False),
        sa.Column("topic_id", _line(64), nullable=True),
        sa.Column("noted_t", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("stream", name=op.f("pk_log_identity")),
    )
    op.create_table(
        "plan_now",
        sa.Column("name", _line(16), nullable=False),
        sa.Column("digest", _line(64), nullable=False),
        sa.Column("set_t", sa.BigInteger(), nullable=False),
        sa.Column("actor", _PROSE, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_plan_now")),
    )
    op.create_table(
        "skip",
        sa.Column("stream", _line(128), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reason", _PROSE, nullable=False),
        sa.Column("actor", _PROSE, nullable=False),
        sa.Column("t", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("stream", "partition", "offset", name=op.f("pk_skip")),
    )
    if op.get_context().dialect.name == "postgresql":
        # a checkpoint is compressed already
        op.execute("ALTER TABLE checkpoint ALTER COLUMN data SET STORAGE EXTERNAL")


def _name_what_was_set_aside() -> None:
    op.add_column("quarantine", sa.Column("digest", _line(64), nullable=True))
    op.create_index("ix_quarantine_digest", "quarantine", ["digest"], unique=False)
    table = sa.table("quarantine", sa.column("offset"), sa.column("raw"), sa.column("digest"))
    for offset, raw in op.get_bind().execute(sa.select(table.c.offset, table.c.raw)).all():
        name = hashlib.sha256(raw).hexdigest()
        op.get_bind().execute(sa.update(table).where(table.c.offset == offset).values(digest=name))


def _order_text_by_code_points() -> None:
    """Give the text columns of the first tables the order that SQLite has, whatever the database was made with."""
    inspector = sa.inspect(op.get_bind())
    for table in sorted(set(inspector.get_table_names()) - {"alembic_version"}):
        for column in inspector.get_columns(table):
            if isinstance(column["type"], sa.String):
                column["type"].collation = "C"
                op.alter_column(table, column["name"], type_=column["type"])
