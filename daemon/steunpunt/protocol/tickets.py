"""Ticket secrets: the half of a ticket that is written down, and what it locks.

A secret is eight Crockford base-32 characters (40 bits), such as ``7KQ4-M2XD``. The card keeps a request's answer
key A only wrapped under ``scrypt(secret)``. To try all secrets against one stolen row takes 2^40 scrypts of 4 MiB:
some 350 core-years. scrypt is slow on purpose, so a node keeps a small stock of secrets stretched ahead of time.

The form token lets a lost reply be asked for again: a copy of the secret is kept under a key that follows from the
token's 16 random bytes; the ledger holds only the token's hash.
"""

import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from steunpunt.model import SealError

SALT_BYTES = 16
SECRET_CHARS = 8
SECRET_RANDOM_BYTES = 5
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOKALIKES = str.maketrans({"O": "0", "I": "1", "L": "1", "U": "V"})
_SCRYPT = {"n": 1 << 12, "r": 8, "p": 1, "maxmem": 64 << 20, "dklen": 32}
_NONCE = bytes(12)
"""Each key below locks one thing once, so a constant nonce is safe."""


def secret_text(random_bytes: bytes) -> str:
    """Return the written form of five random bytes, ``XXXX-XXXX``."""
    value = int.from_bytes(random_bytes, "big")
    chars = "".join(_ALPHABET[value >> shift & 31] for shift in range(35, -1, -5))
    return f"{chars[:4]}-{chars[4:]}"


def tidy_secret(typed: str) -> str | None:
    """Return a secret as it was given out from what a person typed, or None when it cannot be one.

    Case, spaces and dashes do not matter; O, I, L and U are read as the characters they resemble.
    """
    chars = "".join(c for c in typed.upper() if c.isalnum()).translate(_LOOKALIKES)
    if len(chars) != SECRET_CHARS or any(c not in _ALPHABET for c in chars):
        return None
    return f"{chars[:4]}-{chars[4:]}"


class StretchedSecret(Struct, frozen=True):
    """A secret with the key that scrypt made of it."""

    secret: str
    salt: bytes
    key: bytes


def stretch(secret: str, salt: bytes) -> StretchedSecret:
    """Stretch a secret (about 10 ms and 4 MiB on a PC, 50 ms on a Pi Zero 2 W)."""
    return StretchedSecret(secret, salt, hashlib.scrypt(secret.encode(), salt=salt, **_SCRYPT))


def lock(key: bytes, content: bytes) -> bytes:
    """Encrypt ``content`` under a 32-byte key that is used for nothing else."""
    return AESGCM(key).encrypt(_NONCE, content, b"")


def unlock(key: bytes, locked: bytes) -> bytes:
    """Undo :func:`lock`; SealError with another key."""
    try:
        return AESGCM(key).decrypt(_NONCE, locked, b"")
    except InvalidTag as error:
        raise SealError("wrong key") from error


def copy_key(token_random: bytes) -> bytes:
    """Return the key under which the secret is kept for someone who sends the same form again."""
    return hmac.digest(token_random, b"steunpunt form copy v1", "sha256")
