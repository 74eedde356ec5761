"""What stands on a slip of the kazernebox: Dutch, in the order in which it is read aloud over C2000.

A citizen's words are printed without control characters: to a printer they would be commands.
"""

import textwrap
import unicodedata
from collections.abc import Iterator, Mapping

from msgspec import Struct

from steunpunt.boxfacts import SlipLine
from steunpunt.facts import Facts, Flag, Mark, Place, Whereabouts
from steunpunt.ledger.incoming import EventContent, member
from steunpunt.ledger.slips import Told
from steunpunt.model import Category, SupplementCode, TicketState

LINES_MAX = 90
"""More would only be a very long text; the desk's screen has all of it."""
MINUTE_S, HOUR_S = 60, 3_600
MINUTES_MAX = 180
"""From three hours on an age is told in hours."""
_DANGERS = (Flag.FIRE_OR_SMOKE, Flag.VIOLENCE, Flag.GAS, Flag.WATER)
"""What endangers who goes there too."""
_FLAGS = {
    Flag.NOT_BREATHING: "ademt niet",
    Flag.UNCONSCIOUS: "bewusteloos",
    Flag.HEAVY_BLEEDING: "bloedt hevig",
    Flag.FIRE_OR_SMOKE: "brand of rook",
    Flag.VIOLENCE: "geweld",
    Flag.GAS: "gas",
    Flag.WATER: "water",
    Flag.POWERED_DEVICE: "medisch apparaat op stroom",
    Flag.CANNOT_WALK: "kan niet lopen",
    Flag.MEDICINE: "medicijn nodig",
}
_CATEGORIES = {
    Category.MEDICAL: "Medische hulp",
    Category.FIRE: "Brand",
    Category.POLICE: "Politie",
    Category.SUPPLIES: "Water, eten, medicijnen",
    Category.MISSING: "Iemand is vermist",
    Category.OTHER: "Iets anders",
    Category.BUTTON: "Hulpknop: iemand bij dit steunpunt heeft hulp nodig",
    Category.OFFER: "Biedt hulp aan",
}
_ADDED = {
    SupplementCode.WORSE: "Het is erger geworden",
    SupplementCode.QUESTION: "De melder vertelt of vraagt",
    SupplementCode.NO_LONGER_NEEDED: "De melder heeft geen hulp meer nodig",
    SupplementCode.DETAILS: "De melder vertelt meer",
    SupplementCode.REPLY: "De melder beantwoordt een vraag",
    SupplementCode.GOT_HELP: "De melder is geholpen",
    SupplementCode.STILL_NEEDED: "De melder heeft nog hulp nodig",
    SupplementCode.LIFE_THREAT: "De melder zegt: levensgevaar",
}
_MARKS = {Mark.EXERCISE: "*** OEFENING ***", Mark.TEST: "*** TEST ***", Mark.REAL: "*** DIT IS ECHT ***"}
_PRINTABLE = ("LATIN", "CYRILLIC", "GREEK")


class Paper(Struct, frozen=True):
    """What a slip needs beside its case: the width of the paper, and the points by name."""

    width_chars: int
    points: Mapping[int, str]
    """Site -> name and place."""


def worth_paper(event: EventContent) -> bool:
    """Return whether what was added to a request is printed: a button pressed again is not."""
    return not event.doubtful and member(SupplementCode, event.code) in _ADDED


def slip_lines(told: Told, paper: Paper) -> tuple[SlipLine, ...]:
    """Return a slip, each line short enough for the paper."""
    body = _addition(told, paper) if told.event is not None else _request(told, paper)
    lines = [*_head(told), *body]
    if len(lines) > LINES_MAX:
        lines = [*lines[: LINES_MAX - 1], SlipLine("… de rest staat op het scherm", bold=True)]
    return tuple(cut for line in [*lines, *_foot(told, paper.width_chars)] for cut in _wrapped(line, paper.width_chars))


def _head(told: Told) -> Iterator[SlipLine]:
    mark = _MARKS.get(told.facts.mark)
    if mark:
        yield SlipLine(mark, big=True, bold=True)
    if told.doubtful:
        yield SlipLine("MOGELIJK DUBBEL: deze bon is misschien al eens geprint", bold=True)
    yield SlipLine("LEVENSGEVAAR" if told.event is None else "BIJ LEVENSGEVAAR", bold=True)
    yield SlipLine(told.number, big=True, bold=True)
    if member(Category, told.case.content.category) is Category.POLICE:
        yield SlipLine("DISCREET: niet laten omroepen, niet ongevraagd terugbellen.", bold=True)


def _request(told: Told, paper: Paper) -> Iterator[SlipLine]:
    case, facts = told.case, told.facts
    if case.damaged:
        yield SlipLine("Deze melding is beschadigd. Vraag het steunpunt wat er staat.", bold=True)
    if case.columns["quarantined"]:
        yield SlipLine("Van een apparaat dat als gestolen is gemeld. Controleer dit.", bold=True)
    yield from _place(facts.place)
    yield SlipLine(f"Steunpunt: {_clean(paper.points.get(told.site, f'nummer {told.site}'))}")
    kind = member(Category, case.content.category) or Category.OTHER
    yield SlipLine(f"Wat: {_CATEGORIES[kind]}", bold=True)
    yield from _labelled("Toestand", _flags(facts, dangers=False))
    yield from _labelled("Hoeveel", _counts(facts))
    yield from _labelled("GEVAAR DAAR", _flags(facts, dangers=True), bold=True)
    yield SlipLine(f"Gevraagd: {age_words(told.age_s, at_least=told.age_at_least)} voor deze bon")
    yield from _labelled("Bereikbaar", _clean(facts.callback))
    yield from _labelled("Is", _stay(facts))
    yield from _labelled("Naam", _clean(facts.name))
    yield from _text(case.content.text)
    if case.state >= TicketState.SEEN:
        done = "afgesloten" if case.state is TicketState.CLOSED else "opgepakt"
        yield SlipLine(f"Dit was al {done} voor deze bon kwam.", bold=True)


