"""The packets of more than one piece and those of the region, pinned: by our code, and again from primitives alone.

Keys and epoch are those of ``protocol.json``, which ``test_protocol_vectors.py`` derives. The plain bytes here are made
up (00 01 02 …): what is inside a seal is pinned there. After a change that is meant, run this file as a program from
the project's folder, with ``daemon`` and the folder itself in PYTHONPATH.
"""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from steunpunt.protocol.answers import seal_answers
from steunpunt.protocol.authority import KeyNotice, Revocation
from steunpunt.protocol.keys import epoch_id, keys_at
from steunpunt.protocol.news import News, pack_news
from steunpunt.protocol.pieces import batch, seal, seal_message
from steunpunt.protocol.wants import Want, WantHello
from tests.fakes import region_keys as fixed

FOLDER = Path(__file__).parents[1] / "vectors"
VECTORS = FOLDER / "packets.json"
DOCUMENT = Path(__file__).parents[2] / "docs" / "security" / "protocol.md"
AGE = 0xA0
SALT = b"\xa1\xa2\xa3\xa4"
COUNTED = bytes(range(256)) * 2
FRAGMENTED_BYTES, ANSWER_BYTES, NEWS_BYTES = 200, 300, 200
REVOKED = ((47, 1), (48, 3))
NEW_KEY = bytes(range(192, 224))


# --- as our code makes them ---------------------------------------------------------------------------------------


def made_by_our_code() -> dict[str, list[str]]:
    kiosk, coordinator = fixed.site_keys(), fixed.coordinator_keys()
    e_pub, _ = kiosk.open_epoch(fixed.EPHEMERAL)
    epoch_key = coordinator.epoch_key(fixed.SITE, fixed.GENERATION, e_pub)
    eid = epoch_id(e_pub)
    keys = [keys_at(epoch_key, n) for n in range(6)]
    long = seal_message(fixed.SITE, eid, 3, keys[3], COUNTED[:FRAGMENTED_BYTES])
    short = [(AGE, seal(fixed.SITE, eid, n, keys[n], COUNTED[:size])) for n, size in ((4, 10), (5, 20))]
    news, long_news = (News(1, 3, 7, 5, COUNTED[:size]) for size in (20, NEWS_BYTES))
    made = {
        "fragments": [piece.packet(AGE, None) for piece in long],
        "fragment_with_hello": [long[0].packet(AGE, e_pub)],
        "batch": [batch(fixed.SITE, eid, short, None)],
        "batch_with_hello": [batch(fixed.SITE, eid, short, e_pub)],
        "want": [Want(fixed.SITE, eid, 3, 0b10).pack(keys[3].verify)],
        "want_hello": [WantHello(fixed.SITE, eid).pack()],
        "answer": list(seal_answers(keys[3], SALT, COUNTED[:ANSWER_BYTES])),
        "news": pack_news(news, coordinator.sign),
        "long_news": pack_news(long_news, coordinator.sign),
        "revocation": [Revocation(REVOKED).pack(fixed.OFFLINE.sign)],
        "keys": [KeyNotice(0, 2, NEW_KEY).pack(fixed.OFFLINE.sign)],
    }
    return {name: [packet.hex() for packet in packets] for name, packets in made.items()}


def vectors(path: Path = VECTORS) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return loaded


def test_our_code_makes_the_vectors() -> None:
    assert made_by_our_code() == vectors()


def test_the_document_shows_the_short_ones() -> None:
    text, made = DOCUMENT.read_text("utf-8"), vectors()
    shown = [made[name][0] for name in ("batch", "want", "want_hello", "news", "revocation", "keys")]
    assert [packet for packet in shown if packet not in text] == []


# --- from primitives only -----------------------------------------------------------------------------------------


