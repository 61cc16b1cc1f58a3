"""Every command as a newcomer and as a script meet it."""

import json

import pytest
from typer.testing import CliRunner

from digest.cli import app
from tests.cli.home import FRIDAY, SATURDAY, Home, address, arxiv, reader
from tests.collect.evil_http import Answer, EvilHttp
from tests.deliver.evil_smtp import EvilSmtp

COMMANDS = [
    "init", "check", "doctor", "collect", "preview", "run", "serve", "explain", "backtest", "import-query", "feedback",
    "status", "demo", "export", "lint", "outbox", "inbox", "send-test", "templates", "schedule", "db",
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_by_example(command: str) -> None:
    done = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "100"})

    assert done.exit_code == 0
    assert f"$ digest {command}" in done.output or f"&& digest {command}" in done.output


def test_help_names_every_command(home: Home) -> None:
    done = home.digest("--help")

    assert done.code == 0
    assert all(f" {command} " in done.out for command in COMMANDS)


def test_from_init_to_the_first_preview(home: Home) -> None:
    first = home.digest("init")
    assert (first.code, first.err) == (0, "")
    assert {(home.folder / name).stat().st_mode & 0o777 for name in (".env", "subscribers.yaml")} == {0o600}

    empty = home.digest("check")
    assert empty.code == 2
    assert "(me): the environment variable MY_EMAIL is empty" in empty.err

    env = home.folder / ".env"
    env.write_text(env.read_text().replace("MY_EMAIL=", "MY_EMAIL=me@example.org"))
    checked = home.digest("check", now=FRIDAY)
    assert (checked.code, checked.err) == (0, "")
    assert "Mon 23 Nov 2026 07:30 Europe/Berlin" in checked.out
    assert checked.last_line == "2 sources, 1 subscriber, no problems"

    shown = home.digest("preview")
    assert shown.code == 0
    assert "invented papers: the last seven days had none for these topics" in shown.out
    assert sorted(path.name for path in (home.folder / "var/preview").iterdir()) == [
        "me.headers.txt", "me.html", "me.txt",
    ]  # fmt: skip

    again = home.digest("init")
    assert again.code == 2
    assert "exist already" in again.err


def test_from_collecting_to_why_a_paper_came(readers: Home, http: EvilHttp) -> None:
    nothing_stored = readers.digest("explain", "Ada", "2611.00001")
    assert nothing_stored.code == 2
    assert "0 papers are stored; digest collect reads the sources" in nothing_stored.err

    collected = readers.digest("collect", "--json", now=FRIDAY)
    assert collected.code == 0
    [source] = json.loads(collected.out)["sources"]
    assert source.pop("took_s") > 0
    assert source == {
        "source": "arxiv:cs.CL", "verdict": "fresh", "listed": 2, "new": 2, "merged": 0, "seen": 0, "problems": [],
        "via": [], "covers": True,
    }  # fmt: skip

    shown = readers.digest("preview", "ADA", "--out", "look", now=FRIDAY)
    assert shown.code == 0
    assert "Ada: 2 matched (owed now)" in shown.out
    assert "To: reader@example.org" in (readers.folder / "look/ada.headers.txt").read_text()

    why = readers.digest("explain", "Ada", "arXiv:2611.00001v2")
    assert why.code == 0
    assert "yes  Inventions" in why.out
    assert "+ invent*: “Invented” in the title" in why.out
    assert "it was not sent yet" in why.out

    readers.subscribe(reader("Ada", topics=[{"name": "Ether", "all": ["phlogiston"]}]), sources=[arxiv(http)])
    why_not = readers.digest("explain", "Ada", "Invented Paper 2")
    assert why_not.code == 0
    assert "no  Ether" in why_not.out
    assert "phlogiston" in why_not.out
    assert "no topic wants it" in why_not.out


def test_what_a_run_can_be_asked_for(readers: Home) -> None:
    dry = readers.run("--dry-run")
    assert dry.code == 0
    assert dry.last_line == "1 source read, 2 new papers; 2 due, nothing sent (dry run)"

    mistyped = readers.run("--only", "Adda", "--to-folder", "out")
    assert mistyped.code == 2
    assert mistyped.err == "error no subscriber is called 'Adda'\n  hint: did you mean 'Ada'? Known: 'Ada', 'Ben'\n"
    assert mistyped.out == ""

    one = readers.run("--only", "ada", "--to-folder", "out")
    assert one.code == 0
    assert one.last_line.endswith("1 accepted")
    assert len(list((readers.folder / "out").glob("*.eml"))) == 1

    no_server = readers.run()
    assert no_server.code == 2
    assert "DIGEST_SMTP__HOST is not set" in no_server.err
    assert "or write to a folder with --to-folder DIR" in no_server.err

    early = readers.run("--all", "--to-folder", "out", now="2026-11-21T03:00")
    assert early.code == 0
    assert len(list((readers.folder / "out").glob("*.eml"))) == 2

    wrong = readers.digest("run", now="tomorrow")
    assert wrong.code == 2
    assert "--now: 'tomorrow' is no time" in wrong.err

    state = json.loads(readers.digest("status", "--json", now=SATURDAY).out)
    assert sorted(state) == ["editions", "papers", "problems", "sources", "states", "subscribers"]
    assert state["papers"] == 2
    assert sorted(state["sources"][0]) == [
        "fresh_at", "last_good_at", "listed", "merged", "name", "new", "polled_at", "problem", "seen", "took_s",
        "verdict",
    ]  # fmt: skip
    assert sorted(state["subscribers"][0]) == ["id", "last_edition", "next_send"]
    assert sorted(state["editions"][0]) == [
        "attempts", "date", "detail", "id", "lease_until", "next_try_at", "papers", "resends", "run", "state",
        "subscriber", "updated_at",
    ]  # fmt: skip


def test_tables_never_cut_a_name_outside_of_a_terminal(home: Home, http: EvilHttp) -> None:
    name = "A very long name of a source that nobody would want to see cut in the middle of a log " + "x" * 14
    path = "/" + "a-long-path-" * 20
    http.answers(path, Answer(b"", 404))
    home.subscribe(reader("Ada"), sources=[{"feed": http.url + path, "name": name, "allow_private": True}])
    home.env["COLUMNS"] = "40"

    collected = home.digest("collect")
    status = home.digest("status")

    assert collected.code == 1
    for out in (collected.out, status.out):
        assert any(name in line and "failed" in line for line in out.splitlines())
        assert path in out
        assert not set(out) & set("┃│…")


def test_a_reader_who_leaves_does_not_stop_a_run(readers: Home) -> None:
    with EvilSmtp() as smtp:
        readers.mail_to(smtp)
        with readers.running("run", "--now", FRIDAY) as process:
            assert process.stdout
            process.stdout.close()
            code = process.wait(30)

    assert code == 0
    assert sorted(smtp.recipients) == [address("Ada"), address("Ben")]
