"""Edges of one contact: a press, holding it, one that is stuck and one that chatters."""

import random

import pytest

from steunpunt.relay.contact import CALM_S, CHATTER_S, CLOSINGS_MAX, STUCK_S, Contact, Sign


def pressed(contact: Contact, at_s: float, long_s: float = 0.1) -> list[Sign]:
    return contact.closes(at_s) + contact.opens(at_s + long_s)


def test_a_press_is_one_sign_however_short() -> None:
    contact = Contact(3, 0, closed=False)
    assert contact.due_s() is None
    assert pressed(contact, 1) == [Sign.PRESSED]
    assert contact.due_s() is None
    assert contact.look(100) == []


def test_holding_is_said_once_and_only_after_a_press() -> None:
    contact = Contact(3, 0, closed=False)
    assert contact.closes(1) == [Sign.PRESSED]
    assert contact.due_s() == 4
    assert contact.look(3.9) == []
    assert contact.look(4) == [Sign.HELD]
    assert contact.look(5) == []
    assert contact.opens(6) == []
    assert contact.fault is None


def test_a_site_where_holding_says_nothing() -> None:
    contact = Contact(0, 0, closed=False)
    assert contact.closes(1) == [Sign.PRESSED]
    assert contact.look(59) == []


@pytest.mark.parametrize("closed_at_start", [True, False])
def test_a_stuck_contact_is_told_and_mended_when_it_opens(closed_at_start: bool) -> None:  # noqa: FBT001  two cases
    contact = Contact(3, 0, closed=closed_at_start)
    if not closed_at_start:
        contact.closes(0)
        assert contact.look(3) == [Sign.HELD]
    assert contact.due_s() == STUCK_S
    assert contact.look(STUCK_S - 0.1) == [], "one closed at the start was no press, and is not held"
    assert contact.look(STUCK_S) == [Sign.STUCK]
    assert contact.due_s() is None, "nobody waits for it"
    assert contact.opens(500) == [Sign.MENDED]
    assert pressed(contact, 501) == [Sign.PRESSED]


def test_a_contact_that_chatters_is_told_once_and_counts_again_when_it_is_calm() -> None:
    contact = Contact(3, 0, closed=False)
    signs = [sign for number in range(200) for sign in pressed(contact, number * 0.2, 0.1)]
    assert signs.count(Sign.PRESSED) == CLOSINGS_MAX
    assert signs.count(Sign.CHATTERS) == 1
    last_s = 199 * 0.2 + 0.1
    assert contact.due_s() == pytest.approx(last_s + CALM_S)
    assert contact.look(last_s + CALM_S - 1) == []
    assert contact.look(last_s + CALM_S) == [Sign.MENDED]
    assert pressed(contact, last_s + CALM_S + 1) == [Sign.PRESSED]


def test_people_who_press_often_are_heard_each_time() -> None:
    contact = Contact(3, 0, closed=False)
    gap_s = CHATTER_S / CLOSINGS_MAX + 0.01
    assert [sign for number in range(60) for sign in pressed(contact, number * gap_s)] == [Sign.PRESSED] * 60


def test_whatever_the_edges_presses_are_bounded_and_the_first_one_counts() -> None:
    for seed in range(50):
        rng, contact, now_s, presses = random.Random(seed), Contact(3, 0, closed=False), 0.0, 0
        first = contact.closes(0.0)
        for _ in range(500):
            now_s += rng.expovariate(20)
            signs = rng.choice((contact.closes, contact.opens, contact.look))(now_s)
            presses += signs.count(Sign.PRESSED)
            due_s = contact.due_s()
            assert due_s is None or due_s > now_s - STUCK_S
        assert first == [Sign.PRESSED]
        assert presses <= CLOSINGS_MAX * (now_s / CHATTER_S + 1), f"seed {seed}"
