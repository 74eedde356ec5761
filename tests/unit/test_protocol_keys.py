"""Keys: both sides derive the same ones, no two are alike, and nothing of the past is left in a chain."""

import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.protocol.keys import (
    EPOCH_MESSAGES_MAX,
    Chain,
    CoordinatorIdentity,
    CoordinatorKeys,
    epoch_id,
    hkdf,
    keys_at,
    verified,
)
from tests.fakes.region_keys import OFFLINE, REGION_PRIVATE, ROOT, SITE, coordinator_keys, identity, site_keys

keys32 = st.binary(min_size=32, max_size=32)


@given(secret=st.binary(max_size=80), salt=st.binary(max_size=40), info=st.binary(max_size=40))
def test_hkdf_is_that_of_rfc_5869(secret: bytes, salt: bytes, info: bytes) -> None:
    for length in (1, 32, 33, 48, 100):
        theirs = HKDF(hashes.SHA256(), length, salt or None, info).derive(secret)
        assert hkdf(secret, salt=salt, info=info, length=length) == theirs


@given(ephemeral=keys32, n=st.integers(0, EPOCH_MESSAGES_MAX - 1))
def test_kiosk_and_coordinator_derive_the_same_keys(ephemeral: bytes, n: int) -> None:
    e_pub, chain = site_keys().open_epoch(ephemeral)
    epoch_key = coordinator_keys().epoch_key(SITE, 1, e_pub)
    taken = [chain.take() for _ in range(n + 1)]
    assert taken[n] == (n, keys_at(epoch_key, n))
    assert epoch_id(e_pub) == hashlib.sha256(e_pub).digest()[:3]


def test_no_two_keys_are_alike() -> None:
    seen: set[bytes] = set()
    for ephemeral in (b"\1" * 32, b"\2" * 32):
        _, chain = site_keys().open_epoch(ephemeral)
        for _ in range(EPOCH_MESSAGES_MAX):
            _, keys = chain.take()
            seen |= {keys.enc, keys.verify, keys.answer}
            assert {len(keys.enc), len(keys.verify), len(keys.answer)} == {16}
    assert len(seen) == 2 * EPOCH_MESSAGES_MAX * 3


def test_an_epoch_ends_after_256_numbers() -> None:
    chain = Chain(bytes(32))
    assert [chain.take()[0] for _ in range(EPOCH_MESSAGES_MAX)] == list(range(256))
    assert chain.spent
    with pytest.raises(ValueError, match="start a new one"):
        chain.take()


def test_a_chain_keeps_nothing_of_the_past() -> None:
    chain = Chain(bytes(32))
    past = {bytes(32)}
    for n in range(10):
        chain.take()
        kept = [value for value in vars(chain).values() if isinstance(value, bytes)]
        assert len(kept) == 1, "a chain holds one secret"
        assert past.isdisjoint(kept), n
        past |= {*kept}


@pytest.mark.parametrize(
    ("site", "generation", "root", "region"),
    [
        (SITE + 1, 1, ROOT, REGION_PRIVATE),
        (SITE, 2, ROOT, REGION_PRIVATE),
        (SITE, 1, bytes(32), REGION_PRIVATE),
        (SITE, 1, ROOT, b"\7" * 32),
    ],
    ids=["another site", "another generation", "another root", "another region key"],
)
def test_everything_that_enters_an_epoch_key_counts(site: int, generation: int, root: bytes, region: bytes) -> None:
    e_pub, chain = site_keys().open_epoch(b"\3" * 32)
    other = CoordinatorKeys(1, root, region, bytes(32), bytes(32), identity())
    assert keys_at(other.epoch_key(site, generation, e_pub), 0) != chain.take()[1]


def test_the_card_and_the_air_do_not_open_what_was_sent() -> None:
    # A thief has S and R_pub from the card and e_pub from the air; what fails is X25519 without e or R.
    keys = site_keys()
    e_pub, chain = keys.open_epoch(b"\4" * 32)
    sealed_with = chain.take()[1]
    salt = hashlib.sha256(e_pub + keys.region_public).digest()
    for guess in (e_pub, keys.region_public, keys.secret, bytes(32)):
        epoch_key = hkdf(guess + keys.secret, salt=salt, info=b"\0\x2f\1")
        assert keys_at(epoch_key, 0) != sealed_with


@pytest.mark.parametrize("e_pub", [bytes(32), b"\1" + bytes(31)], ids=["zero", "one"])
def test_a_public_key_without_a_secret_is_refused(e_pub: bytes) -> None:
    with pytest.raises(ValueError, match=r"shared key|[Ee]rror"):
        coordinator_keys().epoch_key(SITE, 1, e_pub)


def test_the_offline_root_vouches_for_one_coordinator_and_key() -> None:
    root_public = OFFLINE.public_key().public_bytes_raw()
    good = identity(1)
    other_key = Ed25519PrivateKey.from_private_bytes(b"\5" * 32).public_key().public_bytes_raw()
    assert good.trusted(root_public)
    assert not CoordinatorIdentity(2, good.news_public, good.signature).trusted(root_public)
    assert not CoordinatorIdentity(1, other_key, good.signature).trusted(root_public)
    assert not good.trusted(other_key)


@given(public=st.binary(max_size=40), signature=st.binary(max_size=80), data=st.binary(max_size=40))
def test_malformed_signatures_are_just_not_good(public: bytes, signature: bytes, data: bytes) -> None:
    assert not verified(public, signature, data)


def test_a_coordinator_signs_with_its_news_key() -> None:
    keys = coordinator_keys()
    signature = keys.sign(b"data")
    assert verified(identity().news_public, signature, b"data")
    assert not verified(identity().news_public, signature, b"date")
    assert keys.region_public() == X25519PrivateKey.from_private_bytes(REGION_PRIVATE).public_key().public_bytes_raw()
