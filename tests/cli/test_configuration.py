"""Mistakes in settings, subscribers and templates: each is named with its place, and costs only whom it concerns."""

import re

import pytest

from tests.cli.home import Home, address, arxiv, papers_in, reader
from tests.collect.evil_http import EvilHttp
from tests.deliver.evil_smtp import EvilSmtp

ELEVEN = """\
sources:
  - arxiv: [sc.CL]
  - hugingface: daily
defaults: {limit: many}
subscribers:
  - name: Ada
    email: ada.canary at readers.test
    topics: [{name: All, any: [invent*]}]
  - name: Ben
    email: ${NOBODYS_EMAIL}
    timezone: Europe/Belrin
    topics: [{name: All, any: [invent*]}]
  - name: Ben
    email: ben.canary@readers.test
    schedule: dayly at 07:30
    topics: [{name: All, any: [invent*]}]
  - name: Cleo
    email: ${CLEO_EMAIL}
    topics:
      - name: Empty
      - name: Odd
        keywords: [llm]
  - name: Dora
    email: Cleo.Canary@readers.test
    topics: [{name: All, any: [invent*]}]
"""
MISTAKES = [
    (2, "'sc.CL' is not an arXiv category", "did you mean 'cs.CL'?"),
    (3, "unknown source kind 'hugingface'", "did you mean 'huggingface'?"),
    (4, "'limit' must be a whole number", "write it in digits"),
    (7, "'a***' is not an address", "an address has an '@'"),
    (10, "the environment variable NOBODYS_EMAIL is not set", "set NOBODYS_EMAIL in the environment or in .env"),
    (11, "'Europe/Belrin' is not a time zone", "did you mean 'Europe/Berlin'?"),
    (13, "the name 'Ben' stands for the same subscriber as line 9", "rename one of them"),
    (15, "'dayly", "daily at 07:30"),
    (20, "the topic 'Empty' is empty", "say what it wants"),
    (22, "unknown key 'keywords'", "known: name, query, any"),
    (24, "the address 'C***@***' is used in line 18 already", "one mail a person"),
]


def test_check_names_every_mistake_of_a_file_at_once(home: Home) -> None:
    path = home.folder.parent / "mistakes.yaml"
    path.write_text(ELEVEN)
    home.env["CLEO_EMAIL"] = address("Cleo")

    done = home.digest("check", str(path))

    assert done.code == 2
    told = done.err.split("error ")[1:]
    for line, problem, hint in MISTAKES:
        [one] = [each for each in told if re.match(rf"{path}:{line}\b", each)]
        what, _, how = one.partition("\n  hint: ")
        assert problem in what
        assert hint in how
    assert len(told) == len(MISTAKES)
    assert done.last_line.endswith(f"{len(MISTAKES)} problems")


def test_check_names_mistakes_of_settings_and_of_the_file_together(readers: Home) -> None:
    readers.env |= {"DIGEST_SMTP__PORT": "many", "DIGEST_SENDER": "nobody", "DIGEST_SMTP_HOST": "localhost"}
    del readers.env["ADA_EMAIL"]

    done = readers.digest("check")

    assert done.code == 2
    assert "error DIGEST_SMTP__PORT: the value must be a whole number" in done.err
    assert "error DIGEST_SENDER: 'n***' is not an address" in done.err
    assert "(ada): the environment variable ADA_EMAIL is not set" in done.err
    assert "DIGEST_SMTP_HOST is not a setting; did you mean DIGEST_SMTP__HOST?" in done.err
    assert done.last_line == "3 problems"


BROKEN: dict[str, tuple[dict[str, object], str]] = {
    "unknown key": ({"keywords": ["llm"]}, "unknown key 'keywords'"),
    "bad zone": ({"timezone": "Europe/Atlantis"}, "'Europe/Atlantis' is not a time zone"),
    "bad address": ({"email": "ada.canary at readers.test"}, "'a***' is not an address"),
    "missing variable": ({"email": "${NOBODYS_EMAIL}"}, "the environment variable NOBODYS_EMAIL is not set"),
    "duplicate": ({"name": "Ben", "email": address("other")}, "stands for the same subscriber as line"),
}


def test_broken_subscribers_cost_the_others_nothing_and_are_owed_their_papers(home: Home, http: EvilHttp) -> None:
    """All kinds of mistakes in one run, each on a subscriber of its own."""
    broken = [reader(f"Broken{number}") | keys for number, (keys, _) in enumerate(BROKEN.values())]
    home.subscribe(reader("Ben"), *broken, reader("Cleo"), sources=[arxiv(http)])
    text = (home.folder / "subscribers.yaml").read_text()
    if "other.canary" in text:
        (home.folder / "subscribers.yaml").write_text(text.replace(address("other"), "${OTHER_EMAIL}"))
    home.env["OTHER_EMAIL"] = address("other")
    with EvilSmtp() as smtp:
        home.mail_to(smtp)
        friday = home.run()

        assert friday.code == 2
        assert friday.last_line.endswith("2 accepted")
        assert sorted(smtp.recipients) == [address("Ben"), address("Cleo")]
        for _, problem in BROKEN.values():
            assert problem in friday.err
        assert friday.err.count("error subscribers.yaml:") == len(BROKEN)
        assert friday.err.count("\n  hint: ") == len(BROKEN)

        mended = [reader(f"Broken{number}") for number in range(len(BROKEN))]
        home.subscribe(reader("Ben"), *mended, sources=[arxiv(http)])
        assert home.run().code == 0
    for number in range(len(BROKEN)):
        assert papers_in(smtp.accepted, f"Broken{number}") == ["2611.00001", "2611.00002"]
    assert smtp.recipients.count(address("Ben")) == 1


@pytest.mark.parametrize(
    ("text", "told", "hint"),
    [
        pytest.param(None, "subscribers.yaml: there is no such file", "digest init", id="missing"),
        pytest.param("sources: [\n  - a: b\n", "subscribers.yaml:2:", "", id="not YAML"),
        pytest.param(
            "sources:\n\t- arxiv: [cs.CL]\n", "subscribers.yaml:2:1: a tab stands", "indent with spaces", id="tab"
        ),
    ],
)
def test_a_file_that_cannot_be_read_stops_everything(text: str | None, told: str, hint: str, home: Home) -> None:
    if text:
        (home.folder / "subscribers.yaml").write_text(text)
    home.mail_to(1)

    done = home.run()

    assert done.code == 2
    assert done.err.startswith(f"error {told}")
    assert f"hint: {hint}" in done.err
    assert done.out == ""
