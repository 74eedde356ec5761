"""`python -m tests.bench.air`: what messages cost on the air beside other ways to say the same. Computed: it repeats.

Texts are those that the model was not trained on (`heldout-*` in tests/textmodel/corpus); where a request is measured,
those of 60 to 75 characters. *Plain* is what a person would type today as a text message, with nothing that proves who
it is from.
"""

import argparse
import itertools
import json
import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from steunpunt.model import TokenCode
from steunpunt.protocol.airtime import (
    DATA_BYTES_MAX,
    LORA_HEADER_BYTES,
    PRESETS,
    private_app_lora_bytes,
    time_on_air_ms,
)
from steunpunt.protocol.cost import example_request, frames_of_request, pieces_of_request
from steunpunt.protocol.pieces import E_PUB_BYTES, PIECE_OVERHEAD_BYTES, batch
from steunpunt.protocol.text import compress
from steunpunt.protocol.tokens import TOKEN_BYTES, Head, pack_tokens
from tests.bench.air_peers import NoPeer, peer_lengths
from tests.bench.figures import Figure, title
from tests.textmodel.train import CORPUS

CHARACTERS = range(60, 76)
LANGUAGES = ("nl", "en", "de", "fr")
SIGNATURE_BYTES = 66
"""What firmware 2.8 adds to a broadcast that has room for it: 64, tag and length."""
BROADCAST_BYTES_MAX = 231
"""Longest payload of a broadcast."""
TAG_BYTES = 16
TEXT_PORT_BYTES, BYTES_FIELD, BITFIELD_BYTES, REQUEST_ID_BYTES, ACK_PAYLOAD_BYTES = 2, 2, 2, 5, 2
PLAIN_FORM = "MEDISCH LEVENSGEVAAR 3 personen bel 0612345678 "
PLAIN_FORM_WITH_POINT = "NOODSTEUNPUNT 47 " + PLAIN_FORM
JSON_FORM = {
    "version": 1,
    "type": "help_request",
    "id": "5f0c6a52-7d0e-4c37-9d0b-3a1f8f0c2d11",
    "site": 47,
    "counter": 112,
    "created": "2026-11-21T14:03:27Z",
    "category": "medical",
    "life_threat": True,
    "exercise": False,
    "people": 3,
    "place": "here",
    "callback": {"type": "phone", "number": "0612345678"},
    "language": "nl",
}
BATCH = 4
TOKENS = 8

Sizes = Iterable[int]
"""Bytes on the air of one packet after another, Meshtastic's header included."""


class Air:
    """Time on the air under a preset; ``signs``: the firmware signs broadcasts, as 2.8 does."""

    def __init__(self, preset: str, *, signs: bool) -> None:
        self._preset, self._signs = preset, signs

    def broadcast(self, sizes: Sizes) -> float:
        """Return the milliseconds that these broadcasts take."""
        return sum(time_on_air_ms(self._preset, self._signed(size)) for size in sizes)

    def unicast(self, sizes: Sizes) -> float:
        """Return the milliseconds of unicasts on a channel named `serial`: neither encrypted to a key nor signed."""
        return sum(time_on_air_ms(self._preset, size) for size in sizes)

    def _signed(self, size: int) -> int:
        fits = size - LORA_HEADER_BYTES + SIGNATURE_BYTES <= DATA_BYTES_MAX
        return size + SIGNATURE_BYTES if self._signs and fits else size


def private(frames: Iterable[bytes]) -> list[int]:
    return [private_app_lora_bytes(len(frame)) for frame in frames]


def as_text_message(text: str) -> list[int]:
    """Return the size of a TEXT_MESSAGE packet: its port is one byte shorter than ours."""
    return [private_app_lora_bytes(len(text.encode())) - 1]


def as_json(text: str) -> list[int]:
    """Return the sizes of compact JSON with a tag, cut into broadcasts without any head of their own."""
    total = len(json.dumps(JSON_FORM | {"text": text}, separators=(",", ":"), ensure_ascii=False).encode()) + TAG_BYTES
    whole, rest = divmod(total, BROADCAST_BYTES_MAX)
    return [private_app_lora_bytes(size) for size in [BROADCAST_BYTES_MAX] * whole + [rest] * bool(rest)]


def as_routing_ack() -> list[int]:
    return [LORA_HEADER_BYTES + TEXT_PORT_BYTES + BYTES_FIELD + ACK_PAYLOAD_BYTES + REQUEST_ID_BYTES + BITFIELD_BYTES]


def as_request(text: str) -> list[int]:
    return private(frames_of_request(example_request(text)))


def as_request_with_hello(text: str) -> list[int]:
    return private(frames_of_request(example_request(text), bytes(E_PUB_BYTES)))


def as_batch(texts: Iterable[str]) -> list[int]:
    pieces = [pieces_of_request(example_request(text))[0] for text in texts]
    return private([batch(pieces[0].site, pieces[0].eid, [(0, piece) for piece in pieces], None)])


def as_empty_seal() -> list[int]:
    """Return the size of a request that says nothing: less than that no sealed one takes."""
    return private([bytes(PIECE_OVERHEAD_BYTES)])


