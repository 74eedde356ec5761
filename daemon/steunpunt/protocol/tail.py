"""The free text that ends a message: ``1`` for the usual method, or ``0`` and its 3 bits; then whole bytes."""

from steunpunt.model import FrameError, Squeezed
from steunpunt.protocol.bits import BitReader, BitWriter
from steunpunt.protocol.text import compress, decompress

USUAL_METHOD = 2


def with_text(writer: BitWriter, text: str, squeezed: Squeezed | None = None) -> bytes:
    """Return what was written with the text after it; no text takes one bit.

    ``squeezed``: what was made of this very text before; of another one it says nothing.
    """
    method, data = squeezed[1:] if squeezed is not None and squeezed[0] == text else compress(text)
    usual = method == USUAL_METHOD or not data
    writer.flag(usual)
    if not usual:
        writer.put(method, 3)
    return writer.done() + data


def take_text(reader: BitReader) -> tuple[str, bool]:
    """Read the text; one in a way that is not known here leaves the rest of the message readable, and says so."""
    method = USUAL_METHOD if reader.flag() else reader.take(3)
    data = reader.rest()
    if not data:
        return "", False
    try:
        return decompress(method, data), False
    except FrameError:
        return "", True
