"""Content at a coordinator: each case under a key of its own, which is destroyed at retention.

The case key lies in the ledger wrapped under the ledger key; the ledger key lies in a file outside it.
Each box is ``nonce 12 || AES-256-GCM``.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from steunpunt.model import SealError

NONCE_BYTES = 12
KEY_BYTES = 32


def close_box(key: bytes, nonce: bytes, content: bytes, label: bytes) -> bytes:
    """Encrypt ``content`` for one place (``label``); ``nonce``: 12 fresh random bytes."""
    return nonce + AESGCM(key).encrypt(nonce, content, label)


def open_box(key: bytes, box: bytes, label: bytes) -> bytes:
    """Undo :func:`close_box`; SealError with another key, label or content."""
    try:
        return AESGCM(key).decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], label)
    except (InvalidTag, ValueError) as error:
        raise SealError("this box cannot be opened with this key; is it the ledger's own key file?") from error
