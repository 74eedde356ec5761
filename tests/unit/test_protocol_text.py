"""Free text: nothing is lost, nothing gets longer, and what comes damaged off the air can do no harm."""

import contextlib
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from steunpunt.model import TEXT_CHARS_MAX, FrameError
from steunpunt.protocol import text
from steunpunt.protocol.arithmetic import Decoder, Encoder
from steunpunt.protocol.pieces import MESSAGE_BYTES_MAX
from steunpunt.protocol.text import METHOD_NAMES, compress, decompress

CHARACTERS = st.characters(exclude_categories=["Cs"])
TEXTS = st.text(CHARACTERS, max_size=120)
PLAIN = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz ABCDE.,!?'éëï0123456789\n"), max_size=120)
VECTORS = Path(__file__).parents[1] / "vectors" / "text.json"
HELP = "Mijn buurvrouw is gevallen en kan niet meer opstaan, Dorpsstraat 12"
EMOJI = "".join(map(chr, random.Random(1).choices(range(0x1F300, 0x1F650), k=2_000)))
DAMAGED = settings(max_examples=300)


@given(TEXTS | PLAIN)
@example("")
@example("x")
@example("\0")
@example("\u0130\u0131ßSTRASSE straße STRAßE Éen éÉn ǅ")
@example("ΑΣ ας Ж жЖ مساعدة 😀😀👩‍👩‍👧 ﷽ \U0010ffff")
@example("HELP Help hELP help. H h\n\r\n\t")
@example("a" * 500)
def test_every_text_comes_back_as_it_was_and_is_never_longer(words: str) -> None:
    method, data = compress(words)
    assert decompress(method, data) == words
    assert len(data) <= len(words.encode())


@pytest.mark.parametrize("method", METHOD_NAMES)
@given(words=TEXTS | PLAIN)
def test_each_method_by_itself_gives_the_text_back(method: int, words: str) -> None:
    assert decompress(method, text.by_method(method, words)) == words


@pytest.mark.parametrize("vector", json.loads(VECTORS.read_text("utf-8")), ids=lambda vector: vector["text"][:12])
def test_a_method_never_changes_its_bytes(vector: dict[str, Any]) -> None:
    words = vector["text"]
    assert compress(words) == (vector["method"], bytes.fromhex(vector["data"]))
    assert text.by_method(2, words).hex() == vector["ngram"]
    assert decompress(2, bytes.fromhex(vector["ngram"])) == words
    assert decompress(vector["method"], bytes.fromhex(vector["data"])) == words


def test_no_text_is_no_bytes() -> None:
    assert compress("") == (0, b"")


def test_a_help_text_takes_less_than_four_tenths_of_its_bytes() -> None:
    method, data = compress(HELP)
    assert METHOD_NAMES[method] == "ngram-1"
    assert len(data) < 0.4 * len(HELP)


@pytest.mark.parametrize(
    ("words", "name"),
    [("Ж", "raw"), (HELP, "ngram-1"), ("0123456789abcdef" * 60, "deflate-1"), (EMOJI, "code-points-1")],
)
def test_the_shortest_method_is_taken(words: str, name: str) -> None:
    assert METHOD_NAMES[compress(words)[0]] == name


@given(st.sampled_from(sorted(METHOD_NAMES)), st.binary(max_size=200))
@DAMAGED
def test_any_bytes_are_a_text_of_bounded_size_or_a_frame_error(method: int, data: bytes) -> None:
    try:
        words = decompress(method, data, chars_max=300)
    except FrameError:
        return
    assert len(words) <= 300


@given(PLAIN.filter(bool), st.sampled_from(sorted(METHOD_NAMES)), st.data())
@DAMAGED
def test_flipped_and_missing_bits_are_another_text_or_a_frame_error(
    words: str, method: int, data: st.DataObject
) -> None:
    good = bytearray(text.by_method(method, words))
    place = data.draw(st.integers(0, max(0, len(good) - 1)))
    if good and data.draw(st.booleans()):
        good[place] ^= 1 << data.draw(st.integers(0, 7))
    else:
        good = good[:place]
    with contextlib.suppress(FrameError):
        assert len(decompress(method, bytes(good))) <= text.CHARS_MAX


@pytest.mark.parametrize("method", [4, 7, 8, -1])
def test_a_method_of_a_later_version_is_said_to_be_unknown(method: int) -> None:
    with pytest.raises(FrameError, match=f"text method {method} is not known"):
        decompress(method, b"abc")


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_a_text_longer_than_allowed_is_refused(method: int) -> None:
    data = text.by_method(method, HELP)
    assert decompress(method, data, chars_max=len(HELP)) == HELP
    with pytest.raises(FrameError):
        decompress(method, data, chars_max=len(HELP) - 1)


def test_a_bomb_bursts_at_the_limit() -> None:
    with pytest.raises(FrameError):
        decompress(1, text.by_method(1, "0" * 3_999) + b"\0")
    squeezed = text.by_method(1, "0" * 4_000)
    assert len(squeezed) < 30
    with pytest.raises(FrameError):
        decompress(1, squeezed, chars_max=10)


@pytest.mark.parametrize("method", [2, 3])
def test_the_slowest_bytes_are_read_in_bounded_time(method: int) -> None:
    worst = 0.0
    for data in (bytes(2_688), b"\xff" * 2_688, b"\x55" * 2_688, bytes(range(256)) * 10):
        began = time.perf_counter()
        with contextlib.suppress(FrameError):
            decompress(method, data)
        worst = max(worst, time.perf_counter() - began)
    assert worst < 10


@pytest.mark.parametrize("first", [0x0E01, 0x0905, 0x3041, 0x1F300], ids=["Thai", "Hindi", "Japanese", "emoji"])
def test_the_longest_text_of_any_script_fits_sixteen_fragments(first: int) -> None:
    characters = range(first, first + (850 if first > 0xFFFF else 80))
    words = "".join(map(chr, random.Random(first).choices(characters, k=TEXT_CHARS_MAX)))
    method, data = compress(words)
    assert len(data) < MESSAGE_BYTES_MAX - 20
    assert decompress(method, data) == words


def test_too_long_a_text_and_half_a_character_are_refused_before_they_are_sent() -> None:
    with pytest.raises(ValueError, match="at most 4000"):
        compress("a" * 4_001)
    with pytest.raises(ValueError, match="surrogates not allowed"):
        compress("\ud800")


@given(st.lists(st.tuples(st.integers(1, 65_535), st.booleans()), max_size=300))
def test_arithmetic_coding_gives_every_decision_back(decisions: list[tuple[int, bool]]) -> None:
    encoder = Encoder()
    for probability, bit in decisions:
        encoder.bit(probability, int(bit))
    decoder = Decoder(encoder.finish())
    assert [bool(decoder.bit(probability, 0)) for probability, _ in decisions] == [bit for _, bit in decisions]


def test_arithmetic_coding_takes_no_more_than_the_decisions_are_worth() -> None:
    encoder = Encoder()
    for place in range(8_000):
        encoder.bit(65_536 // 16, int(place % 16 == 0))
    assert len(encoder.finish()) <= 338  # 8,000 times 0.3373 bits are 337.3 bytes


def test_reading_far_beyond_the_end_is_an_error() -> None:
    decoder = Decoder(b"")
    with pytest.raises(FrameError, match="does not end"):
        for _ in range(100):
            decoder.bit(32_768, 0)
