"""Gateways: who carried whose pieces. Several coordinators: messages that are addressed to another one."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the tables."""
    op.add_column("sites", sa.Column("gateway_ms", sa.BigInteger(), nullable=True))
    op.create_table(
        "gateways",
        sa.Column("site", sa.Integer(), nullable=False),
        sa.Column("carrier", sa.Integer(), nullable=False),
        sa.Column("heard_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site", "carrier"),
    )
    op.create_table(
        "standby",
        sa.Column("site", sa.Integer(), nullable=False),
        sa.Column("eid", sa.LargeBinary(length=3), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("coordinator", sa.Integer(), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("verify", sa.LargeBinary(), nullable=False),
        sa.Column("stand", sa.Integer(), nullable=False),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("told_ms", sa.BigInteger(), nullable=True),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("site", "eid", "n"),
    )
    op.create_index("ix_standby_due_ms", "standby", ["due_ms"])
