"""What an abstract offers is found, however its address is written; what it only mentions is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model import LinkKind
from digest.text.links import check_url, find_links

GIT = "https://github.com/ada/engine"
SITE = "https://ada.github.io/engine"
DATA = "https://huggingface.co/datasets/ada/punched-cards"
MODEL = "https://huggingface.co/ada/engine-1.5"


def found(text: str) -> list[tuple[str, str]]:
    return [(link.kind.value, link.url) for link in find_links(text)]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"Code is available at {GIT}.", id="full stop"),
        pytest.param(f"(see {GIT}), and", id="bracket and comma"),
        pytest.param(f"Code: {{{GIT}}}", id="braces"),
        pytest.param(rf"Code: \url{{{GIT}}}.", id="url macro"),
        pytest.param(rf"at \href{{{GIT}}}{{github.com/ada/engine}}", id="href, address twice"),
        pytest.param(f"at {GIT}{{this https URL}}.", id="href without its macro"),
        pytest.param(rf"at $\href{{{GIT}.git}}{{\texttt{{{GIT}.git}}}}$.", id="href in mathematics"),
        pytest.param(f"at {GIT}}}{{{GIT}.", id="lost braces"),
        pytest.param(f"<{GIT}>", id="angle brackets"),
        pytest.param(f"[code]({GIT}) here", id="markdown"),
        pytest.param(f"“{GIT}”", id="quotes"),
        pytest.param("released at https;//github.com/ada/engine", id="semicolon for colon"),
        pytest.param("released at https: //github.com/ada/engine", id="blank after colon"),
        pytest.param("released at http s://github.com/ada/engine", id="blank in scheme"),
        pytest.param("released at https//github.com/ada/engine", id="no colon"),
        pytest.param("released at https:///github.com/ada/engine", id="three slashes"),
        pytest.param("released athttps://github.com/ada/engine", id="no blank before"),
        pytest.param("released at https://\ngithub.com/ada/engine", id="line break after scheme"),
        pytest.param("released at https://github. com/ada/engine", id="blank in host"),
        pytest.param("released at https://github.com/ ada/engine.", id="blank after host"),
        pytest.param("Code: github.com/ada/engine", id="no scheme"),
        pytest.param("Code: www.github.com/ada/engine", id="www"),
        pytest.param("at HTTP://GitHub.com/ada/engine/", id="case, http, slash"),
        pytest.param(f"at {GIT}.The data follow.", id="sentence without blank"),
        pytest.param(f"{GIT}: code. {GIT}.", id="named twice"),
        pytest.param(f"Code:{GIT},https://arxiv.org/abs/2611.00001", id="glued to the next"),
    ],
)
def test_broken_addresses_are_mended(text: str) -> None:
    assert found(text) == [("code", GIT)]


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://github.com/ada/ analytical-engine.", "https://github.com/ada/analytical-engine"),
        ("https://github.com/ada-\nby/Engine", "https://github.com/ada-by/Engine"),
        (r"https://github.com/ada/punched\_cards\_2", "https://github.com/ada/punched_cards_2"),
        ("github.com/ada/x/tree/main),", "https://github.com/ada/x/tree/main"),
        ("git.example.edu/ada: https://git.example.edu/ada/x", "https://git.example.edu/ada/x"),
        ("https://anonymous.4open.science/r/Engine-1B2C/.", "https://anonymous.4open.science/r/Engine-1B2C/"),
    ],
)
def test_code_behind_other_addresses(text: str, url: str) -> None:
    assert found(text) == [("code", url)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(f"Project page: {SITE}", [("project", SITE)], id="github.io"),
        pytest.param("Visit ada.github.io/engine.", [("project", SITE)], id="github.io without scheme"),
        pytest.param(f"Data at {DATA}", [("dataset", DATA)], id="hub data set"),
        pytest.param("We release hf.co/ada/engine-1.5", [("model", MODEL)], id="hub model"),
        pytest.param(
            "Try https://huggingface.co/spaces/ada/x", [("project", "https://huggingface.co/spaces/ada/x")], id="space"
        ),
        pytest.param("Models: https://huggingface.co/ada", [("model", "https://huggingface.co/ada")], id="hub owner"),
        pytest.param(
            "https://zenodo.org/records/1", [("dataset", "https://zenodo.org/records/1")], id="archive, nothing said"
        ),
        pytest.param(
            "The code is at https://zenodo.org/records/1",
            [("code", "https://zenodo.org/records/1")],
            id="code, archived",
        ),
        pytest.param(
            "(https://doi.org/10.5281/zenodo.1)", [("dataset", "https://doi.org/10.5281/zenodo.1")], id="DOI of data"
        ),
        pytest.param("Our code: https://ada.example/x", [("code", "https://ada.example/x")], id="code by its words"),
        pytest.param(
            "Our project website is https://ada.example/x.", [("project", "https://ada.example/x")], id="page by words"
        ),
        pytest.param(
            "See https://ada.example/x for demo samples.", [("project", "https://ada.example/x")], id="words behind"
        ),
        pytest.param(
            r"Our \href{https://ada.example/x}{dataset}",
            [("dataset", "https://ada.example/x")],
            id="words of the label",
        ),
        pytest.param(
            f"Code and data are available at {GIT} and {DATA}.", [("code", GIT), ("dataset", DATA)], id="two addresses"
        ),
        pytest.param(
            f"Data: {DATA}. Page: {SITE}. Model: {MODEL}. Code: {GIT}.",
            [("code", GIT), ("project", SITE), ("dataset", DATA), ("model", MODEL)],
            id="code first",
        ),
        pytest.param(
            "https://github.com/ada/awesome-engines lists them",
            [("project", "https://github.com/ada/awesome-engines")],
            id="a reading list is no code",
        ),
    ],
)
def test_kinds_by_host_and_by_words(text: str, expected: list[tuple[str, str]]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "github.com/ada",
        "https://github.com/ada/ soon",
        "https://github.com/ --",
        "https://github.com/features/actions",
        "https://notgithub.com.example/a/b",
        "ada@github.com/a/b",
        "shopping on amazon.com and en.wikipedia.org",
        "code of https://arxiv.org/abs/2611.00001 and https://doi.org/10.1000/1",
        "code on GitHub, data on Hugging Face",
        "https://huggingface.co/papers/2611.00001",
        "https://ada.example/mentioned/in/passing",
        "code at https://ada:secret@github.com/ada/x",
        "javascript://github.com/ada/x%0aalert(1)",
    ],
)
def test_what_offers_nothing(text: str) -> None:
    assert found(text) == []


def test_at_most_ten_links() -> None:
    assert len(find_links(" ".join(f"https://github.com/ada/x{number}" for number in range(50)))) == 10


PIECES = [
    "https://", "http", "s://", "github.com/", "github. com/", "a/b", "a-", " ", "\n", ".", ",", "(", ")", "{", "}",
    "\\_", "x.github.io", "huggingface.co/", "datasets/", "www.", "code", "data at ", "é", "\u2028", "\x00", "\ud800",
]  # fmt: skip


@given(st.text(max_size=200) | st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_every_link_may_be_followed(text: str) -> None:
    links = find_links(text)

    assert all(check_url(link.url) == link.url for link in links)
    assert {link.kind for link in links} <= {LinkKind.CODE, LinkKind.PROJECT, LinkKind.DATASET, LinkKind.MODEL}
    assert len(set(links)) == len(links)


@pytest.mark.parametrize(
    "piece", [*PIECES, "www.a,", "https://a.b/(", "github.com/a- ", "a" * 60 + ".", "https://x.y,"]
)
def test_many_of_anything_come_to_an_end(piece: str) -> None:
    find_links(piece * (100_000 // len(piece)))
