import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lxml import html as lxml_html

from digest.errors import ConfigError, PermanentDeliverError
from digest.model import (
    Edition,
    Evidence,
    Field,
    FollowUp,
    FollowUpKind,
    Gap,
    Growth,
    Label,
    LabelKind,
    Link,
    LinkKind,
    Message,
    NearMiss,
    PaperKey,
    Rise,
    Score,
    Signals,
    TopicMatch,
    Verdict,
    Wording,
)
from digest.paths import shipped
from digest.render.compile import Template, load_template
from digest.render.compose import HTML_BYTES, compose_message
from digest.render.plan import Answers
from digest.tokens import Keyring
from tests.builders import NOW, a_match, a_paper, a_subscriber, an_edition
from tests.render.conftest import SENDER, bodies, read_back
from tests.render.samples import a_full_edition

Compose = Callable[[Edition], Message]
KEYRING = Keyring(b"a secret for tests only")
GOLDEN = Path(__file__).parent / "golden"

HEADERS = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "List-Id",
    "List-Help",
    "List-Unsubscribe",
    "List-Post",
    "Feedback-ID",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "MIME-Version",
    "Content-Type",
]
"""Of every message, in this order, each once."""

HOSTILE = [
    pytest.param("<script>alert(1)</script>", id="script"),
    pytest.param("{{ 7*7 }}{% for x in y %}", id="Jinja"),
    pytest.param("%s %(x)s {0} {x}", id="format strings"),
    pytest.param("</td></table></div></body>", id="closing tags"),
    pytest.param('" onmouseover="alert(1)', id="attribute"),
    pytest.param("=?UTF-8?Q?x=0D=0ABcc:_evil@x?=", id="encoded word"),
    pytest.param("a\r\nBcc: evil@example.org\r\n\r\nbody", id="line ends"),
    pytest.param("a\x00b\u202ec\ud800d", id="NUL, bidi, surrogate"),
    pytest.param("QZ0000ZQ QZ0001ZQ", id="the compiler's own words"),
    pytest.param("A" * 1_000_000, id="a megabyte"),
    pytest.param("", id="empty"),
    pytest.param("شبكات عصبية مخترعة", id="right to left"),
]


def shape(html: str) -> list[str]:
    """Tags in order, without what a title may bring."""
    return [
        element.tag for element in lxml_html.document_fromstring(html.encode()).iter() if isinstance(element.tag, str)
    ]


def an_edition_titled(text: str) -> Edition:
    paper = a_paper(
        title=text,
        abstract=text,
        authors=(text,),
        categories=(text,),
        venue=text,
        summary=text,
        origins=(("summary", text),),
    )
    subscriber = a_subscriber(name="Ada")
    fields = [field for field in Field if field not in (Field.TITLE, Field.ABSTRACT)]  # what hit there is marked
    topics = (TopicMatch(text, tuple(Evidence(field, text, text) for field in fields)),)
    labels = tuple(Label(kind, text, 3) for kind in LabelKind)
    return an_edition(
        replace(subscriber, name=text or "x", by_topic=True),
        matched=(a_match(paper, topics=topics, score=Score(match=1), labels=labels),),
        rising=(Rise(paper=paper, signal=text, before=1, now=2, since=NOW),),
        near_misses=(NearMiss(paper=paper, topic=text, missing=text),),
        updated=(paper,),
        gaps=(Gap(text, Verdict.FAILED, None),),
        follow_ups=(FollowUp(paper=paper, kinds=tuple(FollowUpKind)),),
        growth={paper.key: Growth(signal=text, counts=(1, 2), since=NOW)},
    )


@pytest.mark.parametrize("part", ["headers.txt", "body.txt", "body.html"])
def test_the_full_edition_is_what_was_reviewed(compose: Compose, part: str) -> None:
    message = compose(a_full_edition())
    made = {
        "headers.txt": message.raw.partition(b"\r\n\r\n")[0].decode().replace("\r\n", "\n") + "\n",
        "body.txt": message.text,
        "body.html": message.html,
    }[part]

    file = GOLDEN / part
    if os.environ.get("DIGEST_UPDATE_GOLDEN"):
        file.write_text(made, encoding="utf-8")

    assert made == file.read_text(encoding="utf-8"), "if this is meant, run: DIGEST_UPDATE_GOLDEN=1 pytest tests/render"


