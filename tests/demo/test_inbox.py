import smtplib
from email.message import EmailMessage
from pathlib import Path

from digest.demo.inbox import serve_inbox


def a_message(recipient: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "demo@example.org", recipient, "Invented"
    message.set_content("Grüße\n.a line with a dot\n")
    message.add_alternative("<p>Grüße</p>\n", subtype="html")
    return message


def test_each_message_is_kept_with_its_parts(tmp_path: Path) -> None:
    with serve_inbox(tmp_path / "inbox") as port, smtplib.SMTP("127.0.0.1", port, "localhost") as client:
        client.send_message(a_message("ada@example.org"))
        client.send_message(a_message("ben@example.org"))

    files = sorted(file.name for file in (tmp_path / "inbox").iterdir())
    assert files == [f"{name}.{suffix}" for name in ("01-ada", "02-ben") for suffix in ("eml", "html", "txt")]
    assert (tmp_path / "inbox" / "01-ada.html").read_text(encoding="utf-8") == "<p>Grüße</p>\n"
    assert (tmp_path / "inbox" / "01-ada.txt").read_text(encoding="utf-8") == "Grüße\n.a line with a dot\n"


def test_numbers_go_on_where_an_earlier_inbox_stopped(tmp_path: Path) -> None:
    for name in ("ada", "ben"):
        with serve_inbox(tmp_path) as port, smtplib.SMTP("127.0.0.1", port, "localhost") as client:
            client.send_message(a_message(f"{name}@example.org"))

    assert sorted(file.name for file in tmp_path.glob("*.eml")) == ["01-ada.eml", "02-ben.eml"]


def test_a_mailbox_cannot_name_another_folder(tmp_path: Path) -> None:
    with serve_inbox(tmp_path / "inbox") as port, smtplib.SMTP("127.0.0.1", port, "localhost") as client:
        client.sendmail("demo@example.org", ["../../ada@example.org"], b"Subject: Invented\r\n\r\nHello\r\n")

    assert [file.name for file in tmp_path.iterdir()] == ["inbox"]


def test_a_client_that_stays_does_not_keep_the_inbox_open(tmp_path: Path) -> None:
    with serve_inbox(tmp_path) as port:
        client = smtplib.SMTP("127.0.0.1", port, "localhost")
        client.noop()

    client.close()
