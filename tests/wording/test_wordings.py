from datetime import timedelta

from digest.model import PaperKey, Wording
from digest.store.wordings import Wordings
from tests.builders import NOW

ONE, TWO = PaperKey("arxiv:2611.00001"), PaperKey("arxiv:2611.00002")


def test_texts_are_given_back_by_language(store: Wordings) -> None:
    store.keep(ONE, "de", "title", by="m", text="Titel", at=NOW)
    store.keep(ONE, "de", "summary", by="m", text="Satz.", at=NOW)
    store.keep(TWO, "", "summary", by="m", text="Sentence.", at=NOW)

    assert store.wordings([ONE, TWO], "de") == {ONE: Wording(title="Titel", summary="Satz.", by="m")}
    assert store.wordings([ONE, TWO], "") == {TWO: Wording(title="", summary="Sentence.", by="m")}
    assert store.wordings([], "de") == {}


def test_of_two_models_the_one_that_wrote_last_is_read(store: Wordings) -> None:
    store.keep(ONE, "de", "title", by="new", text="Neu", at=NOW)
    store.keep(ONE, "de", "summary", by="old", text="Alt.", at=NOW - timedelta(days=1))

    assert store.wordings([ONE], "de") == {ONE: Wording(title="Neu", summary="", by="new")}


def test_a_refused_text_is_remembered_but_not_shown(store: Wordings) -> None:
    store.keep(ONE, "de", "title", by="m", text="", at=NOW)

    assert store.wordings([ONE], "de") == {}
    assert store.written([ONE], "de", "m") == {(ONE, "title")}
    assert store.written([ONE], "de", "other") == store.written([ONE], "fr", "m") == frozenset()


def test_a_text_takes_the_place_of_the_same_one(store: Wordings) -> None:
    for text in ("Eins", "Zwei"):
        store.keep(ONE, "de", "title", by="m", text=text, at=NOW)

    assert store.wordings([ONE], "de")[ONE].title == "Zwei"


def test_many_papers_are_asked_for_at_once(store: Wordings) -> None:
    store.keep(ONE, "de", "title", by="m", text="Titel", at=NOW)
    keys = [PaperKey(f"guid:x:{number}") for number in range(2_000)]

    assert list(store.wordings([*keys, ONE], "de")) == [ONE]
    assert store.written([*keys, ONE], "de", "m") == {(ONE, "title")}
