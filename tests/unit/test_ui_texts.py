"""What people type: nothing hidden stays, nothing visible goes, and limits are told in characters."""

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from steunpunt_ui.ages import ago
from steunpunt_ui.citizen.lookup import tidy_number, tidy_secret
from steunpunt_ui.languages import add_languages
from steunpunt_ui.texts import characters_over, clean, clean_line

HIDDEN = "\x00\x07\x1b\x7f\x85\u200b\u202e\u2066\u2069\ufeff\u2028"


@given(st.text())
def test_a_cleaned_text_is_utf8_without_control_characters_and_stays_as_it_is(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    assert not any(character in cleaned for character in HIDDEN)
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("brand\r\nin de keuken ", "brand\nin de keuken"),
        ("a\n\n\n\n\nb", "a\n\nb"),
        ("\u202eomgekeerd\u202c", "omgekeerd"),
        ("cafe\u0301", "caf\u00e9"),
        ("مريض", "مريض"),
        ("\U0001f469\u200d\U0001f692", "\U0001f469\u200d\U0001f692"),
        ("<b>&amp;</b>", "<b>&amp;</b>"),
    ],
)
def test_what_a_reader_sees_is_kept(typed: str, kept: str) -> None:
    assert clean(typed) == kept


def test_one_line_stays_one_line() -> None:
    assert clean_line(" 06 12\n34\t56 ") == "06 12 34 56"


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 200))
def test_so_many_characters_less_and_it_fits_but_not_one_fewer(text: str, bytes_max: int) -> None:
    over = characters_over(text, bytes_max)
    assert len(text[: len(text) - over].encode()) <= bytes_max
    assert over == 0 or len(text[: len(text) - over + 1].encode()) > bytes_max


@pytest.mark.parametrize("typed", ["47-12", " 47 - 12 ", "47 12", "47\u201312", "47.12", "47/12"])
def test_a_number_may_be_typed_in_many_ways(typed: str) -> None:
    assert tidy_number(typed) == "47-12"


@pytest.mark.parametrize("typed", ["", "47", "47-", "x-1", "47-12-3", "999999-1", "47-12 3"])
def test_what_is_no_number_is_none(typed: str) -> None:
    assert tidy_number(typed) == ""


@pytest.mark.parametrize("typed", ["7KQ4-M2XD", "7kq4m2xd", " 7kq4 m2xd ", "7KQ4\u2013M2XD"])
def test_a_code_may_be_typed_in_many_ways(typed: str) -> None:
    assert tidy_secret(typed) == "7KQ4-M2XD"


def test_letters_that_are_misread_are_put_right() -> None:
    assert tidy_secret("oil0-1111") == "0110-1111"


@pytest.mark.parametrize("typed", ["", "7KQ4", "7KQ4-M2XDA", "7KQ4-M2X!", "erger"])
def test_what_is_no_code_is_none(typed: str) -> None:
    assert tidy_secret(typed) == ""


@pytest.mark.parametrize(
    ("age_s", "at_least", "words"),
    [
        (0, False, "minder dan een minuut geleden"),
        (59, True, "enige tijd geleden"),
        (60, False, "1 minuut geleden"),
        (6 * 60 + 59, False, "6 minuten geleden"),
        (119 * 60, True, "minstens 119 minuten geleden"),
        (2 * 3600, False, "2 uur geleden"),
        (47 * 3600 + 3599, False, "47 uur geleden"),
        (48 * 3600, False, "2 dagen geleden"),
        (72 * 3600, True, "minstens 3 dagen geleden"),
    ],
)
def test_ages_in_words(age_s: float, at_least: bool, words: str) -> None:  # noqa: FBT001  an example's value
    app = Flask("steunpunt_ui")
    add_languages(app)
    with app.test_request_context("/nl/"):
        assert ago(age_s, at_least=at_least) == words
