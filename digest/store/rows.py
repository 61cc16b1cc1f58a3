"""Papers and signals as rows of the database, and back."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Table, insert, select

from digest.model import SIGNALS, Link, LinkKind, Paper, PaperKey, Signals
from digest.store.database import batches
from digest.store.schema import alias as al
from digest.store.schema import paper as p


def aliases_of(connection: Connection, names: Iterable[str]) -> dict[PaperKey, PaperKey]:
    """The papers that these identities lead to."""
    return {
        PaperKey(name): PaperKey(key)
        for some in batches(names)
        for name, key in connection.execute(select(al.c.id, al.c.paper_key).where(al.c.id.in_(some)))
    }


def papers_with(connection: Connection, keys: Iterable[PaperKey]) -> dict[PaperKey, Paper]:
    """Papers by these keys of theirs."""
    return {
        PaperKey(row.key): paper_of(row)
        for some in batches(keys)
        for row in connection.execute(select(p).where(p.c.key.in_(some)))
    }


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Hashable]]) -> None:
    """Insert many rows, with the same columns each.

    Half the time of handing them to ``Connection.execute``: values are translated by the column.
    """
    if not rows:
        return
    dialect = connection.dialect
    columns = [column for column in table.c if column.name in rows[0]]
    cells = []
    for column in columns:
        values = [row[column.name] for row in rows]
        translate = column.type.dialect_impl(dialect).bind_processor(dialect)
        if translate:
            values = [*map(cache(translate), values)]  # most of them repeat
        cells.append(values)
    insert_lines(connection, table, [column.name for column in columns], [*zip(*cells, strict=True)])


def insert_lines(
    connection: Connection, table: Table, columns: Sequence[str], lines: Sequence[tuple[object, ...]]
) -> None:
    """Insert many rows of values as the driver takes them: times and JSON are already written out."""
    if not lines:
        return
    statement = insert(table).compile(dialect=connection.dialect, column_keys=list(columns))
    if statement.positional:
        connection.exec_driver_sql(str(statement), [*lines])
    else:
        connection.exec_driver_sql(str(statement), [dict(zip(columns, line, strict=True)) for line in lines])


def paper_row(paper: Paper) -> dict[str, Hashable]:
    """Everything but the key."""
    return {
        "title": paper.title,
        "abstract": paper.abstract,
        "authors": paper.authors,
        "categories": paper.categories,
        "links": tuple((link.kind.value, link.url) for link in paper.links),
        "published": paper.published,
        "first_seen": paper.first_seen,
        "sources": paper.sources,
        "ids": paper.ids,
        "venue": paper.venue,
        "summary": paper.summary,
        "origins": paper.origins,
        **signals_row(paper.signals),
    }


def paper_of(row: Row[Any]) -> Paper:
    """The paper that a row holds."""
    return Paper(
        key=PaperKey(row.key),
        title=row.title,
        abstract=row.abstract,
        authors=tuple(row.authors),
        categories=tuple(row.categories),
        links=tuple(Link(LinkKind(kind), url) for kind, url in row.links),
        published=row.published,
        first_seen=row.first_seen,
        signals=signals_of(row),
        sources=tuple(row.sources),
        ids=tuple(row.ids),
        venue=row.venue,
        summary=row.summary,
        origins=tuple((name, source) for name, source in row.origins),
    )


def signals_row(signals: Signals) -> dict[str, int | None]:
    """One column for each signal."""
    return {name: getattr(signals, name) for name in SIGNALS}


def signals_of(row: Row[Any]) -> Signals:
    """The signals that a row holds."""
    return Signals(**{name: getattr(row, name) for name in SIGNALS})
