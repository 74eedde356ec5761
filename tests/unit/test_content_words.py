"""The information pages that come along: whole, in every language alike, and in sentences that anybody can read."""

import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from steunpunt.config import load
from steunpunt_ui.content.front import split
from steunpunt_ui.content.place import folder_of, words_of
from steunpunt_ui.content.shelf import read

CONFIG = load(Path(__file__).parents[2] / "config" / "kiosk.toml")
CONTENT = Path(__file__).parents[2] / "config" / "content"
LANGUAGES = ["nl", "en", "de", "fr"]
SLUGS = [
    *("72-uur", "buren", "dit-punt", "eerste-hulp", "eten", "huisdieren", "kinderen"),
    *("koolmonoxide", "medicijnen", "radio", "warmte", "water"),
]
MEAN_WORDS_MAX = 12
WORDS_MAX = 20
OTHERS_WORDS_MAX = 25
"""German and French say the same with more words."""
ALLOWED_IN_PLAIN_DUTCH_CHARS_MAX = 20
# Words of a request's state say more than is known when they stand alone; and no page promises what nobody can.
FORBIDDEN = re.compile(
    r"\b(?:bewaard|onderweg|ontvangen|gezien|gesloten|zo snel mogelijk|binnenkort|hulp komt|komt eraan|garanderen|"
    r"altijd veilig|paniek)\b",
    re.IGNORECASE,
)


def body(language: str, slug: str) -> str:
    _, lines, _ = split((CONTENT / language / f"{slug}.md").read_text("utf-8"))
    return "\n".join(lines)


def plain(markdown: str) -> list[str]:
    """Give the words of each block and list item, as a reader sees them; what is in braces counts as one word."""
    text = re.sub(r"\{[^}]*\}", "Leeg", markdown)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text).replace("**", "")
    return [re.sub(r"^(?:#+|-|\d+\.|>)\s+", "", line).strip() for line in text.splitlines() if line.strip()]


def sentences(markdown: str) -> Iterator[list[str]]:
    for block in plain(markdown):
        for sentence in re.split(r"(?<=[.!?])\s+", block):
            if found := re.findall(r"[\w'\u2019-]+", sentence):
                yield found


def test_the_pages_that_come_along_are_found_whole_and_nobody_has_approved_them() -> None:
    assert folder_of(CONFIG) == CONTENT
    shelf = read(folder_of(CONFIG), words_of(CONFIG))
    assert shelf.problems == ()
    assert sorted(shelf.pages) == sorted((language, slug) for language in LANGUAGES for slug in SLUGS)
    fronts = [page.front for page in shelf.pages.values()]
    assert [front.title for front in fronts if front.approved_by or front.approved_on or front.language_reviewed] == []


@pytest.mark.parametrize("slug", SLUGS)
def test_a_page_is_built_alike_in_every_language(slug: str) -> None:
    shelf = read(CONTENT, words_of(CONFIG))
    shapes = {}
    for language in LANGUAGES:
        page = shelf.pages[language, slug]
        tags = re.findall(r"<(h2|h3|p|ul|ol|li|blockquote|strong)\b", page.body.lead + page.body.html)
        links = [target for target, _ in page.body.links]
        shapes[language] = (tags, links, len(page.body.blanks), page.front.icon, page.front.order)
    assert {language: shape for language, shape in shapes.items() if shape != shapes["nl"]} == {}


@pytest.mark.parametrize("slug", SLUGS)
def test_dutch_sentences_are_short(slug: str) -> None:
    lengths = [len(words) for words in sentences(body("nl", slug))]
    assert len(lengths) > 15
    assert statistics.mean(lengths) <= MEAN_WORDS_MAX
    assert [" ".join(words) for words in sentences(body("nl", slug)) if len(words) > WORDS_MAX] == []


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_sentences_in_other_languages_are_short_too(language: str) -> None:
    for slug in SLUGS:
        found = list(sentences(body(language, slug)))
        assert statistics.mean(len(words) for words in found) <= MEAN_WORDS_MAX, slug
        assert [" ".join(words) for words in found if len(words) > OTHERS_WORDS_MAX] == [], slug


@pytest.mark.parametrize("slug", SLUGS)
def test_dutch_pages_use_common_words_and_promise_nothing(slug: str) -> None:
    text = "\n".join(plain(body("nl", slug)))
    assert FORBIDDEN.findall(text) == []
    long = [word for word in re.findall(r"\w+", text) if len(word) > ALLOWED_IN_PLAIN_DUTCH_CHARS_MAX]
    assert long == []


def test_the_measure_of_sentences_sees_long_ones() -> None:
    text = "- Een twee drie. Vier\n\n## Vijf zes\n\nZie [zeven acht](water.md) {?negen tien elf}!"
    assert [len(words) for words in sentences(text)] == [3, 1, 2, 4]


@pytest.mark.parametrize("slug", SLUGS)
def test_no_page_names_a_number_or_frequency_that_may_be_wrong(slug: str) -> None:
    for language in LANGUAGES:
        text = re.sub(r"\{[^}]*\}", "", body(language, slug))
        numbers = re.findall(r"\d[\d.,]*\d|\d", text)
        assert {number for number in numbers if len(re.sub(r"\D", "", number)) > 2} <= {"112"}, language
        assert "FM 9" not in text
        assert "MHz" not in text
