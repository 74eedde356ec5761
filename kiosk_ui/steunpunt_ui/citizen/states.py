"""How far a request has come, as a screen may say it: never more than is known."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from flask_babel import gettext

from steunpunt.model import SenderFunction, TicketState, TokenCode
from steunpunt.protocol.answerbody import unpack_phrases
from steunpunt.protocol.phrasebook import WORDS, options, render, who_words
from steunpunt.protocol.phrasecodes import BOOK
from steunpunt.protocol.phrases import Phrase
from steunpunt_ui.ages import MINUTE_S, ago
from steunpunt_ui.languages import DEFAULT_LANGUAGE, language


@dataclass(frozen=True, slots=True)
class TicketView:
    """The public part of a ticket, with its ages in words."""

    number: str
    state: str
    steps: int
    """How many of the five dots are filled."""
    asked_ago: str
    state_ago: str
    active: str
    """When somebody was last active at the coordinator, or that we don't know."""
    passed_on_ago: str
    reason: str
    cannot: bool
    """Closed because the coordinator can't help: danger then needs another way."""
    life_threat: bool
    answers_count: int
    open_to_all: bool
    """A help button's ticket: nobody holds a secret half, so its answer is shown to all here."""
    added: str
    """Whether what was added later has arrived; "" when nothing was."""
    handheld: str = ""
    """Whether somebody with a handheld replied to the readable fall-back, or that it went; "" for neither."""

    def mark(self) -> str:
        """Return a fingerprint of all that is shown, so that a poll sees a change."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class QuestionView:
    """A question of the desk: what can be tapped under it, or nothing, for a number."""

    code: int
    sentence: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnswerView:
    """One answer: sentences in the reader's language, free words as they were written, by whom, when."""

    sentences: tuple[str, ...]
    text: str
    function: str
    ago: str
    questions: tuple[QuestionView, ...] = ()
    notes: tuple[str, ...] = ()
    """What a reader should know of these words: not checked, not approved, not all of it could be read."""


def view_of(reply: dict[str, Any], fallback_address: str) -> TicketView:
    """Return what to show of the node's reply to ``ticket``."""
    at_least = bool(reply["age_at_least"])
    passed_on_s = reply["passed_on_age_s"]
    return TicketView(
        number=reply["number"],
        state=reply["state"],
        steps=int(TicketState[reply["state"]]),
        asked_ago=ago(reply["age_s"], at_least=at_least),
        state_ago=ago(reply["state_age_s"], at_least=at_least),
        active=_active(reply["active_min"]),
        passed_on_ago="" if passed_on_s is None else ago(passed_on_s, at_least=at_least),
        reason=_reason(reply["close_code"], fallback_address),
        cannot=reply["close_code"] == TokenCode.CLOSED_CANNOT.name,
        life_threat=bool(reply["life_threat"]),
        answers_count=int(reply["answers_count"]),
        open_to_all=bool(reply.get("open_to_all")),
        handheld=_handheld(reply),
        added=_added(reply["supplements"], reply["supplements_waiting"]),
    )


def answers_of(reply: dict[str, Any]) -> list[AnswerView]:
    """Return the readable answers of a reply, newest first; none without the secret half."""
    return [_answer_of(answer) for answer in reversed(reply.get("answers") or []) if not answer.get("unreadable")]


def _answer_of(answer: dict[str, Any]) -> AnswerView:
    phrases = unpack_phrases(bytes.fromhex(answer.get("phrases", "")))[0] if answer.get("phrases") else ()
    age_min = int(answer["age_s"]) // MINUTE_S
    said = [(phrase, render(phrase, language(), age_min=age_min)) for phrase in phrases]
    asked = [(phrase, sentence) for phrase, sentence in said if phrase.known and BOOK[phrase.code].form]
    return AnswerView(
        sentences=tuple(sentence for phrase, sentence in said if (phrase, sentence) not in asked),
        text=answer["text"],
        function=function_words(answer["function"]),
        ago=ago(answer["age_s"]),
        questions=tuple(QuestionView(p.code, words, options(BOOK[p.code], language())) for p, words in asked),
        notes=notes_on(phrases) + _unread(newer=bool(answer.get("newer"))),
    )


def _unread(*, newer: bool) -> tuple[str, ...]:
    return (gettext("This point can't read all of this answer. Ask the staff."),) if newer else ()


def notes_on(phrases: tuple[Phrase, ...]) -> tuple[str, ...]:
    """Return what a reader must know of these sentences: that nobody checked or approved the words."""
    words = WORDS[language()]
    medical = any(phrase.known and BOOK[phrase.code].medical for phrase in phrases)
    found = [
        gettext("Nobody has checked this translation yet.")
        if phrases and language() != DEFAULT_LANGUAGE and not words.reviewed_by
        else "",
        gettext("A doctor has not approved these words yet.") if medical and not words.approved_by else "",
    ]
    return tuple(note for note in found if note)


def short_words(state: str) -> str:
    """Return one line for the call of a button: the first words of its state; "" when closed."""
    lines = {
        "KEPT": gettext("Not sent yet."),
        "ON_ITS_WAY": gettext("We are sending your message."),
        "RECEIVED": gettext("Arrived, not read yet."),
        "SEEN": gettext("A member of staff is taking this up."),
        "ANSWERED": gettext("There is an answer."),
    }
    return lines.get(state, "")


def board_words(state: str) -> str:
    """Return the same for the waiting board, on which a closed one stays a while."""
    return short_words(state) or gettext("Finished.")


def function_words(name: str) -> str:
    """Return who answers, by function."""
    return who_words(SenderFunction.__members__.get(name, SenderFunction.OTHER), language())


def _active(minutes: int | None) -> str:
    if minutes is None:
        return gettext("We don't know whether anyone is there now.")
    return gettext("Somebody was active there %(ago)s.", ago=ago(minutes * MINUTE_S))


def _handheld(reply: dict[str, Any]) -> str:
    """Return what is known of handhelds: it proves nothing, for anybody may have sent it."""
    said_s, heard_s = reply.get("fallback_age_s"), reply.get("handheld_age_s")
    if reply["state"] not in ("KEPT", "ON_ITS_WAY") or said_s is None:
        return ""
    if heard_s is not None:
        return gettext(
            "Somebody with a handheld radio has replied, %(ago)s. We don't know who. Don't count on help yet.",
            ago=ago(heard_s),
        )
    return gettext(
        "We also asked people with a handheld radio, %(ago)s: the kind of help, this point and your number, no more.",
        ago=ago(said_s),
    )


def _added(count: int, waiting: int) -> str:
    if not count:
        return ""
    if waiting:
        return gettext("What you added is kept. It has not arrived yet, as far as we know.")
    return gettext("What you added has arrived. We don't know whether anyone has read it.")


def _reason(code: str | None, address: str) -> str:
    reasons = {
        TokenCode.CLOSED_HELPED.name: gettext("you have been helped"),
        TokenCode.CLOSED_NOT_NEEDED.name: gettext("you no longer need help"),
        TokenCode.CLOSED_CANNOT.name: gettext("we can't help now: go to %(address)s", address=address),
    }
    return reasons.get(code or "", gettext("not told"))
