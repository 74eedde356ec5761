"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "cases",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("site", sa.Integer(), nullable=False),
        sa.Column("eid", sa.LargeBinary(length=3), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("counter", sa.Integer(), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.Column("content_key", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("age_ms_at_receipt", sa.BigInteger(), nullable=False),
        sa.Column("age_at_least", sa.Boolean(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("passed_on", sa.Boolean(), nullable=False),
        sa.Column("close_code", sa.Integer(), nullable=True),
        sa.Column("presses", sa.Integer(), nullable=False),
        sa.Column("by_mesh", sa.Boolean(), nullable=False),
        sa.Column("by_broker", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("site", "eid", "n"),
    )
    op.create_table(
        "epochs",
        sa.Column("eid", sa.LargeBinary(length=3), nullable=False),
        sa.Column("e_pub", sa.LargeBinary(length=32), nullable=False),
        sa.Column("receipted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("eid"),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("site", sa.Integer(), nullable=False),
        sa.Column("eid", sa.LargeBinary(length=3), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.String(length=80), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token"),
    )
    op.create_index("events_of_case", "events", ["site", "eid", "n"], unique=False)
    op.create_table(
        "heard_epochs",
        sa.Column("site", sa.Integer(), nullable=False),
        sa.Column("eid", sa.LargeBinary(length=3), nullable=False),
        sa.Column("e_pub", sa.LargeBinary(length=32), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("site", "eid"),
    )
    op.create_table(
        "heard_pieces",
        sa.Column("site", sa.Integer(), nullable=False),
        sa.Column("eid", sa.LargeBinary(length=3), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("opened", sa.Boolean(), nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site", "eid", "n"),
    )
    op.create_table(
        "meta",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "sites",
        sa.Column("site", sa.Integer(), nullable=False),
        sa.Column("mesh_ms", sa.BigInteger(), nullable=True),
        sa.Column("broker_ms", sa.BigInteger(), nullable=True),
        sa.Column("carrier", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("site"),
    )
    op.create_table(
        "tickets",
        sa.Column("counter", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("life_threat", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.Column("state_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("passed_on_ms", sa.BigInteger(), nullable=True),
        sa.Column("close_code", sa.Integer(), nullable=True),
        sa.Column("secret_salt", sa.LargeBinary(length=16), nullable=True),
        sa.Column("answer_locked", sa.LargeBinary(), nullable=False),
        sa.Column("copy_locked", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("counter"),
    )
    op.create_table(
        "answers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("counter", sa.Integer(), nullable=False),
        sa.Column("salt", sa.LargeBinary(length=4), nullable=False),
        sa.Column("packet", sa.LargeBinary(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["counter"],
            ["tickets.counter"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("counter", "salt"),
    )
    op.create_table(
        "calls",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("button", sa.String(length=40), nullable=False),
        sa.Column("pressed_ms", sa.BigInteger(), nullable=False),
        sa.Column("presses", sa.Integer(), nullable=False),
        sa.Column("presses_told", sa.Integer(), nullable=False),
        sa.Column("told_ms", sa.BigInteger(), nullable=False),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        sa.Column("counter", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["counter"],
            ["tickets.counter"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "messages",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("counter", sa.Integer(), nullable=False),
        sa.Column("is_request", sa.Boolean(), nullable=False),
        sa.Column("form_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("eid", sa.LargeBinary(length=3), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("verify", sa.LargeBinary(length=16), nullable=False),
        sa.Column("piece", sa.LargeBinary(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("receipted_ms", sa.BigInteger(), nullable=True),
        sa.Column("mesh_tries", sa.Integer(), nullable=False),
        sa.Column("mesh_next_ms", sa.BigInteger(), nullable=False),
        sa.Column("broker_tries", sa.Integer(), nullable=False),
        sa.Column("broker_next_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["counter"],
            ["tickets.counter"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("eid", "n"),
        sa.UniqueConstraint("form_digest"),
    )
    op.create_index(op.f("ix_messages_counter"), "messages", ["counter"], unique=False)
    op.create_index(op.f("ix_messages_receipted_ms"), "messages", ["receipted_ms"], unique=False)
    op.create_table(
        "replies",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("salt", sa.LargeBinary(length=4), nullable=True),
        sa.Column("packet", sa.LargeBinary(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_ms", sa.BigInteger(), nullable=False),
        sa.Column("delivered_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["cases.id"],
        ),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["events.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_replies_delivered_ms"), "replies", ["delivered_ms"], unique=False)
