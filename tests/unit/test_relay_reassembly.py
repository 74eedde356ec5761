"""Half-received messages: asked for after a while, ever more seldom, and never more of them than the limits allow."""

import random

from hypothesis import given
from hypothesis import strategies as st

from steunpunt.model import Lane
from steunpunt.protocol.keys import keys_at
from steunpunt.protocol.pieces import MESSAGE_BYTES_MAX, SealedPiece, open_message, seal_message
from steunpunt.protocol.wants import Want, parse_want
from steunpunt.relay.reassembly import (
    HALF_ALL_BYTES_MAX,
    HALF_ALL_MAX,
    HALF_SITE_BYTES_MAX,
    HALF_SITE_MAX,
    PROBES_BETWEEN_ALL,
    WANT_AFTER_MS,
    WANT_ANSWER_MS,
    WANT_EACH_MS,
    WANT_WAIT_MS_MAX,
    WANTS_MAX,
    Half,
    answers_want,
    choose_wants,
    fragments_to_send,
    next_want_ms,
    to_drop,
    want_wait_ms,
    wants_more,
)
from steunpunt.values import replace

EID = b"abc"


def half(site: int = 47, n: int = 0, **changes: object) -> Half:
    known = Half(site, EID, n, last=4, have=0b00011, size_bytes=300, lane=Lane.URGENT, heard_ms=1_000)
    return replace(known, **changes)


# --- what is missing ----------------------------------------------------------------------------------------------


@given(last=st.integers(1, 15), here=st.sets(st.integers(0, 15), min_size=1))
def test_what_is_missing_and_what_may_still_come(last: int, here: set[int]) -> None:
    here = {index for index in here if index <= last} or {0}
    one = half(last=last, have=sum(1 << index for index in here))
    absent = {index for index in range(last + 1) if index not in here}
    assert one.missing == sum(1 << index for index in absent)
    assert one.behind == last - max(here)
    assert wants_more(one) == bool(absent)


# --- asking -------------------------------------------------------------------------------------------------------


def test_a_coordinator_waits_for_what_may_be_under_way() -> None:
    assert want_wait_ms(half(have=0b11), 0.0) == WANT_AFTER_MS + 3 * WANT_EACH_MS
    assert want_wait_ms(half(have=0b10011), 0.0) == WANT_AFTER_MS


def test_the_waits_grow_to_a_bound_and_jitter_only_lengthens() -> None:
    waits = [want_wait_ms(half(wants=wants), 0.0) for wants in range(WANTS_MAX + 1)]
    assert waits == sorted(waits)
    assert waits[-1] == WANT_WAIT_MS_MAX
    assert all(want_wait_ms(half(wants=w), 1.0) > waits[w] for w in range(WANTS_MAX + 1))


def test_asking_ends_and_a_new_fragment_begins_it_anew() -> None:
    given_up = half(wants=WANTS_MAX, want_due_ms=5)
    assert choose_wants([given_up], 10**9, 9) == []
    assert next_want_ms([given_up]) is None
    assert choose_wants([replace(given_up, wants=0, have=0b111)], 10, 9) != []


def test_one_want_a_site_life_threats_first() -> None:
    halves = [
        half(47, 1, want_due_ms=50),
        half(47, 2, want_due_ms=50, lane=Lane.LIFE_THREAT),
        half(48, 1, want_due_ms=50, lane=Lane.OTHER),
        half(49, 1, want_due_ms=50, heard_ms=3),
        half(50, 1, want_due_ms=51),
        half(51, 1, want_due_ms=50, have=0b11111),
    ]
    chosen = choose_wants(halves, 50, 9)
    assert [(one.site, one.n) for one in chosen] == [(47, 2), (49, 1), (48, 1)]
    assert choose_wants(halves, 50, 2) == chosen[:2]
    assert next_want_ms(halves) == 50


# --- limits -------------------------------------------------------------------------------------------------------

HALVES = st.builds(
    Half,
    site=st.integers(16, 20),
    eid=st.just(EID),
    n=st.integers(0, 255),
    last=st.integers(1, 15),
    have=st.just(1),
    size_bytes=st.integers(20, 6_000),
    lane=st.sampled_from(Lane),
    heard_ms=st.integers(0, 9),
)


