"""The staff's PIN: who gets in, what a wrong one costs on which road, and when a session ends."""

from pathlib import Path

import pytest

from steunpunt.keyfiles import read_staff_pin, write_staff_pin
from steunpunt.model import KeyFileError
from steunpunt.node.staffdoor import (
    FREE_TRIES,
    IDLE_S_MAX,
    SESSIONS_MAX,
    WAIT_S_FIRST,
    WAIT_S_MAX,
    Road,
    StaffDoor,
    TooManyTries,
    WrongPin,
)

PIN = "295031"


class Hands:
    """A clock that tests move."""

    now_s = 1_000.0

    def read(self) -> float:
        return self.now_s


@pytest.fixture(name="hands")
def fixture_hands() -> Hands:
    return Hands()


@pytest.fixture(name="door")
def fixture_door(tmp_path: Path, hands: Hands) -> StaffDoor:
    write_staff_pin(tmp_path / "staff.pin", PIN)
    return StaffDoor(tmp_path / "staff.pin", now=hands.read)


def wrong(door: StaffDoor, road: Road, times: int) -> None:
    for _ in range(times):
        with pytest.raises(WrongPin):
            door.enter("000000", road)


def test_the_pin_opens_the_door_and_a_session_ends_when_idle_or_left(door: StaffDoor, hands: Hands) -> None:
    session = door.enter(PIN, Road.SCREEN)
    hands.now_s += IDLE_S_MAX
    assert door.is_in(session)
    hands.now_s += IDLE_S_MAX - 1
    assert door.is_in(session, acts=False)
    hands.now_s += 2
    assert not door.is_in(session), "looking without an act must not keep a session alive"
    other = door.enter(PIN, Road.SCREEN)
    door.leave(other)
    assert not door.is_in(other)
    assert not door.is_in("")


def test_wrong_pins_wait_longer_each_time_and_the_right_one_waits_too(door: StaffDoor, hands: Hands) -> None:
    wrong(door, Road.WIFI, FREE_TRIES)
    with pytest.raises(TooManyTries) as told:
        door.enter(PIN, Road.WIFI)
    assert told.value.wait_s == WAIT_S_FIRST
    for waited_s in (WAIT_S_FIRST, 2 * WAIT_S_FIRST, 4 * WAIT_S_FIRST, 8 * WAIT_S_FIRST, WAIT_S_MAX):
        hands.now_s += waited_s
        wrong(door, Road.WIFI, 1)
    with pytest.raises(TooManyTries) as told:
        door.enter(PIN, Road.WIFI)
    assert told.value.wait_s == WAIT_S_MAX


def test_phones_that_guess_do_not_lock_staff_out_of_the_points_own_screen(door: StaffDoor, hands: Hands) -> None:
    wrong(door, Road.WIFI, FREE_TRIES)
    assert door.is_in(door.enter(PIN, Road.SCREEN))
    hands.now_s += WAIT_S_FIRST
    assert door.enter(PIN, Road.WIFI)
    wrong(door, Road.WIFI, FREE_TRIES - 1)  # the right one began the count anew


def test_sessions_are_bounded_and_the_longest_idle_goes(door: StaffDoor, hands: Hands) -> None:
    sessions = []
    for _ in range(SESSIONS_MAX):
        sessions.append(door.enter(PIN, Road.SCREEN))
        hands.now_s += 1
    assert door.is_in(sessions[0])
    door.enter(PIN, Road.SCREEN)
    assert door.is_in(sessions[0])
    assert not door.is_in(sessions[1])


def test_a_new_pin_counts_at_once_and_the_file_holds_no_pin(door: StaffDoor) -> None:
    write_staff_pin(door.pin_file, "7402918")
    with pytest.raises(WrongPin):
        door.enter(PIN, Road.SCREEN)
    assert door.enter("7402918", Road.SCREEN)
    assert "7402918" not in door.pin_file.read_text("utf-8")
    assert door.pin_file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "pin", ["", "12345", "1234567890123", "12 345", "abcdef", "٢٩٥٠٣١", "111111", "123456", "987654"]
)
def test_a_pin_that_is_short_or_guessed_first_is_refused(tmp_path: Path, pin: str) -> None:
    with pytest.raises(KeyFileError, match="choose another"):
        write_staff_pin(tmp_path / "staff.pin", pin)
    assert not (tmp_path / "staff.pin").exists()


@pytest.mark.parametrize("text", ["", "staff_pin = 7\n", 'staff_pin = "scrypt$1$8$1$AAAA$AAAA"\n'])
def test_a_broken_file_says_what_sets_the_pin_again(tmp_path: Path, text: str) -> None:
    path = tmp_path / "staff.pin"
    path.write_text(text, "utf-8")
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="steunpunt keys staff-pin"):
        read_staff_pin(path)
