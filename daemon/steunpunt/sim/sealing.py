"""What a packet looks like to a radio that cannot read it.

Channels are AES-CTR with the firmware's nonce, so a client that has the key can open it
itself. Unicast with public keys only looks encrypted: nothing here has such keys.
"""

import hashlib

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from steunpunt.sim.air import Frame

_KEY_BYTES = (16, 32)


def sealed(frame: Frame) -> bytes:
    """Return the packet's Data as it is on the air."""
    key = frame.lock
    if not key:
        return frame.data
    if len(key) not in _KEY_BYTES or frame.pki:
        key = hashlib.sha256(key).digest()
    nonce = frame.id.to_bytes(8, "little") + frame.sender.to_bytes(4, "little") + bytes(4)
    encryptor = Cipher(algorithms.AES(key), modes.CTR(nonce)).encryptor()
    return encryptor.update(frame.data) + encryptor.finalize()
