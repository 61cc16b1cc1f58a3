"""What commands print for machines: one JSON object on stdout, and nothing else."""

import json
from typing import Any

from tests.cli.home import FRIDAY, Done, Home
from tests.collect.evil_http import Answer, EvilHttp
from tests.deliver.evil_smtp import EvilSmtp


def view(done: Done) -> dict[str, Any]:
    found = json.loads(done.out)
    assert isinstance(found, dict)
    return found


def test_check(readers: Home, http: EvilHttp) -> None:
    with EvilSmtp() as smtp:
        readers.mail_to(smtp)
        done = readers.digest("check", "--json", "--queries", "--sources", "--smtp", now=FRIDAY)
    assert done.code == 0
    checked = view(done)
    assert checked["problems"] == []
    assert checked["subscribers"][0] == {
        "id": "ada",
        "topics": ["Inventions"],
        "schedule": "daily at 07:30",
        "next_send": "2026-11-21T07:30:00+00:00",
        "queries": {"Inventions": "invent*"},
    }
    assert checked["sources"][0] | {"took_s": 0} == {
        "source": "arxiv:cs.CL", "verdict": "fresh", "listed": 2, "took_s": 0, "problems": [],
    }  # fmt: skip
    assert checked["smtp"].startswith("connected to 127.0.0.1")

    http.answers("/rss/cs.CL", Answer(b"", 404))
    readers.env["DIGEST_SENDER"] = "nobody"
    failed = readers.digest("check", "--json")
    assert failed.code == 2
    [problem] = view(failed)["problems"]
    assert problem["where"] == "DIGEST_SENDER"
    assert "is not an address" in problem["problem"]


def test_explain_and_feedback(readers: Home) -> None:
    readers.digest("collect", now=FRIDAY)

    why = view(readers.digest("explain", "Ada", "2611.00001", "--json", now=FRIDAY))
    assert why["paper"] == "arxiv:2611.00001"
    assert why["topics"] == [
        {
            "topic": "Inventions", "wants": True, "lowered_by": [], "objections": [], "missing": "",
            "evidence": ["invent*: “Invented” in the title", "invent*: “invent” in the abstract"],
        }
    ]  # fmt: skip
    assert why["sent"] == ["it was not sent yet"]

    assert view(readers.digest("feedback", "Ada", "--json"))["feedback"] == []
    said = view(readers.digest("feedback", "Ada", "2611.00001", "more", "--json", now=FRIDAY))
    assert (said["paper"], said["done"]) == ("arxiv:2611.00001", "more like this")
    [listed] = view(readers.digest("feedback", "Ada", "--json"))["feedback"]
    assert listed == {
        "at": "2026-11-20T08:00:00+00:00", "more": True, "paper": "arxiv:2611.00001", "title": "Invented Paper 1",
    }  # fmt: skip


def test_templates(readers: Home) -> None:
    readers.digest("templates", "eject", "card", "--to", "mine")
    readers.env["DIGEST_TEMPLATES"] = "mine"

    listed = view(readers.digest("templates", "--json"))

    assert listed["yours"] == "mine"
    assert "daily" in listed["templates"]
    assert "paper" in listed["themes"]
    assert [name for name, files in listed["parts"].items() if files["yours"]] == ["card"]


def test_import_query(home: Home) -> None:
    (home.folder / "search.txt").write_text('"Reflux"[Title] AND esophag*[tiab]')

    imported = view(home.digest("import-query", "search.txt", "--topic", "Reflux", "--json"))

    assert imported["topic"] == "Reflux"
    assert "esophag*" in imported["query"]


def test_export(readers: Home) -> None:
    readers.digest("collect", now=FRIDAY)

    done = readers.digest("export", "Ada", "--to", "public", "--next", "--json", now=FRIDAY)
    exported = view(done)

    assert (exported["folder"], exported["editions"], exported["papers"]) == ("public", 1, 2)
    assert exported["written"] == exported["files"]
    assert exported["files"] > 4
    assert readers.digest("export", "Ada", "--to", "-", "--format", "ris", "--json").code == 2


def test_problems_are_log_lines_if_those_are_asked_for(readers: Home) -> None:
    readers.env["DIGEST_LOG"] = "json"

    done = readers.digest("explain", "Adda", "2611.00001", "--json")

    assert done.code == 2
    [line] = map(json.loads, done.err.splitlines())
    assert line["level"] == "error"
    assert "hint: " in line["message"]
