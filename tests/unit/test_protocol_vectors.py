"""The layout, pinned: the vectors as our code makes them, and again from nothing but primitives.

The second half uses none of our modules. Who writes another implementation can start from it, and a change of a single
byte in the first half is a change of the protocol. After a change that is meant, run this file as a program from the
project's folder, with ``daemon`` and the folder itself in PYTHONPATH.
"""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from steunpunt.facts import Facts
from steunpunt.model import Category, SenderFunction, SupplementCode, TokenCode
from steunpunt.protocol import answers, beacons, messages, tokens
from steunpunt.protocol.age import pack_age
from steunpunt.protocol.answerbody import pack_answer
from steunpunt.protocol.keys import epoch_id, keys_at
from steunpunt.protocol.pieces import seal
from steunpunt.protocol.tokens import Head
from tests.fakes import region_keys as fixed

VECTORS = Path(__file__).parents[1] / "vectors" / "protocol.json"
DOCUMENT = Path(__file__).parents[2] / "docs" / "security" / "protocol.md"
SALT = b"\xa1\xa2\xa3\xa4"
AGE_S = 95
RAW = "水がない"
"""A text that no method shortens: these bytes do not hang on a model of language."""
HEAD = Head(coordinator=1, incarnation=3, serial=0x0102, active_min=12)
BEACON_COUNTER = 4097


# --- as our code makes them ---------------------------------------------------------------------------------------


def contents(eid: bytes) -> list[tuple[str, messages.Message]]:
    """Give the messages n = 0, 1, 2 of the vectors."""
    request = messages.HelpRequest(
        12,
        Category.MEDICAL,
        life_threat=True,
        text=RAW,
        facts=Facts(people=3, callback="0612345678"),
    )
    first = messages.Reference(eid, 0)
    worse = messages.Supplement(first, SupplementCode.WORSE, "42")
    held = (
        messages.Acknowledged(first, TokenCode.SEEN),
        messages.Acknowledged(messages.Reference(b"\x0a\x0b\x0c", 7), None, SALT),
    )
    return [("request", request), ("supplement", worse), ("acknowledgement", messages.Acknowledgement(held))]


def made_by_our_code() -> dict[str, Any]:
    kiosk, coordinator = fixed.site_keys(), fixed.coordinator_keys()
    e_pub, chain = kiosk.open_epoch(fixed.EPHEMERAL)
    epoch_key = coordinator.epoch_key(fixed.SITE, fixed.GENERATION, e_pub)
    eid = epoch_id(e_pub)
    age = pack_age(AGE_S, at_least=True)
    pieces = []
    for name, message in contents(eid):
        n, keys = chain.take()
        plain = messages.pack(message, eid)
        piece = seal(fixed.SITE, eid, n, keys, plain)
        row = {"n": n, "holds": name, "enc": keys.enc, "verify": keys.verify, "answer": keys.answer, "plain": plain}
        pieces.append(row | {"packet": piece.packet(age, None), "packet_with_hello": piece.packet(age, e_pub)})
    first = keys_at(epoch_key, 0)
    claims = [(first.verify, TokenCode.SEEN), (keys_at(epoch_key, 1).verify, TokenCode.RECEIVED)]
    answer = pack_answer(SenderFunction.MEDICAL, "Ja")
    body = beacons.beacon_body(HEAD, BEACON_COUNTER)
    return {
        "inputs": {
            "root": fixed.ROOT,
            "region_private": fixed.REGION_PRIVATE,
            "news_private": fixed.NEWS_PRIVATE,
            "offline_root_private": fixed.OFFLINE_ROOT,
            "ephemeral": fixed.EPHEMERAL,
            "site": fixed.SITE,
            "generation": fixed.GENERATION,
            "coordinator": fixed.COORDINATOR,
            "incarnation": HEAD.incarnation,
            "news_serial": HEAD.serial,
            "active_min": HEAD.active_min,
            "age_s": AGE_S,
            "age_at_least": True,
            "answer_salt": SALT,
            "beacon_counter": BEACON_COUNTER,
        },
        "site_secret": kiosk.secret,
        "region_public": kiosk.region_public,
        "identity_signature": fixed.identity().signature,
        "epoch": {"e_pub": e_pub, "eid": eid, "epoch_key": epoch_key},
        "pieces": pieces,
        "tokens": {"says": ["n 0 SEEN", "n 1 RECEIVED"], "packet": tokens.pack_tokens(HEAD, claims)},
        "answer": {"to_n": 0, "plain": answer, "packet": answers.seal_answer(first, SALT, answer)},
        "beacon": {"packet": body + coordinator.sign(beacons.beacon_signed_part(body))},
    }


