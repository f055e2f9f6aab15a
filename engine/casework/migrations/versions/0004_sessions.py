"""Who is signed in at a browser, so that a restart of the engine asks nobody to sign in again."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _line(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "login_session",
        sa.Column("key", _line(64), nullable=False),
        sa.Column("token", _line(64), nullable=False),
        sa.Column("until_t", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_login_session")),
    )
