"""The languages of the screens: the first path segment of a citizen's page names its language."""

from flask import Flask, g, has_request_context
from flask_babel import Babel

OWN_NAMES = {
    "nl": "Nederlands",
    "en": "English",
    "de": "Deutsch",
    "fr": "Français",
    "pl": "Polski",
    "tr": "Türkçe",
    "ar": "العربية",
    "uk": "Українська",
}
"""Languages in which pages may be written: code and the language's own name, in the order of the screen."""
LANGUAGES = {code: OWN_NAMES[code] for code in ("nl", "en")}
"""Those in which the screens themselves are."""
DEFAULT_LANGUAGE = "nl"


def language() -> str:
    """Return the code of the language of this request; the default outside one."""
    return str(g.get("lang", DEFAULT_LANGUAGE)) if has_request_context() else DEFAULT_LANGUAGE


def language_of_path(path: str) -> str:
    """Return the language a path asks for, for pages without a route of their own."""
    first = path.strip("/").partition("/")[0]
    return first if first in LANGUAGES else DEFAULT_LANGUAGE


def add_languages(app: Flask) -> None:
    """Let gettext follow the language of the path."""
    app.config["BABEL_DEFAULT_LOCALE"] = DEFAULT_LANGUAGE
    Babel(app, locale_selector=language)
