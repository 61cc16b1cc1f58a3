"""Whatever an edition holds, its mail is well formed, within its size, and says no more than was meant."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from email import policy
from email.parser import BytesParser
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lxml import html as lxml_html

from digest.errors import ConfigError, RenderError
from digest.looks import load_theme
from digest.model import (
    DayCount,
    Edition,
    Evidence,
    Field,
    FollowUp,
    FollowUpKind,
    Gap,
    Label,
    LabelKind,
    Link,
    LinkKind,
    Message,
    NearMiss,
    Paper,
    PaperKey,
    Rise,
    TopicMatch,
    Verdict,
    Week,
    Wording,
)
from digest.paths import shipped
from digest.render.compile import Template, load_template
from digest.render.compose import compose_message
from digest.render.plan import Answers
from digest.tokens import Keyring
from tests.builders import NOW, a_match, a_paper, a_subscriber, an_edition
from tests.render.conftest import SENDER

TEMPLATES = ("daily", "weekly", "compact")
HOSTILE = [
    "<script>alert(1)</script>",
    "</td></tr></table></div></body></html>",
    "<!--[if mso]><img src=x><![endif]-->--><b>",
    '"\' onmouseover="alert(1)" style=\'position:fixed',
    "{{ 7*7 }}{% for x in y %}{# #}",
    "%s %(x)s %(num)s {0} {x}",
    r"$\frac{1}{2}$ \textbf{bold} \\ $$x^2$",
    "a\x00b\x1fc\x7f\x85",
    "\u202eevil\u2066\u200b\ufeff\U000e0041",
    "line\r\nBcc: evil@example.org\r\n\r\nbody\r\n.\r\n",
    "=?utf-8?q?x=0D=0ABcc:_evil@example.org?= =0D=0A",
    "\n.\n..\nFrom me\n--=_\n",
    "\ufdd0reader.name\ufdd1 \ufdd0part.cards\ufdd1 \ufdd0paper.more\ufdd1",
    "QZ0000ZQ QZ0001ZQ QZZ0000ZZQ {{ part.cards }} {{ reader.name }}",
    "\ud800 lone \udfff",
    "شبكات عصبية مخترعة 鵲橋 𝔘𝔫𝔦 🧪\u200d🔬 e\u0301",
    "x" * 1_000_000,
    "wordwithoutanyend" * 40 + " https://example.org/" + "path/" * 200,
]
ANSWERS = Answers(mailbox="answers@example.org", keyring=Keyring(b"a secret for tests only"))


@cache
def template(name: str) -> Template:
    return load_template(name, [shipped("templates")])


def evil_text(number: int, text: str) -> str:
    """Begins with a name that can be found again, and ends with whatever an attacker chose."""
    return f"T{number}: {text}"


def evil_paper(number: int, text: str) -> Paper:
    said = evil_text(number, text)
    return a_paper(
        number,
        title=said,
        abstract=said,
        authors=(said, f"Ada {text}"),
        categories=(said,),
        venue=said,
        summary=said,
        origins=(("summary", said),),
        links=(Link(LinkKind.ABSTRACT, f"https://example.org/{number}"), Link(LinkKind.CODE, f"javascript:{text}")),
    )


def an_evil_edition(counts: Sequence[int], texts: Sequence[str], **changes: Any) -> Edition:
    """So many papers in each list, with these texts in turn."""
    numbers = iter(range(1, 100_000))

    def papers(count: int) -> list[Paper]:
        return [
            evil_paper(number, texts[number % len(texts)]) for _, number in zip(range(count), numbers, strict=False)
        ]

    matched, trending, rising, rest, updated, near, follow_ups, sent = map(papers, counts)
    said = evil_text(0, texts[0])
    evidence = tuple(Evidence(field, said, said) for field in Field if field not in (Field.TITLE, Field.ABSTRACT))
    labels = tuple(Label(kind, said, 3) for kind in LabelKind)
    edition = an_edition(
        replace(a_subscriber(), name=said, archive="https://example.org/archive"),
        matched=tuple(a_match(paper, topics=(TopicMatch(said, evidence),), labels=labels) for paper in matched),
        trending=tuple(trending),
        rising=tuple(Rise(paper=paper, signal="upvotes", before=1, now=9, since=NOW) for paper in rising),
        rest=tuple(rest),
        updated=tuple(updated),
        near_misses=tuple(NearMiss(paper=paper, topic=said, missing=said) for paper in near),
        follow_ups=tuple(FollowUp(paper=paper, kinds=tuple(FollowUpKind)) for paper in follow_ups),
        gaps=(Gap(said, Verdict.FAILED, None),),
        wordings={paper.key: Wording(said, said, said) for paper in matched[:1]},
        week=Week(
            days=tuple(DayCount(date(2026, 11, day), day, day) for day in range(14, 21)),
            discussed=tuple(matched[:5]),
            sent=tuple(sent),
        ),
    )
    return replace(edition, **changes)


def compose(edition: Edition, name: str = "daily") -> Message:
    return compose_message(edition, template(name), sender=SENDER, now=NOW, answers=ANSWERS)


def check(message: Message, edition: Edition) -> None:
    """What holds of every mail."""
    raw = message.raw
    assert message.html_bytes <= 95_000
    assert raw.isascii()
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n|\0", raw)
    head, _, body = raw.partition(b"\r\n\r\n")
    assert max(map(len, head.split(b"\r\n"))) <= 998
    assert all(len(line) <= 78 and not line.startswith((b".", b"From ")) for line in body.split(b"\r\n"))
    assert re.search(rb"\r\nList-Unsubscribe: <[^ <>]+>\r\n[!-~]", head)
    for each in (policy.default, policy.compat32):
        parsed = BytesParser(policy=each).parsebytes(raw)
        assert not parsed.defects
        names = [name.lower() for name in parsed.keys()]  # noqa: SIM118  a message is no dict
        assert sorted(set(names)) == sorted(names)
        assert "bcc" not in names
        assert [part.get_content_type() for part in parsed.walk()] == [
            "multipart/alternative",
            "text/plain",
            "text/html",
        ]
        assert not any(part.defects for part in parsed.walk())

    root = lxml_html.document_fromstring(message.html.encode())
    assert not root.xpath("//script | //img | //@*[starts-with(name(), 'on')]")
    assert all(re.match(r"https?://|mailto:", href) for href in root.xpath("//@href"))
    assert not set(message.text + message.html) & set("\0\r\u202e\u2066\ufdd0\ufdd1\ufeff")

    wanted = list(dict.fromkeys(number_of(paper) for paper in edition.papers))
    in_text = named(message.text)
    assert [number for number in in_text if number in wanted] == wanted
    assert set(named(root.text_content())) <= {0, *in_text}
    cards = [int(found[1]) for card in root.xpath("//h3") if (found := re.search(r"T(\d+):", card.text_content()))]
    assert cards == [number for number in wanted if number in cards]


def number_of(paper: Paper) -> int:
    found = re.match(r"T(\d+):", paper.title)
    assert found
    return int(found[1])


def named(text: str) -> list[int]:
    """The numbers of the papers that are named, each where it first is."""
    return list(dict.fromkeys(map(int, re.findall(r"T(\d+):", text))))


def shape(message: Message) -> list[str]:
    return [
        each.tag
        for each in lxml_html.document_fromstring(message.html.encode()).iter()
        if isinstance(each.tag, str) and each.tag != "mark"
    ]


evil = (
    st.sampled_from(HOSTILE[:-2]) | st.text(st.characters(), max_size=80) | st.text("<>&\"'{}%$\\=\r\n .:", max_size=30)
)


@pytest.mark.parametrize("name", TEMPLATES)
@given(counts=st.lists(st.integers(0, 4), min_size=8, max_size=8), texts=st.lists(evil, min_size=1, max_size=4))
@example(counts=[1] * 8, texts=["\ufdd0reader.name\ufdd1"])
@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
def test_nothing_of_a_text_is_ever_markup(name: str, counts: list[int], texts: list[str]) -> None:
    edition = an_evil_edition(counts, texts)
    harmless = an_evil_edition(counts, ["x"])

    message = compose(edition, name)

    check(message, edition)
    assert shape(message) == shape(compose(harmless, name))


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_known_attacks_come_to_nothing(text: str) -> None:
    edition = an_evil_edition([3, 1, 1, 2, 1, 1, 1, 1], [text])

    message = compose(edition)

    check(message, edition)
    assert "49" not in message.subject
    assert message.text.count("answers@example.org") == 2 * 3 + 2


@given(
    counts=st.lists(st.sampled_from([0, 1, 31, 120]), min_size=8, max_size=8),
    chars=st.sampled_from([0, 40, 400, 3_000]),
    abstract=st.sampled_from([0, 200, 600, 5_000]),
    name=st.sampled_from(TEMPLATES),
)
@settings(max_examples=4, suppress_health_check=[HealthCheck.too_slow])
def test_no_edition_is_too_long(counts: list[int], chars: int, abstract: int, name: str) -> None:
    edition = an_evil_edition(counts, ["Wörter & <so> weiter. " * (chars // 22), "鵲橋。" * (chars // 3)])
    edition = replace(edition, subscriber=replace(edition.subscriber, abstract=abstract))

    check(compose(edition, name), edition)


@pytest.mark.parametrize("name", TEMPLATES)
def test_five_thousand_papers_are_all_named_in_the_text(name: str) -> None:
    edition = an_evil_edition([120, 20, 10, 4_850, 50, 50, 50, 140], ["Of & <five> thousand"])

    check(compose(edition, name), edition)


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_paper_at_all(name: str) -> None:
    for edition in (an_evil_edition([0] * 8, ["x"]), an_evil_edition([0] * 8, ["x"], week=None, gaps=())):
        check(compose(edition, name), edition)


def test_a_paper_with_thousands_of_authors_and_nothing_else() -> None:
    paper = a_paper(
        1,
        title=evil_text(1, ""),
        abstract="",
        authors=tuple(f"Author {number}" for number in range(3_309)),
        categories=(),
        links=(),
        key=PaperKey("guid:x:y"),
    )
    edition = an_evil_edition([0] * 8, ["x"], matched=(a_match(paper),))

    message = compose(edition)

    check(message, edition)
    assert "(3,309 authors)" in message.text
    assert "Author 7" not in message.text


def test_links_of_other_kinds_than_http_lead_nowhere() -> None:
    addresses = [
        *("javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "file:///etc/passwd", "//example.org"),
        *('https://exa mple.org/"onclick=x', "http://[", "https://user:secret@example.org/"),
    ]
    paper = replace(evil_paper(1, "x"), links=tuple(Link(kind, url) for url in addresses for kind in LinkKind))
    edition = an_evil_edition([0] * 8, ["x"], matched=(a_match(paper),), week=None)

    message = compose(edition)

    check(message, edition)
    assert not re.search(r"script:|data:|file:|onclick|secret", message.text + message.html.partition("<body")[2])


@pytest.mark.parametrize("language", ["xx", "de-CH-1996", "zh-Hant", "", "../../etc", "de\r\nX: y"])
def test_any_language_tag_gives_a_mail(language: str) -> None:
    edition = an_evil_edition([1] * 8, ["x"])
    edition = replace(edition, subscriber=replace(edition.subscriber, language=language))

    check(compose(edition), edition)


@pytest.mark.parametrize(
    ("file", "source", "where"),
    [
        pytest.param("daily/subject.txt.j2", "{{ titel }}", "daily/subject.txt.j2:1", id="misspelt"),
        pytest.param("parts/card.mjml.j2", "<p>\n{{ paper.titel }}</p>", "parts/card.mjml.j2:2", id="no such field"),
        pytest.param("parts/line.mjml.j2", "<li>\n<b></li>\n\n", "parts/line.mjml.j2:2", id="broken markup"),
        pytest.param("parts/card.txt.j2", "{% if paper.more %}x{% endif %}", "parts/card.txt.j2:1", id="tests a slot"),
        pytest.param("parts/card.txt.j2", "{{ paper.number + 1 }}", "parts/card.txt.j2:1", id="computes with a slot"),
        pytest.param("parts/card.txt.j2", "{{ ''.__class__ }}", "parts/card.txt.j2:1", id="looks behind the curtain"),
        pytest.param(
            "parts/card.txt.j2", "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
            "parts/card.txt.j2", id="endless",
        ),
    ],
)  # fmt: skip
def test_a_broken_template_of_the_operators_says_where(tmp_path: Path, file: str, source: str, where: str) -> None:
    path = tmp_path / file
    path.parent.mkdir()
    path.write_text(source, encoding="utf-8")

    with pytest.raises(RenderError) as caught:
        compose_message(
            an_evil_edition([1] * 8, ["x"]),
            load_template("daily", [tmp_path, shipped("templates")]),
            sender=SENDER,
            now=NOW,
        )

    assert where in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"<svg onload=alert(1)>", b"\x89PNG\r\n\x1a\n" + b"\0" * 30])
def test_a_logo_that_is_no_picture_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "themes").mkdir()
    (tmp_path / "themes" / "mine.yaml").write_text("logo: logo.png\n", encoding="utf-8")
    (tmp_path / "themes" / "logo.png").write_bytes(content)

    with pytest.raises(ConfigError, match=r"logo"):
        load_theme("mine", [tmp_path, shipped("templates")])
