"""A small IMAP server on loopback: it keeps mails in memory, and does what it is told to do wrong."""

import base64
import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Kept:
    raw: bytes
    flags: set[str] = field(default_factory=set)
    arrived: str = "20-Nov-2026 08:00:00 +0000"


@dataclass
class ImapServer:
    """One mailbox; which mails are seen is what a test looks at."""

    mails: dict[int, Kept] = field(default_factory=dict)
    password: str = "swordfish-canary"
    token: str = ""
    """What XOAUTH2 must bring; empty refuses it."""
    breaks_at: str = ""
    """The connection is cut when this command comes."""
    refuses: str = ""
    """This command is answered with NO."""
    commands: list[str] = field(default_factory=list)
    port: int = 0

    def add(self, raw: bytes, *, seen: bool = False, arrived: str = "20-Nov-2026 08:00:00 +0000") -> int:
        uid = max(self.mails, default=6) + 1
        self.mails[uid] = Kept(raw, {r"\Seen"} if seen else set(), arrived)
        return uid

    @property
    def unseen(self) -> list[int]:
        return [uid for uid, mail in self.mails.items() if r"\Seen" not in mail.flags]

    @contextmanager
    def running(self) -> Iterator["ImapServer"]:
        keeper = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                _Talk(keeper, self).run()

        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class _Talk:
    def __init__(self, keeper: ImapServer, handler: socketserver.StreamRequestHandler) -> None:
        self.keeper = keeper
        self.handler = handler

    def say(self, *lines: bytes) -> None:
        self.handler.wfile.write(b"".join(line + b"\r\n" for line in lines))

    def run(self) -> None:
        self.say(b"* OK ready")
        while line := self.handler.rfile.readline():
            tag, _, rest = line.strip().partition(b" ")
            words = rest.decode().split()
            command = " ".join(words[:2]) if words[0].upper() == "UID" else words[0]
            self.keeper.commands.append(re.sub(r'"[^"]*"', '"…"', rest.decode()))
            if command.upper() == self.keeper.breaks_at:
                return
            if command.upper() == self.keeper.refuses:
                self.say(tag + b" NO not now")
                continue
            if not self.obey(command.upper().replace("UID ", ""), rest.decode(), words, tag):
                return

    def obey(self, command: str, text: str, words: list[str], tag: bytes) -> bool:
        match command:
            case "LOGIN" | "AUTHENTICATE" if not self.is_right(words, text):
                self.say(tag + b" NO [AUTHENTICATIONFAILED] wrong")
                return True
            case "CAPABILITY":
                self.say(b"* CAPABILITY IMAP4rev1 AUTH=XOAUTH2 AUTH=PLAIN")
            case "SELECT":
                self.say(f"* {len(self.keeper.mails)} EXISTS".encode(), b"* OK [UIDVALIDITY 1] ok")
            case "SEARCH":
                self.say(f"* SEARCH {' '.join(map(str, self.keeper.unseen))}".rstrip().encode())
            case "FETCH":
                self.fetch(words[2], text)
            case "STORE":
                for uid in map(int, words[2].split(",")):
                    self.keeper.mails[uid].flags.add(r"\Seen")
            case "LOGOUT":
                self.say(b"* BYE", tag + b" OK bye")
                return False
        self.say(tag + b" OK done")
        return True

    def is_right(self, words: list[str], text: str) -> bool:
        if words[0] == "LOGIN":
            return f'"{self.keeper.password}"' in text
        self.say(b"+ ")
        given = base64.b64decode(self.handler.rfile.readline())
        if words[1] == "PLAIN":
            return given.endswith(f"\0{self.keeper.password}".encode())
        return bool(self.keeper.token) and f"auth=Bearer {self.keeper.token}\x01".encode() in given

    def fetch(self, uids: str, text: str) -> None:
        assert "BODY.PEEK[" in text
        for uid in map(int, uids.split(",")):
            if uid not in self.keeper.mails:
                continue
            mail = self.keeper.mails[uid]
            if "HEADER" in text:
                name, part = "BODY[HEADER]", mail.raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
            else:
                size = re.search(r"<0\.(\d+)>", text)
                name, part = "BODY[]<0>", mail.raw[: int(size[1])] if size else mail.raw
            facts = f'UID {uid} INTERNALDATE "{mail.arrived}"'
            # Servers differ in where they say what was asked for besides.
            before, after = (f"{facts} ", "") if uid % 2 else ("", f" {facts}")
            self.say(f"* {uid} FETCH ({before}{name} {{{len(part)}}}".encode())
            self.handler.wfile.write(part)
            self.say(f"{after})".encode())
