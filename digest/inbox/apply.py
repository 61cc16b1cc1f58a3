"""Does what readers ask for, and remembers what came back; who is meant is told by a token of ours and nothing else."""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes
from email.message import Message as Mail
from typing import Final
from zoneinfo import ZoneInfo

from digest.config.edit import RosterFile, Written
from digest.errors import ConfigError
from digest.inbox.answers import (
    Answer,
    Verb,
    find_answer,
    is_automatic,
    is_reply_of_a_program,
    sender_of,
    subject_of,
    wants_out,
)
from digest.inbox.mailbox import Arrival
from digest.inbox.outcome import Done, Outcome
from digest.inbox.reports import Report, ReportKind, find_report, find_tokens, may_be_report
from digest.model import DateSpan, Feedback, PaperKey, Schedule, Subscriber
from digest.ports import FeedbackStore, PaperStore, Suppressions
from digest.render.headers import ascii_address
from digest.tokens import Keyring

log = logging.getLogger(__name__)

_ADDRESSED: Final = ("To", "Cc", "Delivered-To", "X-Original-To", "X-Delivered-To", "Envelope-To")
_PURPOSES: Final = ("unsubscribe", "pause", "feedback", "bounce")


class Desk:
    """Where mails are dealt with, one after the other; the file is changed by `finish`, all at once."""

    def __init__(
        self,
        *,
        subscribers: Sequence[Subscriber],
        file: RosterFile,
        keyring: Keyring,
        suppressions: Suppressions,
        feedback: FeedbackStore,
        papers: PaperStore,
        now: datetime,
        is_trial: bool = False,
        keeps_file: bool = True,
    ) -> None:
        """Get ready.

        Args:
            subscribers: Those who receive mail.
            file: Has all others, too: who is paused may still answer.
            keyring: Made the tokens.
            suppressions: Where addresses are remembered that are written to no more.
            feedback: Where it goes.
            papers: Those that readers may mean.
            now: Written where something is remembered; aware.
            is_trial: Nothing is changed or remembered.
            keeps_file: Whether a change of the file would last: that of a CI job's checkout would not.
        """
        self._file = file
        self._keyring = keyring
        self._suppressions = suppressions
        self._feedback = feedback
        self._papers = papers
        self._now = now
        self._is_trial = is_trial
        self._keeps_file = keeps_file
        self._people = {each.id: each for each in subscribers}
        self._by_address = {each.email.casefold(): each.id for each in subscribers}
        others = (_stand_in(each) for each in file.written.values() if each.id not in self._people)
        self._everybody = {each.id: each for each in (*subscribers, *others)}
        # Tokens are found by their hashes, with a key of this process's: how long that takes says nothing of them.
        self._owners = {
            (purpose, keyring.token(each, purpose)): each for each in self._everybody.values() for purpose in _PURPOSES
        }
        # Some servers turn the local part of an address into small letters.
        self._bounced = {
            token.casefold(): each for (purpose, token), each in self._owners.items() if purpose == "bounce"
        }
        self._changed: list[tuple[Outcome, Outcome]] = []

    def needs_body(self, head: bytes) -> bool:
        """Whether the head of a mail is not enough to deal with it."""
        return may_be_report(message_from_bytes(head))

    def take(self, arrival: Arrival) -> Outcome:
        """Deal with one mail; never raises for what a mail holds."""
        mail = message_from_bytes(arrival.raw)
        if report := find_report(mail):
            return self._take_report(report, arrival)
        subject = subject_of(mail)
        answer = find_answer(subject)
        if answer is None:
            return self._take_other(mail, subject, arrival)
        # A program may send for its reader; it does not put that under what somebody else wrote.
        is_sent_for_reader = answer.verb is Verb.UNSUBSCRIBE and answer.is_first
        if is_reply_of_a_program(mail) or (is_automatic(mail) and not is_sent_for_reader):
            return self._automatic(arrival, self._owners.get((answer.verb.purpose, answer.token)))
        return self._take_answer(answer, arrival)

    def take_subject(self, subject: str) -> Outcome:
        """Do what a subject asks for that came another way: from a web page, say."""
        answer = find_answer(subject)
        if answer is None:
            return Outcome(done=Done.OPEN, uid="", text="this asks for nothing, or without a token")
        return self._take_answer(answer, Arrival("", self._now, b""))

    def finish(self, outcomes: Iterable[Outcome]) -> list[Outcome]:
        """Change the file, and say what became of each mail now.

        Raises:
            ConfigError: Somebody else changed the file meanwhile; nothing of it was changed, and a second try may work.
        """
        by_hand = {}
        if self._changed and not self._is_trial:
            try:
                if self._keeps_file:
                    self._file.save()
            except ConfigError as error:
                if not error.hint.startswith("change it"):
                    raise
                log.warning("%s", error)
                by_hand = dict(self._changed)
            if not self._keeps_file:
                by_hand = dict(self._changed)
        return [by_hand.get(outcome, outcome) for outcome in outcomes]

    # Answers

    def _take_answer(self, answer: Answer, arrival: Arrival) -> Outcome:
        reader = self._owners.get((answer.verb.purpose, answer.token))
        if reader is None:
            text = f"'{answer.verb}' with a token that is void, of another place, or not for this: ask whoever wrote it"
            return Outcome(done=Done.OPEN, uid=arrival.uid, text=text)
        match answer.verb:
            case Verb.UNSUBSCRIBE:
                return self._unsubscribe(reader, arrival)
            case Verb.PAUSE:
                return self._pause(reader, answer.days, arrival)
            case Verb.RESUME:
                return self._resume(reader, arrival)
            case _:
                return self._note_feedback(reader, answer, arrival)

    def _unsubscribe(self, reader: Subscriber, arrival: Arrival) -> Outcome:
        day = _local_date(arrival.at, reader)
        reason = f"unsubscribed by mail on {day}"
        # At once, for a run under way has read the file already.
        self._suppress(reader, reason)
        written = self._file.written.get(reader.id)
        if written is None or written.is_paused:
            return self._outcome(Done.UNSUBSCRIBED, reader, arrival, "paused already")
        hand = f"{reason}; write 'paused: true' for them (line {written.line})"
        return self._change(
            lambda: self._file.pause(reader.id, reason),
            self._outcome(Done.UNSUBSCRIBED, reader, arrival, reason),
            # Whatever the file says, they are written to no more.
            self._outcome(Done.UNSUBSCRIBED if reader.email else Done.OPEN, reader, arrival, hand),
        )

    def _pause(self, reader: Subscriber, days: int, arrival: Arrival) -> Outcome:
        first = _local_date(arrival.at, reader)
        span = DateSpan(first, first + timedelta(days=days))
        if span.last < _local_date(self._now, reader):
            return self._outcome(Done.PAUSED, reader, arrival, f"no mail until {span.last}, which is over")
        said = f"no mail from {span.first} to {span.last}"
        return self._change(
            lambda: self._file.keep_quiet(reader.id, span, f"paused by mail on {first}"),
            self._outcome(Done.PAUSED, reader, arrival, said),
            self._outcome(Done.OPEN, reader, arrival, f"wants {said}: write 'quiet: {span.first}..{span.last}'"),
        )

    def _resume(self, reader: Subscriber, arrival: Arrival) -> Outcome:
        # Who has once unsubscribed is not written to on the word of somebody who was sent an old mail.
        written = self._file.written.get(reader.id)
        if written is None or written.is_paused:
            said = "wants mail again, and is paused: delete 'paused' if that is right, and lift the suppression"
            return self._outcome(Done.OPEN, reader, arrival, said)
        today = _local_date(self._now, reader)
        if not any(span.first <= today <= span.last for span in reader.quiet):
            return self._outcome(Done.RESUMED, reader, arrival, "no pause holds today")
        said = f"the pause ends before {today}"
        return self._change(
            lambda: self._file.end_quiet(reader.id, today, f"resumed by mail on {today}"),
            self._outcome(Done.RESUMED, reader, arrival, said),
            self._outcome(Done.OPEN, reader, arrival, f"wants mail again: end their 'quiet' before {today}"),
        )

    def _note_feedback(self, reader: Subscriber, answer: Answer, arrival: Arrival) -> Outcome:
        known = self._papers.papers([PaperKey(key) for key in answer.papers])
        if not known:
            return self._outcome(Done.NOTED, reader, arrival, f"{answer.verb} of a paper that is not stored")
        if not self._is_trial:
            feedback = Feedback(known[0].key, more=answer.verb is Verb.MORE, at=arrival.at)
            self._feedback.give(reader.id, feedback)
        return self._outcome(Done.FEEDBACK, reader, arrival, f"{answer.verb} like {known[0].key}")

    # Reports

    def _take_report(self, report: Report, arrival: Arrival) -> Outcome:
        owners = self._owners_in(arrival.raw)
        if len(owners) != 1:
            # Forged, or of mail that somebody else sent.
            return Outcome(done=Done.OTHER, uid=arrival.uid)
        reader, day = owners[0], arrival.at.astimezone(UTC).date()
        match report.kind:
            case ReportKind.COMPLAINT:
                self._suppress(reader, f"called spam by its reader on {day}")
                return self._outcome(Done.SUPPRESSED, reader, arrival, f"called spam by its reader on {day}")
            case ReportKind.GONE:
                return self._note_bounce(reader, report, day, arrival)
            case _:
                said = f"{report.kind}: {report.detail}".rstrip(": ")
                return self._outcome(Done.NOTED, reader, arrival, said)

    def _note_bounce(self, reader: Subscriber, report: Report, day: date, arrival: Arrival) -> Outcome:
        said = f"the address does not exist: {report.detail}"
        if report.recipient and report.recipient.casefold() != _ascii(reader.email):
            return self._outcome(Done.NOTED, reader, arrival, f"an earlier address of theirs: {report.detail}")
        if self._is_trial or not reader.email:
            return self._outcome(Done.BOUNCED, reader, arrival, said)
        suppressed = self._suppressions.note_bounce(
            self._keyring.know(reader.email), reader.id, detail=report.detail, day=day, now=self._now
        )
        if suppressed is None:
            return self._outcome(Done.BOUNCED, reader, arrival, f"{said}; on a second day it is written to no more")
        return self._outcome(Done.SUPPRESSED, reader, arrival, suppressed.reason)

    def _owners_in(self, raw: bytes) -> list[Subscriber]:
        """Whose tokens a report holds, of those that nobody but servers and they themselves are sent."""
        found = {}
        for token in find_tokens(raw):
            owner = self._bounced.get(token.casefold()) or self._owners.get(("unsubscribe", token))
            if owner:
                found[owner.id] = owner
        return list(found.values())

    # Everything else

    def _take_other(self, mail: Mail, subject: str, arrival: Arrival) -> Outcome:
        if owner := next(filter(None, map(self._bounced.get, _sent_to(mail))), None):
            return self._automatic(arrival, owner)
        if is_automatic(mail) or not wants_out(subject):
            return Outcome(done=Done.OTHER, uid=arrival.uid)
        # From can be forged: it helps to find out who it may be, and no more.
        perhaps = self._by_address.get(sender_of(mail).casefold())
        who = f"From names the subscriber '{perhaps}'" if perhaps else "From names no subscriber"
        text = f"seems to ask to be unsubscribed, without a token: {who}"
        return Outcome(done=Done.OPEN, uid=arrival.uid, subscriber=perhaps, text=text)

    def _automatic(self, arrival: Arrival, reader: Subscriber | None) -> Outcome:
        if reader is None:
            return Outcome(done=Done.OTHER, uid=arrival.uid)
        return self._outcome(Done.NOTED, reader, arrival, "an automatic reply")

    # What is changed

    def _suppress(self, reader: Subscriber, reason: str) -> None:
        if reader.email and not self._is_trial:
            self._suppressions.suppress(self._keyring.know(reader.email), reader.id, reason=reason, now=self._now)

    def _change(self, change: Callable[[], bool], outcome: Outcome, by_hand: Outcome) -> Outcome:
        try:
            change()
        except ConfigError as error:
            log.warning("%s", error)
            return by_hand
        self._changed.append((outcome, by_hand))
        return outcome

    def _outcome(self, done: Done, reader: Subscriber, arrival: Arrival, text: str) -> Outcome:
        return Outcome(done=done, uid=arrival.uid, subscriber=reader.id, text=text)


def _stand_in(written: Written) -> Subscriber:
    """Who receives nothing, being paused or written wrongly; enough of them to know their tokens."""
    return Subscriber(
        id=written.id, name=written.id, email="", zone=ZoneInfo("UTC"), schedule=Schedule("", ""), links=written.links
    )


def _local_date(moment: datetime, reader: Subscriber) -> date:
    return moment.astimezone(reader.zone).date()


def _sent_to(mail: Mail) -> Sequence[str]:
    """What may be tokens in the addresses that a mail was sent to, in small letters."""
    lines = "\n".join(str(value) for name in _ADDRESSED for value in mail.get_all(name, []))
    return [token.casefold() for token in find_tokens(lines.encode("utf-8", "replace"))]


def _ascii(address: str) -> str:
    """An address as it stood in To, in small letters; empty for one that no mail was ever sent to."""
    try:
        return ascii_address(address).casefold()
    except ValueError:
        return ""