def test_headers_say_what_mail_programs_need(compose: Compose) -> None:
    message = compose(an_edition())
    headers = read_back(message.raw)

    assert headers.keys() == HEADERS
    assert headers["From"] == SENDER
    assert headers["To"] == "ada@example.org"
    assert headers["Subject"] == message.subject == "1 paper, 20 Nov: Invented Paper 1"
    assert headers["Date"].datetime == NOW
    assert headers["List-Id"] == "Paperround <paperround.example.org>"
    assert b"\r\nList-Unsubscribe: <mailto:digest@example.org?subject=unsubscribe>\r\n" in message.raw
    assert (message.sender, message.recipient) == ("digest@example.org", "ada@example.org")
    assert bodies(message.raw)[0].rstrip() == message.text.rstrip()
    assert bodies(message.raw)[1].rstrip() == message.html.rstrip()


def test_a_resend_is_the_same_message_and_tells_no_address(daily: Template, compose: Compose) -> None:
    edition = an_edition()
    later = compose_message(edition, daily, sender=SENDER, now=NOW + timedelta(hours=1))

    first = compose(edition)

    assert first.message_id == later.message_id
    assert re.fullmatch(r"<2026-11-20\.[0-9a-f]{16}@example\.org>", first.message_id)
    assert first.raw == compose(edition).raw
    assert compose(replace(edition, date=date(2026, 11, 21))).message_id != first.message_id
    assert compose(replace(edition, subscriber=a_subscriber("Ben"))).message_id != first.message_id


def test_long_unsubscribe_addresses_are_never_broken_or_encoded(daily: Template) -> None:
    sender = f"Paperround <{'digest-' * 6}@{'lists.' * 30}example.org>"
    page = f"https://example.org/{'a' * 700}?r={{reader}}"
    answers = Answers(unsubscribe_url=page, keyring=KEYRING)
    token = KEYRING.token(a_subscriber(), "unsubscribe")

    raw = compose_message(an_edition(), daily, sender=sender, now=NOW, answers=answers).raw

    found = re.search(rb"\r\nList-Unsubscribe: (<[^<>\s]+>),\r\n (<[^<>\s]+>)\r\n[!-~]", raw)
    assert found
    assert found[1].decode() == f"<{page.replace('{reader}', token)}>"
    assert found[2].startswith(b"<mailto:digest-digest-")
    assert found[2].endswith(f"example.org?subject=unsubscribe%20{token}>".encode())


def test_one_click_is_offered_for_https_and_with_a_token_only(daily: Template) -> None:
    def head(url: str, keyring: Keyring | None = KEYRING) -> bytes:
        answers = Answers(unsubscribe_url=url, keyring=keyring)
        return compose_message(an_edition(), daily, sender=SENDER, now=NOW, answers=answers).raw

    one_click = b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    assert one_click in head("https://f.example.org/{reader}")
    assert one_click not in head("http://localhost:8080/{reader}")
    assert one_click not in head("https://f.example.org/{reader}", None)
    assert one_click not in head("")


def test_tokens_stand_for_the_reader_and_nothing_else_does(daily: Template) -> None:
    reader = a_subscriber("Someone Rare")
    answers = Answers("in@example.net", keyring=KEYRING, bounces="bounces@example.net")

    message = compose_message(an_edition(reader), daily, sender=SENDER, now=NOW, answers=answers)

    links = re.findall(r"mailto:[^\s\"<>]+", message.html + message.text + message.raw.decode())
    assert links
    for link in links:
        assert "someone" not in link.lower()
        assert "@example.org" not in link
    tokens = {purpose: KEYRING.token(reader, purpose) for purpose in ("unsubscribe", "pause", "feedback", "bounce")}
    assert f"mailto:in@example.net?subject=unsubscribe%20{tokens['unsubscribe']}" in message.text
    assert f"mailto:in@example.net?subject=pause%202%20weeks%20{tokens['pause']}" in message.text
    assert f"mailto:in@example.net?subject=more%20{tokens['feedback']}%20arxiv%3A2611.00001" in message.text
    assert message.sender == f"bounces+{tokens['bounce']}@example.net"
    assert tokens["bounce"].encode() not in message.raw
    assert read_back(message.raw)["Feedback-ID"] == "2026-11-20:daily:paperround"


