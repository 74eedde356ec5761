"""The pages on which a request is filled in, one question each, and which page follows which tap."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from steunpunt.values import replace
from steunpunt_ui.citizen.wish import ELSEWHERE, Wish

FIRST, CHECK, MEND = "first", "check", "mend"
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "what": ("what",),
    "where": ("where",),
    "address": ("postcode", "house", "floor", "access"),
    "people": ("people", "injured", "trapped", "children"),
    "needs": ("needs",),
    "words": ("text", "name", "callback", "stay"),
}
"""Each page with the fields that stand on it."""
ASK_STEPS: Final = ("where", "people", "needs", "words")
TELL_STEPS: Final = ("what", *ASK_STEPS)
"""What is told of a request that is kept already begins with the danger."""
_TAPS: Final = {"where": (ELSEWHERE, "hier"), "people": tuple("123456")}
"""Fields that one tap fills in, and goes on."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a tap leads to: a page, or sending; with what is filled in by then."""

    page: str
    wish: Wish
    send: str = ""
    """The button that sends: ``yes`` and ``no`` say whether a life is in danger."""


def road(steps: tuple[str, ...], wish: Wish) -> list[str]:
    """Return the pages in their order: an address is asked of who needs help elsewhere."""
    return [page for step in steps for page in ((step, "address") if step == "where" and wish.elsewhere else (step,))]


def after(tap: str, at: str, steps: tuple[str, ...], wish: Wish, problems: Mapping[str, str]) -> Turn:
    """Return what follows a tap on page ``at``; ``problems`` are those of all that is filled in.

    Nothing stops who goes back. On the way nothing but this page's own fields does; before sending everything must be
    right, and all that is not stands on one page.
    """
    act, _, value = tap.partition(":")
    if act in _TAPS and value in _TAPS[act]:
        wish = replace(wish, people=value) if act == "people" else replace(wish, where=value.replace("hier", ""))
        problems = {name: line for name, line in problems.items() if name != act}
        act = "next"
    pages = road(steps, wish)
    if act == "back":
        return Turn(_before(at, pages), wish)
    if act == "go" and value in (*pages, CHECK):
        return Turn(value, wish)
    if act == "next" and at in pages:
        stays = set(FIELDS[at]) & set(problems)
        return Turn(at if stays else _behind(at, pages), wish)
    if problems:
        return Turn(MEND, wish, act if act == "yes" else "")
    return Turn(CHECK, wish, act if act in ("yes", "no", "send") else "")


def staying(at: str, problems: Mapping[str, str], first: str = FIRST) -> str:
    """Return the page that a tap leaves where it is, such as that on a language; ``first`` when ``at`` is none."""
    if at == MEND:
        return MEND if problems else CHECK
    return at if at in {*FIELDS, CHECK} else first


def shown(page: str, problems: Mapping[str, str]) -> tuple[str, ...]:
    """Return the fields that stand on a page; on that of what must be corrected, whatever must."""
    if page == MEND:
        return tuple(name for fields in FIELDS.values() for name in fields if name in problems)
    return FIELDS.get(page, ())


def _before(at: str, pages: list[str]) -> str:
    if at == CHECK:
        return pages[-1]
    return pages[pages.index(at) - 1] if at in pages[1:] else FIRST


def _behind(at: str, pages: list[str]) -> str:
    place = pages.index(at) + 1
    return pages[place] if place < len(pages) else CHECK
