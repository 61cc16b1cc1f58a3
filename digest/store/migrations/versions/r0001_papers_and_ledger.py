"""Papers, announcements, sources and the ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the first tables."""
    op.create_table(
        "paper",
        sa.Column("key", sa.String, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("abstract", sa.Text, nullable=False),
        sa.Column("authors", sa.JSON, nullable=False),
        sa.Column("categories", sa.JSON, nullable=False),
        sa.Column("links", sa.JSON, nullable=False),
        sa.Column("published", _MOMENT, nullable=False),
        sa.Column("first_seen", _MOMENT, nullable=False),
        sa.Column("upvotes", sa.Integer),
        sa.Column("comments", sa.Integer),
        sa.Column("stars", sa.Integer),
        sa.Column("sources", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_paper"),
    )
    op.create_table(
        "announcement",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("paper_key", sa.String, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("stored_at", _MOMENT, nullable=False),
        sa.UniqueConstraint("paper_key", "source", name="uq_announcement_paper_key_source"),
        sa.ForeignKeyConstraint(["paper_key"], ["paper.key"], name="fk_announcement_paper_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "source",
        sa.Column("name", sa.String, nullable=False),
        sa.Column("verdict", sa.String, nullable=False),
        sa.Column("polled_at", _MOMENT, nullable=False),
        sa.Column("last_good_at", _MOMENT),
        sa.Column("entries", sa.Integer, nullable=False),
        sa.Column("new", sa.Integer, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_source"),
    )
    op.create_table(
        "validator",
        sa.Column("url", sa.String, nullable=False),
        sa.Column("etag", sa.Text),
        sa.Column("last_modified", sa.Text),
        sa.PrimaryKeyConstraint("url", name="pk_validator"),
    )
    op.create_table(
        "edition",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("subscriber_id", sa.String, nullable=False),
        sa.Column("date", sa.Date, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("since_seq", sa.Integer, nullable=False),
        sa.Column("through_seq", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("token", sa.String),
        sa.Column("lease_until", _MOMENT),
        sa.Column("next_try_at", _MOMENT),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("updated_at", _MOMENT, nullable=False),
        sa.UniqueConstraint("subscriber_id", "date", name="uq_edition_subscriber_id_date"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_edition_state_id", "edition", ["state", "id"])
    op.create_table(
        "edition_paper",
        sa.Column("edition_id", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("section", sa.String, nullable=False),
        sa.Column("paper_key", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("edition_id", "position", name="pk_edition_paper"),
        sa.ForeignKeyConstraint(["edition_id"], ["edition.id"], name="fk_edition_paper_edition_id"),
    )
