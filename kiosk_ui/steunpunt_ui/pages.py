"""What the pages of citizen and desk share: a message page, and addresses of static files."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

from flask import Flask, g, render_template, request, url_for

from steunpunt.config import Config
from steunpunt_ui.languages import LANGUAGES, direction, language, unread

_KEPT_ARGUMENTS = ("f", "bij", "echt", "al", "number", "gezegd")
"""What an address says beside its path and means in every language: a form, the request it follows, that it is real."""
_STATIC = Path(__file__).parent / "static"


@dataclass(frozen=True, slots=True)
class Page:
    """Words of a page that only says something: what happened, and what to do now."""

    title: str
    what: str
    now: str = ""
    button: str = ""
    look_up: str = ""
    """Where to type number and code again; "" where that is no help."""


def show_message(page: Page, *, at_desk: bool) -> str:
    """Render a message in the frame of the desk or of the citizen."""
    return render_template("desk/message.html" if at_desk else "citizen/message.html", page=page)


def add_page_words(app: Flask, config: Config) -> None:
    """Give every template the site's names and the languages."""
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.context_processor(
        lambda: {
            "site": config.site,
            "region": config.region,
            "lang": language(),
            "languages": LANGUAGES,
            "direction": direction,
            "unread": unread,
            "asset": asset,
            "in_language": in_language,
        }
    )


def asset(name: str) -> str:
    """Return the address of a static file with its fingerprint, so that it may be cached for ever."""
    return url_for("static", filename=name, v=_fingerprint(name))


def in_language(code: str, path: str = "") -> str:
    """Return the address of this page in another language; of its first page when there is no such page.

    ``path``: the page's own in the reader's language, where a form that keeps what is typed goes elsewhere.
    """
    tails: dict[str, str | None] = g.setdefault("address_tails", {})
    if path not in tails:  # once for all languages
        tails[path] = _tail(path or request.path)
    tail = tails[path]
    return url_for("citizen.home", lang=code) if tail is None else f"/{code}/{tail}"


def _tail(path: str) -> str | None:
    """Return what an address of this page has behind the language; None where there is no page to go back to."""
    if request.url_rule is None or "GET" not in (request.url_rule.methods or ()):
        return None
    said = urlencode([(name, value) for name, value in request.args.items() if name in _KEPT_ARGUMENTS])
    return path.lstrip("/").partition("/")[2] + (f"?{said}" if said else "")


@cache
def _fingerprint(name: str) -> str:
    return hashlib.sha256((_STATIC / name).read_bytes()).hexdigest()[:12]
