"""Unknown epochs cost little air, and a revoked card's pieces are set apart."""

import random

from hypothesis import given
from hypothesis import strategies as st

from steunpunt.relay.epochs import (
    EPOCHS_ASKED_MAX,
    GENERATION_MAX,
    HELD_ALL_MAX,
    HELD_SITE_MAX,
    HELLO_AGAIN_MS,
    HELLO_SITE_MS,
    HELLOS_HOUR_MAX,
    OLD_TRIED_MAX,
    HelloAsker,
    answers_hello,
    generations_to_try,
    may_hold,
    quarantined,
    trusted,
)

HOUR_MS = 3_600_000


def test_pieces_of_unknown_epochs_are_held_within_limits() -> None:
    assert may_hold(HELD_SITE_MAX - 1, HELD_ALL_MAX - 1)
    assert not may_hold(HELD_SITE_MAX, 0)
    assert not may_hold(0, HELD_ALL_MAX)


def test_an_epoch_is_asked_for_once_in_five_minutes() -> None:
    asker = HelloAsker()
    asked = [ms for ms in range(0, HELLO_AGAIN_MS * 2 + 1, 1_000) if asker.ask(47, b"abc", ms)]
    assert asked == [0, HELLO_AGAIN_MS, 2 * HELLO_AGAIN_MS]


def test_a_site_is_asked_once_a_minute_whatever_epochs_it_names() -> None:
    asker = HelloAsker()
    asked = [ms for ms in range(0, 10 * HELLO_SITE_MS, 1_000) if asker.ask(47, ms.to_bytes(3, "big"), ms)]
    assert asked == list(range(0, 10 * HELLO_SITE_MS, HELLO_SITE_MS))
    assert asker.ask(48, b"abc", asked[-1]), "another site is not held up by it"


def test_a_flood_of_made_up_epochs_costs_a_bounded_share_of_the_air() -> None:
    asker, chance = HelloAsker(), random.Random(5)
    times = sorted(chance.randrange(3 * HOUR_MS) for _ in range(20_000))
    asked = [ms for ms in times if asker.ask(chance.randrange(16, 60_000), chance.randbytes(3), ms)]
    for start in asked:
        assert sum(start <= ms < start + HOUR_MS for ms in asked) <= HELLOS_HOUR_MAX
    assert len(asked) >= 3 * HELLOS_HOUR_MAX - 2
    for i in range(EPOCHS_ASKED_MAX * 2):
        asker.ask(i, b"abc", i * HOUR_MS)
    assert len(asker._epochs) == len(asker._sites) == EPOCHS_ASKED_MAX


def test_anybody_may_ask_a_kiosk_for_hello_but_seldom() -> None:
    assert answers_hello(None, 0)
    assert not answers_hello(0, HELLO_AGAIN_MS - 1)
    assert answers_hello(0, HELLO_AGAIN_MS)


# --- generations --------------------------------------------------------------------------------------------------


def test_a_new_card_is_known_at_once_and_the_one_before_it_counts_until_revoked() -> None:
    assert trusted([], [1], 0) == (1, 2)
    assert trusted([1, 2], [1], 0) == (2, 3, 1)
    assert trusted([1, 2], [1], 1) == (2, 3)
    assert trusted([1], [1], 1) == (2,), "revoked before the new card was heard"
    assert trusted([], [1, 6], 0) == (1, 2, 6), "what the key file lists counts"
    assert quarantined(1, [1, 2], [1], 1)
    assert not quarantined(2, [1, 2], [1], 1)


@given(
    heard=st.lists(st.integers(1, GENERATION_MAX), max_size=5),
    listed=st.lists(st.integers(1, GENERATION_MAX), max_size=3),
    revoked=st.integers(0, GENERATION_MAX),
)
def test_what_is_tried_is_bounded_and_what_is_revoked_never_counts(
    heard: list[int], listed: list[int], revoked: int
) -> None:
    tried, counting = generations_to_try(heard, listed, revoked), trusted(heard, listed, revoked)
    assert tried[: len(counting)] == counting
    assert len(set(tried)) == len(tried) <= 3 + len(set(listed)) + OLD_TRIED_MAX
    assert all(revoked < g <= GENERATION_MAX for g in counting)
    assert all(1 <= g <= GENERATION_MAX for g in tried)
    assert [quarantined(g, heard, listed, revoked) for g in tried] == [g not in counting for g in tried]
    if revoked:
        assert revoked in tried, "what the revoked card sealed is still read, for the desk"
