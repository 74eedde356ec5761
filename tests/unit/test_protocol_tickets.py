"""Ticket secrets: easy to write down and read out, and only the right one opens."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.model import SealError
from steunpunt.protocol.tickets import (
    SECRET_RANDOM_BYTES,
    copy_key,
    lock,
    secret_text,
    stretch,
    tidy_secret,
    unlock,
)

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
randoms = st.binary(min_size=SECRET_RANDOM_BYTES, max_size=SECRET_RANDOM_BYTES)
SALT = bytes(range(16))


@given(randoms)
def test_a_secret_has_eight_characters_that_cannot_be_mistaken(random_bytes: bytes) -> None:
    secret = secret_text(random_bytes)
    assert len(secret) == 9
    assert secret[4] == "-"
    assert set(secret.replace("-", "")) <= set(ALPHABET)
    assert tidy_secret(secret) == secret


def test_all_forty_bits_are_in_it() -> None:
    assert secret_text(bytes(5)) == "0000-0000"
    assert secret_text(b"\xff" * 5) == "ZZZZ-ZZZZ"
    texts = {secret_text((1 << bit).to_bytes(5, "big")) for bit in range(40)}
    assert len(texts) == 40


@pytest.mark.parametrize(
    "typed",
    ["7KQ4-M2XD", "7kq4-m2xd", "7kq4m2xd", " 7 K Q 4 - M 2 X D ", "7kq4\N{EN DASH}m2xd", "7KQ4.M2XD"],
)
def test_case_spaces_and_dashes_do_not_matter(typed: str) -> None:
    assert tidy_secret(typed) == "7KQ4-M2XD"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("OOOO-0000", "0000-0000"), ("iIlL-1111", "1111-1111"), ("uUvV-VVVV", "VVVV-VVVV")],
)
def test_look_alikes_are_read_as_what_they_resemble(typed: str, meant: str) -> None:
    assert tidy_secret(typed) == meant


@pytest.mark.parametrize(
    "typed", ["", "7KQ4", "7KQ4-M2X", "7KQ4-M2XDD", "7KQ4-M2XÉ", "7KQ4-M2X\N{FULLWIDTH DIGIT ONE}"]
)
def test_what_cannot_be_a_secret_is_none(typed: str) -> None:
    assert tidy_secret(typed) is None


@given(st.text(max_size=40))
def test_whatever_is_typed_is_a_secret_or_none(typed: str) -> None:
    secret = tidy_secret(typed)
    assert secret is None or set(secret.replace("-", "")) <= set(ALPHABET)


def test_a_secret_is_stretched_with_four_mebibytes_of_scrypt() -> None:
    stretched = stretch("7KQ4-M2XD", SALT)
    parameters = {"n": 4096, "r": 8, "p": 1, "dklen": 32}
    assert stretched.key == hashlib.scrypt(b"7KQ4-M2XD", salt=SALT, **parameters)
    assert 128 * 4096 * 8 == 4 << 20
    assert (stretched.secret, stretched.salt) == ("7KQ4-M2XD", SALT)
    assert stretch("7KQ4-M2XD", SALT[::-1]).key != stretched.key


def test_only_the_right_secret_opens() -> None:
    locked = lock(stretch("7KQ4-M2XD", SALT).key, b"the answer's key")
    assert b"the answer" not in locked
    assert unlock(stretch("7KQ4-M2XD", SALT).key, locked) == b"the answer's key"
    with pytest.raises(SealError, match="wrong key"):
        unlock(stretch("7KQ4-M2XE", SALT).key, locked)


@given(st.binary(max_size=60))
def test_broken_locks_are_a_seal_error(locked: bytes) -> None:
    with pytest.raises(SealError):
        unlock(bytes(32), locked)


@given(randoms, randoms)
def test_each_form_keeps_its_copy_under_a_key_of_its_own(one: bytes, other: bytes) -> None:
    assert (copy_key(one) == copy_key(other)) is (one == other)
    assert len(copy_key(one)) == 32