def test_where_bounces_go_must_leave_room_for_a_token(daily: Template) -> None:
    def compose(local: str) -> str:
        answers = Answers(keyring=KEYRING, bounces=f"{local}@example.org")
        return compose_message(an_edition(), daily, sender=SENDER, now=NOW, answers=answers).sender

    assert len(compose("b" * 41).partition("@")[0]) == 64
    with pytest.raises(ConfigError, match="42 characters before the @"):
        compose("b" * 42)


def test_without_a_secret_bounces_go_where_they_are_told_to(daily: Template) -> None:
    answers = Answers(bounces="bounces@example.org")

    assert compose_message(an_edition(), daily, sender=SENDER, now=NOW, answers=answers).sender == "bounces@example.org"


def test_the_footer_says_for_whom_and_how_to_stop(compose: Compose) -> None:
    message = compose(a_full_edition())

    for body in (message.text, message.html):
        assert "Paperround for Ada Example: weekdays at 07:30 (Europe/Berlin)" in body
        words = " ".join(body.split())
        assert "arxiv:cs.CL: no new batch where one was due, last new on Thu 19 Nov" in words
        assert "mailto:digest@example.org?subject=unsubscribe" in body
        assert "ada-example@example.org" not in body


@pytest.mark.parametrize(
    ("email", "sender", "error"),
    [
        pytest.param("ädä@example.org", SENDER, PermanentDeliverError, id="this reader cannot be mailed"),
        pytest.param("ada@example.org", "Paperround <dïgest@example.org>", ConfigError, id="nobody can be mailed"),
        pytest.param("ada@example.org", "Paperround", ConfigError, id="no sender"),
    ],
)
def test_unusable_addresses_are_refused_and_not_shown(
    daily: Template, email: str, sender: str, error: type[Exception]
) -> None:
    edition = an_edition(a_subscriber(email=email))

    with pytest.raises(error) as caught:
        compose_message(edition, daily, sender=sender, now=NOW)

    assert email not in str(caught.value)


def test_date_is_in_the_readers_zone(daily: Template) -> None:
    edition = an_edition(a_subscriber(zone=ZoneInfo("Pacific/Auckland")))

    raw = compose_message(edition, daily, sender=SENDER, now=datetime(2026, 11, 20, 20, 0, tzinfo=UTC)).raw

    assert b"Date: Sat, 21 Nov 2026 09:00:00 +1300\r\n" in raw


@pytest.mark.parametrize("text", HOSTILE)
def test_untrusted_text_is_only_text(compose: Compose, text: str) -> None:
    harmless = compose(an_edition_titled("harmless"))

    message = compose(an_edition_titled(text))

    assert read_back(message.raw).keys() == HEADERS
    if text:
        assert shape(message.html) == shape(harmless.html)
    assert "49" not in message.subject
    assert len(message.subject) <= 200
    root = lxml_html.document_fromstring(message.html.encode())
    assert not root.xpath("//script | //@onmouseover")
    assert not re.search("[\u202a-\u202e\x00\ud800-\udfff]", message.html + message.text)


@given(st.text(max_size=400) | st.text("<>&\"'{}%=?\r\n\x00\u202e\u2028 aé界", max_size=60))
@example("]]>")
@example("&lt;b&gt;")
@settings(max_examples=60, deadline=None)
def test_any_title_leaves_headers_and_layout_whole(compose: Compose, text: str) -> None:
    message = compose(an_edition(matched=(a_match(a_paper(title=text)),)))

    assert read_back(message.raw).keys() == HEADERS
    root = lxml_html.document_fromstring(message.html.encode())
    shown = " ".join("".join(root.xpath("//h3")[0].itertext()).split())
    assert shown == " ".join(f"1. {' '.join(text_shown(text).split())}".split())


