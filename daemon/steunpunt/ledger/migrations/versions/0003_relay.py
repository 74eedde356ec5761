"""The relay: messages in fragments at both ends, what a radio sent in the last hour, the readable fall-back."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns and the table."""
    op.add_column("messages", sa.Column("missing", sa.Integer(), server_default="65535", nullable=False))
    op.add_column("messages", sa.Column("unsent", sa.Integer(), server_default="0", nullable=False))
    op.add_column("messages", sa.Column("receipted_by", sa.Integer(), nullable=True))
    op.add_column("tickets", sa.Column("fallback_ms", sa.BigInteger(), nullable=True))
    op.add_column("tickets", sa.Column("handheld_ms", sa.BigInteger(), nullable=True))
    op.add_column("cases", sa.Column("quarantined", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "airtime",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("radio", sa.String(length=31), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("air_ms", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "halves",
        sa.Column("site", sa.Integer(), nullable=False),
        sa.Column("eid", sa.LargeBinary(length=3), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("have", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("heard_ms", sa.BigInteger(), nullable=False),
        sa.Column("wants", sa.Integer(), nullable=False),
        sa.Column("want_due_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site", "eid", "n"),
    )
    op.create_table(
        "heard_fragments",
        sa.Column("site", sa.Integer(), nullable=False),
        sa.Column("eid", sa.LargeBinary(length=3), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("fragment", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("opened", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("site", "eid", "n", "fragment"),
    )
