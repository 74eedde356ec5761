"""Checking a form before it is sealed: what cannot travel, or would not be understood, is refused with its name."""

import unicodedata

from steunpunt.facts import (
    ACCESS_BYTES_MAX,
    ADDITION_BYTES_MAX,
    CALLBACK_BYTES_MAX,
    FLOOR_MAX,
    FLOOR_MIN,
    HOUSE_NUMBER_MAX,
    NAME_BYTES_MAX,
    PAPER_AGE_S_MAX,
    PEOPLE_MAX,
    RETURNS_MIN_MAX,
    Facts,
    Place,
    tidy_phone,
    tidy_postcode,
)
from steunpunt.model import TEXT_CHARS_MAX, Category, HelpSubmitted, SteunpuntError
from steunpunt.protocol import messages
from steunpunt.values import replace

_LATITUDE_MAX, _LONGITUDE_MAX = 90, 180


class NotAccepted(SteunpuntError, ValueError):
    """A form that cannot be accepted; ``code`` and ``details`` go to the page that shows it again."""

    def __init__(self, code: str, message: str, **details: int) -> None:
        super().__init__(message)
        self.code = code
        self.details = details


def text_too_long(characters_over: int, message: str) -> NotAccepted:
    """Return the refusal of a text; ``characters_over`` is how many must go, or about as many."""
    return NotAccepted("text_too_long", message, characters_over=characters_over)


def checked_request(form: HelpSubmitted) -> tuple[str, Facts]:
    """Return a help request's text and facts as they are sealed; NotAccepted names what is wrong."""
    if form.language not in messages.LANGUAGES:
        raise NotAccepted("bad_request", f"language {form.language!r} is not one of {', '.join(messages.LANGUAGES)}")
    if form.category in (Category.BUTTON, Category.OFFER):
        raise NotAccepted("bad_request", f"category {form.category.name} is not for this form")
    return tidy_text(form.text), checked_facts(form.facts)


def checked_facts(facts: Facts) -> Facts:
    """Return facts with tidy texts; NotAccepted for a number or text out of range."""
    for name in ("people", "injured", "trapped", "children"):
        _in_range(name, getattr(facts, name), 0, PEOPLE_MAX)
    _in_range("returns_min", facts.returns_min, 0, RETURNS_MIN_MAX)
    if facts.paper_age_s is not None:
        _in_range("paper_age_s", facts.paper_age_s, 0, PAPER_AGE_S_MAX)
    return replace(
        facts,
        callback=tidy_phone(tidy_text(facts.callback, "callback", CALLBACK_BYTES_MAX)),
        name=tidy_text(facts.name, "name", NAME_BYTES_MAX),
        place=_checked_place(facts.place),
    )


def _checked_place(place: Place) -> Place:
    postcode = tidy_postcode(place.postcode)
    if postcode is None:
        raise NotAccepted("bad_postcode", "a postcode is four digits and two letters, such as 6211 AB")
    _in_range("house_number", place.house_number, 0, HOUSE_NUMBER_MAX)
    if place.floor is not None:
        _in_range("floor", place.floor, FLOOR_MIN, FLOOR_MAX)
    if place.position is not None:
        _in_range("latitude", place.position[0], -_LATITUDE_MAX, _LATITUDE_MAX)
        _in_range("longitude", place.position[1], -_LONGITUDE_MAX, _LONGITUDE_MAX)
    return replace(
        place,
        postcode=postcode,
        addition=tidy_text(place.addition, "addition", ADDITION_BYTES_MAX),
        access=tidy_text(place.access, "access", ACCESS_BYTES_MAX),
    )


def _in_range(name: str, value: float, low: int, high: int) -> None:
    if not low <= value <= high:
        raise NotAccepted("bad_request", f"{name} is {value}; write {low} to {high}")


def tidy_text(text: str, what: str = "text", bytes_max: int | None = None) -> str:
    """Return the text in NFC with line ends as newlines; NotAccepted for control characters or too long a text.

    Without ``bytes_max`` it is free text, of at most TEXT_CHARS_MAX characters.
    """
    tidy = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n")).strip()
    if any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t" for c in tidy):
        raise NotAccepted("control_characters", f"the {what} holds control characters; remove them")
    if bytes_max is None:
        if len(tidy) > TEXT_CHARS_MAX:
            raise text_too_long(len(tidy) - TEXT_CHARS_MAX, f"{len(tidy)} characters; at most {TEXT_CHARS_MAX}")
        return tidy
    size = len(tidy.encode())
    if size > bytes_max:
        raise NotAccepted(f"{what}_too_long", f"{size} bytes; at most {bytes_max}", bytes_max=bytes_max, bytes=size)
    return tidy
