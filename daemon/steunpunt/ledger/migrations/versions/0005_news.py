"""News at a kiosk; announcements and the sites' signs of life at a coordinator."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "news",
        sa.Column("signer", sa.Integer(), nullable=False),
        sa.Column("incarnation", sa.Integer(), nullable=False),
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("floor", sa.Integer(), nullable=False),
        sa.Column("supersedes", sa.Integer(), nullable=True),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("issued_ms", sa.BigInteger(), nullable=False),
        sa.Column("issued_at_least", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("signer", "incarnation", "serial"),
    )
    op.create_table(
        "announcements",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(length=80), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("by_box", sa.LargeBinary(), nullable=False),
        sa.Column("about", sa.Integer(), nullable=True),
        sa.Column("issued_ms", sa.BigInteger(), nullable=False),
        sa.Column("serial", sa.Integer(), nullable=True),
        sa.Column("incarnation", sa.Integer(), nullable=True),
        sa.Column("floor", sa.Integer(), nullable=True),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.Column("broker_ms", sa.BigInteger(), nullable=True),
        sa.Column("rounds", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_ms", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token"),
        sa.UniqueConstraint("incarnation", "serial"),
        sa.ForeignKeyConstraint(["about"], ["announcements.id"]),
    )
    op.create_table(
        "heartbeats",
        sa.Column("site", sa.Integer(), nullable=False),
        sa.Column("eid", sa.LargeBinary(length=3), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("plain", sa.LargeBinary(), nullable=False),
        sa.Column("news_again_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("site"),
    )
