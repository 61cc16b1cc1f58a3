from datetime import timedelta

import pytest
from sqlalchemy import Engine

from digest.model import Feedback, SubscriberId
from digest.store.database import open_database
from digest.store.feedback import Feedbacks
from tests.builders import NOW, a_paper

ADA, BEN = SubscriberId("ada"), SubscriberId("ben")


@pytest.fixture
def feedbacks(engine: Engine) -> Feedbacks:
    return Feedbacks(engine)


def said(number: int, minutes: int = 0, *, more: bool = True) -> Feedback:
    return Feedback(a_paper(number).key, more=more, at=NOW + timedelta(minutes=minutes))


def test_comes_back_oldest_first_to_whom_it_is_of(feedbacks: Feedbacks) -> None:
    feedbacks.give(ADA, said(1, 9, more=False))
    feedbacks.give(ADA, said(2, 5))
    feedbacks.give(BEN, said(1))

    assert feedbacks.of(ADA) == [said(2, 5), said(1, 9, more=False)]
    assert feedbacks.of(BEN) == [said(1)]
    assert feedbacks.of(SubscriberId("cleo")) == []


def test_the_last_word_counts(feedbacks: Feedbacks) -> None:
    feedbacks.give(ADA, said(1))
    feedbacks.give(ADA, said(1, 3, more=False))

    assert feedbacks.of(ADA) == [said(1, 3, more=False)]


def test_is_taken_back_by_whom_it_is_of(feedbacks: Feedbacks) -> None:
    feedbacks.give(ADA, said(1))
    feedbacks.give(ADA, said(2))
    feedbacks.give(BEN, said(1))

    assert feedbacks.take_back(ADA, a_paper(1).key)
    assert not feedbacks.take_back(ADA, a_paper(1).key)

    assert feedbacks.of(ADA) == [said(2)]
    assert feedbacks.of(BEN) == [said(1)]


def test_outlives_the_process_and_needs_no_stored_paper(feedbacks: Feedbacks, url: str) -> None:
    feedbacks.give(ADA, said(1))
    again = open_database(url)

    assert Feedbacks(again).of(ADA) == [said(1)]
    again.dispose()
