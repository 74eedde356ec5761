"""All that a point may read aloud in one language: the words of its pages, its information pages, and the phrases."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.mofile import read_mo
from markupsafe import escape

from steunpunt.config import Config
from steunpunt.protocol.phrasebook import SENTENCES
from steunpunt_ui.content.place import folder_of, words_of
from steunpunt_ui.content.shelf import read
from steunpunt_ui.languages import LANGUAGES
from steunpunt_ui.speech.sentences import sentences_of

_CATALOGS: Final = Path(__file__).parents[1] / "translations"
_CITIZENS: Final = "de"
"""A catalog with the words of the citizen's pages alone: those of the desk are read aloud to nobody."""
_PLACE: Final = re.compile(r"%\(\w+\)[sd]|\{\w*\}")
_NUMBERS: Final = 20
"""Sentences with a count, such as minutes, are made for so many."""


def texts_of(config: Config, language: str) -> list[str]:
    """Return every sentence once, the same at each call; ``language`` is one of the screens."""
    found: dict[str, None] = {}
    for text in (*_page_words(config, language), *_phrases(language)):
        found |= dict.fromkeys(sentences_of(text))
    for page in read(folder_of(config), words_of(config)).pages.values():
        if page.language == language:
            for text in (page.front.title, page.front.summary, page.body.lead, page.body.html):
                found |= dict.fromkeys(sentences_of(str(text)))
    return list(found)


def _catalog(language: str) -> Catalog:
    with (_CATALOGS / language / "LC_MESSAGES" / "messages.mo").open("rb") as file:
        return read_mo(file)


def _page_words(config: Config, language: str) -> Iterator[str]:
    """Give the words of the pages as HTML, with what the config says in them."""
    region, site = config.region, config.site
    values = {"station": region.coordinator_name, "address": region.fallback_address, "site": site.name}
    known = {f"%({name})s": str(escape(value)) for name, value in values.items()}
    yield from (str(escape(name)) for name in (site.name, *LANGUAGES.values()))
    citizens = {str(message.id) for message in _catalog(_CITIZENS) if message.id}
    for message in _catalog(language):
        if not message.id or str(message.id) not in citizens:
            continue
        for text in [message.string] if isinstance(message.string, str) else list(message.string or ()):
            yield from _filled(str(escape(text)), known)


def _filled(text: str, known: dict[str, str]) -> Iterator[str]:
    for place, value in known.items():
        text = text.replace(place, value)
    counts = set(_PLACE.findall(text))
    if not counts:
        yield text
    elif counts == {"%(num)d"}:
        yield from (text.replace("%(num)d", str(number)) for number in range(1, _NUMBERS + 1))


def _phrases(language: str) -> Iterator[str]:
    yield from (str(escape(text)) for text in SENTENCES[language].values() if not _PLACE.search(text))
