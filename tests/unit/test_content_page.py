"""One information page: what stands before it, its Markdown, and a line and a mend for all that is wrong."""

import re
from datetime import date

import pytest

from steunpunt.model import SteunpuntError
from steunpunt_ui.content import ContentError
from steunpunt_ui.content.front import APPROVED_BY_CHARS_MAX, SUMMARY_CHARS_MAX, TITLE_CHARS_MAX, Front, split
from steunpunt_ui.content.markdown import Body, render

FRONT = """\
---
title: Water
summary: Drinken, koken, wassen
icon: water
order: 20
approved_by: GGD Zuid-Limburg
approved_on: 2026-03-31
language_reviewed: 2026-04-02
---
"""
KEYS = ["title", "summary", "icon", "order", "approved_by", "approved_on", "language_reviewed"]
WORDS = {"point": "Buurthuis <De> *Regenboog*", "broadcaster": ""}


def with_value(key: str, value: str) -> str:
    return re.sub(rf"^{key}:.*$", f"{key}: {value}".rstrip(), FRONT, flags=re.MULTILINE)


def refusal(text: str) -> tuple[int, str]:
    with pytest.raises(ContentError) as caught:
        split(text)
    assert isinstance(caught.value, SteunpuntError)
    line, _, what = str(caught.value).partition(": ")
    assert re.search(r"; (?:write|correct|delete|fill|type)", what), what
    return int(line), what


def page(markdown: str) -> Body:
    return render(markdown.splitlines(), 10, WORDS)


def page_refusal(markdown: str) -> str:
    with pytest.raises(ContentError) as caught:
        page(markdown)
    return str(caught.value)


# --- what stands before it ----------------------------------------------------------------------------------------


def test_a_whole_front_is_read_and_the_page_begins_after_it() -> None:
    front, lines, first = split(FRONT + "\nDrink genoeg.\n")
    assert front == Front(
        "Water", "Drinken, koken, wassen", "water", 20, "GGD Zuid-Limburg", date(2026, 3, 31), date(2026, 4, 2)
    )
    assert (lines, first) == (["", "Drink genoeg."], 10)
    assert front.approved


@pytest.mark.parametrize("ends", ["\r\n", "\n"])
def test_an_editor_of_windows_and_keys_in_another_order_are_fine(ends: str) -> None:
    lines = FRONT.splitlines()
    turned = [lines[0], *reversed(lines[1:-1]), lines[-1]]
    assert split(ends.join([*turned, "Drink."]))[0] == split(FRONT)[0]


@pytest.mark.parametrize("key", KEYS)
def test_each_key_missing_twice_or_unknown_in_turn(key: str) -> None:
    number = KEYS.index(key) + 2
    lines = FRONT.splitlines()
    line, what = refusal("\n".join([*lines[: number - 1], *lines[number:]]))
    assert line == len(FRONT.splitlines()) - 1
    assert what.startswith(f"{key} is missing; write a line {key}: ")
    line, what = refusal("\n".join([*lines[:number], *lines[number - 1 :]]))
    assert (line, what) == (number + 1, f"{key} stands there twice; delete one")
    line, what = refusal(FRONT.replace(f"{key}:", f"{key}s:"))
    assert (line, what.partition(";")[0]) == (number, f"unknown key {key}s")


WRONG = [
    ("title", "", "title is empty"),
    ("title", "x" * (TITLE_CHARS_MAX + 1), f"title has {TITLE_CHARS_MAX + 1} characters"),
    ("title", '"Water"', "title begins with a quotation mark"),
    ("title", "Wa\x07ter", "title holds a character that cannot be seen"),
    ("summary", "", "summary is empty"),
    ("summary", "x" * (SUMMARY_CHARS_MAX + 1), f"summary has {SUMMARY_CHARS_MAX + 1} characters"),
    ("icon", "", "icon is empty"),
    ("icon", "bucket", "there is no icon bucket"),
    ("order", "", "order is empty"),
    ("order", "first", "order is first"),
    ("order", "1000", "order is 1000"),
    ("order", "-1", "order is -1"),
    ("approved_by", "", "approved_by and approved_on belong together"),
    ("approved_by", "x" * (APPROVED_BY_CHARS_MAX + 1), f"approved_by has {APPROVED_BY_CHARS_MAX + 1} characters"),
    ("approved_on", "", "approved_by and approved_on belong together"),
    ("approved_on", "31-03-2026", "approved_on is 31-03-2026"),
    ("approved_on", "2026-02-30", "approved_on is 2026-02-30"),
    ("language_reviewed", "ja", "language_reviewed is ja"),
]


@pytest.mark.parametrize(("key", "value", "told"), WRONG)
def test_each_value_wrong_in_turn(key: str, value: str, told: str) -> None:
    line, what = refusal(with_value(key, value))
    assert what.startswith(told)
    # What two keys say together is told at the first of the two.
    assert line == KEYS.index("approved_by" if "belong together" in told else key) + 2


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("", 1, "a page begins with a line ---"),
        ("# Water\n", 1, "a page begins with a line ---"),
        ("---\ntitle: Water\n", 2, "the keys have no end"),
        ("---\ntitle Water\n---\n", 2, "expected a key, a colon, a space and a value"),
        ("---\ntitle:Water\n---\n", 2, "expected a key, a colon, a space and a value"),
    ],
)
def test_what_is_no_front_at_all(text: str, line: int, told: str) -> None:
    found, what = refusal(text)
    assert found == line
    assert what.startswith(told)


