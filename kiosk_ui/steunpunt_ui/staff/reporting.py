"""Staff report for somebody else, or type over a paper form with its own age: everything on one page.

A form that could not be kept comes back with the same token and all its fields, so that sending it again never makes
a second request.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from flask import g, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as AnyResponse

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
    Flag,
    Mark,
    tidy_postcode,
)
from steunpunt.model import TEXT_CHARS_MAX, Category
from steunpunt_ui.citizen.asking import Kept, NotKept, Trouble, form_token, keep
from steunpunt_ui.languages import DEFAULT_LANGUAGE, LANGUAGES
from steunpunt_ui.texts import characters_over, clean, clean_line, plain_digits

PAPER_MIN_MAX = PAPER_AGE_S_MAX // 60
_NUMBER_CHARACTERS_MAX = 5
_LINES = {"name": NAME_BYTES_MAX, "callback": CALLBACK_BYTES_MAX, "access": ACCESS_BYTES_MAX}


@dataclass(slots=True)
class Report:
    """What a form says, and what must be put right first, by field."""

    category: Category | None = None
    life_threat: bool | None = None
    text: str = ""
    language: str = DEFAULT_LANGUAGE
    facts: dict[str, Any] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


def report() -> AnyResponse | str:
    """Show the form, or keep what is in it and show the ticket to hand out."""
    if request.method != "POST":
        return _show(MultiDict(), form_token())
    form, token = request.form, request.form.get("token", "")
    said = read_report(form, exercise=g.staff["state"] == "EXERCISE")
    if said.problems or said.category is None or said.life_threat is None:
        return make_response(_show(form, token, [_not_sent(), *said.problems.values()]), HTTPStatus.BAD_REQUEST)
    result = keep(
        "submit",
        {
            "token": token,
            "category": said.category.name,
            "life_threat": said.life_threat,
            "text": said.text,
            "language": said.language,
            "facts": said.facts,
        },
        staff=True,
    )
    if isinstance(result, Kept):
        return redirect(url_for("staff.handout", number=result.number, secret=result.secret), 303)
    if result.trouble is Trouble.FORM_TOO_OLD:
        token = form_token()
    first = [_not_sent()] if result.trouble is Trouble.TEXT_TOO_LONG else []
    body = _show(form, token, [*first, _trouble_words(result)])
    return make_response(body, HTTPStatus.SERVICE_UNAVAILABLE)


def read_report(form: MultiDict[str, str], *, exercise: bool) -> Report:
    """Return what a form says; its problems all at once. Pure."""
    said = Report(text=clean(form.get("text", "")))
    said.category = Category.__members__.get(form.get("category", ""))
    if said.category is None or said.category in (Category.BUTTON, Category.OFFER):
        said.problems["category"] = gettext("Choose what help is needed.")
    said.life_threat = {"yes": True, "no": False}.get(form.get("life", ""))
    if said.life_threat is None:
        said.problems["life"] = gettext("Choose whether a life is in danger.")
    if len(said.text) > TEXT_CHARS_MAX:
        over = len(said.text) - TEXT_CHARS_MAX
        said.problems["text"] = gettext("The text is too long: %(over)s characters must go.", over=over)
    if form.get("language") in LANGUAGES:
        said.language = form["language"]
    said.facts = (
        {"on_behalf": True, "flags": _flags(form)} | _numbers(form, said.problems) | _lines(form, said.problems)
    )
    said.facts |= {"place": _place(form, said.problems)}
    _paper_age(form, said)
    real = form.get("real") == "yes"
    said.facts["mark"] = Mark.NONE.value if not exercise else Mark.REAL.value if real else Mark.EXERCISE.value
    return said


def _flags(form: MultiDict[str, str]) -> list[int]:
    wanted = {one for one in form.getlist("flag") if one.isascii() and one.isdecimal()}
    return [flag.value for flag in Flag if str(flag.value) in wanted]


def _numbers(form: Mapping[str, str], problems: dict[str, str]) -> dict[str, int]:
    names = {
        "people": gettext("How many people"),
        "injured": gettext("Injured"),
        "trapped": gettext("Trapped"),
        "children": gettext("Children"),
    }
    found = {}
    for name, words in names.items():
        number = _whole(form.get(name, ""), 0, PEOPLE_MAX)
        if number is None:
            problems[name] = gettext("%(what)s: write a number from 0 to %(most)s.", what=words, most=PEOPLE_MAX)
        found[name] = number or 0
    return found


def _whole(typed: str, low: int, high: int) -> int | None:
    """Return a typed whole number, ``low`` or 0 for nothing typed, None for what is none or out of range."""
    digits = plain_digits(clean_line(typed))
    if not digits:
        return max(low, 0)
    body = digits.removeprefix("-")
    if not (body.isascii() and body.isdecimal()) or len(body) > _NUMBER_CHARACTERS_MAX:
        return None
    return int(digits) if low <= int(digits) <= high else None


def _lines(form: Mapping[str, str], problems: dict[str, str]) -> dict[str, str]:
    names = {"name": gettext("Name"), "callback": gettext("Call back"), "access": gettext("How to find the place")}
    found = {name: clean_line(form.get(name, "")) for name in _LINES}
    found["callback"] = plain_digits(found["callback"])
    for name, line in found.items():
        over = characters_over(line, _LINES[name])
        if over:
            problems[name] = gettext("%(what)s: %(over)s characters too long.", what=names[name], over=over)
    return {name: line for name, line in found.items() if name != "access"}


def _place(form: Mapping[str, str], problems: dict[str, str]) -> dict[str, Any]:
    postcode = tidy_postcode(plain_digits(clean_line(form.get("postcode", ""))))
    if postcode is None:
        problems["postcode"] = gettext("A postcode is four digits and two letters, such as 6211 AB.")
    number = _whole(form.get("house_number", ""), 0, HOUSE_NUMBER_MAX)
    if number is None:
        problems["house_number"] = gettext("House number: digits only; what comes after goes in the next field.")
    addition = clean_line(form.get("addition", ""))
    if characters_over(addition, ADDITION_BYTES_MAX):
        problems["addition"] = gettext("Addition: shorter, please.")
    typed_floor = clean_line(form.get("floor", ""))
    floor = _whole(typed_floor, FLOOR_MIN, FLOOR_MAX) if typed_floor else None
    if typed_floor and floor is None:
        problems["floor"] = gettext("Floor: a number from %(low)s to %(high)s.", low=FLOOR_MIN, high=FLOOR_MAX)
    return {
        "postcode": postcode or "",
        "house_number": number or 0,
        "addition": addition,
        "floor": floor,
        "access": clean_line(form.get("access", "")),
    }


def _paper_age(form: Mapping[str, str], said: Report) -> None:
    """Take how long ago it was written. Nothing typed is no age: the desk would take an old form for a new one."""
    typed = clean_line(form.get("minutes", ""))
    if form.get("source") != "paper" and not typed:
        return
    minutes = _whole(typed, 0, PAPER_MIN_MAX) if typed else None
    if minutes is None:
        words = gettext("How long ago it was written: minutes, from 0 to %(most)s.", most=PAPER_MIN_MAX)
        said.problems["minutes"] = words
        return
    said.facts["paper_age_s"] = float(minutes * 60)


def _show(form: MultiDict[str, str], token: str, problems: list[str] | None = None) -> str:
    return render_template(
        "staff/report.html",
        form=form,
        flags_on=form.getlist("flag"),
        token=token,
        problems=problems or [],
        kinds=_kind_words(),
        flags=_flag_words(),
        language_names=LANGUAGES,
        text_chars_max=TEXT_CHARS_MAX,
    )


def _kind_words() -> dict[str, str]:
    return {
        Category.MEDICAL.name: gettext("Medical help"),
        Category.FIRE.name: gettext("Fire"),
        Category.POLICE.name: gettext("Police"),
        Category.SUPPLIES.name: gettext("Water, food, medicine"),
        Category.MISSING.name: gettext("Someone is missing"),
        Category.OTHER.name: gettext("Something else"),
    }


def _flag_words() -> dict[str, str]:
    return {
        str(Flag.NOT_BREATHING.value): gettext("Not breathing"),
        str(Flag.UNCONSCIOUS.value): gettext("Unconscious"),
        str(Flag.HEAVY_BLEEDING.value): gettext("Bleeding heavily"),
        str(Flag.FIRE_OR_SMOKE.value): gettext("Fire or smoke"),
        str(Flag.VIOLENCE.value): gettext("Violence"),
        str(Flag.GAS.value): gettext("Gas"),
        str(Flag.WATER.value): gettext("Water"),
        str(Flag.POWERED_DEVICE.value): gettext("Medical device on power"),
        str(Flag.CANNOT_WALK.value): gettext("Can't walk"),
        str(Flag.MEDICINE.value): gettext("Medicine needed"),
    }


def _not_sent() -> str:
    return gettext("Not sent yet. Please correct this:")


def _trouble_words(result: NotKept) -> str:
    return {
        Trouble.NOT_KNOWN_YET: gettext(
            "We don't know yet whether this has been kept. Send it again: that never makes a second request."
        ),
        Trouble.FORM_TOO_OLD: gettext("This form had been open too long. Not sent yet: send it again."),
        Trouble.TEXT_TOO_LONG: gettext(
            "The text is too long: %(over)s characters must go.", over=result.characters_over
        ),
        Trouble.CLOSED: gettext("This point is closed: nobody has this. Open the point first, then send it again."),
        Trouble.CANNOT_KEEP: gettext("This device can't keep anything now: nobody has this. Write it on paper."),
    }.get(result.trouble, gettext("This could not be read: nobody has it. Look at the fields, and send it again."))
