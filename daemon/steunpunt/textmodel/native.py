"""The text coder in C, where it was compiled (``coder/``, `make native`): bit for bit the reference, and far faster.

Loaded through ctypes, the only library that this module opens. Its arrays are lent to the C code and not copied. The C
code keeps nothing between calls, so any number of threads may call; Python's lock stays with the caller meanwhile, for
taking it again could cost more than the call.
"""

import ctypes
import sys
from array import array
from collections.abc import Callable
from dataclasses import dataclass, fields

from steunpunt.model import FrameError
from steunpunt.textmodel import NotUsable
from steunpunt.textmodel import __path__ as folders

VERSION = 1
"""Of the calls; TEXTCODER_VERSION in coder/textcoder.h."""
FILE = f"{folders[0]}/textcoder.so"
_MEND = "`make native` in the project's folder makes it"
CHARS_MAX = 4_000
"""Longer texts, and room for longer ones, are for the reference."""
_NO_END, _TOO_LONG, _NO_CHARACTER, _NO_MEMORY = -1, -2, -3, -4
_UNITS = "utf-32-le" if sys.byteorder == "little" else "utf-32-be"
_BYTES_A_CHARACTER, _BYTES_AT_LEAST = 4, 64
"""What a text takes at first guess; a second call with the right size mends a wrong one."""


@dataclass(frozen=True)
class Tables:
    """A model as the C code wants it: ``struct parts`` in coder/textcoder.h, in its order."""

    points: "array[int]"
    capitals: "array[int]"
    codes: "array[int]"
    depths: bytes
    known: "array[int]"
    known_symbols: bytes
    squash: "array[int]"
    logits: "array[int]"
    weights: "array[int]"
    starts: "array[int]"
    entries: "array[int]"
    symbols: bytes

    def counts(self) -> list[int]:
        """Return the lengths that ``struct parts`` ends with; NotUsable when arrays that belong together differ."""
        twins = [(self.points, self.capitals, self.codes, self.depths), (self.known, self.known_symbols)]
        twins += [(self.entries, self.symbols)]
        if any(len({len(each) for each in group}) != 1 for group in twins):
            raise NotUsable("the arrays of the text model differ in length; install the software again")
        return [*map(len, (self.points, self.known, self.squash, self.logits, self.weights, self.starts, self.entries))]


class _Parts(ctypes.Structure):
    _fields_ = (
        *((field.name, ctypes.c_void_p) for field in fields(Tables)),
        *((f"count_{number}", ctypes.c_uint32) for number in range(7)),
    )


def _address(numbers: "array[int] | bytes") -> int:
    """Return where an array lies, for as long as it is kept."""
    if isinstance(numbers, bytes):
        return ctypes.cast(ctypes.c_char_p(numbers), ctypes.c_void_p).value or 0
    return numbers.buffer_info()[0]


class Coder:
    """One model in the compiled library."""

    def __init__(self, tables: Tables, path: str | None = None) -> None:
        library = _loaded(path or FILE)
        self._tables = tables  # lent to the library
        parts = _Parts(*[_address(getattr(tables, field.name)) for field in fields(Tables)], *tables.counts())
        self._model = ctypes.create_string_buffer(library.textcoder_model_bytes())
        if not library.textcoder_open(self._model, ctypes.byref(parts)):
            raise NotUsable("the text model does not fit the compiled coder; install the software again")
        self._library = library

    def encode(self, text: str) -> bytes:
        """Return what :func:`steunpunt.protocol.spelling.encode` does, for at most CHARS_MAX characters."""
        return self._encoded(text, self._library.textcoder_encode, self._model)

    def decode(self, data: bytes, chars_max: int) -> str:
        """Return what :func:`steunpunt.protocol.spelling.decode` does, for at most CHARS_MAX ``chars_max``."""
        out = _room(chars_max + 1)
        count = self._library.textcoder_decode(self._model, data, len(data), out.buffer_info()[0], chars_max)
        if count == _TOO_LONG:
            raise FrameError(f"compressed text is longer than {chars_max} characters")
        return _text(out, count)

    def encode_points(self, text: str) -> bytes:
        """Return what :func:`steunpunt.protocol.codepoints.encode` does, for at most CHARS_MAX characters."""
        return self._encoded(text, self._library.textcoder_encode_points)

    def decode_points(self, data: bytes, chars_max: int) -> str:
        """Return what :func:`steunpunt.protocol.codepoints.decode` does, for at most CHARS_MAX ``chars_max``."""
        out = _room(chars_max + 1)
        count = self._library.textcoder_decode_points(data, len(data), out.buffer_info()[0], chars_max)
        if count == _TOO_LONG:
            raise FrameError(f"text of more than {chars_max} characters")
        if count == _NO_CHARACTER:
            raise FrameError(f"text with {out[0]:#x}, which is no character")
        return _text(out, count)

    def _encoded(self, text: str, call: Callable[..., int], *model: "ctypes.Array[ctypes.c_char]") -> bytes:
        units = text.encode(_UNITS, "surrogatepass")
        size, count = 0, _BYTES_A_CHARACTER * len(text) + _BYTES_AT_LEAST
        out: array[int] = array("B")
        while size < count:  # twice at most: the second time with the size that the first one told
            size = count
            out = array("B", bytes(size))
            count = call(*model, units, len(text), out.buffer_info()[0], size)
        _refuse(count)
        return out[:count].tobytes()


def _room(characters: int) -> "array[int]":
    return array("I", bytes(4 * characters))


def _text(out: "array[int]", count: int) -> str:
    _refuse(count)
    return out[:count].tobytes().decode(_UNITS)


def _refuse(count: int) -> None:
    """Raise what the reference raises."""
    if count == _NO_MEMORY:
        raise MemoryError
    if count == _NO_END:
        raise FrameError("compressed text does not end where its bytes end")
    if count == _NO_CHARACTER:
        raise FrameError("compressed text has a character that does not exist")


def _loaded(path: str) -> ctypes.PyDLL:
    try:
        library = ctypes.PyDLL(path)
        version = library.textcoder_version()
    except (OSError, AttributeError) as error:
        raise NotUsable(f"{error}; {_MEND}") from error
    if version != VERSION:
        raise NotUsable(f"{path}: of version {version}, and {VERSION} is needed; {_MEND}")
    address, size = ctypes.c_void_p, ctypes.c_size_t
    calls: list[tuple[str, list[type], type]] = [
        ("model_bytes", [], size),
        ("open", [address, address], ctypes.c_int),
        ("encode", [address, ctypes.c_char_p, size, address, size], ctypes.c_long),
        ("decode", [address, ctypes.c_char_p, size, address, size], ctypes.c_long),
        ("encode_points", [ctypes.c_char_p, size, address, size], ctypes.c_long),
        ("decode_points", [ctypes.c_char_p, size, address, size], ctypes.c_long),
    ]
    for name, arguments, result in calls:
        function = getattr(library, f"textcoder_{name}")
        function.argtypes, function.restype = arguments, result
    return library
