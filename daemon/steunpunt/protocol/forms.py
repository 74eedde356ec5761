"""Form tokens: a form sent twice is one request.

``base64url(issued_s 4 || random 16 || HMAC(form_key, issued_s || random)[:10])``. The time is in ledger seconds, so a
jumping wall clock does not expire a form. The ledger keeps only ``SHA-256(random)``.
"""

import base64
import binascii
import hashlib
import hmac

from msgspec import Struct

FORM_AGE_S_MAX = 2 * 3600
RANDOM_BYTES = 16
_MAC_BYTES = 10
_RAW_BYTES = 4 + RANDOM_BYTES + _MAC_BYTES
_TEXT_CHARS = _RAW_BYTES * 4 // 3


class FormToken(Struct, frozen=True):
    """A token whose signature was right."""

    issued_s: int
    random: bytes

    @property
    def digest(self) -> bytes:
        """What the ledger keeps: unique per form, useless to a thief."""
        return hashlib.sha256(b"steunpunt form v1" + self.random).digest()

    def expired(self, now_s: int) -> bool:
        """Return whether the form is older than FORM_AGE_S_MAX."""
        return now_s - self.issued_s > FORM_AGE_S_MAX


def issue(form_key: bytes, now_s: int, random_bytes: bytes) -> str:
    """Return a new token's text."""
    body = now_s.to_bytes(4, "big") + random_bytes
    return base64.urlsafe_b64encode(body + _mac(form_key, body)).decode()


def read(form_key: bytes, text: str) -> FormToken | None:
    """Return the token, or None when it was not issued with this key."""
    if len(text) != _TEXT_CHARS:
        return None
    try:
        raw = base64.b64decode(text.encode(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    body, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    if len(raw) != _RAW_BYTES or not hmac.compare_digest(mac, _mac(form_key, body)):
        return None
    return FormToken(int.from_bytes(body[:4], "big"), body[4:])


def _mac(form_key: bytes, body: bytes) -> bytes:
    return hmac.digest(form_key, b"steunpunt form v1" + body, "sha256")[:_MAC_BYTES]
