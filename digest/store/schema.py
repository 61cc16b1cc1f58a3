"""The tables as this release knows them; ``migrations`` brings older databases there."""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    Column,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

REVISION = "0001"
"""The newest migration; revisions are numbered so that an older release can tell that a database is newer."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time in UTC, also where the database keeps no time zone (SQLite gives naive times back)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Refuse naive times: their zone would be a guess."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Give every time its zone back."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

paper = Table(
    "paper",
    metadata,
    Column("key", String, primary_key=True),
    Column("title", Text, nullable=False),
    Column("abstract", Text, nullable=False),
    Column("authors", JSON, nullable=False),
    Column("categories", JSON, nullable=False),
    Column("links", JSON, nullable=False),
    Column("published", UtcDateTime, nullable=False),
    Column("first_seen", UtcDateTime, nullable=False),
    Column("upvotes", Integer),
    Column("comments", Integer),
    Column("stars", Integer),
    Column("sources", JSON, nullable=False),
)

# Readers are owed what has a number above the one their last settled edition ended with. A clock in its place would
# lose papers: a run that read it earlier may commit later. AUTOINCREMENT never gives a number twice, and since writers
# take turns from BEGIN IMMEDIATE on, numbers grow in the order of commits.
announcement = Table(
    "announcement",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("paper_key", String, ForeignKey("paper.key"), nullable=False),
    Column("source", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("stored_at", UtcDateTime, nullable=False),
    UniqueConstraint("paper_key", "source"),
    sqlite_autoincrement=True,
)

source = Table(
    "source",
    metadata,
    Column("name", String, primary_key=True),
    Column("verdict", String, nullable=False),
    Column("polled_at", UtcDateTime, nullable=False),
    Column("last_good_at", UtcDateTime),
    Column("entries", Integer, nullable=False),
    Column("new", Integer, nullable=False),
    Column("problem", Text, nullable=False),
)

validator = Table(
    "validator",
    metadata,
    Column("url", String, primary_key=True),
    Column("etag", Text),
    Column("last_modified", Text),
)

edition = Table(
    "edition",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("subscriber_id", String, nullable=False),
    Column("date", Date, nullable=False),
    Column("state", String, nullable=False),
    Column("since_seq", Integer, nullable=False),
    Column("through_seq", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("token", String),
    Column("lease_until", UtcDateTime),
    Column("next_try_at", UtcDateTime),
    Column("detail", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("subscriber_id", "date"),
    Index(None, "state", "id"),
    sqlite_autoincrement=True,
)

# No foreign key to paper: what was sent must be remembered for longer than the papers.
edition_paper = Table(
    "edition_paper",
    metadata,
    Column("edition_id", Integer, ForeignKey("edition.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("section", String, nullable=False),
    Column("paper_key", String, nullable=False),
)
