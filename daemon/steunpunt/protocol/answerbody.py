"""What is inside an ANSWER: who says it (function, 4 bits), phrases, and free words after them.

The text is as in other messages: ``1`` for method 2, else ``0`` and the method in 3 bits, then bytes to the end.
"""

from collections.abc import Iterable

from msgspec import Struct

from steunpunt.model import TEXT_CHARS_MAX, FrameError, SenderFunction
from steunpunt.protocol.bits import BitReader, BitWriter
from steunpunt.protocol.phrasecodes import BOOK
from steunpunt.protocol.phrases import Phrase, put_phrases, take_phrases
from steunpunt.protocol.tail import take_text, with_text


class Answer(Struct, frozen=True):
    """What a person says to a citizen. ``newer``: the text is in a way that this version cannot read."""

    function: SenderFunction
    text: str = ""
    phrases: tuple[Phrase, ...] = ()
    newer: bool = False


def pack_answer(function: SenderFunction, text: str, phrases: Iterable[Phrase] = ()) -> bytes:
    """Return the plain bytes of an answer; ValueError when it says nothing, too much, or what is not in the book."""
    said = tuple(phrases)
    if not text and not said:
        raise ValueError("an answer says something: add a phrase or text")
    if len(text) > TEXT_CHARS_MAX:
        raise ValueError(f"an answer has at most {TEXT_CHARS_MAX} characters, this one {len(text)}")
    writer = BitWriter()
    writer.put(function, 4)
    put_phrases(writer, said, BOOK)
    return with_text(writer, text)


def unpack_answer(plain: bytes) -> Answer:
    """Read an answer's plain bytes; FrameError when they make no sense or say nothing."""
    reader = BitReader(plain)
    number = reader.take(4)
    function = SenderFunction(number) if number in set(SenderFunction) else SenderFunction.OTHER
    phrases = take_phrases(reader, BOOK)
    text, newer = take_text(reader)
    if not (text or phrases or newer):
        raise FrameError("an answer that says nothing")
    return Answer(function, text, phrases, newer)


def pack_phrases(phrases: Iterable[Phrase], text: str) -> bytes:
    """Return phrases and text alone as bytes, for what stays inside a site; errors as in :func:`pack_answer`."""
    writer = BitWriter()
    put_phrases(writer, phrases, BOOK)
    return with_text(writer, text)


def unpack_phrases(plain: bytes) -> tuple[tuple[Phrase, ...], str]:
    """Read what :func:`pack_phrases` made."""
    reader = BitReader(plain)
    return take_phrases(reader, BOOK), take_text(reader)[0]
