"""Keys and how they follow from each other.

* A region has a root ``G`` (32 bytes), an X25519 pair ``R`` and an offline Ed25519 root.
* A site's secret is ``S = HKDF(G, site || generation)``; a stolen card can be replaced by raising the generation.
* A kiosk makes a fresh X25519 key per start (an *epoch*); from it follow per-message keys that exist only in
  memory: see :class:`Chain`. After 200 steps of a key chain kept in SQLite all 200 old keys could still be found
  in the files after a kill, hence nothing of the chain is ever stored.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Iterator

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from msgspec import Struct

KEY_BYTES = 32
EPOCH_MESSAGES_MAX = 256
_RAW_LENGTH_EPOCH_ID = 3

_private_key: Callable[[bytes], X25519PrivateKey]
_public_key: Callable[[bytes], X25519PublicKey]
try:
    # These are what the public names below come down to. Those load cryptography's whole backend first, only to ask
    # whether OpenSSL knows X25519: 1.2 MiB in each kiosk for months. Should they go away, the public names do the same.
    from cryptography.hazmat.bindings._rust import openssl

    _private_key, _public_key = openssl.x25519.from_private_bytes, openssl.x25519.from_public_bytes
except (ImportError, AttributeError):
    _private_key, _public_key = X25519PrivateKey.from_private_bytes, X25519PublicKey.from_public_bytes


def hkdf(secret: bytes, *, salt: bytes, info: bytes, length: int = KEY_BYTES) -> bytes:
    """HKDF-SHA256 (RFC 5869); ``length`` at most 8160 bytes."""
    prk = hmac.digest(salt or bytes(32), secret, "sha256")
    block, out, index = b"", b"", 1
    while len(out) < length:
        block = hmac.digest(prk, block + info + bytes([index]), "sha256")
        out += block
        index += 1
    return out[:length]


def site_label(site: int, generation: int) -> bytes:
    """Return ``site || generation`` as it enters key derivations (3 bytes)."""
    return site.to_bytes(2, "big") + bytes([generation])


def site_secret(root: bytes, site: int, generation: int) -> bytes:
    """Return a site's secret S for one generation (1 to 255)."""
    return hkdf(root, salt=b"steunpunt site v1", info=site_label(site, generation))


def epoch_id(e_pub: bytes) -> bytes:
    """Return the three bytes by which packets name an epoch."""
    return hashlib.sha256(e_pub).digest()[:_RAW_LENGTH_EPOCH_ID]


class MessageKeys(Struct, frozen=True):
    """The three 16-byte keys of one message.

    ``enc`` seals it, ``verify`` (V) authenticates tokens and answers to it, ``answer`` (A) opens answers.
    """

    enc: bytes
    verify: bytes
    answer: bytes


class Chain:
    """The keys of one epoch, n = 0 … 255, each derivable once and only forwards.

    ``C0 = E``; ``C(n+1) = HMAC(Cn, "c")``; ``Kn = HKDF(HMAC(Cn, "k"))`` gives enc, V and A.
    """

    def __init__(self, epoch_key: bytes) -> None:
        self._link = epoch_key
        self._next = 0

    @property
    def spent(self) -> bool:
        """True when the epoch has no message number left."""
        return self._next >= EPOCH_MESSAGES_MAX

    def take(self) -> tuple[int, MessageKeys]:
        """Spend the next number and return it with its keys; ValueError when the epoch is spent."""
        if self.spent:
            raise ValueError("this epoch has used its 256 message numbers; start a new one")
        n = self._next
        keys = _message_keys(self._link)
        self._link = _step(self._link)
        self._next += 1
        return n, keys


def keys_at(epoch_key: bytes, n: int) -> MessageKeys:
    """Return the keys of message ``n`` (0 to 255) of an epoch: the coordinator's side of the chain."""
    link = epoch_key
    for _ in range(n):
        link = _step(link)
    return _message_keys(link)


def _step(link: bytes) -> bytes:
    return hmac.digest(link, b"c", "sha256")


def _message_keys(link: bytes) -> MessageKeys:
    seed = hmac.digest(link, b"k", "sha256")
    block = hkdf(seed, salt=b"", info=b"steunpunt message v1", length=48)
    return MessageKeys(block[:16], block[16:32], block[32:])


