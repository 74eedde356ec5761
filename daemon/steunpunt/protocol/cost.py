"""What a message costs on the air before it is sent: its packets as they would be, under keys that are worth nothing.

The keys do not matter for the length, so none of a site's are needed; nothing made here is ever sent.
"""

from collections.abc import Iterable

from msgspec import Struct

from steunpunt.facts import Facts
from steunpunt.model import Category, SenderFunction
from steunpunt.protocol.airtime import PRESETS, private_app_lora_bytes, time_on_air_ms
from steunpunt.protocol.answerbody import pack_answer
from steunpunt.protocol.answers import seal_answers
from steunpunt.protocol.keys import MessageKeys
from steunpunt.protocol.messages import HelpRequest, pack
from steunpunt.protocol.phrases import Phrase
from steunpunt.protocol.pieces import SealedPiece, seal_message
from steunpunt.protocol.text import compress

_SITE, _EID, _N = 47, bytes(3), 12
_COUNTER = 112
"""A ticket number of a point some days old."""
_KEYS = MessageKeys(bytes(16), bytes(16), bytes(16))
_SALT = bytes(4)


def example_request(text: str) -> HelpRequest:
    """Return the help request by which texts are compared.

    Medical, life threat, three people, call-back by phone 0612345678, at this point.
    """
    facts = Facts(people=3, callback="0612345678")
    return HelpRequest(_COUNTER, Category.MEDICAL, life_threat=True, text=text, facts=facts)


def pieces_of_request(request: HelpRequest) -> tuple[SealedPiece, ...]:
    """Return a help request as sealed pieces; ValueError when it is too long to be sent."""
    return seal_message(_SITE, _EID, _N, _KEYS, pack(request, _EID))


def frames_of_request(request: HelpRequest, hello: bytes | None = None) -> list[bytes]:
    """Return a help request's packets as a radio is handed them, without e_pub unless given; ValueError as above."""
    return [piece.packet(0, hello) for piece in pieces_of_request(request)]


def frames_of_answer(function: SenderFunction, text: str, phrases: Iterable[Phrase] = ()) -> list[bytes]:
    """Return the packets of an answer as a radio is handed them; ValueError for one that cannot be sent."""
    return list(seal_answers(_KEYS, _SALT, pack_answer(function, text, phrases)))


def airtime_ms(frames: Iterable[bytes], preset: str) -> float:
    """Return how many milliseconds these PRIVATE_APP payloads take on the air, one after another, under a preset."""
    return sum(time_on_air_ms(preset, private_app_lora_bytes(len(frame))) for frame in frames)


class TextCost(Struct, frozen=True):
    """What one text makes of a help request."""

    text: str
    method: int
    """How the text was compressed: a number of :data:`steunpunt.protocol.text.METHOD_NAMES`."""
    frame_bytes: tuple[int, ...]
    """Payload of each packet."""
    airtime_ms: dict[str, float]
    """By preset."""


def cost_of_text(text: str) -> TextCost:
    """Return the cost of a whole help request with this text; ValueError when it is too long to be sent."""
    frames = frames_of_request(example_request(text))
    by_preset = {preset: airtime_ms(frames, preset) for preset in PRESETS}
    return TextCost(text, compress(text)[0], tuple(len(frame) for frame in frames), by_preset)
