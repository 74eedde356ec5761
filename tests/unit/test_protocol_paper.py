"""The text form of a sealed message: scanned or typed, whole or in parts, damaged or not ours."""

import random

import pytest

from steunpunt.protocol import paper, paperletters
from steunpunt.protocol.keys import epoch_id
from steunpunt.protocol.pieces import MESSAGE_BYTES_MAX, TAG_BYTES, parse_pieces

E_PUB = bytes(range(32))
SHORT = bytes(range(60))
LONG = random.Random(4).randbytes(MESSAGE_BYTES_MAX + 16 * TAG_BYTES)
ALPHANUMERIC = set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")


def codes(body: bytes = SHORT, n: int = 3, age: int = 5) -> list[str]:
    return paper.codes(47, n, age, E_PUB, body)


def test_a_short_message_is_one_code_for_a_dense_and_small_qr() -> None:
    (code,) = codes()
    assert set(code) <= ALPHANUMERIC
    assert len(code) <= paperletters.CODE_CHARS_MAX


def test_it_comes_out_as_the_packet_that_any_road_carries() -> None:
    (message,) = paper.read(codes()[0]).messages
    (heard,) = parse_pieces(message.packets[0])
    assert (heard.piece.site, heard.piece.n, heard.piece.eid) == (47, 3, epoch_id(E_PUB))
    assert (heard.piece.body, heard.e_pub, heard.age) == (SHORT, E_PUB, 5)


@pytest.mark.parametrize("size", [9, 176, 185, 400, 1000, len(LONG)])
def test_every_length_goes_there_and_back_in_any_order(size: int) -> None:
    made = codes(LONG[:size])
    assert len(made) <= paper.CODES_MAX
    assert max(map(len, made)) <= paperletters.CODE_CHARS_MAX
    random.Random(size).shuffle(made)
    (message,) = paper.read("\r".join(made)).messages
    assert b"".join(parse_pieces(packet)[0].piece.body for packet in message.packets) == LONG[:size]


def test_what_is_missing_is_told_by_the_numbers_beside_the_codes() -> None:
    made = codes(LONG[:700])
    reading = paper.read(made[0] + "\n" + made[2])
    assert reading.messages == []
    assert reading.incomplete == [
        paper.Incomplete(len(made), tuple(i + 1 for i in range(len(made)) if i not in (0, 2)))
    ]


def test_codes_of_two_prints_belong_together_and_of_two_messages_do_not() -> None:
    young, old = codes(LONG[:300], age=1), codes(LONG[:300], age=90)
    other = codes(LONG[300:600])
    assert len(paper.read(young[0] + "\n" + old[1]).messages) == 1
    assert len(paper.read(young[0] + "\n" + other[1]).incomplete) == 2


def test_a_scanner_without_line_ends_and_with_another_keyboard_is_read() -> None:
    made = [code.lower().replace(":", ";") for code in codes(LONG[:300])]
    assert len(paper.read("".join(made)).messages) == 1


def test_typed_groups_are_read_with_lookalikes_and_any_spaces() -> None:
    (code,) = codes()
    typed = " ".join(paperletters.groups(code)).lower().replace("0", "o").replace("1", "l")
    assert paper.read(typed).messages == paper.read(code).messages
    assert paper.read(typed.replace(" ", "\n", 3)).messages == paper.read(code).messages


def test_typed_codes_of_one_message_stand_apart_by_an_empty_line() -> None:
    typed = "\n\n".join(" ".join(paperletters.groups(code)) for code in codes(LONG[:300]))
    assert paper.read(typed).messages == paper.read("\n".join(codes(LONG[:300]))).messages


def test_one_wrong_letter_names_its_group() -> None:
    groups = paperletters.groups(codes()[0])
    for place, group in enumerate(groups):
        for at, character in enumerate(group):
            wrong = "Z" if character != "Z" else "Y"
            typed = [*groups[:place], group[:at] + wrong + group[at + 1 :], *groups[place + 1 :]]
            (error,) = paper.read(" ".join(typed)).damaged
            assert error.group == place + 1


def test_letters_and_groups_that_changed_places_are_noticed() -> None:
    groups = paperletters.groups(codes(LONG[:100])[0])
    for place, group in enumerate(groups[:-1]):
        swapped = group[1] + group[0] + group[2:]
        if swapped != group:
            assert paper.read(" ".join([*groups[:place], swapped, *groups[place + 1 :]])).damaged
        if groups[place + 1] != group and place + 2 < len(groups):
            order = [*groups[:place], groups[place + 1], group, *groups[place + 2 :]]
            assert paper.read(" ".join(order)).damaged


def test_damaged_codes_never_become_a_message(rng: random.Random) -> None:
    (code,) = codes()
    for _ in range(500):
        at = rng.randrange(len(paperletters.PREFIX), len(code) - 1)
        damaged = code[:at] + rng.choice("0123456789ABCDEFGHJKMNPQRSTVWXYZ") + code[at + 1 :]
        assert damaged == code or paper.read(damaged).damaged


@pytest.mark.parametrize("text", ["", "SP1:", "SP1:ABC", "https://example.org", "hulp!", "SP1:" + "0" * 5000, "é" * 9])
def test_what_is_not_ours_is_no_message_and_no_crash(text: str) -> None:
    assert paper.read(text).messages == []


def test_a_message_that_is_too_long_or_empty_is_refused() -> None:
    for body in (b"", LONG[:180], LONG + b"0"):
        with pytest.raises(ValueError, match="fragments"):
            codes(body)


def test_a_reading_has_a_limit() -> None:
    reading = paper.read("\n".join(["SP1:0"] * 1000))
    assert len(reading.damaged) == paper.READ_CODES_MAX
