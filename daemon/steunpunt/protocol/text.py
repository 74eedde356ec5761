"""Free text as few bytes: of several methods the one that is shortest for this text.

The number of the method travels with the message (in its head), so a text is never longer than it was. Models never
change under their number: another model or dictionary is another method, and an old site says that it does not know it.

== =================================================================================
0  UTF-8 as it is
1  raw deflate (RFC 1951) with the dictionary of version 1
2  n-gram model of version 1, arithmetic-coded (:mod:`steunpunt.protocol.spelling`)
3  code points of any script, their chances learned on the way (:mod:`steunpunt.protocol.codepoints`)
== =================================================================================
"""

import functools
import zlib

from steunpunt import textmodel
from steunpunt.model import FrameError, Squeezed
from steunpunt.protocol import coders, ngram

RAW, DEFLATE, NGRAM, CODE_POINTS = 0, 1, 2, 3
"""Three bits: 4 to 7 are free."""
METHOD_NAMES = {RAW: "raw", DEFLATE: "deflate-1", NGRAM: "ngram-1", CODE_POINTS: "code-points-1"}
CHARS_MAX = 4_000
CHARS_OVER_SPARE = 10
FEW_BYTES = 16
_UTF8_BYTES_MAX = 4
_RAW_WINDOW = -15  # negative: no header and no checksum; the seal has one


@functools.cache
def _model() -> ngram.Model:
    """Read the model, once, at the first text."""
    return ngram.Model(ngram.Parts.parse(textmodel.model()))


def fastest(model: ngram.Model, path: str | None = None) -> coders.TextCoder:
    """Return the compiled coder, from ``path`` or where `make native` puts it; or the reference, which says why."""
    try:
        from steunpunt.protocol import compiled  # noqa: PLC0415  ctypes is of no use before the first text

        return compiled.Compiled(model, path)
    # The last two: a system that has no ctypes, or forbids what that does when it is imported.
    except (textmodel.NotUsable, ImportError, MemoryError) as reason:
        return coders.Reference(model, str(reason) or repr(reason))


@functools.cache
def _coder() -> coders.TextCoder:
    return fastest(_model())


@functools.cache
def _dictionary() -> bytes:
    return textmodel.dictionary()


def compress(text: str) -> tuple[int, bytes]:
    """Return the shortest (method, data) for a text of Unicode characters; ``""`` gives ``(0, b"")``.

    Never longer than the text in UTF-8. ValueError beyond CHARS_MAX, and for half a surrogate pair: no character.
    """
    if len(text) > CHARS_MAX:
        raise ValueError(f"a text of {len(text)} characters; at most {CHARS_MAX} can be sent")
    if not text:
        return RAW, b""
    best = min(((method, by_method(method, text)) for method in (RAW, NGRAM, DEFLATE)), key=_size)
    # A text of a few words has nothing to learn from; one at less than 4 bits a character is in a known language.
    if _size(best) > max(FEW_BYTES, len(text) // 2):
        best = min(best, (CODE_POINTS, by_method(CODE_POINTS, text)), key=_size)
    return best


def squeeze(text: str) -> Squeezed:
    """Compress ahead of time: 2,000 characters take as long as hundreds of commits. ValueError as for compress."""
    return (text, *compress(text))


def warm() -> None:
    """Read the model, unless that is done: whoever is about to write should not wait for it."""
    _coder()


def coder_words() -> str:
    """Return who compresses texts here, and when that is the slow one, why: for a technician."""
    return _coder().words


def _size(way: tuple[int, bytes]) -> int:
    return len(way[1])


def characters_beyond(characters: int, size: int, size_max: int) -> int:
    """Return about how many of a text's characters must go so that what holds it has ``size_max`` bytes; 0: it fits.

    Rather one too many: whoever shortens by that much should not be sent back again.
    """
    if size <= size_max:
        return 0
    return min(-(-(size - size_max) * characters // size) + CHARS_OVER_SPARE, characters)


def by_method(method: int, text: str) -> bytes:
    """Return a text by one method of METHOD_NAMES, however long that gets; KeyError for another."""
    if method == RAW:
        return text.encode()
    if method == DEFLATE:
        return _deflate(text)
    return {NGRAM: _coder().encode, CODE_POINTS: _coder().encode_points}[method](text)


def decompress(method: int, data: bytes, *, chars_max: int = CHARS_MAX) -> str:
    """Return the text; FrameError for an unknown method, damage, or more than ``chars_max`` characters."""
    if method == RAW:
        return _decoded(data, chars_max)
    if method == DEFLATE:
        return _decoded(_inflate(data, chars_max * _UTF8_BYTES_MAX), chars_max)
    if method == NGRAM:
        return _coder().decode(data, chars_max)
    if method == CODE_POINTS:
        return _coder().decode_points(data, chars_max)
    raise FrameError(f"text method {method} is not known to this version")


def _decoded(raw: bytes, chars_max: int) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise FrameError(f"text is no UTF-8 from byte {error.start} on") from error
    if len(text) > chars_max:
        raise FrameError(f"text of {len(text)} characters; at most {chars_max}")
    return text


def _deflate(text: str) -> bytes:
    squeezer = zlib.compressobj(
        9, zlib.DEFLATED, _RAW_WINDOW, zlib.DEF_MEM_LEVEL, zlib.Z_DEFAULT_STRATEGY, _dictionary()
    )
    return squeezer.compress(text.encode()) + squeezer.flush()


def _inflate(data: bytes, bytes_max: int) -> bytes:
    opener = zlib.decompressobj(_RAW_WINDOW, zdict=_dictionary())
    try:
        raw = opener.decompress(data, bytes_max)
    except zlib.error as error:
        raise FrameError("deflated text is damaged") from error
    if not opener.eof or opener.unused_data:
        raise FrameError(f"deflated text is cut off, longer than {bytes_max} bytes, or followed by something else")
    return raw
