"""What stands before an information page: its title, its place, and who approved it.

::

    ---
    title: Water
    summary: Drinken, koken, wassen
    icon: water
    order: 20
    approved_by:
    approved_on:
    language_reviewed:
    ---

Each key stands there once, in any order, with its value on the same line; only the last three may be empty.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from steunpunt_ui.content import ContentError

TITLE_CHARS_MAX: Final = 40
SUMMARY_CHARS_MAX: Final = 80
APPROVED_BY_CHARS_MAX: Final = 60
ORDER_MAX: Final = 999
STALE_AFTER_DAYS: Final = 365
"""An approval older than this is told to the reader: what a tap or a telephone does may have changed."""
ICONS: Final = (
    *("clock", "water", "warm", "food", "aid", "candle", "pill", "radio", "house", "people", "child", "paw"),
    *("fire", "medical", "warn", "ask"),
)
"""Pictures that a page may have; drawn in ``citizen/icons.html``."""
_RULE = "---"
_KEYS = ("title", "summary", "icon", "order", "approved_by", "approved_on", "language_reviewed")
_MAY_BE_EMPTY = ("approved_by", "approved_on", "language_reviewed")
_CHARS_MAX = {"title": TITLE_CHARS_MAX, "summary": SUMMARY_CHARS_MAX, "approved_by": APPROVED_BY_CHARS_MAX}
_LINE = re.compile(r"([A-Za-z_]+):(?:[ \t]+(.*))?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Front:
    """What stands before one page."""

    title: str
    summary: str
    icon: str
    order: int
    approved_by: str
    """The authority that answers for the words; "" when none does."""
    approved_on: date | None
    language_reviewed: date | None
    """When somebody who speaks the language last read it."""

    @property
    def approved(self) -> bool:
        """Whether an authority answers for the words and somebody has read this language."""
        return bool(self.approved_by) and self.language_reviewed is not None

    def stale(self, today: date) -> bool:
        """Whether the approval or the reading is too long ago; a clock that is behind says no."""
        dates = [day for day in (self.approved_on, self.language_reviewed) if day is not None]
        return any((today - day).days > STALE_AFTER_DAYS for day in dates)


def split(text: str) -> tuple[Front, list[str], int]:
    """Return what stands before a page, the page's lines, and the number of the first of these.

    Raises ContentError with the line and the mend.
    """
    lines = text.splitlines()
    if not lines or lines[0].rstrip() != _RULE:
        raise ContentError(1, f"a page begins with a line {_RULE}; write it, then the keys {', '.join(_KEYS)}")
    end = next((at for at, line in enumerate(lines[1:], 1) if line.rstrip() == _RULE), None)
    if end is None:
        raise ContentError(len(lines), f"the keys have no end; write a line {_RULE} after the last one")
    return _front(_values(lines[1:end]), end + 1), lines[end + 1 :], end + 2


def _values(lines: list[str]) -> dict[str, tuple[str, int]]:
    """Return each key's value with its line."""
    found: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(lines, 2):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.rstrip())
        if match is None:
            raise ContentError(number, "expected a key, a colon, a space and a value; write for example title: Water")
        key, value = match[1], (match[2] or "").strip()
        if key not in _KEYS:
            raise ContentError(number, f"unknown key {key}; known are {', '.join(_KEYS)}; correct or delete it")
        if key in found:
            raise ContentError(number, f"{key} stands there twice; delete one")
        if _CONTROL.search(value):
            raise ContentError(number, f"{key} holds a character that cannot be seen; type the value again")
        if value[:1] in ("'", '"'):
            raise ContentError(number, f"{key} begins with a quotation mark; write the words without it")
        found[key] = (value, number)
    return found


def _front(values: dict[str, tuple[str, int]], end: int) -> Front:
    for key in _KEYS:
        if key not in values:
            raise ContentError(end, f"{key} is missing; write a line {_example(key)}")
        value, line = values[key]
        if not value and key not in _MAY_BE_EMPTY:
            raise ContentError(line, f"{key} is empty; write for example {_example(key)}")
        if len(value) > _CHARS_MAX.get(key, len(value)):
            mend = f"write at most {_CHARS_MAX[key]}"
            raise ContentError(line, f"{key} has {len(value)} characters; {mend}")
    approved_by, by_line = values["approved_by"]
    approved_on = _date("approved_on", *values["approved_on"])
    if bool(approved_by) != (approved_on is not None):
        raise ContentError(by_line, "approved_by and approved_on belong together; fill in both or empty both")
    return Front(
        title=values["title"][0],
        summary=values["summary"][0],
        icon=_icon(*values["icon"]),
        order=_order(*values["order"]),
        approved_by=approved_by,
        approved_on=approved_on,
        language_reviewed=_date("language_reviewed", *values["language_reviewed"]),
    )


def _icon(value: str, line: int) -> str:
    if value not in ICONS:
        raise ContentError(line, f"there is no icon {value}; write one of {', '.join(ICONS)}")
    return value


def _order(value: str, line: int) -> int:
    if not re.fullmatch(r"[0-9]{1,3}", value):
        raise ContentError(line, f"order is {value}; write a whole number from 0 to {ORDER_MAX}, such as order: 20")
    return int(value)


def _date(key: str, value: str, line: int) -> date | None:
    if not value:
        return None
    try:
        return datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError as error:
        mend = f"write year-month-day, such as {_example(key)}, or leave it empty"
        raise ContentError(line, f"{key} is {value}; {mend}") from error


def _example(key: str) -> str:
    return {
        "title": "title: Water",
        "summary": "summary: Drinken, koken, wassen",
        "icon": "icon: water",
        "order": "order: 20",
        "approved_by": "approved_by: GGD Zuid-Limburg",
        "approved_on": "approved_on: 2026-03-31",
        "language_reviewed": "language_reviewed: 2026-03-31",
    }[key]
