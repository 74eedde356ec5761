"""What a citizen may tell beside the kind of help and whether a life is in danger; all of it may be left out.

A form sends everything at each tap: what stands on the page, and the rest in hidden fields. So nothing is remembered
between two pages, and nothing that was typed is lost when a page says no.
"""

import re
from dataclasses import dataclass, fields
from typing import Any, Final

from flask_babel import gettext, ngettext
from werkzeug.datastructures import MultiDict

from steunpunt.facts import (
    ACCESS_BYTES_MAX,
    ADDITION_BYTES_MAX,
    CALLBACK_BYTES_MAX,
    FLOOR_MAX,
    FLOOR_MIN,
    HOUSE_NUMBER_MAX,
    NAME_BYTES_MAX,
    PEOPLE_MAX,
    Flag,
    Whereabouts,
    tidy_postcode,
)
from steunpunt.model import TEXT_CHARS_MAX
from steunpunt_ui.texts import characters_over, clean, clean_line, plain_digits

DANGERS: Final = {
    "ademt-niet": Flag.NOT_BREATHING,
    "bewusteloos": Flag.UNCONSCIOUS,
    "bloedt": Flag.HEAVY_BLEEDING,
    "brand": Flag.FIRE_OR_SMOKE,
    "gas": Flag.GAS,
    "water": Flag.WATER,
    "geweld": Flag.VIOLENCE,
}
NEEDS: Final = {
    "stroom": Flag.POWERED_DEVICE,
    "loopt-niet": Flag.CANNOT_WALK,
    "medicijn": Flag.MEDICINE,
}
STAYS: Final = {"hier": 0, "plek": 0, "30": 30, "60": 60, "120": 120}
"""Where who asks will be, as the form says it, and after how many minutes they come back."""
ELSEWHERE: Final = "elders"
COUNTS: Final = ("people", "injured", "trapped", "children")
_ADDRESS: Final = ("postcode", "house", "floor", "access")
_HOUSE = re.compile(r"(\d+)[\s,-]*(.*)", re.ASCII)
_FLOOR = re.compile(r"[+-]?\d{1,2}", re.ASCII)
_DIGITS_MAX = 4


@dataclass(frozen=True, slots=True)
class Wish:
    """What was filled in, cleaned, under the names of the form's fields."""

    what: tuple[str, ...] = ()
    where: str = ""
    postcode: str = ""
    house: str = ""
    floor: str = ""
    access: str = ""
    people: str = ""
    injured: str = ""
    trapped: str = ""
    children: str = ""
    needs: tuple[str, ...] = ()
    text: str = ""
    name: str = ""
    callback: str = ""
    stay: str = ""

    @property
    def said(self) -> bool:
        """Whether anything was filled in."""
        return self != Wish()

    @property
    def elsewhere(self) -> bool:
        """Whether help is needed elsewhere than at the point."""
        return self.where == ELSEWHERE

    def without(self, names: set[str]) -> "Wish":
        """Return the same with these fields empty."""
        kept: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        return Wish(**{name: value for name, value in kept.items() if name not in names})

    def hidden(self, shown: tuple[str, ...] = ()) -> list[tuple[str, str]]:
        """Return (name, value) of all that is filled in and does not stand on the page itself."""
        pairs = []
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name not in shown:
                pairs += [(field.name, one) for one in (value if isinstance(value, tuple) else (value,)) if one]
        return pairs


def wish_of(form: MultiDict[str, str]) -> Wish:
    """Return what a form says; a choice that is none of ours is left out."""
    number = {name: plain_digits(clean_line(form.get(name, ""))) for name in (*COUNTS, "postcode", "house", "floor")}
    return Wish(
        what=tuple(slug for slug in DANGERS if slug in form.getlist("what")),
        where=ELSEWHERE if form.get("where") == ELSEWHERE else "",
        access=clean_line(form.get("access", "")),
        needs=tuple(slug for slug in NEEDS if slug in form.getlist("needs")),
        text=clean(form.get("text", "")),
        name=clean_line(form.get("name", "")),
        callback=plain_digits(clean_line(form.get("callback", ""))),
        stay=form.get("stay", "") if form.get("stay") in STAYS else "",
        **number,
    )