def text_shown(text: str) -> str:
    from digest.render.words import plain

    return plain(text) or "—"


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("javascript:alert(1)", id="javascript"),
        pytest.param("JaVaScRiPt:alert(1)", id="mixed case"),
        pytest.param("java\nscript:alert(1)", id="with a line end"),
        pytest.param("data:text/html,<script>", id="data"),
        pytest.param("//evil.example", id="no scheme"),
        pytest.param("https:evil.example", id="no host"),
        pytest.param("https://user:pw@evil.example/", id="credentials"),
        pytest.param("https://good.example\\@evil.example/", id="backslash"),
        pytest.param("https://[::1", id="broken host"),
        pytest.param("https://example.org:port/", id="broken port"),
        pytest.param("https://example.org/" + "a" * 10_000, id="ten kilobytes"),
        pytest.param("https://\u202eevil.example\ud800/", id="surrogate"),
    ],
)
def test_other_addresses_never_become_links(compose: Compose, url: str) -> None:
    paper = a_paper(key=PaperKey("doi:10.1000/x"), links=(Link(LinkKind.ABSTRACT, url), Link(LinkKind.CODE, url)))
    other = replace(paper, title="Other")

    message = compose(an_edition(matched=(a_match(paper),), rest=(other,), updated=(other,)))

    hrefs = lxml_html.document_fromstring(message.html.encode()).xpath("//@href")
    assert hrefs == ["mailto:digest@example.org?subject=unsubscribe"]
    assert "evil" not in message.text


def test_text_and_html_name_the_same_papers_in_the_same_order(compose: Compose) -> None:
    edition = a_full_edition()
    message = compose(edition)

    root = lxml_html.document_fromstring(message.html.encode())
    in_html = ["".join(heading.itertext()).strip() for heading in root.xpath("//h3 | //li")]
    text = " ".join(message.text.split())
    places = [text.index(" ".join(title.split())) for title in in_html]

    near = [near.paper for near in edition.near_misses]
    notes = ["Vision-language pre-training, without “benchmark*”"]
    notes += ["Speech and low-resource languages, without “low resource”"]
    assert [title.split(". ", 1)[-1] for title in in_html] == [
        *(paper.title for paper in edition.shown),
        "Maps for Machines That Are Lost — code appeared, accepted at ICLR 2027",
        "A Proof That Was Not One — withdrawn",
        *(paper.title for paper in edition.rest),
        *(f"{paper.title} — {note}" for paper, note in zip(near, notes, strict=True)),
        *(paper.title for paper in edition.updated),
    ]
    assert places == sorted(places)
    for paper in (*edition.papers, *near, *edition.updated):
        assert paper.url
        assert paper.url in message.text
        assert paper.url in message.html


def test_the_page_has_the_outline_that_screen_readers_walk(compose: Compose) -> None:
    root = lxml_html.document_fromstring(compose(a_full_edition()).html.encode())

    assert (root.get("lang"), root.get("dir")) == ("en", "ltr")
    assert [element.tag for element in root.xpath("//h1 | //h2 | //h3")] == [
        "h1", "h2", "h3", "h3", "h3", "h3", "h2", "h3", "h3", "h2", "h3", "h2", "h2", "h2", "h2",
    ]  # fmt: skip
    assert all(table.get("role") == "presentation" for table in root.xpath("//table"))
    assert all("".join(link.itertext()).strip() for link in root.xpath("//a"))
    assert root.xpath("//title/text()") == ["Paperround, Friday, 20 November 2026"]
    assert not root.xpath("//img | //@src | //link")
    assert {meta.get("name") for meta in root.xpath("//meta")} >= {
        "color-scheme",
        "supported-color-schemes",
        "viewport",
    }


def test_why_a_paper_came_is_said(compose: Compose) -> None:
    message = compose(a_full_edition())

    root = lxml_html.document_fromstring(message.html.encode())
    assert [mark.text for mark in root.xpath("//mark")][:3] == ["CLIP", "CLIP", "benchmark"]
    assert "Kwame Invented" in root.xpath("//p/strong/text()")
    why = "".join(root.xpath("//p[@class='w']")[0].itertext())
    assert "Vision-language pre-training — “CLIP” in the title, “CLIP” and “benchmark” in the abstract" in why
    assert "Speech and low-resource languages — by Kwame Invented" in why
    assert why.replace("\u00a0", " ").endswith("Score 9.4 = words 4 + author 5 + trend 0.8 + recent 0.6 − less 1")