def mac(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()


def given(name: str) -> bytes:
    return bytes.fromhex(vectors(FOLDER / "protocol.json")["inputs"][name])


def epoch() -> tuple[bytes, bytes, bytes]:
    """Give (e_pub, eid, E) as ``test_protocol_vectors.py`` derives them."""
    known = vectors(FOLDER / "protocol.json")["epoch"]
    e_pub, eid, epoch_key = (bytes.fromhex(known[name]) for name in ("e_pub", "eid", "epoch_key"))
    return e_pub, eid, epoch_key


def message_keys(n: int) -> tuple[bytes, bytes, bytes]:
    """Derive (enc, V, A) of message n; HKDF by its two steps, for 48 bytes."""
    _, _, link = epoch()
    for _ in range(n):
        link = mac(link, b"c")
    extracted = mac(bytes(32), mac(link, b"k"))
    first = mac(extracted, b"steunpunt message v1\x01")
    block = first + mac(extracted, first + b"steunpunt message v1\x02")
    return block[:16], block[16:32], block[32:48]


def ccm(key: bytes, tag_bytes: int, fragment: int, plain: bytes, associated: bytes) -> bytes:
    return AESCCM(key, tag_length=tag_bytes).encrypt(bytes([fragment]) + b"\0" * 12, plain, associated)


def sealed(n: int, plain: bytes, fragment: int | None = None) -> bytes:
    """Give address and body of a piece."""
    _, eid, _ = epoch()
    first = b"\x44" if fragment is None else b"\x48"
    address = b"\x00\x2f" + eid + bytes([n]) + (b"" if fragment is None else bytes([fragment]))
    return address + ccm(message_keys(n)[0], 8, fragment or 0, plain, first + address)


def counted(start: int, end: int) -> bytes:
    return bytes(i % 256 for i in range(start, end))


def test_the_fragments() -> None:
    e_pub = epoch()[0]
    parts = [sealed(3, counted(0, 100), 0x01), sealed(3, counted(100, 200), 0x11)]
    assert [(b"\x48\xa0" + part).hex() for part in parts] == vectors()["fragments"]
    assert [(b"\x4a\xa0" + parts[0] + e_pub).hex()] == vectors()["fragment_with_hello"]


def test_the_batches() -> None:
    e_pub, eid, _ = epoch()
    bodies = [sealed(n, counted(0, size))[6:] for n, size in ((4, 10), (5, 20))]
    rest = b"\x00\x2f" + eid + b"\xa0\x04\x0a" + bodies[0] + b"\xa0\x05\x14" + bodies[1]
    assert [(b"\x45" + rest).hex()] == vectors()["batch"]
    assert [(b"\x47" + rest + e_pub).hex()] == vectors()["batch_with_hello"]


def test_the_wants() -> None:
    eid = epoch()[1]
    front = b"\x58\x00\x2f" + eid + b"\x03\x00\x02"
    assert [(front + mac(message_keys(3)[1], front)[:6]).hex()] == vectors()["want"]
    assert [(b"\x5c\x00\x2f" + eid).hex()] == vectors()["want_hello"]


def test_the_answer_in_two_packets() -> None:
    _, verify, answer = message_keys(3)
    packets = []
    for index, plain in enumerate((counted(0, 150), counted(150, 300))):
        salt = b"\xa1\xa2\xa3" + bytes([0xA0 + index])
        front = b"\x50" + bytes([index << 4 | 1]) + salt
        body = front + ccm(mac(answer, salt)[:16], 4, index << 4 | 1, plain, front)
        packets.append((body + mac(verify, body)[:6]).hex())
    assert packets == vectors()["answer"]


def signed(private: str, label: bytes, body: bytes) -> bytes:
    return body + Ed25519PrivateKey.from_private_bytes(given(private)).sign(label + body)


def test_the_news() -> None:
    head = b"\x01\x03\x00\x07\x00\x05"
    short = signed("news_private", b"steunpunt news v1", b"\x60\x00" + head + counted(0, 20))
    assert [short.hex()] == vectors()["news"]
    further = b"\x60\x11\x01\x00\x07" + counted(137, 200)
    digest = hashlib.sha256(further).digest()[:8]
    first = signed("news_private", b"steunpunt news v1", b"\x60\x01" + head + digest + counted(0, 137))
    assert [first.hex(), further.hex()] == vectors()["long_news"]


def test_the_words_of_the_offline_root() -> None:
    cards = b"\x64" + b"\x00\x2f\x01" + b"\x00\x30\x03"
    revocation = signed("offline_root_private", b"steunpunt revocation v1", cards)
    assert [revocation.hex()] == vectors()["revocation"]
    notice = signed("offline_root_private", b"steunpunt keys v1", b"\x68\x00\x00\x02" + bytes(range(192, 224)))
    assert [notice.hex()] == vectors()["keys"]


if __name__ == "__main__":
    VECTORS.write_text(json.dumps(made_by_our_code(), indent=2) + "\n", "utf-8")
