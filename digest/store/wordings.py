"""What language models wrote of papers, kept for ever: no text is paid for twice."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Engine, delete, insert, select

from digest.model import PaperKey, Wording, WordingKind
from digest.store.database import batches, reading, writing
from digest.store.schema import wording as w


class Wordings:
    """A ``WordingStore`` in the database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def wordings(self, keys: Sequence[PaperKey], language: str) -> Mapping[PaperKey, Wording]:
        """What readers of this language may see; of each paper the texts of the model that wrote last."""
        found: dict[PaperKey, Wording] = {}
        with reading(self._engine) as connection:
            for some in batches(keys):
                wanted = select(w).where(w.c.language == language, w.c.paper_key.in_(some), w.c.text != "")
                for row in connection.execute(wanted.order_by(w.c.at.desc(), w.c.by)):
                    known = found.get(row.paper_key) or Wording(title="", summary="", by=row.by)
                    if known.by == row.by:
                        found[row.paper_key] = Wording(
                            title=row.text if row.kind == "title" else known.title,
                            summary=row.text if row.kind == "summary" else known.summary,
                            by=row.by,
                        )
        return found

    def written(self, keys: Sequence[PaperKey], language: str, by: str) -> frozenset[tuple[PaperKey, WordingKind]]:
        """What this model needs not be asked for again, refused answers included."""
        with reading(self._engine) as connection:
            return frozenset(
                (row.paper_key, row.kind)
                for some in batches(keys)
                for row in connection.execute(
                    select(w.c.paper_key, w.c.kind).where(
                        w.c.language == language, w.c.by == by, w.c.paper_key.in_(some)
                    )
                )
            )

    def keep(self, key: PaperKey, language: str, kind: WordingKind, *, by: str, text: str, at: datetime) -> None:
        """Keep one text, in place of an earlier one; an empty one says that the answer was refused."""
        row = {"paper_key": key, "language": language, "kind": kind, "by": by}
        with writing(self._engine) as connection:
            connection.execute(delete(w).where(*(w.c[name] == value for name, value in row.items())))
            connection.execute(insert(w).values(**row, text=text, at=at))
