"""Why a paper has its place in an edition, and what subscribers said of papers."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Keep every row; of older editions nothing is known but the section."""
    op.add_column("edition_paper", sa.Column("why", sa.JSON, nullable=False, server_default="{}"))
    op.create_table(
        "feedback",
        sa.Column("subscriber_id", sa.String, nullable=False),
        sa.Column("paper_key", sa.String, nullable=False),
        sa.Column("more", sa.Boolean, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("subscriber_id", "paper_key", name="pk_feedback"),
    )
    op.create_index("ix_feedback_paper_key", "feedback", ["paper_key"])
