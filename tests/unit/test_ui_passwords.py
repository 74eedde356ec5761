"""The desk's passwords, sessions and form tokens."""

import os
from pathlib import Path

import pytest

from steunpunt.model import KeyFileError
from steunpunt_ui.desk.passwords import (
    PasswordError,
    check_file,
    hash_password,
    password_line,
    set_password,
    verify,
    verify_person,
)
from steunpunt_ui.desk.sessions import (
    SESSION_S_MAX,
    SESSIONS_MAX,
    WRONG_TRIES_MAX,
    WRONG_TRIES_S,
    Limiter,
    Sessions,
)

STORED = hash_password("brandweer-47", bytes(16))


def write(path: Path, content: str, mode: int = 0o640) -> str:
    path.write_text(content, "utf-8")
    path.chmod(mode)
    return str(path)


def test_the_right_password_and_no_other() -> None:
    assert verify("brandweer-47", STORED)
    assert not verify("brandweer-48", STORED)
    assert not verify("", STORED)


def test_a_salt_is_drawn_anew_each_time() -> None:
    assert hash_password("brandweer-47") != hash_password("brandweer-47")


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "plain",
        "scrypt$1$8$1$AAAA$AAAA",
        "scrypt$3$8$1$AAAA$AAAA",
        "scrypt$32768$8$1$?$?",
        "scrypt$1073741824$8$1$AAAA$" + "A" * 43 + "=",
        STORED.replace("scrypt", "md5"),
    ],
)
def test_a_broken_or_costly_hash_matches_nothing(stored: str) -> None:
    assert not verify("brandweer-47", stored)


@pytest.mark.parametrize("name", ["", " Jansen", "a:b", "#a", "x\ny", "n" * 41])
def test_names_that_would_break_the_file_are_refused(name: str) -> None:
    with pytest.raises(PasswordError):
        password_line(name, "brandweer-47")


@pytest.mark.parametrize("password", ["kort", "x" * 201])
def test_passwords_of_other_lengths_are_refused(password: str) -> None:
    with pytest.raises(PasswordError):
        hash_password(password)


def test_people_are_added_and_get_new_passwords(tmp_path: Path) -> None:
    path = tmp_path / "desk.passwords"
    set_password(path, "Jansen", "brandweer-47")
    set_password(path, "De Vries", "kazerne-noord")
    set_password(path, "Jansen", "nieuw-woord")
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(check_file(str(path))) == ["De Vries", "Jansen"]
    assert verify_person(str(path), "Jansen", "nieuw-woord")
    assert verify_person(str(path), "De Vries", "kazerne-noord")
    assert not verify_person(str(path), "Jansen", "brandweer-47")
    assert not verify_person(str(path), "Niemand", "nieuw-woord")
    assert os.listdir(tmp_path) == ["desk.passwords"]  # noqa: PTH208  hidden files too


def test_a_file_that_cannot_be_used_names_the_mend(tmp_path: Path) -> None:
    line = f"Jansen:{STORED}\n"
    for content, mode, told in [
        (line, 0o644, "chmod o="),
        ("Jansen\n", 0o640, ":1: not a line"),
        ("# nobody\n", 0o640, "nobody is in it"),
    ]:
        with pytest.raises(KeyFileError, match=told):
            check_file(write(tmp_path / "p", content, mode))
    with pytest.raises(KeyFileError, match="steunpunt keys desk-password"):
        check_file(str(tmp_path / "absent"))
    with pytest.raises(KeyFileError, match=r"web\.desk_passwords_file"):
        check_file(None)


class Clock:
    """Time that only a test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_ten_wrong_tries_a_minute_and_then_not_even_the_right_one() -> None:
    clock = Clock()
    limiter = Limiter(now=clock)
    assert [limiter.check(lambda: False) for _ in range(WRONG_TRIES_MAX)] == [False] * WRONG_TRIES_MAX
    assert limiter.check(lambda: True) is None
    clock.now_s += WRONG_TRIES_S - 0.1
    assert limiter.check(lambda: True) is None
    clock.now_s += 0.1
    assert limiter.check(lambda: True) is True


def test_right_passwords_are_not_counted() -> None:
    limiter = Limiter(now=Clock())
    assert all(limiter.check(lambda: True) for _ in range(3 * WRONG_TRIES_MAX))


def test_a_session_lasts_a_shift() -> None:
    clock = Clock()
    sessions = Sessions(now=clock)
    person = sessions.begin("Jansen")
    clock.now_s += SESSION_S_MAX
    assert sessions.find(person.session) is person
    clock.now_s += 1
    assert sessions.find(person.session) is None
    assert sessions.find("") is None


def test_the_oldest_session_goes_when_there_are_too_many() -> None:
    sessions = Sessions(now=Clock())
    people = [sessions.begin("Jansen") for _ in range(SESSIONS_MAX + 1)]
    assert sessions.find(people[0].session) is None
    assert sessions.find(people[1].session) is people[1]
    sessions.end(people[1].session)
    assert sessions.find(people[1].session) is None


def test_a_form_token_is_of_one_session_and_new_each_time() -> None:
    sessions = Sessions(now=Clock())
    mine, other = sessions.begin("Jansen"), sessions.begin("De Vries")
    token = sessions.form_token(mine)
    assert token != sessions.form_token(mine)
    assert len(token) <= 80
    assert sessions.made_for(mine, token)
    assert not sessions.made_for(other, token)
    for forged in ["", "x", token[:-1], token[:-1] + "\u00e9", "\ud800" + token]:
        assert not sessions.made_for(mine, forged)
