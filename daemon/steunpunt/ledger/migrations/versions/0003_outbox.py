"""The outbox of long messages, what a radio sent in the last hour, and the readable fall-back."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns and the table."""
    op.add_column("messages", sa.Column("missing", sa.Integer(), server_default="65535", nullable=False))
    op.add_column("messages", sa.Column("unsent", sa.Integer(), server_default="0", nullable=False))
    op.add_column("messages", sa.Column("receipted_by", sa.Integer(), nullable=True))
    op.add_column("tickets", sa.Column("fallback_ms", sa.BigInteger(), nullable=True))
    op.add_column("tickets", sa.Column("handheld_ms", sa.BigInteger(), nullable=True))
    op.create_table(
        "airtime",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("radio", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("air_ms", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