def problems_of(wish: Wish) -> dict[str, str]:
    """Return all that must be corrected, by field."""
    found = {name: _count_problem(name) for name in COUNTS if not _is_count(getattr(wish, name))}
    if wish.elsewhere:
        found |= _address_problems(wish)
    if len(wish.text) > TEXT_CHARS_MAX:
        found["text"] = text_problem(len(wish.text) - TEXT_CHARS_MAX)
    limits = {"name": NAME_BYTES_MAX, "callback": CALLBACK_BYTES_MAX, "access": ACCESS_BYTES_MAX}
    for name, bytes_max in limits.items():
        over = characters_over(getattr(wish, name), bytes_max)
        if over and (name != "access" or wish.elsewhere):
            found[name] = _line_problem(name, over)
    return found


def facts_of(wish: Wish) -> dict[str, Any]:
    """Return the facts of a wish without problems, as the node wants them beside the text."""
    facts: dict[str, Any] = {name: int(getattr(wish, name)) for name in COUNTS[1:] if getattr(wish, name)}
    flags = [DANGERS[slug] for slug in wish.what] + [NEEDS[slug] for slug in wish.needs]
    if flags:
        facts["flags"] = [int(flag) for flag in flags]
    place = _place(wish)
    if place:
        facts["place"] = place
    if wish.name:
        facts["name"] = wish.name
    if wish.stay == "plek":
        facts["whereabouts"] = int(Whereabouts.AT_SCENE)
    elif STAYS.get(wish.stay):
        facts |= {"whereabouts": int(Whereabouts.RETURNS), "returns_min": STAYS[wish.stay]}
    return facts


def told(wish: Wish) -> dict[str, Any]:
    """Return the fields of ``submit`` and ``supplement`` that a wish without problems fills."""
    return {
        "text": wish.text,
        "people": int(wish.people or 0),
        "callback": wish.callback,
        "facts": facts_of(wish),
    }


def text_problem(over: int) -> str:
    """Return what is said of a text that is too long by ``over`` characters."""
    return ngettext(
        "Your message is %(num)d character too long. What you typed is below.",
        "Your message is %(num)d characters too long. What you typed is below.",
        over,
    )


def _place(wish: Wish) -> dict[str, Any]:
    if not wish.elsewhere:
        return {}
    number, addition = _house_of(wish.house) or (0, "")
    place: dict[str, Any] = {"postcode": tidy_postcode(wish.postcode), "house_number": number, "addition": addition}
    place["access"] = wish.access
    if wish.floor:
        place["floor"] = int(wish.floor)
    return {name: value for name, value in place.items() if value not in ("", 0) or name == "floor"}


def _house_of(typed: str) -> tuple[int, str] | None:
    """Return house number and addition of ``12 A``; None when it is none."""
    match = _HOUSE.fullmatch(typed)
    if match is None or len(match[1]) > len(str(HOUSE_NUMBER_MAX)):
        return None
    return int(match[1]), match[2]


def _address_problems(wish: Wish) -> dict[str, str]:
    found = {}
    if not any(getattr(wish, name) for name in _ADDRESS):
        found["postcode"] = gettext("Where help is needed: write a postcode and a number, or how to get there.")
    if tidy_postcode(wish.postcode) is None:
        found["postcode"] = gettext("Postcode: four digits and two letters, for example 6211 AB.")
    if wish.house:
        house = _house_of(wish.house)
        if house is None or characters_over(house[1], ADDITION_BYTES_MAX):
            found["house"] = gettext("House number: for example 12 or 12 A.")
    if wish.floor and not (_FLOOR.fullmatch(wish.floor) and FLOOR_MIN <= int(wish.floor) <= FLOOR_MAX):
        found["floor"] = gettext("Floor: write a number. 0 is the ground floor.")
    return found


def _is_count(typed: str) -> bool:
    """Whether a count was typed, or nothing; more digits than fit are too many, and Python reads no 5000 of them."""
    return not typed or (typed.isascii() and typed.isdigit() and len(typed) <= _DIGITS_MAX and int(typed) <= PEOPLE_MAX)


def _count_problem(name: str) -> str:
    if name == "people":
        return gettext("How many people: write a number from 0 to %(most)s.", most=PEOPLE_MAX)
    asked = {
        "injured": gettext("How many are injured?"),
        "trapped": gettext("How many are trapped?"),
        "children": gettext("How many are children?"),
    }[name]
    return asked + " " + gettext("Write a number from 0 to %(most)s.", most=PEOPLE_MAX)


def _line_problem(name: str, over: int) -> str:
    if name == "name":
        return gettext("Your name: too long by %(over)s.", over=over)
    if name == "access":
        return gettext("How do you get there: too long by %(over)s.", over=over)
    return ngettext(
        "Where we can reach you is %(num)d character too long.",
        "Where we can reach you is %(num)d characters too long.",
        over,
    )
