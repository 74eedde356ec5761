"""What a case says beside its text, in the desk's words: place first when it is not the point itself."""

from collections.abc import Sequence

from flask_babel import gettext, ngettext

from steunpunt.facts import Facts, Flag, Mark, Place, Whereabouts
from steunpunt.ledger.desk import Case, CaseEvent
from steunpunt.model import Category
from steunpunt.protocol.phrasebook import options, render
from steunpunt.protocol.phrasecodes import BOOK
from steunpunt.protocol.phrases import Phrase
from steunpunt_ui.ages import ago
from steunpunt_ui.languages import language
from steunpunt_ui.skillwords import skill_words


def place_words(place: Place) -> str:
    """Return where help is needed; "" for at the point."""
    code = f"{place.postcode[:4]} {place.postcode[4:]}".strip()
    number = f"{place.house_number or ''}{place.addition}"
    parts = [" ".join(part for part in (code, number) if part)]
    if place.position is not None:
        parts.append(f"{place.position[0]:.5f}, {place.position[1]:.5f}")
    if place.floor is not None:
        parts.append(gettext("floor %(floor)s", floor=place.floor))
    parts.append(place.access)
    return " · ".join(part for part in parts if part)


def flag_words(facts: Facts) -> list[str]:
    """Return what was tapped, the gravest first."""
    words = {
        Flag.NOT_BREATHING: gettext("Not breathing"),
        Flag.UNCONSCIOUS: gettext("Unconscious"),
        Flag.HEAVY_BLEEDING: gettext("Bleeding heavily"),
        Flag.FIRE_OR_SMOKE: gettext("Fire or smoke"),
        Flag.VIOLENCE: gettext("Violence"),
        Flag.GAS: gettext("Gas"),
        Flag.WATER: gettext("Water"),
        Flag.POWERED_DEVICE: gettext("Medical device on power"),
        Flag.CANNOT_WALK: gettext("Can't walk"),
        Flag.MEDICINE: gettext("Medicine needed"),
    }
    return [words[flag] for flag in sorted(facts.flags)]


def count_words(facts: Facts) -> str:
    """Return how many people, and how many of them injured, trapped or children."""
    told = [
        ngettext("%(num)d person", "%(num)d people", facts.people) if facts.people else "",
        gettext("injured: %(count)s", count=facts.injured) if facts.injured else "",
        gettext("trapped: %(count)s", count=facts.trapped) if facts.trapped else "",
        gettext("children: %(count)s", count=facts.children) if facts.children else "",
    ]
    return " · ".join(words for words in told if words)


def mark_words(mark: Mark) -> str:
    """Return whether this is meant: "" for an ordinary message."""
    return {
        Mark.NONE: "",
        Mark.EXERCISE: gettext("EXERCISE"),
        Mark.TEST: gettext("TEST"),
        Mark.REAL: gettext("THIS IS REAL"),
    }[mark]


def lines(case: Case) -> list[tuple[str, str]]:
    """Return (what, value) of all else that is known of a case."""
    facts = case.facts
    told = [
        (gettext("People"), count_words(facts)),
        (gettext("Call back"), facts.callback),
        (gettext("Is"), _stay_words(facts)),
        (gettext("Name"), facts.name),
        (gettext("Asked by"), _by_words(facts)),
        (gettext("Offers"), offer_words(case) if case.category is Category.OFFER else ""),
        (gettext("More"), gettext("The point knows more than this computer can show. Ask.") if case.newer else ""),
    ]
    return [(what, value) for what, value in told if value]


def event_lines(event: CaseEvent) -> list[str]:
    """Return what a supplement told beside its text."""
    facts = event.facts
    place = place_words(facts.place)
    told: Sequence[str] = [
        _reply_words(event),
        gettext("Where: %(place)s", place=place) if place else "",
        " · ".join(flag_words(facts)),
        count_words(facts),
        facts.callback,
        _stay_words(facts),
        facts.name,
        mark_words(facts.mark),
    ]
    return [line for line in told if line]


def _stay_words(facts: Facts) -> str:
    if facts.whereabouts is Whereabouts.AT_SCENE:
        return gettext("where help is needed")
    if facts.whereabouts is Whereabouts.RETURNS:
        return gettext("back at the point %(minutes)s minutes after asking", minutes=facts.returns_min)
    return ""


def _by_words(facts: Facts) -> str:
    if facts.paper_age_s is not None:
        return gettext("staff, from paper of %(ago)s", ago=ago(int(facts.paper_age_s)))
    return gettext("staff, for someone else") if facts.on_behalf else ""


def offer_words(case: Case) -> str:
    """Return with what a neighbour offers to help, and for how long."""
    told = [skill_words(case.skill), "" if case.hours is None else gettext("%(hours)s hours", hours=case.hours)]
    return " · ".join(words for words in told if words)


def _reply_words(event: CaseEvent) -> str:
    """Return a question and what was tapped under it."""
    reply = event.reply
    if reply is None or reply.question not in BOOK:
        return ""
    entry = BOOK[reply.question]
    tapped = options(entry, language())
    said = "" if reply.number is None else str(reply.number)
    if reply.option is not None and reply.option < len(tapped):
        said = tapped[reply.option]
    question = gettext("Question %(number)s", number=reply.question) if entry.params else _asked(entry.code)
    return f"{question} {said}".strip()


def _asked(code: int) -> str:
    return render(Phrase(code), language())