def test_score_and_labels_are_said_in_both_parts(compose: Compose) -> None:
    message = compose(a_full_edition())

    for body in (words(message.text), words(message.html)):
        body = body.replace("\u00a0", " ")
        for said in (
            "first paper here by Kwame Invented · third on Vision-language pre-training this month",
            "9.4 = words 4 + author 5 + trend 0.8 + recent 0.6 − less 1",
            "from Thursday’s list",
            "7.4 = words 3 + relevance 2.5 + trend 1.4 + recent 0.5",
            "“基准” in the title, listed by arxiv:cs.CL",
            "near to “attention in less than quadratic time” (0.83)",
            "from the list of 9 Nov",
        ):
            assert said in body


def test_what_is_not_known_of_a_match_leaves_no_trace(compose: Compose) -> None:
    message = compose(an_edition())

    assert "core" not in words(message.text) + words(message.html)
    assert '<span class="l"' not in message.html


def test_papers_that_took_off_come_after_the_trending_ones_with_their_growth(compose: Compose) -> None:
    message = compose(a_full_edition())

    for body in (words(message.text), words(message.html)):
        assert re.search(
            "The Robot That .*Still rising [- ]*7. Reviewer Two, .* 12 → 87 upvotes since Mon 16 Nov ", body
        )
    assert "4 on your topics · 2 trending · 1 still rising · 4 more by title" in words(
        message.html.replace("\u00a0", " ")
    )


def test_matches_stand_under_their_topics_if_the_reader_wants(compose: Compose) -> None:
    edition = a_full_edition()
    first, second, third, fourth = edition.matched
    by_author = replace(fourth, topics=fourth.topics[::-1])
    by_topic = replace(
        edition, subscriber=replace(edition.subscriber, by_topic=True), matched=(first, second, third, by_author)
    )

    message = compose(by_topic)

    root = lxml_html.document_fromstring(message.html.encode())
    outline = ["".join(heading.itertext()).strip() for heading in root.xpath("//h2 | //h3")]
    assert outline[0] == "3 papers on Vision-language pre-training"
    assert [heading.partition(". ")[0] for heading in outline[1:4]] == ["1", "2", "3"]
    assert outline[4:6] == ["1 paper on Speech and low-resource languages", "4. Benchmarks as Weather Reports"]
    assert outline[6] == "Trending, besides your topics"
    assert outline[7].startswith("5. ")
    text = words(message.text).partition("4 more by title")[2]  # behind the contents
    places = [text.index(" ".join(heading.split())) for heading in outline]
    assert places == sorted(places)
    assert "4 on your topics · 2 trending" in words(message.html).replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        pytest.param(0, "", id="nobody"),
        pytest.param(2, "Author 0 and Author 1", id="two"),
        pytest.param(5, "Author 0, Author 1, Author 2, Author 3 and Author 4", id="all of a few"),
        pytest.param(14, "Author 0, Author 1, Author 2 and 11 more (14 authors)", id="many"),
        pytest.param(3309, "Author 0, Author 1, Author 2 and 3,306 more (3,309 authors)", id="a collaboration"),
    ],
)
def test_authors_are_named_first_and_counted(compose: Compose, count: int, shown: str) -> None:
    paper = a_paper(authors=tuple(f"Author {number}" for number in range(count)))

    message = compose(an_edition(matched=(a_match(paper),)))

    assert shown in " ".join(message.text.split())
    assert shown in message.html.replace("\u00a0", " ")


