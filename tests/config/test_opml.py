from collections.abc import Callable
from pathlib import Path

import pytest

from digest.config.models import FeedEntry, HuggingFaceEntry
from digest.config.subscribers import Roster, load_subscribers

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<opml version="2.0"><head><title>Mine</title></head><body>\n'
TAIL = "\n</body></opml>\n"
SOURCES = """\
sources:
  - huggingface: daily
  - {feed: 'https://a.example/rss', name: Journal A}
  - {opml: lists/feeds.opml}
subscribers:
  - {name: Ada, email: ada@example.org, trending: 5}
"""

Load = Callable[..., Roster]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def write_and_load(data: str | bytes, sources: str = SOURCES) -> Roster:
        (tmp_path / "lists").mkdir()
        (tmp_path / "lists" / "feeds.opml").write_bytes(data.encode() if isinstance(data, str) else data)
        (tmp_path / "subscribers.yaml").write_text(sources)
        return load_subscribers(tmp_path / "subscribers.yaml", {})

    return write_and_load


def feeds(roster: Roster) -> list[tuple[str | None, str]]:
    """Name and address of what the list gave."""
    first, second, *listed = roster.sources
    assert isinstance(first, HuggingFaceEntry)
    assert isinstance(second, FeedEntry)
    return [(entry.name, entry.feed) for entry in listed if isinstance(entry, FeedEntry)]


def told(roster: Roster) -> str:
    (problem,) = roster.problems
    assert "subscribers.yaml:4 (source 3): " in str(problem)
    return str(problem)


def test_every_feed_of_a_list_is_a_source_with_its_title_as_name(load: Load, tmp_path: Path) -> None:
    roster = load(
        HEAD
        + """\
<outline text="Folder"><outline text="Deeper">
  <outline type="rss" text="text" title="Journal &amp; Society
    of B" xmlUrl="https://b.example/rss?a=1&amp;b=2" htmlUrl="https://b.example/"/>
</outline></outline>
<outline text="Jöurnal C" xmlurl="http://c.example/"/>
<outline text="me@d.example" type="atom" xmlURL="https://d.example/atom"/>
<outline text="a bookmark" type="link" url="https://e.example/"/>
"""
        + TAIL
    )

    assert roster.problems == ()
    assert feeds(roster) == [
        ("Journal & Society of B", "https://b.example/rss?a=1&b=2"),
        ("Jöurnal C", "http://c.example/"),
        (None, "https://d.example/atom"),
    ]
    assert roster.files == (tmp_path / "subscribers.yaml", tmp_path / "lists" / "feeds.opml")
    assert not any(entry.allow_private for entry in roster.sources)


def test_a_list_may_lead_into_a_private_network_if_the_operator_says_so(load: Load) -> None:
    roster = load(
        f'{HEAD}<outline text="B" xmlUrl="http://10.0.0.1/rss"/>{TAIL}',
        SOURCES.replace("feeds.opml", "feeds.opml, allow_private: true"),
    )

    assert roster.sources[-1].allow_private


def test_a_title_that_is_taken_leaves_the_feed_its_address_as_name(load: Load) -> None:
    roster = load(
        f'{HEAD}<outline text="JOURNAL A" xmlUrl="https://b.example/"/>'
        f'<outline text="C" xmlUrl="https://c.example/"/><outline text="C" xmlUrl="https://d.example/"/>{TAIL}'
    )

    assert roster.problems == ()
    assert [name for name, _ in feeds(roster)] == [None, "C", None]


def test_a_feed_in_two_folders_is_there_once_and_one_that_is_a_source_already_is_named(load: Load) -> None:
    twice = '<outline text="Twice" xmlUrl="https://b.example/"/>\n'

    roster = load(f'{HEAD}{twice}{twice}<outline text="A again" xmlUrl="https://a.example/rss"/>{TAIL}')

    assert feeds(roster) == [("Twice", "https://b.example/")]
    assert "feeds.opml' line 5: the feed 'A again' is the same source as in line 3" in told(roster)


@pytest.mark.parametrize(
    ("outline", "words"),
    [
        pytest.param('text="Bad" xmlUrl="ftp://b.example/"', "'ftp://b.example/' is not a web address", id="scheme"),
        pytest.param('text="Bad" xmlUrl="https://u:s3cret@b.example/"', "holds a user or password", id="sign-in"),
        pytest.param('text="Bad" type="rss"', "'' is not a web address", id="no address"),
        pytest.param('title="Bad" type="include" url="https://b.example/x.opml"', "not a web", id="another list"),
        pytest.param('text="Bad" xmlUrl="javascript:alert(1)"', "is not a web address", id="script"),
    ],
)
def test_one_bad_outline_is_left_out_by_name(load: Load, outline: str, words: str) -> None:
    roster = load(f'{HEAD}<outline {outline}/>\n<outline text="Good" xmlUrl="https://good.example/"/>{TAIL}')

    assert feeds(roster) == [("Good", "https://good.example/")]
    assert "feeds.opml' line 3: the feed 'Bad' is left out: " in told(roster)
    assert words in told(roster)
    assert "s3cret" not in told(roster)


BOMB = '<!DOCTYPE opml [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>\n<opml>&b;</opml>'


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param("", "is broken in line 1: no element found", id="empty"),
        pytest.param(f'{HEAD}<outline text="A">{TAIL}', "is broken in line 4: mismatched tag", id="not closed"),
        pytest.param(f'{HEAD}<outline text="A & B"/>{TAIL}', "is broken in line 3", id="ampersand"),
        pytest.param(f'{HEAD}<outline text="&nbsp;"/>{TAIL}', "is broken in line 3: undefined entity", id="entity"),
        pytest.param(BOMB, "declares a document type in line 1", id="bomb"),
        pytest.param(BOMB.encode("utf-16"), "declares a document type in line 1", id="bomb in UTF-16"),
        pytest.param("<html><body/></html>", "is not OPML: it begins with '<html>'", id="HTML"),
        pytest.param(HEAD + TAIL, "lists no feed", id="no feed"),
        pytest.param(b"\0\1\2", "is broken in line 1", id="binary"),
        pytest.param('<?xml version="1.0" encoding="utf-7"?><opml/>', "names an encoding", id="UTF-7"),
        pytest.param('<?xml version="1.0" encoding="none"?><opml/>', "names an encoding", id="no encoding"),
        pytest.param(b" " * 2_000_001, "has more than 2,000,000 bytes", id="large"),
        pytest.param(f"{HEAD}{'<outline>' * 100_000}", "is broken in line 3", id="deep"),
    ],
)
def test_a_file_that_is_no_list_of_feeds_is_refused_with_its_line(load: Load, data: str | bytes, words: str) -> None:
    roster = load(data)

    assert feeds(roster) == []
    assert words in told(roster)
    assert "  hint: " in told(roster)


def test_a_file_that_is_not_there_is_named_with_the_path_that_was_looked_at(tmp_path: Path) -> None:
    (tmp_path / "subscribers.yaml").write_text(SOURCES.replace("lists/feeds.opml", "feeds.opml"))

    roster = load_subscribers(tmp_path / "subscribers.yaml", {})

    assert f"there is no file '{tmp_path}/feeds.opml'" in told(roster)
    assert roster.files == (tmp_path / "subscribers.yaml", tmp_path / "feeds.opml")


def test_a_folder_is_no_list(tmp_path: Path) -> None:
    (tmp_path / "subscribers.yaml").write_text(SOURCES.replace("lists/feeds.opml", "."))

    assert "is not a file" in told(load_subscribers(tmp_path / "subscribers.yaml", {}))
