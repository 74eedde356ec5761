"""What a citizen can tap, and has told, in the words of the screen."""

from dataclasses import dataclass

from flask_babel import gettext

from steunpunt.facts import tidy_postcode
from steunpunt_ui.citizen.wish import Wish
from steunpunt_ui.content.postcodes import place_of
from steunpunt_ui.content.serving import shelf
from steunpunt_ui.context import config


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One line of what is going to be sent, and the page on which it is changed; "" where that is not possible."""

    what: str
    said: str
    page: str = ""
    free: bool = False
    """Typed by a person: its direction is its own."""


def danger_words() -> dict[str, str]:
    """Return what may be going on, by the name that the form gives it."""
    return {
        "ademt-niet": gettext("Someone is not breathing"),
        "bewusteloos": gettext("Someone is unconscious"),
        "bloedt": gettext("Someone bleeds heavily"),
        "brand": gettext("Fire or smoke in the house"),
        "gas": gettext("It smells of gas"),
        "water": gettext("The water is rising"),
        "geweld": gettext("Someone is violent"),
    }


def need_words() -> dict[str, str]:
    """Return what somebody may need."""
    return {
        "stroom": gettext("A medical device needs power"),
        "loopt-niet": gettext("Someone can't walk"),
        "medicijn": gettext("Medicine is needed"),
    }


def stay_words() -> dict[str, str]:
    """Return where who asks will be."""
    return {
        "hier": gettext("I wait here"),
        "plek": gettext("I go to where help is needed"),
        "30": gettext("I come back in half an hour"),
        "60": gettext("I come back in 1 hour"),
        "120": gettext("I come back in 2 hours"),
    }


def check_lines(wish: Wish, kind: str) -> list[CheckLine]:
    """Return all that is going to be sent, as its sender checks it."""
    reach = [stay_words().get(wish.stay, ""), wish.callback]
    lines = [
        CheckLine(gettext("What"), kind),
        CheckLine(gettext("What is going on"), _joined(danger_words(), wish.what), "what"),
        CheckLine(gettext("Where"), place_words(wish), "address" if wish.elsewhere else "where", wish.elsewhere),
        CheckLine(gettext("People"), _count_words(wish), "people"),
        CheckLine(gettext("Needed"), _joined(need_words(), wish.needs), "needs"),
        CheckLine(gettext("Message"), wish.text, "words", free=True),
        CheckLine(gettext("Name"), wish.name, "words", free=True),
        CheckLine(gettext("Call back"), " · ".join(part for part in reach if part), "words", free=bool(wish.callback)),
    ]
    return [line for line in lines if line.said]


def place_words(wish: Wish) -> str:
    """Return where help is needed."""
    if not wish.elsewhere:
        return gettext("Here, at %(site)s", site=config().site.name)
    code = tidy_postcode(wish.postcode) or ""
    parts = [" ".join(part for part in (code[:4], code[4:], wish.house) if part)]
    parts += [place_of(shelf().postcodes, code) or ""]
    parts += [gettext("floor %(floor)s", floor=wish.floor)] if wish.floor else []
    return " · ".join(part for part in (*parts, wish.access) if part)


def postcode_doubt(wish: Wish) -> str:
    """Return what to say of a postcode that the municipality's list does not have; "" for any other."""
    code = (tidy_postcode(wish.postcode) or "") if wish.elsewhere else ""
    if place_of(shelf().postcodes, code) != "":
        return ""
    written = f"{code[:4]} {code[4:]}".strip()
    return gettext("Postcode %(code)s is not one of this municipality's. Is it right?", code=written)


def _joined(words: dict[str, str], chosen: tuple[str, ...]) -> str:
    return " · ".join(words[slug] for slug in chosen)


def _count_words(wish: Wish) -> str:
    told = [
        wish.people,
        gettext("injured: %(count)s", count=wish.injured) if wish.injured else "",
        gettext("trapped: %(count)s", count=wish.trapped) if wish.trapped else "",
        gettext("children: %(count)s", count=wish.children) if wish.children else "",
    ]
    return " · ".join(words for words in told if words)
