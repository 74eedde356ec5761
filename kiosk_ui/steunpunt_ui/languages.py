"""The languages of the screens: the first path segment of a citizen's page names its language.

The citizen's screens are in all of them, the desk in the default one. A language that nobody who speaks it has read
says so on the page.
"""

from functools import lru_cache
from typing import Any, Final

from flask import Flask, g, has_request_context, request
from flask_babel import Babel, Domain, get_translations
from markupsafe import Markup

LANGUAGES = {
    "nl": "Nederlands",
    "en": "English",
    "de": "Deutsch",
    "fr": "Français",
    "pl": "Polski",
    "tr": "Türkçe",
    "ar": "العربية",
    "uk": "Українська",
}
"""Code and the language's own name, in the order in which they stand on the screen."""
DEFAULT_LANGUAGE = "nl"
DESK_LANGUAGES = ("nl", "en")
"""Those in which the desk's words are too."""
READ_BY: dict[str, str] = {}
"""Who of its speakers read a language's words on the screens; nobody did yet."""
_FROM_RIGHT_TO_LEFT = frozenset({"ar"})
_WORDS_MAX: Final = 8_192
"""Words of templates that are kept translated, in all languages together: there are half as many."""


def language() -> str:
    """Return the code of the language of this request; the default outside one."""
    return str(g.get("lang", DEFAULT_LANGUAGE)) if has_request_context() else DEFAULT_LANGUAGE


def direction(code: str) -> str:
    """Return how a language is written, as HTML says it."""
    return "rtl" if code in _FROM_RIGHT_TO_LEFT else "ltr"


def unread(code: str) -> bool:
    """Whether a language's words are a translation that none of its speakers has read."""
    return code != DEFAULT_LANGUAGE and code not in READ_BY


def language_of_path(path: str) -> str:
    """Return the language a path asks for, for pages without a route of their own."""
    first = path.strip("/").partition("/")[0]
    return first if first in LANGUAGES else DEFAULT_LANGUAGE


def language_asked() -> str:
    """Return the language of ours that the reader's browser likes best; the default when it names none."""
    return request.accept_languages.best_match(LANGUAGES, DEFAULT_LANGUAGE) or DEFAULT_LANGUAGE


def add_languages(app: Flask) -> None:
    """Let gettext follow the language of the path."""
    app.config["BABEL_DEFAULT_LOCALE"] = DEFAULT_LANGUAGE
    babel = Babel(app, locale_selector=language)
    babel.domain_instance = _Catalogs()  # type: ignore[no-untyped-call]
    app.jinja_env.globals |= {"_": _words, "gettext": _words, "ngettext": _counted}


class _Catalogs(Domain):
    """The catalogs by the language's code: Flask-Babel makes a locale's name anew for each word that it looks up."""

    def get_translations(self) -> Any:  # noqa: ANN401  Flask-Babel has no types
        """Return the catalog of this request's language."""
        if not has_request_context():
            return Domain.get_translations(self)
        code = language()
        found = self.cache.get(code)
        if found is None:
            found = self.cache[code] = Domain.get_translations(self)
        return found


def _words(text: str, **values: object) -> Markup:
    """Return words of a template in the language of this request, with ``values`` where the words name them.

    In the place of Jinja's own, which finds, marks and formats the same words anew each time.
    """
    return _safe(get_translations().ugettext(text)) % values if values else _plain_words(language(), text)


@lru_cache(_WORDS_MAX)
def _plain_words(_code: str, text: str) -> Markup:
    return _safe(get_translations().ugettext(text)) % {}


def _counted(one: str, many: str, num: int, **values: object) -> Markup:
    return _safe(get_translations().ungettext(one, many, num)) % ({"num": num} | values)


def _safe(translated: str) -> Markup:
    """Catalogs are our own; what is put into their words is escaped."""
    return Markup(translated)  # noqa: S704  see above
