"""The point's own board of notes: bounded, looked at first, gone after its time."""

import pytest

from steunpunt_ui.citizen.swapboard import (
    NOTES_MAX,
    SHOWN_S_MAX,
    TEXT_CHARS_MAX,
    WAITING_MAX,
    WAITING_PER_PHONE_MAX,
    WAITS_S_MAX,
    Full,
    NoteKind,
    SwapBoard,
)


class Hands:
    now_s = 50.0

    def read(self) -> float:
        return self.now_s


def test_nothing_is_on_the_board_before_staff_put_it_there_and_nothing_after_its_time() -> None:
    hands = Hands()
    board = SwapBoard(hands.read)
    board.hand_in(NoteKind.LIFT, "Naar Heer, 2 plaatsen, bij de ingang", "nl")
    board.hand_in(NoteKind.HAVE, "x" * 500, "en")
    assert board.shown() == []
    assert [len(note.text) for note in board.waiting()] == [36, TEXT_CHARS_MAX]
    board.show(1)
    hands.now_s += 60
    assert [(note.text[:9], note.age_s) for note in board.shown()] == [("Naar Heer", 60)]
    hands.now_s += WAITS_S_MAX
    assert board.waiting() == []
    hands.now_s += SHOWN_S_MAX
    assert board.shown() == []
    board.show(2)  # gone: nothing happens
    assert board.shown() == []


def test_what_staff_take_away_is_gone() -> None:
    board = SwapBoard()
    board.hand_in(NoteKind.NEED, "luiers", "nl")
    board.show(1)
    board.remove(1)
    board.remove(1)
    assert (board.shown(), board.waiting()) == ([], [])


def test_a_flood_fills_neither_the_board_nor_the_memory() -> None:
    board = SwapBoard()
    for number in range(NOTES_MAX + 5):
        board.hand_in(NoteKind.HAVE, f"deken {number}", "nl")
        board.show(number + 1)
    assert len(board.shown()) == NOTES_MAX
    assert board.shown()[0].text == f"deken {NOTES_MAX + 4}"
    for _ in range(WAITING_MAX):
        board.hand_in(NoteKind.HAVE, "deken", "nl")
    with pytest.raises(Full):
        board.hand_in(NoteKind.HAVE, "deken", "nl")
    assert len(board.shown()) == NOTES_MAX


def test_one_phone_cannot_fill_the_list_for_all_others() -> None:
    board = SwapBoard()
    for _ in range(WAITING_PER_PHONE_MAX):
        board.hand_in(NoteKind.HAVE, "deken", "nl", "10.42.0.7")
    with pytest.raises(Full):
        board.hand_in(NoteKind.HAVE, "deken", "nl", "10.42.0.7")
    board.hand_in(NoteKind.HAVE, "deken", "nl", "10.42.0.8")
    board.show(1)
    board.hand_in(NoteKind.HAVE, "deken", "nl", "10.42.0.7")