def as_bare_tokens() -> list[int]:
    """Return the size of eight tokens without a head."""
    return private([bytes(TOKEN_BYTES * TOKENS)])


def as_tokens() -> list[int]:
    claims = [(bytes([number] * 16), TokenCode.RECEIVED) for number in range(TOKENS)]
    return private([pack_tokens(Head(1, 1, 0, 5), claims)])


def heldout(language: str, topic: str = "heldout-[0-9]*") -> list[str]:
    files = sorted((CORPUS / language).glob(f"{topic}.txt"))
    return [line for path in files for line in path.read_text("utf-8").split("\n") if line.strip()]


def request_texts(languages: Sequence[str]) -> list[str]:
    return [text for language in languages for text in heldout(language) if len(text) in CHARACTERS]


def air_figures(air: Air, texts: list[str], *, signs: bool) -> list[Figure]:
    """Compare whole packets; a figure's ratio is that of the means, one value each."""

    def mean(cost: Callable[[str], float]) -> list[float]:
        return [statistics.fmean(cost(text) for text in texts)]

    fours = list(zip(*[iter(texts)] * BATCH, strict=False))
    plain = mean(lambda text: air.broadcast(as_text_message(PLAIN_FORM_WITH_POINT + text)))
    bare = mean(lambda text: air.broadcast(as_text_message(PLAIN_FORM + text)))
    ours = mean(lambda text: air.broadcast(as_request(text)))
    hello = mean(lambda text: air.broadcast(as_request_with_hello(text)))
    in_json = mean(lambda text: air.broadcast(as_json(text)))
    each = [statistics.fmean(air.broadcast(as_batch(four)) / BATCH for four in fours)]
    token = [air.broadcast(as_tokens()) / TOKENS]
    figures = [
        Figure("request / typed as plain text", ours, plain, "ms", at_most=0.58),
        Figure("request / typed without the point's name", ours, bare, "ms"),
        Figure("with hello / plain", hello, plain, "ms", at_most=0.80),
        Figure("request / compact JSON with a tag", ours, in_json, "ms", at_most=0.24),
        Figure("one of a batch of four / request alone", each, ours, "ms", at_most=0.61),
        Figure("one of eight tokens / routing ack", token, [air.unicast(as_routing_ack())], "ms", at_most=0.25),
    ]
    if signs:
        unicast = mean(lambda text: air.unicast(as_request(text)))
        figures.insert(1, Figure("request as unicast / plain", unicast, plain, "ms", at_most=0.58))
        empty, tokens = [air.broadcast(as_empty_seal())], [air.broadcast(as_bare_tokens()) / TOKENS]
        figures += [
            Figure("floor: a seal with nothing in it / plain", empty, plain, "ms"),
            Figure("floor: a seal with nothing in it / JSON", empty, in_json, "ms"),
            Figure("floor: one of eight tokens, no head / ack", tokens, [air.unicast(as_routing_ack())], "ms"),
        ]
    return figures


def text_figures(cache: Path, groups: dict[str, tuple[list[str], float]]) -> list[str]:
    """Compare text alone with the other's, in each group of texts with its aim."""
    everything = list(itertools.chain.from_iterable(texts for texts, _ in groups.values()))
    lines = []
    try:
        name, lengths = peer_lengths(cache, everything)
    except NoPeer as error:
        return [f"text / others: not measured, {error}"]
    other = iter(lengths)
    for group, (texts, aim) in groups.items():
        ours = sum(len(compress(text)[1]) for text in texts)
        theirs, raw = sum(itertools.islice(other, len(texts))), sum(len(text.encode()) for text in texts)
        figure = Figure(f"{group}: text / {name}", [ours / len(texts)], [theirs / len(texts)], "bytes", at_most=aim)
        lines.append(f"{figure.line()}; of UTF-8 {ours / raw:.3f}, {name} {theirs / raw:.3f}")
    longer = sum(len(compress(text)[1]) > len(text.encode()) for text in everything)
    return [*lines, f"texts that got longer than UTF-8: {longer} of {len(everything)}"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.air", description=__doc__)
    parser.add_argument("--preset", choices=sorted(PRESETS), default="LONG_FAST")
    preset = parser.parse_args().preset
    for firmware, signs in (("2.7", False), ("2.8, which signs broadcasts", True)):
        for name, languages in (("nl", ["nl"]), ("nl, en, de, fr", LANGUAGES)):
            texts = request_texts(languages)
            size = statistics.fmean(len(frame) for t in texts for frame in frames_of_request(example_request(t)))
            print(title(f"{preset}, firmware {firmware}; {len(texts)} texts in {name}, {size:.1f} bytes a request", 1))
            for figure in air_figures(Air(preset, signs=signs), texts, signs=signs):
                print(figure.line())
    print(title("Text alone, means", 1))
    groups = {f"help, {language}": (heldout(language), 0.60) for language in LANGUAGES}
    groups["ordinary Dutch prose"] = (heldout("nl", "heldout-prose"), 0.90)
    print("\n".join(text_figures(Path(".cache/air-peers").resolve(), groups)))


if __name__ == "__main__":
    main()