def as_json(value: Any) -> Any:
    """Write bytes as hexadecimal."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    return [as_json(item) for item in value] if isinstance(value, list) else value


def vectors() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(VECTORS.read_text("utf-8"))
    return loaded


def test_our_code_makes_the_vectors() -> None:
    assert as_json(made_by_our_code()) == vectors()


def test_the_document_shows_the_vectors() -> None:
    text = DOCUMENT.read_text("utf-8")
    made = vectors()
    shown = [made["epoch"]["e_pub"], made["epoch"]["epoch_key"], made["site_secret"], made["tokens"]["packet"]]
    shown += [piece["packet"] for piece in made["pieces"]] + [made["answer"]["packet"], made["beacon"]["packet"]]
    assert [value for value in shown if value not in text] == []


# --- from primitives only -----------------------------------------------------------------------------------------


def kdf(secret: bytes, salt: bytes | None, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


def mac(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()


def ccm(key: bytes, tag_bytes: int, plain: bytes, associated: bytes) -> bytes:
    return AESCCM(key, tag_length=tag_bytes).encrypt(b"\0" * 13, plain, associated)


def message_keys(epoch_key: bytes, n: int) -> tuple[bytes, bytes, bytes]:
    link = epoch_key
    for _ in range(n):
        link = mac(link, b"c")
    block = kdf(mac(link, b"k"), None, b"steunpunt message v1", 48)
    return block[:16], block[16:32], block[32:]


def epoch() -> tuple[bytes, bytes]:
    """Derive (e_pub, E) from the vectors' inputs."""
    given = vectors()["inputs"]
    label = given["site"].to_bytes(2, "big") + bytes([given["generation"]])
    secret = kdf(bytes.fromhex(given["root"]), b"steunpunt site v1", label, 32)
    assert secret.hex() == vectors()["site_secret"]
    ephemeral = X25519PrivateKey.from_private_bytes(bytes.fromhex(given["ephemeral"]))
    region = X25519PrivateKey.from_private_bytes(bytes.fromhex(given["region_private"]))
    e_pub, region_public = (key.public_key().public_bytes_raw() for key in (ephemeral, region))
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(region_public))
    assert shared == region.exchange(X25519PublicKey.from_public_bytes(e_pub))
    assert region_public.hex() == vectors()["region_public"]
    return e_pub, kdf(shared + secret, hashlib.sha256(e_pub + region_public).digest(), label, 32)


def test_the_epoch() -> None:
    e_pub, epoch_key = epoch()
    eid = hashlib.sha256(e_pub).hexdigest()[:6]
    assert {"e_pub": e_pub.hex(), "eid": eid, "epoch_key": epoch_key.hex()} == vectors()["epoch"]


PLAINS = {
    # type 1, life threat 1, medical 0, nl 0, 3 people, 0612345678, no more, counter 12, method 0
    "request": bytes.fromhex("c7 17 8c 29 c1 80") + RAW.encode(),
    # type 01, same epoch 1, n 0, code 1, no facts, method 0
    "supplement": bytes.fromhex("60 02 00") + b"42",
    # type 001; SEEN of n 0 in the same epoch; an answer to n 7 of epoch 0a0b0c; no more
    "acknowledgement": bytes.fromhex("32 80 7c 14 16 18 0f 43 45 47 48"),
}


def test_the_pieces() -> None:
    e_pub, epoch_key = epoch()
    eid = hashlib.sha256(e_pub).digest()[:3]
    age = 0x80 | 32  # 6 * (2 ** (32 / 8) - 1) = 90 s, the last step before 95
    for n, piece in enumerate(vectors()["pieces"]):
        enc, verify, answer = message_keys(epoch_key, n)
        plain = PLAINS[piece["holds"]]
        address = b"\x00\x2f" + eid + bytes([n])
        body = address + ccm(enc, 8, plain, b"\x44" + address)
        assert piece == {
            "n": n,
            "holds": piece["holds"],
            "enc": enc.hex(),
            "verify": verify.hex(),
            "answer": answer.hex(),
            "plain": plain.hex(),
            "packet": (bytes([0x44, age]) + body).hex(),
            "packet_with_hello": (bytes([0x46, age]) + body + e_pub).hex(),
        }


HEAD_REST = bytes.fromhex("01 03 01 02 0c")  # coordinator 1, incarnation 3, serial 0x0102, 12 minutes


def test_the_tokens() -> None:
    _, epoch_key = epoch()
    head = b"\x4c" + HEAD_REST
    seen, received = (mac(message_keys(epoch_key, n)[1], bytes([code]) + head)[:6] for n, code in ((0, 2), (1, 1)))
    assert (head + seen + received).hex() == vectors()["tokens"]["packet"]


def test_the_answer() -> None:
    _, epoch_key = epoch()
    _, verify, answer = message_keys(epoch_key, 0)
    plain = b"\x40\x00Ja"  # function 4, no phrases; method 0
    front = b"\x50\x00\xa1\xa2\xa3\xa4"
    sealed = front + ccm(mac(answer, b"\xa1\xa2\xa3\xa4")[:16], 4, plain, front)
    packet = sealed + mac(verify, sealed)[:6]
    assert {"to_n": 0, "plain": plain.hex(), "packet": packet.hex()} == vectors()["answer"]


def test_the_beacon_and_who_vouches_for_its_key() -> None:
    given = vectors()["inputs"]
    news, root = (
        Ed25519PrivateKey.from_private_bytes(bytes.fromhex(given[name]))
        for name in ("news_private", "offline_root_private")
    )
    body = b"\x54" + HEAD_REST + b"\x00\x00\x10\x01"
    packet = body + news.sign(b"steunpunt beacon v1" + body)
    assert packet.hex() == vectors()["beacon"]["packet"]
    vouched = root.sign(b"steunpunt coordinator v1" + b"\x01" + news.public_key().public_bytes_raw())
    assert vouched.hex() == vectors()["identity_signature"]


if __name__ == "__main__":
    VECTORS.write_text(json.dumps(as_json(made_by_our_code()), indent=2) + "\n", "utf-8")