def words(body: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


def test_what_is_known_besides_is_said_in_both_parts(compose: Compose) -> None:
    message = compose(a_full_edition())

    for body in (words(message.text), words(message.html)):
        body = body.replace("\u00a0", " ")
        assert "cs.CV, cs.CL, cs.LG · NeurIPS 2026 · 20 Nov 2026 · 128 upvotes ▁▂▅█ +116 since Tue 17 Nov" in body
        assert "· 14 comments · 2,310 stars · 87 points on" in body
        assert "on Hacker News · 3 citations" in body
        assert "https://news.ycombinator.com/item?id=1" in message.text
        assert "Updated since you got them" in body
    links = re.findall(r"^     (\w[\w ]*): http", message.text, re.MULTILINE)
    named = ["arXiv", "PDF", "HTML", "Code", "Project", "Dataset", "Model", "Discussion", "Hacker News", "BibTeX"]
    assert links[:10] == named


def test_what_a_machine_wrote_is_labelled_and_in_its_language(compose: Compose) -> None:
    message = compose(a_full_edition())

    text = words(message.text)
    assert "undoes most of the harm of fog. (summary by Hugging Face)" in text
    assert "in kleinen Sprachen (translated by invented-7b)" in text
    assert "nicht besser als der Zufall sind. (summary by invented-7b)" in text
    root = lxml_html.document_fromstring(message.html.encode())
    german = ["".join(element.itertext()) for element in root.xpath("//p[@lang='gsw']")]
    assert [passage.rpartition("Zufall")[0] != "" for passage in german] == [False, True, False]
    assert german[1].endswith("Summary by invented-7b")
    assert len(root.xpath("//p[contains(., 'Summary by Hugging Face') and @lang='en']")) == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_machine_wrote_is_only_text(daily: Template, text: str) -> None:
    def composed(wording: Wording) -> str:
        edition = an_edition(a_subscriber(language="de"))
        wordings = {edition.papers[0].key: wording}
        return compose_message(replace(edition, wordings=wordings), daily, sender=SENDER, now=NOW).html

    html = composed(Wording(title=text, summary=text, by=text))

    if text:
        assert shape(html) == shape(composed(Wording(title="t", summary="s", by="b")))
    root = lxml_html.document_fromstring(html.encode())
    assert not root.xpath("//script | //@onmouseover")
    assert not re.search("[\u202a-\u202e\x00\ud800-\udfff]", html)


def test_a_translation_that_says_the_same_is_not_shown(daily: Template) -> None:
    edition = an_edition(a_subscriber(language="en"))
    wordings = {edition.papers[0].key: Wording(title="INVENTED paper 1", summary="", by="m")}

    assert "translated" not in compose_message(replace(edition, wordings=wordings), daily, sender=SENDER, now=NOW).text


def test_many_gaps_near_misses_and_updates_are_cut_in_the_html(compose: Compose) -> None:
    updated = tuple(a_paper(number, title=f"Updated Paper {number}") for number in range(500))
    near = tuple(NearMiss(paper=a_paper(n, title=f"Near Paper {n}"), topic="T", missing=f"w{n}") for n in range(500))
    gaps = tuple(Gap(f"source {number}: " + "x" * 500, Verdict.FAILED, None) for number in range(14))

    message = compose(an_edition(gaps=gaps, near_misses=near, updated=updated))

    assert message.html_bytes <= HTML_BYTES
    assert "4 more" in words(message.html)
    assert message.html.count("all named in the plain-text part") == 2
    assert all(f"Updated Paper {number}\n" in message.text for number in range(500))
    assert all(f"Near Paper {number} — T, without “w{number}”\n" in message.text for number in range(500))
    assert message.subject.startswith("1 paper, ")


def test_bare_papers_are_fine(compose: Compose) -> None:
    bare = a_paper(title="Bare", abstract="", authors=(), categories=(), links=(), signals=Signals())

    message = compose(an_edition(matched=(), trending=(bare,)))

    assert "<h2" in message.html
    assert ">Trending</h2>" in message.html
    assert message.subject == "1 paper, 20 Nov: Bare"


@pytest.mark.parametrize("rest", [0, 3])
def test_editions_without_full_papers_can_be_previewed(compose: Compose, rest: int) -> None:
    edition = an_edition(matched=(), rest=tuple(a_paper(number) for number in range(rest)))

    message = compose(edition)

    assert message.subject.startswith("3 papers, 20 Nov: " if rest else "Nothing new, 20 Nov")


def test_subject_is_short_and_ends_between_words(compose: Compose) -> None:
    message = compose(an_edition(matched=(a_match(a_paper(title="Wonderfully invented title " * 9)),)))

    assert len(message.subject) <= 78
    assert message.subject.endswith(("title…", "invented…", "Wonderfully…"))


def test_text_lines_are_short_but_addresses_whole(compose: Compose) -> None:
    url = "https://example.org/" + "long/" * 30
    paper = a_paper(abstract="word " * 200, links=(Link(LinkKind.ABSTRACT, url),))

    text = compose(an_edition(matched=(a_match(paper),))).text

    assert url in text
    assert all(len(line) <= 72 for line in text.splitlines() if "://" not in line and "mailto:" not in line)


LINKS = (LinkKind.ABSTRACT, LinkKind.PDF, LinkKind.CODE, LinkKind.PROJECT, LinkKind.DISCUSSION)
"""As many as a paper has that is much talked of."""


def a_big_edition(count: int, rest: int = 0) -> Edition:
    sentence = "We invent a benchmark of a hundred and one tasks and find that nothing works on it. "
    papers = [
        a_paper(
            number,
            title=f"Invented Paper {number}: A Title of About the Usual Length for a Paper of This Kind",
            abstract=sentence * 19,
            authors=tuple(f"Author Number {author}" for author in range(12)),
            signals=Signals(upvotes=12, comments=3, stars=100, points=50, citations=2),
            venue="Proceedings of the Invented Conference on Invented Things 2026",
            summary="One sentence of about the length that a machine writes if asked to be short. " * 2,
            origins=(("summary", "huggingface:daily"),),
            links=tuple(Link(kind, f"https://example.org/papers/2611.{number:05d}/{kind}") for kind in LINKS),
        )
        for number in range(count + rest)
    ]
    topics = (TopicMatch("Everything", (Evidence(Field.ABSTRACT, "benchmark", "benchmark"),)),)
    score = Score(match=6, follow=5, relevance=1.2, trend=0.8, recency=0.6, less=-3)
    labels = (Label(LabelKind.NTH_ON, "Everything", 12),)
    matches = [a_match(paper, topics=topics, score=score, labels=labels) for paper in papers[:count]]
    return an_edition(matched=tuple(matches), rest=tuple(papers[count:]))


def an_edition_with_all(count: int) -> Edition:
    """So many papers in every part, and the matched ones by topic, each on another than the one before."""
    edition = a_big_edition(5 * count)
    papers = edition.shown
    matched = tuple(
        replace(match, topics=tuple(replace(topic, topic=f"Topic {number % 2}") for topic in match.topics))
        for number, match in enumerate(edition.matched[:count])
    )
    return replace(
        edition,
        subscriber=a_subscriber(by_topic=True),
        matched=matched,
        trending=papers[count : 2 * count],
        rising=tuple(
            Rise(paper=paper, signal="upvotes", before=1, now=12, since=NOW) for paper in papers[2 * count : 3 * count]
        ),
        rest=papers[3 * count : 4 * count],
        near_misses=tuple(NearMiss(paper=paper, topic="Topic 0", missing="word") for paper in papers[4 * count :]),
        updated=papers[4 * count :],
    )


def test_twenty_papers_stay_far_from_gmails_limit(compose: Compose) -> None:
    html = compose(a_big_edition(20)).html

    assert len(html.encode()) < 85_000
    assert "We invent a benchmark" in re.sub("<[^>]*>", "", html)


@pytest.mark.parametrize(("count", "rest"), [(20, 480), (35, 100), (45, 0), (500, 0)])
def test_a_huge_edition_is_cut_until_it_fits(compose: Compose, count: int, rest: int) -> None:
    message = compose(a_big_edition(count, rest))

    assert message.html_bytes <= HTML_BYTES
    in_full, by_title = message.html.count("<h3"), message.html.count("<li dir")
    left = re.search(r"and ([\d,]+) more, all named in the plain-text part", message.html)
    assert in_full >= min(count, 20)
    assert in_full + by_title + int(left[1].replace(",", "") if left else 0) == count + rest
    assert all(f"Invented Paper {number}:" in message.text for number in range(count + rest))


@pytest.mark.parametrize(
    ("sender", "written"),
    [
        pytest.param("Papers, daily <d@example.org>", '"Papers, daily" <d@example.org>', id="comma"),
        pytest.param("Lab: papers [new] <d@example.org>", '"Lab: papers [new]" <d@example.org>', id="colon, brackets"),
        pytest.param("d@example.org", "d@example.org", id="bare"),
    ],
)
def test_every_sender_that_the_settings_take_can_be_written(sender: str, written: str) -> None:
    template = load_template("daily", [shipped("templates")])

    raw = compose_message(an_edition(), template, sender=sender, now=NOW).raw

    assert f"From: {written}\r\n".encode() in raw


@pytest.mark.parametrize(("trending", "limit"), [(30, 20), (50, 20), (50, 100)])
def test_many_trending_papers_are_cut_as_well(compose: Compose, trending: int, limit: int) -> None:
    edition = a_big_edition(limit + trending)
    papers = [match.paper for match in edition.matched]
    edition = replace(edition, matched=edition.matched[:limit], trending=tuple(papers[limit:]))

    message = compose(edition)

    assert message.html_bytes <= HTML_BYTES
    assert all(f"Invented Paper {number}:" in message.text for number in range(limit + trending))


@pytest.mark.parametrize("count", [5, 20, 500])
def test_an_edition_with_everything_is_cut_part_by_part(compose: Compose, count: int) -> None:
    edition = an_edition_with_all(count)

    message = compose(edition)

    assert message.html_bytes <= HTML_BYTES
    root = lxml_html.document_fromstring(message.html.encode())
    in_full = ["".join(heading.itertext()).strip() for heading in root.xpath("//h3")]
    assert len(in_full) >= min(3 * count, 20)
    assert [title.partition(".")[0] for title in in_full] == [str(number) for number in range(1, len(in_full) + 1)]
    text = words(message.text)
    assert all(text.count(f"Invented Paper {number}:") == 1 for number in range(4 * count))
    assert all(text.count(f"Invented Paper {number}:") == 2 for number in range(4 * count, 5 * count))
    assert f"{4 * count:,} papers for Ada" in text


@pytest.mark.parametrize(
    ("text", "query"),
    [
        pytest.param("\"' " * 100, "", id="five bytes a character"),
        pytest.param("😀 " * 100, "", id="four bytes a character"),
        pytest.param("a " * 150, "", id="every word is marked"),
        pytest.param("Title", "a&" * 980, id="addresses of two thousand characters"),
    ],
)
def test_no_text_makes_the_mail_too_long(compose: Compose, text: str, query: str) -> None:
    edition = an_edition_with_all(60)
    paper = replace(
        edition.matched[0].paper,
        title=text,
        abstract=text * 10,
        authors=(text,) * 12,
        venue=text,
        summary=text,
        links=tuple(Link(kind, f"https://example.org/{kind}?{query}") for kind in LinkKind),
    )
    topics = tuple(TopicMatch(f"{number} {text}", (Evidence(Field.TITLE, text, "a"),)) for number in range(30))
    labels = (Label(LabelKind.FIRST_BY, text),) * 9

    message = compose(
        replace(
            edition,
            matched=tuple(replace(match, paper=paper, topics=topics, labels=labels) for match in edition.matched),
            trending=(paper,) * 60,
            rising=tuple(replace(rise, paper=paper) for rise in edition.rising),
            near_misses=(NearMiss(paper=paper, topic=text, missing=text),) * 60,
            gaps=(Gap(text, Verdict.FAILED, None),) * 60,
        )
    )

    assert message.html_bytes <= HTML_BYTES
    assert "Unsubscribe" in message.html


def test_a_line_with_nothing_but_votes_begins_with_them() -> None:
    bare = a_paper(title="Bare", abstract="", authors=(), categories=(), signals=Signals(upvotes=12))
    template = load_template("compact", [shipped("templates")])

    html = compose_message(an_edition(matched=(a_match(bare),)), template, sender=SENDER, now=NOW).html

    assert re.search('<p class="c"[^>]*>12\u00a0upvotes</p>', html)