class CoordinatorIdentity(Struct, frozen=True):
    """A coordinator as kiosks know it: its number, its news key, and the offline root's signature on both."""

    coordinator: int
    news_public: bytes
    signature: bytes

    def signed_part(self) -> bytes:
        """Return the bytes that the offline root signs."""
        return b"steunpunt coordinator v1" + bytes([self.coordinator]) + self.news_public

    def trusted(self, root_public: bytes) -> bool:
        """Return whether the offline root vouches for this coordinator."""
        return verified(root_public, self.signature, self.signed_part())


class SiteKeys(Struct, frozen=True):
    """What lies on a kiosk's card."""

    site: int
    generation: int
    secret: bytes
    region_public: bytes
    root_public: bytes
    coordinators: tuple[CoordinatorIdentity, ...]
    notices: tuple[bytes, ...] = ()
    """Packets of the offline root, REVOCATION and KEYS, that were brought on a stick."""

    def open_epoch(self, ephemeral: bytes) -> tuple[bytes, Chain]:
        """Start an epoch from 32 fresh random bytes; returns (e_pub, chain). Forget the bytes afterwards."""
        private = _private_key(ephemeral)
        e_pub = private.public_key().public_bytes_raw()
        shared = private.exchange(_public_key(self.region_public))
        return e_pub, Chain(_epoch_key(shared, self, e_pub, self.region_public))


class CoordinatorKeys(Struct, frozen=True):
    """What a coordinator's node holds: the region's secrets and its own news key."""

    coordinator: int
    root: bytes
    region_private: bytes
    news_private: bytes
    root_public: bytes
    identity: CoordinatorIdentity
    generations: tuple[int, ...] = (1,)
    older_region_privates: tuple[bytes, ...] = ()
    """Region keys before the present one, newest first: a kiosk that has not heard of it still seals by them."""
    notices: tuple[bytes, ...] = ()
    """Packets of the offline root, REVOCATION and KEYS, that came with the key file: to be told to all sites."""

    def region_public(self) -> bytes:
        """Return R_pub."""
        return X25519PrivateKey.from_private_bytes(self.region_private).public_key().public_bytes_raw()

    def holds(self, holder: int, public: bytes) -> bool:
        """Return whether the private key behind a public one is here, where it has to be: the region's or our own."""
        if holder == self.coordinator:
            return public == self.identity.news_public
        privates = (self.region_private, *self.older_region_privates)
        known = (X25519PrivateKey.from_private_bytes(raw).public_key().public_bytes_raw() for raw in privates)
        return holder != 0 or public in known

    def epoch_key(self, site: int, generation: int, e_pub: bytes) -> bytes:
        """Return E of a kiosk's epoch; ValueError for a public key that yields no shared secret."""
        return next(self.epoch_keys(site, (generation,), e_pub))[1]

    def epoch_keys(self, site: int, generations: Iterable[int], e_pub: bytes) -> Iterator[tuple[int, bytes]]:
        """Give (generation, E) for what may have opened an epoch, in this order, under each of the region's keys.

        Only one of them opens the epoch's pieces. ValueError for a public key that yields no shared secret.
        """
        secrets = [(g, site_secret(self.root, site, g)) for g in generations]
        for raw in (self.region_private, *self.older_region_privates):
            private = X25519PrivateKey.from_private_bytes(raw)
            shared = private.exchange(X25519PublicKey.from_public_bytes(e_pub))
            public = private.public_key().public_bytes_raw()
            for generation, secret in secrets:
                yield generation, _epoch_key(shared, _Member(site, generation, secret), e_pub, public)

    def sign(self, data: bytes) -> bytes:
        """Sign with the news key (64 bytes)."""
        return Ed25519PrivateKey.from_private_bytes(self.news_private).sign(data)


class _Member(Struct, frozen=True):
    site: int
    generation: int
    secret: bytes


def _epoch_key(shared: bytes, member: "_Member | SiteKeys", e_pub: bytes, region_public: bytes) -> bytes:
    salt = hashlib.sha256(e_pub + region_public).digest()
    return hkdf(shared + member.secret, salt=salt, info=site_label(member.site, member.generation))


def verified(public: bytes, signature: bytes, data: bytes) -> bool:
    """Return whether an Ed25519 signature is good; malformed keys and signatures are just not good."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True
