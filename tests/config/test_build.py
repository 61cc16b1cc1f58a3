"""What is written in the subscribers file becomes sources: every kind, with its key, but none that lacks one."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from digest.app import Config, build_source, build_sources, load_config, skipped_sources, slow_sources
from digest.collect.sources import Arxiv, Biorxiv, Feed, GitHub, HuggingFace, OpenAlex, OpenReview, SemanticScholar
from digest.config.models import ArxivEntry
from digest.config.settings import Keys, Settings
from digest.model import NEWS, Announcement

EVERY_KIND = """\
sources:
  - {arxiv: [cs.CL], announce: [new, replace], listing_url: 'https://l.example/'}
  - {huggingface: weekly, allow_private: true}
  - {biorxiv: all}
  - {medrxiv: [neurology, oncology], name: Clinics}
  - {pubmed: crispr, url: 'https://p.example/'}
  - {crossref: 1476-4687}
  - {openreview: ICLR.cc/2026/Conference}
  - {openalex: {topics: [T1], search: graphs}}
  - {semantic_scholar: enrich}
  - {hackernews: points}
  - {github: stars, name: Stars}
  - {feed: 'https://f.example/', url: 'https://mirror.example/'}
subscribers:
  - {name: Ada, email: ada@example.org, trending: 5}
"""
NAMES = [
    "arxiv:cs.CL",
    "huggingface:weekly",
    "biorxiv:all",
    "Clinics",
    "pubmed:crispr",
    "crossref:1476-4687",
    "openreview:ICLR.cc/2026/Conference",
    "openalex:T1 graphs",
    "semantic_scholar:enrich",
    "hackernews:points",
    "Stars",
    "feed:mirror.example/",
]


def config(tmp_path: Path, *keys: str, text: str = EVERY_KIND) -> Config:
    path = tmp_path / "subscribers.yaml"
    path.write_text(text)
    set_keys = Keys(**{name: SecretStr(f"key of {name}") for name in keys})
    settings = Settings.model_construct(subscribers=path, keys=set_keys, contact="ops@example.org")
    return load_config(settings)


def test_every_kind_becomes_a_source_with_its_keys(tmp_path: Path) -> None:
    sources = build_sources(config(tmp_path, *Keys.model_fields))

    assert [source.name for source in sources] == NAMES
    assert [source.name for source in sources if source.allow_private] == ["huggingface:weekly"]
    arxiv, weekly, every, clinics, _, _, openreview, openalex, scholar, _, github, feed = sources
    assert isinstance(arxiv, Arxiv)
    assert arxiv.announce == {Announcement.NEW, Announcement.REPLACE, Announcement.REPLACE_CROSS}
    assert isinstance(weekly, HuggingFace)
    assert (weekly.list, weekly.token) == ("weekly", "key of huggingface")
    assert isinstance(every, Biorxiv)
    assert isinstance(clinics, Biorxiv)
    assert (every.server, every.categories) == ("biorxiv", ())
    assert (clinics.server, clinics.categories) == ("medrxiv", ("neurology", "oncology"))
    assert isinstance(openalex, OpenAlex)
    assert (openalex.topics, openalex.search, openalex.key) == (("T1",), "graphs", "key of openalex")
    assert isinstance(openreview, OpenReview)
    assert isinstance(scholar, SemanticScholar)
    assert isinstance(github, GitHub)
    tokens = (openreview.token, scholar.key, github.token)
    assert tokens == ("key of openreview", "key of semantic_scholar", "key of github")
    assert isinstance(feed, Feed)
    assert feed.url == "https://mirror.example/"
    assert "key of" not in repr(sources)


def test_arxiv_announces_what_is_new_to_a_category_unless_told_otherwise() -> None:
    source = build_source(ArxivEntry(arxiv=("cs.CL",)), Settings.model_construct())

    assert source.announce == NEWS


def test_a_source_without_its_key_is_left_out_by_name(tmp_path: Path) -> None:
    without = config(tmp_path)

    assert [source.name for source in build_sources(without)] == [name for name in NAMES if "openalex" not in name]
    assert skipped_sources(without) == (
        "openalex:T1 graphs needs a key: set DIGEST_KEYS__OPENALEX; it is skipped until then",
    )
    assert skipped_sources(config(tmp_path, "openalex")) == ()


def test_sources_that_say_little_without_a_key_are_named(tmp_path: Path) -> None:
    lines = slow_sources(config(tmp_path))

    assert [line.split()[0] for line in lines] == [NAMES[6], NAMES[8], NAMES[10]]
    assert all(
        f"DIGEST_KEYS__{name}" in line for line, name in zip(lines, ("OPENREVIEW", "SEMANTIC", "GITHUB"), strict=True)
    )
    assert slow_sources(config(tmp_path, "openreview", "semantic_scholar", "github")) == ()


@pytest.mark.parametrize(
    ("second", "name"),
    [
        pytest.param("{feed: 'https://f.example/', name: 'huggingface:daily'}", "huggingface:daily", id="given"),
        pytest.param(f"{{pubmed: {'long query ' * 30}}}", "pubmed:long query", id="cut"),
    ],
)
def test_two_sources_under_one_name_are_told_apart(tmp_path: Path, second: str, name: str) -> None:
    text = f"sources:\n  - huggingface: daily\n  - {{pubmed: {'long query ' * 20}}}\n  - {second}\nsubscribers:\n"

    two = config(tmp_path, text=f"{text}  - {{name: Ada, email: ada@example.org, trending: 5}}\n")

    assert len(build_sources(two)) == 2
    (problem,) = two.roster.problems
    assert f"two sources are called '{name}" in problem.problem
    assert "'name'" in problem.hint
