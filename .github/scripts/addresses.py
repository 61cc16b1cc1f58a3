"""Readers' addresses in a workflow: masked in the log, handed to later steps, and kept out of what is published.

    addresses.py export FILE   mask and export what the secrets hold, and see to the subscribers file
    addresses.py check FILE    fail if the SQLite file holds one of them

The secret DIGEST_ADDRESSES has one line for each reader, NAME=address; empty lines and those with # are skipped.
The secret DIGEST_SUBSCRIBERS_YAML, if set, becomes the subscribers file; then names are kept out of the log, too, and
DIGEST_SECRET must be set, as it hides them in what is published. No message of this script holds a value.
"""

# ruff: noqa: INP001, T201

import os
import re
import secrets
import sqlite3
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

ADDRESS = re.compile(r"[^\s@<>\"'`,;:()\[\]{}=]+@[^\s@<>\"'`,;:()\[\]{}=]+\.[^\s@<>\"'`,;:()\[\]{}=]*\w")
# Names of subscribers and topics in a YAML file, in block and in flow style, where they stand on one line.
NAME = re.compile(
    r"""(?:^|[\s{,])["']?(?:name|id)["']?\s*:\s*"""
    r"""(?:"(?P<double>[^"\n]+)"|'(?P<single>[^'\n]+)'|(?P<bare>[^\s"'#,}][^"'#,}\n]*))""",
    re.MULTILINE,
)
SHORTEST = 3
"""Shorter names are not masked: they tell little, and half of the log would go with them."""
LINE = re.compile(r"(?P<name>[A-Z][A-Z0-9_]*)\s*=\s*(?P<address>.+)")
# An address must not be able to change how later steps run.
RESERVED = ("DIGEST_", "GITHUB_", "RUNNER_", "ACTIONS_", "LD_", "PYTHON", "PIP_", "GIT_", "GH_", "NODE_", "STATE_")


class Refused(Exception):  # noqa: N818 - reads as a sentence where it is raised
    """What the operator must change; never holds a value of a secret."""


def parse(text: str) -> dict[str, str]:
    """Read the lines of DIGEST_ADDRESSES.

    Raises:
        Refused: Every malformed line by its number.
    """
    found: dict[str, str] = {}
    problems = []
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        match = LINE.fullmatch(line)
        if not match:
            problems.append(f"line {number}: not of the form NAME=address, with NAME in capitals, digits and _")
        elif not ADDRESS.fullmatch(match["address"]):
            problems.append(f"line {number}: what follows the = is not one bare address")
        elif match["name"].startswith(RESERVED) or (
            match["name"] in os.environ and os.environ[match["name"]] != match["address"]
        ):
            problems.append(f"line {number}: this name is taken; choose another, such as one that ends in _EMAIL")
        elif match["name"] in found:
            problems.append(f"line {number}: the same name as on an earlier line")
        else:
            found[match["name"]] = match["address"]
    if problems:
        raise Refused("\n".join(f"DIGEST_ADDRESSES: {problem}" for problem in problems))
    return found


def known(environment: Mapping[str, str]) -> list[str]:
    """Every address the two secrets hold."""
    named = parse(environment.get("DIGEST_ADDRESSES", "")).values()
    written = ADDRESS.findall(environment.get("DIGEST_SUBSCRIBERS_YAML", ""))
    return list(dict.fromkeys([*named, *written]))


def forms(address: str) -> list[str]:
    """An address as it may be printed: in small letters, in a link, without its tag, its domain in ASCII."""
    local, _, domain = address.rpartition("@")
    try:
        ascii_domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        ascii_domain = domain
    plain = [f"{name}@{host}" for name in (local, local.partition("+")[0]) for host in (domain, ascii_domain) if name]
    cased = [form for each in plain for form in (each, each.lower())]
    linked = [form.replace("+", "%2B").replace("@", "%40") for form in cased]
    return list(dict.fromkeys([*cased, *linked, *(form.replace("@", "%40") for form in cased)]))


def names(environment: Mapping[str, str]) -> list[str]:
    """Names in the secret subscribers file, and the ids that are made of them; empty if the file is committed."""
    found = []
    for match in NAME.finditer(environment.get("DIGEST_SUBSCRIBERS_YAML", "")):
        name = next(filter(None, match.groups())).strip()
        folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
        found += [name, re.sub(r"[^a-z0-9]+", "-", folded).strip("-")]
    return [text for text in dict.fromkeys(found) if len(text) >= SHORTEST]


