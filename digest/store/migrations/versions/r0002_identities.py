"""Many identities of one work, newer versions as news, observed signals, turns at hosts, and written texts."""

import sqlalchemy as sa
from alembic import op

# Not a copy of it: a title that is listed from now on must lead to the key that old papers get here.
from digest.text.identity import title_key

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_SIGNALS = ("upvotes", "comments", "stars", "points", "citations")


def upgrade() -> None:
    """Keep every row and every announcement's number; what nobody read goes."""
    _papers()
    _announcements()
    _sources()
    op.drop_column("edition", "created_at")
    # They were kept by address, which may hold a key: everything is read whole once more.
    op.drop_table("validator")
    op.create_table(
        "validator",
        sa.Column("name", sa.String, nullable=False),
        sa.Column("etag", sa.Text),
        sa.Column("last_modified", sa.Text),
        sa.Column("at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_validator"),
    )
    op.create_index("ix_edition_paper_paper_key", "edition_paper", ["paper_key"])
    op.create_table(
        "observation",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("paper_key", sa.String, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        *(sa.Column(name, sa.Integer) for name in _SIGNALS),
        sa.ForeignKeyConstraint(["paper_key"], ["paper.key"], name="fk_observation_paper_key"),
        sa.PrimaryKeyConstraint("id", name="pk_observation"),
    )
    op.create_index("ix_observation_paper_key", "observation", ["paper_key"])
    op.create_index("ix_observation_at", "observation", ["at"])
    op.create_table(
        "host",
        sa.Column("name", sa.String, nullable=False),
        sa.Column("next_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_host"),
    )
    op.create_table(
        "wording",
        *(sa.Column(name, sa.String, nullable=False) for name in ("paper_key", "language", "kind", "by")),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("paper_key", "language", "kind", "by", name="pk_wording"),
    )


def _papers() -> None:
    for name in ("points", "citations"):
        op.add_column("paper", sa.Column(name, sa.Integer))
    for name, kind, empty in (
        ("ids", sa.JSON, "[]"),
        ("venue", sa.Text, ""),
        ("summary", sa.Text, ""),
        ("origins", sa.JSON, "[]"),
    ):
        op.add_column("paper", sa.Column(name, kind, nullable=False, server_default=empty))
    op.create_index("ix_paper_first_seen", "paper", ["first_seen"])
    op.create_table(
        "alias",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("paper_key", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_alias"),
        sa.ForeignKeyConstraint(["paper_key"], ["paper.key"], name="fk_alias_paper_key"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_alias_paper_key", "alias", ["paper_key"])
    _name_known_papers()


def _name_known_papers() -> None:
    """Give every paper its key and its title as identities, and say where its text came from as far as that is sure."""
    connection = op.get_bind()
    paper = sa.table(
        "paper",
        sa.column("key"),
        sa.column("title"),
        sa.column("abstract"),
        sa.column("first_seen"),
        *(sa.column(name, sa.JSON) for name in ("authors", "sources", "origins")),
    )
    aliases: dict[str, str] = {}
    origins = []
    columns = (paper.c.key, paper.c.title, paper.c.abstract, paper.c.authors, paper.c.sources)
    for key, title, abstract, authors, sources in connection.execute(
        sa.select(*columns).order_by(paper.c.first_seen, paper.c.key)
    ):
        # Two works may bear one title; it stays with the first, whose own key nobody else can have.
        aliases[key] = key
        if name := title_key(title, tuple(authors)):
            aliases.setdefault(name, key)
        # arXiv had the last word on its papers' text; that of several other sources came from one or another of them.
        of_text = next((each for each in sources if each.startswith("arxiv:")), sources[0] if len(sources) == 1 else "")
        of_authors = sources[0] if len(sources) == 1 else ""
        said = (("title", title, of_text), ("abstract", abstract, of_text), ("authors", authors, of_authors))
        origins.append(
            {"the_key": key, "origins": [[name, source] for name, value, source in said if value and source]}
        )
    if origins:
        alias = sa.table("alias", sa.column("id"), sa.column("paper_key"))
        connection.execute(sa.insert(alias), [{"id": name, "paper_key": key} for name, key in aliases.items()])
        connection.execute(sa.update(paper).where(paper.c.key == sa.bindparam("the_key")), origins)


def _announcements() -> None:
    _free_name("announcement")
    op.create_table(
        "announcement_new",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("paper_key", sa.String, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("stored_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["paper_key"], ["paper.key"], name="fk_announcement_paper_key"),
        sa.PrimaryKeyConstraint("seq", name="pk_announcement"),
        sqlite_autoincrement=True,
    )
    op.execute(
        "INSERT INTO announcement_new (seq, paper_key, source, version, stored_at)"
        " SELECT seq, paper_key, source, 0, stored_at FROM announcement ORDER BY seq"
    )
    op.drop_table("announcement")
    op.rename_table("announcement_new", "announcement")
    if _is_postgres():
        # Rows that bring their numbers along do not move the sequence.
        op.execute("ALTER SEQUENCE announcement_new_seq_seq RENAME TO announcement_seq_seq")
        op.execute("SELECT setval('announcement_seq_seq', coalesce(max(seq), 0) + 1, false) FROM announcement")
    op.create_index("ix_announcement_paper_key", "announcement", ["paper_key"])


def _sources() -> None:
    _free_name("source")
    op.create_table(
        "source_new",
        sa.Column("name", sa.String, nullable=False),
        sa.Column("verdict", sa.String, nullable=False),
        sa.Column("polled_at", _MOMENT, nullable=False),
        sa.Column("last_good_at", _MOMENT),
        sa.Column("fresh_at", _MOMENT),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("listed", "new", "merged", "seen")),
        sa.Column("took_s", sa.Float, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_source"),
    )
    op.execute(
        "INSERT INTO source_new SELECT name, verdict, polled_at, last_good_at,"
        " (SELECT max(stored_at) FROM announcement WHERE announcement.source = source.name),"
        " entries, new, 0, entries - new, 0, problem FROM source"
    )
    op.drop_table("source")
    op.rename_table("source_new", "source")


def _free_name(table: str) -> None:
    """Let another table have the name of this one's key; in PostgreSQL the whole schema shares them."""
    if _is_postgres():
        op.drop_constraint(f"pk_{table}", table)


def _is_postgres() -> bool:
    return op.get_context().dialect.name == "postgresql"
