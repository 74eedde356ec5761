"""Which of a coordinator's radios heard a site last."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; sites heard before are answered by any radio until they are heard again."""
    op.add_column("sites", sa.Column("mesh_radio", sa.String(length=31), nullable=True))