def private(environment: Mapping[str, str]) -> list[str]:
    """Every text that must not be shown, the longest first, so that none is left in part."""
    found = [form for address in known(environment) for form in forms(address)] + names(environment)
    return sorted(dict.fromkeys(found), key=len, reverse=True)


def masks(texts: Iterable[str]) -> Iterator[str]:
    """The workflow commands that make the runner hide these texts."""
    for text in texts:
        yield "::add-mask::" + text.replace("%", "%25")


def hide(text: str, environment: Mapping[str, str]) -> str:
    """A text for others, without what must not be shown."""
    if not (words := private(environment)):
        return text
    pattern = "|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in words)
    return re.sub(pattern, "***", text, flags=re.IGNORECASE)


def exports(addresses: Mapping[str, str]) -> Iterator[str]:
    """What GITHUB_ENV takes: a delimiter that no value can guess keeps a value from starting another variable."""
    for name, address in addresses.items():
        delimiter = f"end_{secrets.token_hex(16)}"
        yield f"{name}<<{delimiter}\n{address}\n{delimiter}\n"


def places(database: Path, addresses: Iterable[str]) -> list[str]:
    """Where a database holds one of these addresses: ``table.column``."""
    needles = [address.casefold() for address in addresses]

    def holds(value: object) -> bool:
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        return isinstance(value, str) and any(needle in value.casefold() for needle in needles)

    found: dict[str, bool] = {}
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in ["sqlite_master", *tables]:
            rows = connection.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - names come from the database itself
            columns = [column[0] for column in rows.description]
            found |= {
                f"{table}.{column}": True
                for row in rows
                for column, value in zip(columns, row, strict=True)
                if holds(value)
            }
    # Values that were deleted or overwritten may still stand in the file.
    if not found and holds(database.read_bytes()):
        found["free pages"] = True
    return list(found)


def subscribers_file(file: Path, secret: str) -> None:
    """Write the file from the secret, or see that the committed one holds no address."""
    if secret:
        file.touch(mode=0o600)
        file.write_text(secret + "\n", encoding="utf-8")
        return
    if not file.exists():
        raise Refused(
            f"there are no subscribers: commit {file} (git add --force, as it is ignored), with addresses as "
            "${NAME} references, or set the secret DIGEST_SUBSCRIBERS_YAML"
        )
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        if ADDRESS.search(line):
            raise Refused(
                f"{file}:{number}: an address in a committed file; "
                "write ${NAME} here and NAME=address in the secret DIGEST_ADDRESSES"
            )


def see_to_secret(environment: Mapping[str, str]) -> None:
    """Without DIGEST_SECRET ids are published as they are, which a secret list of subscribers rules out."""
    if environment.get("DIGEST_SECRET"):
        return
    missing = "the secret DIGEST_SECRET is not set: make one with 'openssl rand -base64 24' and keep it"
    if environment.get("DIGEST_SUBSCRIBERS_YAML", "").strip():
        raise Refused(f"{missing}. Without it the ledger would show ids, which are made of your subscribers' names")
    print(f"::warning title=DIGEST_SECRET::{missing}. Links of one run's mails mean nothing to the next, and ids show")


def main(command: str, file: Path) -> None:
    """Run one command; raises ``Refused``."""
    if command == "export":
        text = os.environ.get("DIGEST_SUBSCRIBERS_YAML", "").strip()
        for mask in masks(private(os.environ)):
            print(mask)
        see_to_secret(os.environ)
        subscribers_file(file, text)
        with Path(os.environ["GITHUB_ENV"]).open("a", encoding="utf-8") as environment:
            environment.writelines(exports(parse(os.environ.get("DIGEST_ADDRESSES", ""))))
    elif command == "check":
        if found := places(file, known(os.environ)):
            raise Refused(f"{file} holds a reader's address in {', '.join(found)}")
    else:
        raise Refused(f"no command {command!r}: export, check")


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]))
    except Refused as refused:
        for problem in str(refused).splitlines():
            print(f"::error::{problem}", file=sys.stderr)
        sys.exit(2)
