"""What is kept for people: an audit that the database itself keeps from being changed, photos, handovers, receipts of
notices, failed logins. Phone and ID-card numbers in messages that were written before are masked; exercises no longer
count among the moves."""

import msgspec
import sqlalchemy as sa
from alembic import op

from engine.casework.privacy import mask_message

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MONTHS_6_MS = 184 * 86_400_000


def _line(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


_PROSE = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("audit", sa.Column("role", _line(16), nullable=True))
    op.add_column("audit", sa.Column("address", _line(64), nullable=True))
    op.create_index("ix_audit_t", "audit", ["t"], unique=False)
    op.create_index("ix_audit_subject", "audit", ["subject"], unique=False)
    _create_tables()
    _mask_messages()
    _count_moves_without_drills()
    if op.get_context().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def _create_tables() -> None:
    op.create_table(
        "attachment",
        sa.Column("case", _line(32), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sha256", _line(64), nullable=False),
        sa.Column("type", _line(32), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("actor", _PROSE, nullable=False),
        sa.Column("t", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["case"], ["cases.id"], name=op.f("fk_attachment_case")),
        sa.PrimaryKeyConstraint("case", "n", name=op.f("pk_attachment")),
        sa.UniqueConstraint("case", "sha256", name=op.f("uq_attachment_case_sha256")),
    )
    op.create_table(
        "handover",
        sa.Column("id", _SERIAL, autoincrement=True, nullable=False),
        sa.Column("area", _line(15), nullable=False),
        sa.Column("since_t", sa.BigInteger(), nullable=False),
        sa.Column("t", sa.BigInteger(), nullable=False),
        sa.Column("giver", _PROSE, nullable=False),
        sa.Column("note", _PROSE, nullable=False),
        sa.Column("body", _PROSE, nullable=False),
        sa.Column("taker", _PROSE, nullable=True),
        sa.Column("taken_t", sa.BigInteger(), nullable=True),
        sa.Column("taker_note", _PROSE, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handover")),
    )
    op.create_index("ix_handover_area_t", "handover", ["area", "t"], unique=False)
    op.create_table(
        "receipt",
        sa.Column("destination", _line(128), nullable=False),
        sa.Column("case", _line(32), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", _line(16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("first_t", sa.BigInteger(), nullable=False),
        sa.Column("last_t", sa.BigInteger(), nullable=False),
        sa.Column("answer", _PROSE, nullable=False),
        sa.ForeignKeyConstraint(["case"], ["cases.id"], name=op.f("fk_receipt_case")),
        sa.PrimaryKeyConstraint("destination", "case", "seq", name=op.f("pk_receipt")),
    )
    op.create_index("ix_receipt_case", "receipt", ["case"], unique=False)
    op.create_table(
        "login_failure",
        sa.Column("key", _line(64), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("first_t", sa.BigInteger(), nullable=False),
        sa.Column("until_t", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_login_failure")),
    )


def _mask_messages() -> None:
    table = sa.table("outbox", sa.column("id", sa.BigInteger), sa.column("payload", sa.LargeBinary))
    last = 0
    while True:
        few = sa.select(table.c.id, table.c.payload).where(table.c.id > last).order_by(table.c.id).limit(1000)
        rows = op.get_bind().execute(few).all()
        if not rows:
            return
        last = rows[-1].id
        for number, payload in rows:
            message = msgspec.json.decode(payload)
            masked = mask_message(message)
            if masked != message:
                change = sa.update(table).where(table.c.id == number).values(payload=msgspec.json.encode(masked))
                op.get_bind().execute(change)


def _count_moves_without_drills() -> None:
    drills = (
        'SELECT e.move, count(*) FROM case_event e JOIN cases c ON c.id = e."case" WHERE c.drill '
        "AND e.move IN (SELECT move FROM move_total) GROUP BY e.move"
    )
    for move, number in op.get_bind().execute(sa.text(drills)).all():
        less = sa.text("UPDATE move_total SET number = number - :number WHERE move = :move")
        op.get_bind().execute(less, {"move": move, "number": number})


def _guard_sqlite() -> None:
    young = f"OLD.t > (CAST(strftime('%s', 'now') AS INTEGER) * 1000 - {MONTHS_6_MS})"
    for table in ("audit", "case_event"):
        op.execute(
            f"CREATE TRIGGER {table}_is_not_changed BEFORE UPDATE ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table}: rows are never changed'); END"
        )
    op.execute(
        f"CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit WHEN {young} "
        "BEGIN SELECT RAISE(ABORT, 'audit: rows are kept for at least 184 days'); END"
    )
    op.execute(
        "CREATE TRIGGER case_event_is_kept BEFORE DELETE ON case_event "
        "BEGIN SELECT RAISE(ABORT, 'case_event: rows are never deleted'); END"
    )


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION tongguan_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION '%: rows are kept as they are', TG_TABLE_NAME "
        "USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    young = f"OLD.t > (extract(epoch FROM clock_timestamp()) * 1000 - {MONTHS_6_MS})"
    refuse = "EXECUTE FUNCTION tongguan_refuse()"
    for table in ("audit", "case_event"):
        op.execute(f"CREATE TRIGGER {table}_is_not_changed BEFORE UPDATE ON {table} FOR EACH ROW {refuse}")
        op.execute(f"CREATE TRIGGER {table}_is_not_emptied BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {refuse}")
    op.execute(f"CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit FOR EACH ROW WHEN ({young}) {refuse}")
    op.execute(f"CREATE TRIGGER case_event_is_kept BEFORE DELETE ON case_event FOR EACH ROW {refuse}")
