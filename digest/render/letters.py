"""Mails without papers: the question whether an address is right, and the operator's notice of a pass that failed."""

from collections.abc import Mapping, Sequence
from typing import Final

from digest.errors import DigestError, SmtpRefusedError
from digest.model import DeliveryState, Poll, Verdict
from digest.render.language import Language
from digest.render.view import FactView, LetterView
from digest.render.words import plain
from digest.text.masking import mask_addresses

LETTERS: Final = ("confirm", "notice")
"""The templates that are letters; all others show an edition."""

_LINES = 20
_LINE_CHARS = 400


def confirm_letter(language: Language, *, brand: str, url: str, valid_hours: int) -> LetterView:
    """Ask whether whoever reads this wanted the digest.

    Nothing in it was written by whoever asked, or anyone could have us send their words to strangers.

    Args:
        language: Of the letter.
        brand: Whose mail it is; the operator's word.
        url: Where the answer yes leads; made by us.
        valid_hours: How long it does.
    """
    return LetterView(
        heading=language.say("Please confirm your subscription"),
        paragraphs=(
            language.say(
                "Someone, probably you, asked %(brand)s to send its digest of new papers to this address."
                " It will come once you say that this is right.",
                brand=brand,
            ),
        ),
        button=language.say("Yes, send it to me"),
        url=url,
        closing=(
            language.count(
                "The link works for %(num)s hour.",
                "The link works for %(num)s hours.",
                valid_hours,
            ),
            language.say("If it was not you, do nothing: you will not hear from us again."),
        ),
    )


def notice_letter(
    language: Language,
    *,
    brand: str,
    command: str,
    exit_code: int,
    problems: Sequence[DigestError] = (),
    polls: Sequence[Poll] = (),
    failed: Sequence[str] = (),
    counts: Mapping[DeliveryState, int] | None = None,
    waiting: int = 0,
) -> LetterView:
    """Tell the operator what went wrong in a pass; addresses in what others wrote are masked.

    States and verdicts are called as the commands and the documentation call them, in any language.

    Args:
        language: Of the letter.
        brand: Whose mail it is.
        command: What ran: ``digest run``.
        exit_code: What it ended with, or would have.
        problems: What stopped it or was left out, with hints.
        polls: Of all sources; those that were read well are counted only.
        failed: A line for each edition that was not accepted.
        counts: Editions by state.
        waiting: How many still wait to be sent.
    """
    bad = [poll for poll in polls if not poll.is_good]
    sources = [FactView(plain(poll.source, 80), _said(": ".join((poll.verdict, *poll.problems[:1])))) for poll in bad]
    facts = [FactView(language.say("Exit code"), str(exit_code))]
    facts += [FactView(str(state), language.number(number)) for state, number in sorted((counts or {}).items())]
    if waiting:
        facts.append(FactView(language.say("Waiting to be sent"), language.number(waiting)))
    if polls:
        good = language.say(
            "%(good)s of %(all)s", good=language.number(len(polls) - len(bad)), all=language.number(len(polls))
        )
        facts.append(FactView(language.say("Sources read well"), good))
    return LetterView(
        heading=language.say("%(command)s needs your attention", command=command),
        paragraphs=(
            language.say("The last pass of %(brand)s did not end well. This is what is known:", brand=brand),
            *_bounded([_said(_one_line(problem)) for problem in problems], language),
            *_bounded([_said(line) for line in failed], language),
        ),
        facts=(*facts, *sources[:_LINES], *_left_out(len(sources), language)),
        closing=(
            language.say("Nothing that readers are owed is lost: what was not sent comes with a later pass."),
            language.say("More is said by digest status and by the log of the pass."),
        ),
    )


def sample_letters(language: Language, *, brand: str) -> Mapping[str, LetterView]:
    """An invented letter for each of `LETTERS`, to look at."""
    refused = SmtpRefusedError(
        "sign-in refused for 'digest' (535 5.7.8 bad credentials)",
        where="smtp.example.org:587",
        hint="check DIGEST_SMTP__USERNAME and DIGEST_SMTP__PASSWORD",
        code=535,
    )
    polls = (
        Poll(source="arxiv:cs.CL", verdict=Verdict.STALE, problems=("the newest batch is of Thu 19 Nov",)),
        Poll(source="huggingface:daily", verdict=Verdict.FRESH),
        Poll(source="biorxiv:neuroscience", verdict=Verdict.FAILED, problems=("HTTP 503, 4 tries in 61 s",)),
    )
    return {
        "confirm": confirm_letter(
            language, brand=brand, url="https://paperround.example.org/confirm?t=9f2c41d7e0b8a356", valid_hours=48
        ),
        "notice": notice_letter(
            language,
            brand=brand,
            command="digest run",
            exit_code=refused.exit_code,
            problems=(refused,),
            polls=polls,
            failed=("failed ada 2026-11-20: recipient refused (550 5.1.1 no such user <a***@***>)",),
            counts={DeliveryState.ACCEPTED: 212, DeliveryState.FAILED: 1},
            waiting=14,
        ),
    }


def _one_line(problem: DigestError) -> str:
    line = f"{problem.where}: {problem.problem}" if problem.where else problem.problem
    return f"{line} ({problem.hint})" if problem.hint else line


def _said(text: str) -> str:
    return plain(mask_addresses(text), _LINE_CHARS)


def _bounded(lines: Sequence[str], language: Language) -> tuple[str, ...]:
    return (*lines[:_LINES], *(fact.label for fact in _left_out(len(lines), language)))


def _left_out(number: int, language: Language) -> tuple[FactView, ...]:
    more = number - _LINES
    return (FactView(language.count("%(num)s more", "%(num)s more", more), ""),) if more > 0 else ()