def test_approved_needs_an_authority_and_a_reader_of_the_language() -> None:
    assert not split(with_value("language_reviewed", ""))[0].approved
    nobody = with_value("approved_by", "").replace("approved_on: 2026-03-31", "approved_on:")
    assert not split(nobody)[0].approved


def test_an_approval_is_old_after_a_year_and_a_clock_that_is_behind_calls_nothing_old() -> None:
    front = split(FRONT)[0]
    assert not front.stale(date(2027, 3, 31))
    assert front.stale(date(2027, 4, 1))
    assert not front.stale(date(1970, 1, 1))


# --- its words ----------------------------------------------------------------------------------------------------


def test_the_markdown_that_everybody_knows() -> None:
    body = page("Drink **nu** *veel*.\n\n## Doe nu\n\n1. Vul\n2. Kook\n\n- a\n\n> let op\n\n---\n\n### Ook")
    assert body.lead == "<p>Drink <strong>nu</strong> <em>veel</em>.</p>\n"
    assert body.html == (
        '<h2 id="deel-1">Doe nu</h2>\n<ol>\n<li>Vul</li>\n<li>Kook</li>\n</ol>\n<ul>\n<li>a</li>\n</ul>\n'
        "<blockquote>\n<p>let op</p>\n</blockquote>\n<hr>\n<h3>Ook</h3>\n"
    )


def test_headings_can_be_jumped_to() -> None:
    body = page("## Veel *bloed*\n\nDruk.\n\n## Stikken & slikken\n\nSla.")
    anchors = [anchor for anchor, _ in body.parts]
    assert [words for _, words in body.parts] == ["Veel bloed", "Stikken & slikken"]
    assert all(f'id="{anchor}"' in body.html for anchor in anchors)
    assert len(set(anchors)) == 2


@pytest.mark.parametrize(
    "evil",
    [
        "<script>alert(1)</script>",
        '<img src=x onerror="alert(1)">',
        "a <b>vet</b> <!-- weg -->",
        "&lt;script&gt;",
        "<http://evil.example>",
        "`<i>`",
        "    <pre>",
        "```\n<i>\n```",
    ],
)
def test_html_is_text(evil: str) -> None:
    body = page(f"Tekst\n\n{evil}\n\n## Kop\n\n{evil}")
    tags = set(re.findall(r"</?([a-z0-9]+)", body.lead + body.html))
    assert tags == {"p", "h2"}


def test_links_lead_to_pages_of_the_folder() -> None:
    body = page("Lees [water](water.md)\nen [eten](eten.md).")
    assert 'href="water"' in body.lead
    assert body.links == (("water", 10), ("eten", 11))


@pytest.mark.parametrize(
    "target",
    [
        *("https://example.org", "//example.org", "javascript:alert(1)", "tel:112", "/desk/", "../x.md", "water"),
        *("water.md#koken", "Water.md", "data:text/html,x", "mailto:a@b.example", ""),
    ],
)
def test_no_link_leads_elsewhere(target: str) -> None:
    told = page_refusal(f"Eerst.\n\nLees\n[dit]({target}).")
    assert told.startswith(f"13: the link to {target} leads elsewhere; a link leads to a page of the same folder")


def test_a_picture_is_one_of_the_folder_and_says_what_it_shows() -> None:
    body = page("![een volle emmer](../images/emmer-1.png)")
    assert body.lead == '<p><img src="beeld/emmer-1.png" alt="een volle emmer" loading="lazy"></p>\n'
    assert body.pictures == (("emmer-1.png", 10),)
    assert page_refusal("![](../images/emmer.png)").startswith("10: the picture ../images/emmer.png has no words")


@pytest.mark.parametrize(
    "source",
    ["https://example.org/a.png", "../images/a.svg", "a.png", "../images/../../a.png", "data:image/png;base64,x"],
)
def test_no_picture_comes_from_elsewhere(source: str) -> None:
    assert page_refusal(f"![x]({source})").startswith(f"10: the picture {source} is not one of the folder images")


def test_a_heading_of_one_sign_is_the_titles() -> None:
    assert page_refusal("Drink.\n\n# Water").startswith("12: a heading here has two or three signs")
    assert page_refusal("#### Water").startswith("10: a heading here")
    assert page_refusal("\n\n").startswith("10: the page has no words")


# --- what the config says, and blanks -----------------------------------------------------------------------------


def test_braces_are_filled_in_as_text_and_never_as_markup() -> None:
    body = page("U bent bij **{point}**, {point?naam}.")
    shown = "Buurthuis &lt;De&gt; *Regenboog*"
    assert body.lead == f"<p>U bent bij <strong>{shown}</strong>, {shown}.</p>\n"
    assert body.blanks == ()


def test_a_blank_shows_what_belongs_there() -> None:
    body = page("Open: {?dagen & <tijden>}\n\n- {broadcaster?naam en frequentie}")
    assert '<span class="blank">…\u00a0dagen &amp; &lt;tijden&gt;</span>' in body.lead
    assert body.blanks == (("dagen & <tijden>", 10), ("naam en frequentie", 12))


@pytest.mark.parametrize(
    ("braces", "told"),
    [
        ("{phone}", "nothing is called {phone}; known are broadcaster, point"),
        ("{phone?nummer}", "nothing is called {phone}"),
        ("{?}", "a blank has no words"),
        ("{point?}", "a blank has no words"),
        ("{}", "there is nothing in the braces"),
        ("{broadcaster}", "{broadcaster} is not in the config; write {broadcaster?what belongs here}"),
    ],
)
def test_braces_wrong_in_turn(braces: str, told: str) -> None:
    assert page_refusal(f"Een.\nTwee {braces} drie.").startswith(f"11: {told}")