def _addition(told: Told, paper: Paper) -> Iterator[SlipLine]:
    content = EventContent() if told.event is None else told.event.content
    facts = content.facts
    yield SlipLine(f"Steunpunt: {_clean(paper.points.get(told.site, f'nummer {told.site}'))}")
    code = member(SupplementCode, content.code)
    yield SlipLine(_ADDED.get(code, "De melder voegt iets toe") if code else "De melder voegt iets toe", bold=True)
    if not facts.place.here:
        yield from _place(facts.place)
    yield from _labelled("Toestand", _flags(facts, dangers=False))
    yield from _labelled("Hoeveel", _counts(facts))
    yield from _labelled("GEVAAR DAAR", _flags(facts, dangers=True), bold=True)
    yield from _labelled("Bereikbaar", _clean(facts.callback))
    yield from _labelled("Is", _stay(facts))
    yield from _text(content.text)


def _foot(told: Told, width_chars: int) -> Iterator[SlipLine]:
    if told.event is None:
        yield SlipLine("")
        yield SlipLine(_dotted("Doorgegeven aan: ", width_chars))
        yield SlipLine("")
        yield SlipLine(_dotted("Tijd: ", width_chars))
        yield SlipLine("Nog niemand gewaarschuwd? Geef dit door.")


def _dotted(label: str, width_chars: int) -> str:
    return label + "." * (width_chars - len(label))


def _place(place: Place) -> Iterator[SlipLine]:
    if place.here:
        yield SlipLine("Waar: bij het steunpunt zelf", bold=True)
        return
    code = f"{place.postcode[:4]} {place.postcode[4:]}".strip()
    number = f"{place.house_number or ''}{_clean(place.addition)}"
    address = " ".join(part for part in (code, number) if part)
    if address:
        yield SlipLine(address, big=True, bold=True)
    parts = [] if place.position is None else [f"{place.position[0]:.5f}, {place.position[1]:.5f}"]
    parts += [] if place.floor is None else [f"verdieping {place.floor}"]
    words = " · ".join(part for part in (*parts, _clean(place.access)) if part)
    if words:
        yield SlipLine(words if address else f"Waar: {words}", bold=True)


def _flags(facts: Facts, *, dangers: bool) -> str:
    return ", ".join(_FLAGS[flag] for flag in sorted(facts.flags) if (flag in _DANGERS) is dangers)


def _counts(facts: Facts) -> str:
    people = f"{facts.people} {'persoon' if facts.people == 1 else 'personen'}" if facts.people else ""
    told = {"gewond": facts.injured, "opgesloten": facts.trapped, "kinderen": facts.children}
    return ", ".join([people] * bool(people) + [f"{what}: {count}" for what, count in told.items() if count])


def _stay(facts: Facts) -> str:
    if facts.whereabouts is Whereabouts.AT_SCENE:
        return "waar hulp nodig is"
    if facts.whereabouts is Whereabouts.RETURNS:
        return f"terug op het steunpunt, {facts.returns_min} minuten na de vraag"
    return ""


def _text(text: str) -> Iterator[SlipLine]:
    clean = _clean(text)
    if clean and not _latin(clean):
        yield SlipLine("Er is tekst in een ander schrift: zie het scherm.", bold=True)
    elif clean:
        yield SlipLine(f"«{clean}»")


def _labelled(label: str, words: str, *, bold: bool = False) -> Iterator[SlipLine]:
    if words:
        yield SlipLine(f"{label}: {words}", bold=bold)


def age_words(age_s: int, *, at_least: bool) -> str:
    """Return an age as a slip tells it."""
    minutes = age_s // MINUTE_S
    words = "minder dan 1 minuut" if minutes < 1 else "1 minuut" if minutes == 1 else f"{minutes} minuten"
    if minutes >= MINUTES_MAX:
        words = f"{age_s // HOUR_S} uur"
    return f"zeker {words}" if at_least and minutes else f"{words} of langer" if at_least else words


def _clean(text: str) -> str:
    """Return a text on one line, without anything that a printer could take for a command."""
    kept = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in text)
    return " ".join(kept.split())


def _latin(text: str) -> bool:
    """Return whether a receipt printer knows its letters."""
    letters = [char for char in text if char.isalpha()]
    return all(unicodedata.name(char, "").startswith(_PRINTABLE) for char in letters)


def _wrapped(line: SlipLine, width_chars: int) -> list[SlipLine]:
    width = width_chars // 2 if line.big else width_chars
    return [SlipLine(part, line.big, line.bold) for part in textwrap.wrap(line.text, width) or [""]]
