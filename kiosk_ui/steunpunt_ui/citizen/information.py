"""Information pages: a list of them, and each one with who answers for its words."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Any

from babel import Locale
from babel.lists import format_list
from flask import Response, abort, render_template, send_file, url_for
from flask_babel import format_date, gettext
from markupsafe import Markup

from steunpunt_ui.citizen.pointstate import read_status
from steunpunt_ui.citizen.swapboard import swapboard
from steunpunt_ui.content.serving import shelf, unapproved_too
from steunpunt_ui.content.shelf import InfoPage
from steunpunt_ui.languages import LANGUAGES, language
from steunpunt_ui.pages import Page, show_message
from steunpunt_ui.portal import is_phone

_LINK = re.compile(r"<a [^>]*>(.*?)</a>", re.DOTALL)
_PICTURE_TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}


@dataclass(frozen=True, slots=True)
class Notice:
    """What a reader must know of a page before believing it; "" where there is nothing to say."""

    unapproved: bool
    stale: bool
    only_in: str
    approved: str


def show_list() -> str:
    """Show what there is to read."""
    too = unapproved_too(read_status())
    pages = shelf().listed(language(), unapproved_too=too)
    unapproved = any(not page.front.approved for page in pages)
    return render_template("citizen/info_list.html", pages=pages, unapproved=unapproved, board=swapboard() is not None)


def show_page(slug: str) -> str | tuple[str, int]:
    """Show one page; of one that nobody has approved only say so, but for a demonstration or an exercise."""
    too = unapproved_too(read_status())
    found = shelf()
    page = found.choose(slug, language(), unapproved_too=too)
    if page is None:
        if found.choose(slug, language(), unapproved_too=True) is None:
            abort(404)
        return show_message(_not_yet(), at_desk=False), HTTPStatus.NOT_FOUND
    codes = found.languages_of(slug, unapproved_too=too)
    others = {code: LANGUAGES[code] for code in codes if code != page.language}
    notice = notice_of(page, codes, language(), _today(read_status()))
    lead, html, onward = page.body.lead, page.body.html, []
    if not is_phone():  # words in a sentence are too small to hit with gloves: tiles below the page instead
        lead, html = (Markup(_LINK.sub(r"<b>\1</b>", part)) for part in (lead, html))  # noqa: S704  was markup before
        onward = _onward(page, unapproved_too=too)
    return render_template(
        "citizen/info_page.html", page=page, lead=lead, html=html, onward=onward, notice=notice, others=others
    )


def show_picture(name: str) -> Response:
    """Send a picture of a page."""
    path = shelf().pictures.get(name)
    if path is None or not path.is_file():
        abort(404)
    return send_file(path, mimetype=_PICTURE_TYPES[path.suffix[1:]])


def notice_of(page: InfoPage, codes: list[str], reader: str, today: date | None) -> Notice:
    """Return what to say of a page; ``codes`` are the languages it may be shown in, ``today`` None: not known."""
    front = page.front
    approved = ""
    if front.approved and front.approved_on is not None:
        day = format_date(front.approved_on, "long")
        approved = gettext("Approved by %(authority)s on %(day)s.", authority=front.approved_by, day=day)
    return Notice(
        unapproved=not front.approved,
        stale=front.approved and today is not None and front.stale(today),
        only_in="" if page.language == reader else _only_in(codes, reader),
        approved=approved,
    )


def _onward(page: InfoPage, *, unapproved_too: bool) -> list[tuple[str, str]]:
    """Return address and title of each page that this one speaks of."""
    slugs = dict.fromkeys(slug for slug, _ in page.body.links)
    found = [shelf().choose(slug, page.language, unapproved_too=unapproved_too) for slug in slugs]
    return [(url_for("citizen.info_page", slug=one.slug), one.front.title) for one in found if one is not None]


def _only_in(codes: list[str], reader: str) -> str:
    names = Locale.parse(reader).languages
    told = format_list([str(names.get(code, code)) for code in codes], locale=reader)
    return gettext("Only in %(languages)s.", languages=told)


def _not_yet() -> Page:
    return Page(
        gettext("This page is not approved yet."),
        gettext("An authority must check the words first."),
        gettext("Ask the staff."),
    )


def _today(status: dict[str, Any] | None) -> date | None:
    """Return the date; None while the node does not know the time: a wrong one would say anything of a page."""
    source = ((status or {}).get("clock") or {}).get("source", "none")
    return None if source == "none" else datetime.now(UTC).date()