@given(halves=st.lists(HALVES, max_size=60, unique_by=lambda one: one.key))
def test_what_is_kept_fits_and_what_is_dropped_was_worth_less(halves: list[Half]) -> None:
    dropped = to_drop(halves)
    kept = [one for one in halves if one not in dropped]
    for site in {one.site for one in halves}:
        of_site = [one for one in kept if one.site == site]
        assert len(of_site) <= HALF_SITE_MAX
        assert sum(one.size_bytes for one in of_site) <= HALF_SITE_BYTES_MAX
        for gone in (one for one in dropped if one.site == site):
            before = [one for one in of_site if (one.lane, -one.heard_ms) <= (gone.lane, -gone.heard_ms)]
            too_big = sum(one.size_bytes for one in before) + gone.size_bytes > HALF_SITE_BYTES_MAX
            assert len(before) == HALF_SITE_MAX or too_big, "only for want of room"
    assert to_drop(kept) == []


def test_all_sites_together_have_a_limit_and_a_flood_of_one_costs_no_other() -> None:
    quiet = [half(900, 1, lane=Lane.OTHER, heard_ms=0)]
    flood = [half(47, n, lane=Lane.LIFE_THREAT, heard_ms=n) for n in range(200)]
    dropped = to_drop(quiet + flood)
    assert len(dropped) == 200 - HALF_SITE_MAX
    assert {one.site for one in dropped} == {47}
    many = [half(site, n, heard_ms=site) for site in range(100, 200) for n in range(HALF_SITE_MAX)]
    kept = [one for one in many if one not in to_drop(many)]
    assert len(kept) == HALF_ALL_MAX
    assert min(one.site for one in kept) == 200 - HALF_ALL_MAX // HALF_SITE_MAX
    big = [half(site, 0, size_bytes=3_000) for site in range(100, 400)]
    assert sum(one.size_bytes for one in big if one not in to_drop(big)) <= HALF_ALL_BYTES_MAX


# --- at a kiosk ---------------------------------------------------------------------------------------------------


def test_a_kiosk_sends_all_then_probes_and_what_is_wanted() -> None:
    assert fragments_to_send(0, 1, None) == fragments_to_send(0, 2, None) == (0,)
    assert fragments_to_send(3, 1, None) == (0, 1, 2, 3)
    tries = [fragments_to_send(3, tries, None) for tries in range(2, 2 + PROBES_BETWEEN_ALL + 1)]
    assert tries == [(0,)] * PROBES_BETWEEN_ALL + [(0, 1, 2, 3)]
    assert fragments_to_send(3, 5, 0b1010) == (1, 3)
    assert fragments_to_send(3, 5, 0xFFFF) == (0, 1, 2, 3)


def test_a_want_played_back_costs_little_air() -> None:
    assert answers_want(None, 5)
    assert not answers_want(5, 5 + WANT_ANSWER_MS - 1)
    assert answers_want(5, 5 + WANT_ANSWER_MS)


@given(size=st.integers(169, MESSAGE_BYTES_MAX), chance=st.randoms(use_true_random=False))
def test_a_long_message_arrives_over_an_air_that_loses_half(size: int, chance: random.Random) -> None:
    """Walk both ends: fragments, WANTs and their answers, each packet lost half of the time."""
    keys, plain = keys_at(bytes(32), 3), chance.randbytes(size)
    pieces = seal_message(47, EID, 3, keys, plain)
    here: dict[int, SealedPiece] = {}
    last, sent, wanted = len(pieces) - 1, 0, None
    for tries in range(1, 200):
        for index in fragments_to_send(last, tries, wanted):
            sent += 1
            if chance.random() < 0.5:
                here[index] = pieces[index]
        wanted = None
        if len(here) == len(pieces):
            break
        if here:
            one = half(last=last, have=sum(1 << index for index in here))
            want = parse_want(Want(47, EID, 3, one.missing).pack(keys.verify))
            wanted = want.bitmap if want.genuine(keys.verify) and chance.random() < 0.5 else None
    assert open_message(list(here.values()), keys) == plain
    assert sent <= 40 * len(pieces)
