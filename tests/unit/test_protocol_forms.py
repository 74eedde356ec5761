"""Form tokens: given out here, not too long ago, and untouched."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.protocol.forms import FORM_AGE_S_MAX, RANDOM_BYTES, issue, read

KEY = bytes(range(32))
RANDOM = bytes(range(16))
randoms = st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES)


@given(randoms, st.integers(0, 2**32 - 1))
def test_a_token_is_read_back(random_bytes: bytes, now_s: int) -> None:
    token = read(KEY, issue(KEY, now_s, random_bytes))
    assert token is not None
    assert (token.issued_s, token.random) == (now_s, random_bytes)


def test_a_form_is_good_for_two_hours() -> None:
    token = read(KEY, issue(KEY, 1000, RANDOM))
    assert token is not None
    assert not token.expired(1000 + FORM_AGE_S_MAX)
    assert token.expired(1000 + FORM_AGE_S_MAX + 1)
    assert FORM_AGE_S_MAX == 7200


def test_the_ledger_keeps_what_does_not_lead_back() -> None:
    token = read(KEY, issue(KEY, 1000, RANDOM))
    again = read(KEY, issue(KEY, 2000, RANDOM))
    assert token is not None
    assert again is not None
    assert token.digest == again.digest == hashlib.sha256(b"steunpunt form v1" + RANDOM).digest()


def test_another_site_did_not_issue_it() -> None:
    assert read(bytes(32), issue(KEY, 1000, RANDOM)) is None


def test_every_character_counts() -> None:
    text = issue(KEY, 1000, RANDOM)
    for at, character in enumerate(text):
        for other in {"A", "B", "-", "_", "=", "!", " ", "é"} - {character}:
            assert read(KEY, text[:at] + other + text[at + 1 :]) is None


@pytest.mark.parametrize("junk", ["", " ", "\n", "=", "====", "AAAA"])
def test_nothing_may_be_added_or_left_out(junk: str) -> None:
    text = issue(KEY, 1000, RANDOM)
    assert read(KEY, junk + text[:-1]) is None
    if junk:
        assert read(KEY, text[:7] + junk + text[7:]) is None
        assert read(KEY, text + junk) is None


@given(st.text(max_size=60))
def test_whatever_is_posted_is_no_token(text: str) -> None:
    assert read(KEY, text) is None


def test_a_lone_surrogate_is_no_token() -> None:
    assert read(KEY, "\ud800" * 40) is None
