"""The offline root's word, revocations and new keys: from nobody else; and how a new key of the region takes over."""

import contextlib
import random

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.model import PACKET_BYTES_MAX, FrameError
from steunpunt.protocol.authority import (
    CARDS_MAX,
    REGION,
    KeyNotice,
    Revocation,
    parse_key_notice,
    parse_revocation,
    revoked_after,
)
from steunpunt.protocol.keys import CoordinatorKeys, keys_at
from steunpunt.protocol.packets import Kind, kind_of
from steunpunt.values import replace
from tests.fakes.region_keys import (
    EPHEMERAL,
    NEWS,
    OFFLINE,
    REGION_PRIVATE,
    ROOT,
    SITE,
    coordinator_keys,
    identity,
    site_keys,
)

ROOT_PUBLIC = coordinator_keys().root_public
CARDS = st.lists(st.tuples(st.integers(1, 0xFFFF), st.integers(1, 255)), min_size=1, max_size=CARDS_MAX)
FUZZ_CASES = 5_000


@given(cards=CARDS)
def test_a_revocation_comes_out_as_it_went_in(cards: list[tuple[int, int]]) -> None:
    packet = Revocation(tuple(cards)).pack(OFFLINE.sign)
    heard = parse_revocation(packet)
    assert heard.cards == tuple(cards)
    assert heard.genuine(ROOT_PUBLIC)
    assert kind_of(packet) is Kind.REVOCATION
    assert len(packet) == 65 + 3 * len(cards) <= PACKET_BYTES_MAX


@given(cards=CARDS, chance=st.randoms(use_true_random=False))
def test_the_order_of_revocations_does_not_matter(cards: list[tuple[int, int]], chance: random.Random) -> None:
    once = revoked_after({}, cards)
    chance.shuffle(cards)
    assert revoked_after(revoked_after({}, cards), cards[:3]) == once


@pytest.mark.parametrize("cards", [(), ((0, 1),), ((47, 0),), ((47, 256),), ((47, 1),) * (CARDS_MAX + 1)])
def test_what_cannot_be_revoked_is_refused(cards: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(ValueError, match=f"{len(cards)} cards to revoke: 1 to 50"):
        Revocation(cards).pack(OFFLINE.sign)


@given(holder=st.integers(0, 15), serial=st.integers(1, 0xFFFF), public=st.binary(min_size=32, max_size=32))
def test_a_key_notice_comes_out_as_it_went_in(holder: int, serial: int, public: bytes) -> None:
    packet = KeyNotice(holder, serial, public).pack(OFFLINE.sign)
    heard = parse_key_notice(packet)
    assert (heard.holder, heard.serial, heard.public) == (holder, serial, public)
    assert heard.genuine(ROOT_PUBLIC)
    assert len(packet) == 100
    assert heard.counts(serial - 1)
    assert not heard.counts(serial)


@pytest.mark.parametrize("wrong", [KeyNotice(16, 1, bytes(32)), KeyNotice(0, 0, bytes(32)), KeyNotice(0, 1, b"short")])
def test_what_is_no_key_notice_is_refused(wrong: KeyNotice) -> None:
    with pytest.raises(ValueError, match="0 to 15, 1 to 65535, 32 bytes"):
        wrong.pack(OFFLINE.sign)


def test_every_bit_counts_and_only_the_offline_root_signs(capsys: pytest.CaptureFixture[str]) -> None:
    revocation = Revocation(((SITE, 1), (48, 3))).pack(OFFLINE.sign)
    notice = KeyNotice(REGION, 2, bytes(range(32))).pack(OFFLINE.sign)
    accepted = tried = 0
    for packet in (revocation, notice):
        for bit in range(8 * len(packet)):
            changed = bytearray(packet)
            changed[bit // 8] ^= 1 << bit % 8
            tried += 1
            accepted += believed(bytes(changed))
    chance = random.Random(20_242)
    for _ in range(FUZZ_CASES):
        packet = chance.choice([revocation, notice])[: chance.randrange(100)] + chance.randbytes(chance.randrange(80))
        if packet not in (revocation, notice):
            tried += 1
            accepted += believed(packet)
    with capsys.disabled():
        print(f"\n{tried} damaged or made-up words of the root: {accepted} believed")
    assert accepted == 0
    assert believed(revocation)
    assert believed(notice)
    assert not parse_revocation(Revocation(((SITE, 1),)).pack(NEWS.sign)).genuine(ROOT_PUBLIC)


def believed(packet: bytes) -> bool:
    with contextlib.suppress(FrameError):
        return parse_revocation(packet).genuine(ROOT_PUBLIC)
    with contextlib.suppress(FrameError):
        return parse_key_notice(packet).genuine(ROOT_PUBLIC)
    return False


def test_a_signature_of_one_word_serves_no_other() -> None:
    coordinators = KeyNotice(1, 1, identity().news_public, identity().signature)
    assert not coordinators.genuine(ROOT_PUBLIC), "an identity on a card is no rotation"
    revocation = Revocation(((SITE, 1),) * 11 + ((0x1234, 0x56),)).pack(OFFLINE.sign)
    assert len(revocation) == 101
    notice = parse_key_notice(b"\x68" + revocation[1:36] + revocation[-64:])
    assert not notice.genuine(ROOT_PUBLIC)


# --- a key that takes over ----------------------------------------------------------------------------------------


def test_after_the_regions_key_changed_epochs_under_either_open() -> None:
    new = X25519PrivateKey.from_private_bytes(bytes(range(160, 192)))
    rotated = CoordinatorKeys(
        1, ROOT, new.private_bytes_raw(), bytes(32), ROOT_PUBLIC, identity(), older_region_privates=(REGION_PRIVATE,)
    )
    for kiosk in (site_keys(), site_keys(generation=2)):
        for public in (new.public_key().public_bytes_raw(), kiosk.region_public):
            e_pub, chain = replace(kiosk, region_public=public).open_epoch(EPHEMERAL)
            _, keys = chain.take()
            found = [g for g, key in rotated.epoch_keys(SITE, (2, 1), e_pub) if keys_at(key, 0) == keys]
            assert found == [kiosk.generation]


def test_who_has_the_old_key_cannot_open_what_is_sealed_by_the_new_one() -> None:
    new = X25519PrivateKey.from_private_bytes(bytes(range(160, 192)))
    e_pub, chain = replace(site_keys(), region_public=new.public_key().public_bytes_raw()).open_epoch(EPHEMERAL)
    _, keys = chain.take()
    thief = coordinator_keys()
    assert all(keys_at(key, 0) != keys for _, key in thief.epoch_keys(SITE, (1, 2, 3), e_pub))
