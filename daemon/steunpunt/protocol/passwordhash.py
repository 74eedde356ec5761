"""How a password or a PIN is kept: ``scrypt$n$r$p$salt$hash``, salt and hash in base64.

The cost is scrypt's (RFC 7914) n = 2**15, r = 8, p = 1: 32 MiB, and about a third of a second on a Pi 5.
"""

import base64
import binascii
import hashlib
import hmac
import unicodedata

from msgspec import Struct

COST_N = 2**15
COST_R = 8
COST_P = 1
MEMORY_BYTES_MAX = 128 * 1024 * 1024
CHARACTERS_MAX = 200
"""Longest password that is compared; what comes after is not looked at."""
SALT_BYTES = 16
_HASH_BYTES = 32
_FIELDS = 6


class Hash(Struct, frozen=True):
    """One stored password: its cost, salt and digest."""

    n: int
    r: int
    p: int
    salt: bytes
    digest: bytes


NOBODY = Hash(COST_N, COST_R, COST_P, bytes(SALT_BYTES), bytes(_HASH_BYTES))
"""Stands in for an unknown name, so that it takes as long as a known one; nothing matches it."""


def hashed(password: str, salt: bytes) -> str:
    """Return what is kept of a password; ``salt`` is SALT_BYTES of chance."""
    parts = (base64.b64encode(part).decode() for part in (salt, _digest(password, Hash(*_COST, salt, b""))))
    return "$".join(["scrypt", *(str(number) for number in _COST), *parts])


def parse(stored: str) -> Hash | None:
    """Return what is kept, None when it is broken or would cost more memory than MEMORY_BYTES_MAX."""
    fields = stored.split("$")
    if len(fields) != _FIELDS or fields[0] != "scrypt" or not all(field.isdigit() for field in fields[1:4]):
        return None
    n, r, p = (int(field) for field in fields[1:4])
    if n < 2 or n & (n - 1) or not r or not p or 128 * n * r * p > MEMORY_BYTES_MAX // 2:  # noqa: PLR2004
        return None
    try:
        salt, digest = (base64.b64decode(field, validate=True) for field in fields[4:])
    except binascii.Error:
        return None
    return Hash(n, r, p, salt, digest) if len(digest) == _HASH_BYTES else None


def matches(password: str, stored: Hash) -> bool:
    """Whether this is the password; compares in constant time."""
    return hmac.compare_digest(_digest(password[:CHARACTERS_MAX], stored), stored.digest)


_COST = (COST_N, COST_R, COST_P)


def _digest(password: str, cost: Hash) -> bytes:
    plain = unicodedata.normalize("NFKC", password).encode(errors="surrogatepass")
    return hashlib.scrypt(
        plain, salt=cost.salt, n=cost.n, r=cost.r, p=cost.p, maxmem=MEMORY_BYTES_MAX, dklen=_HASH_BYTES
    )
