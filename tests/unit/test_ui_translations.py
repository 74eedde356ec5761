"""The words: every one in every language, and the compiled catalogs the same as the readable ones."""

import ast
import io
import re
from pathlib import Path

import pytest
from babel.messages import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po

import steunpunt_ui
from steunpunt.protocol.phrasebook import SENTENCES
from steunpunt_ui.languages import DESK_LANGUAGES, LANGUAGES, direction

ROOT = Path(steunpunt_ui.__file__).parent
TRANSLATIONS = ROOT / "translations"
Ids = str | tuple[str, ...]


def catalog(language: str) -> Catalog:
    with (TRANSLATIONS / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def messages(language: str) -> dict[Ids, Message]:
    return {_key(message.id): message for message in catalog(language) if message.id}


def _key(ids: object) -> Ids:
    return tuple(ids) if isinstance(ids, list | tuple) else str(ids)


def used_in_sources(mapping: str) -> set[Ids]:
    with (TRANSLATIONS / mapping).open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call]
    found = extract_from_dir(str(ROOT), methods, options)
    return {_key(ids) for _, _, ids, _, _ in found}


def test_each_catalog_has_exactly_the_words_that_are_used() -> None:
    everything, citizens = used_in_sources("babel.cfg"), used_in_sources("citizen.cfg")
    assert 150 < len(citizens) < len(everything)
    assert citizens < everything
    for language in LANGUAGES:
        assert set(messages(language)) == (everything if language in DESK_LANGUAGES else citizens), language


def test_no_word_hides_in_an_f_string_where_the_extractor_does_not_see_it() -> None:
    hidden = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted(ROOT.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.JoinedStr)
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and ast.unparse(call.func) in {"gettext", "ngettext"}
    ]
    assert hidden == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_none_is_missing_or_uncertain(language: str) -> None:
    plurals = catalog(language).num_plurals
    for ids, message in messages(language).items():
        texts = [message.string] if isinstance(message.string, str) else list(message.string or ())
        assert all(texts), ids
        assert len(texts) == (plurals if isinstance(ids, tuple) else 1), ids
        assert not message.fuzzy, ids
        wanted = set(re.findall(r"%\(\w+\)\w", ids if isinstance(ids, str) else ids[1]))
        assert all(set(re.findall(r"%\(\w+\)\w", text)) == wanted for text in texts), ids


def test_english_is_what_the_sources_say() -> None:
    for ids, message in messages("en").items():
        assert _key(message.string) == ids


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_catalog_is_the_readable_one(language: str) -> None:
    compiled = io.BytesIO()
    write_mo(compiled, catalog(language))
    compiled.seek(0)
    expected = {_key(message.id): message.string for message in read_mo(compiled) if message.id}
    with (TRANSLATIONS / language / "LC_MESSAGES" / "messages.mo").open("rb") as file:
        assert {_key(message.id): message.string for message in read_mo(file) if message.id} == expected


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code not in DESK_LANGUAGES])
def test_a_translation_is_not_the_english_left_there(language: str) -> None:
    same = [ids for ids, message in messages(language).items() if message.string == ids]
    # A few words are the same in a language that is near.
    assert len(same) <= 4, same


@pytest.mark.parametrize("language", [code for code in LANGUAGES if direction(code) == "rtl"])
def test_numbers_and_names_stand_apart_from_words_that_run_the_other_way(language: str) -> None:
    """After Arabic letters 47-12 would be shown as 12-47: digits take the direction of what is before them."""
    bare = re.compile(r"(?<!\u2068)%\(\w+\)[sd]|%\(\w+\)[sd](?!\u2069)|(?<![\u2066\d])\d+-\d+|[\u0660-\u0669]")
    for ids, message in messages(language).items():
        for text in [message.string] if isinstance(message.string, str) else list(message.string or ()):
            assert not bare.search(text), ids


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_sentence_that_leads_to_the_news_names_its_tile(language: str) -> None:
    tile = str(messages(language)["News"].string)
    assert SENTENCES[language][39].endswith(f": {tile}.")
