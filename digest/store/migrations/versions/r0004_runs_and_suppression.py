"""Which run has a delivery in hand, and addresses that are written to no more."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Keep every row."""
    op.add_column("edition", sa.Column("run", sa.String))
    op.add_column("edition", sa.Column("resends", sa.Integer, nullable=False, server_default="0"))
    op.create_index("ix_edition_run", "edition", ["run"])
    op.create_table(
        "bounce",
        sa.Column("address", sa.String, nullable=False),
        sa.Column("date", sa.Date, nullable=False),
        sa.Column("subscriber_id", sa.String, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("address", "date", name="pk_bounce"),
    )
    op.create_table(
        "suppression",
        sa.Column("address", sa.String, nullable=False),
        sa.Column("subscriber_id", sa.String, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("address", name="pk_suppression"),
    )
