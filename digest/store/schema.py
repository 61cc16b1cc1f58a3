"""The tables as this release knows them; ``migrations`` brings older databases there."""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Float,
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

REVISION = "0004"
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
            raise TypeError(f"{value} has no time zone")
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
    Column("points", Integer),
    Column("citations", Integer),
    Column("ids", JSON, nullable=False, server_default="[]"),
    Column("venue", Text, nullable=False, server_default=""),
    Column("summary", Text, nullable=False, server_default=""),
    Column("origins", JSON, nullable=False, server_default="[]"),
    Index(None, "first_seen"),
)

# Every identity under which a work was ever listed, a title with its authors among them, leads to its paper.
alias = Table(
    "alias",
    metadata,
    Column("id", String, primary_key=True),
    Column("paper_key", String, ForeignKey("paper.key"), nullable=False),
    Index(None, "paper_key"),
    sqlite_with_rowid=False,
)

# A row for each source that lists a paper, with version 0, and for each newer version that is news.
# Readers are owed what has a number above the one their last settled edition ended with. A clock in its place would
# lose papers: a run that read it earlier may commit later. AUTOINCREMENT never gives a number twice, and since writers
# take turns from BEGIN IMMEDIATE on, numbers grow in the order of commits.
announcement = Table(
    "announcement",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("paper_key", String, ForeignKey("paper.key"), nullable=False),
    Column("source", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("stored_at", UtcDateTime, nullable=False),
    Index(None, "paper_key"),
    sqlite_autoincrement=True,
)

observation = Table(
    "observation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("paper_key", String, ForeignKey("paper.key"), nullable=False),
    Column("source", String, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("upvotes", Integer),
    Column("comments", Integer),
    Column("stars", Integer),
    Column("points", Integer),
    Column("citations", Integer),
    Index(None, "paper_key"),
    Index(None, "at"),
)

source = Table(
    "source",
    metadata,
    Column("name", String, primary_key=True),
    Column("verdict", String, nullable=False),
    Column("polled_at", UtcDateTime, nullable=False),
    Column("last_good_at", UtcDateTime),
    Column("fresh_at", UtcDateTime),
    Column("listed", Integer, nullable=False),
    Column("new", Integer, nullable=False),
    Column("merged", Integer, nullable=False),
    Column("seen", Integer, nullable=False),
    Column("took_s", Float, nullable=False),
    Column("problem", Text, nullable=False),
)

validator = Table(
    "validator",
    metadata,
    Column("name", String, primary_key=True),
    Column("etag", Text),
    Column("last_modified", Text),
    Column("at", UtcDateTime, nullable=False),
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
    Column("updated_at", UtcDateTime, nullable=False),
    # The run that opened or claimed it last, and how often it was sent again although it may have arrived.
    Column("run", String),
    Column("resends", Integer, nullable=False, server_default="0"),
    UniqueConstraint("subscriber_id", "date"),
    Index(None, "state", "id"),
    Index(None, "run"),
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
    Column("why", JSON, nullable=False, server_default="{}"),
    Index(None, "paper_key"),
)

# What subscribers said of papers, the last word on each.
feedback = Table(
    "feedback",
    metadata,
    Column("subscriber_id", String, primary_key=True),
    Column("paper_key", String, primary_key=True),
    Column("more", Boolean, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index(None, "paper_key"),
)

# What came back of addresses that do not exist, a row for each day; addresses are keyed hashes.
bounce = Table(
    "bounce",
    metadata,
    Column("address", String, primary_key=True),
    Column("date", Date, primary_key=True),
    Column("subscriber_id", String, nullable=False),
    Column("detail", Text, nullable=False),
)

# Addresses that are written to no more, until the operator says otherwise.
suppression = Table(
    "suppression",
    metadata,
    Column("address", String, primary_key=True),
    Column("subscriber_id", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

# When each host may be asked next.
host = Table(
    "host",
    metadata,
    Column("name", String, primary_key=True),
    Column("next_at", UtcDateTime, nullable=False),
)

# What a language model wrote of a paper: kept for ever, so that no text is paid for twice.
wording = Table(
    "wording",
    metadata,
    Column("paper_key", String, primary_key=True),
    Column("language", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("by", String, primary_key=True),
    Column("text", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
