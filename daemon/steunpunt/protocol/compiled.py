"""The compiled coder over a model: for all but texts beyond its limit, which go to the reference."""

from array import array

from steunpunt.protocol import ngram
from steunpunt.protocol.coders import Reference
from steunpunt.textmodel import NotUsable, native


class Compiled:
    """The coder in C; what is too long for it goes to the reference. NotUsable when it cannot be loaded."""

    words = "texts are compressed by compiled code"

    def __init__(self, model: ngram.Model, path: str | None = None) -> None:
        self._native = native.Coder(tables(model), path)
        self._reference = Reference(model)

    def _for(self, characters: int) -> native.Coder | Reference:
        return self._native if 0 <= characters <= native.CHARS_MAX else self._reference

    def encode(self, text: str) -> bytes:
        """Spell the text."""
        return self._for(len(text)).encode(text)

    def decode(self, data: bytes, chars_max: int) -> str:
        """Undo :meth:`encode`."""
        return self._for(chars_max).decode(data, chars_max)

    def encode_points(self, text: str) -> bytes:
        """Write the code points."""
        return self._for(len(text)).encode_points(text)

    def decode_points(self, data: bytes, chars_max: int) -> str:
        """Undo :meth:`encode_points`."""
        return self._for(chars_max).decode_points(data, chars_max)


def tables(model: ngram.Model) -> native.Tables:
    """Return a model's arrays as the C code wants them; NotUsable for a letter without a symbol."""
    alphabet = model.alphabet
    seen = [0, *map(ord, map(alphabet.seen, range(ngram.ESCAPE, len(model.codes))))]
    capitals = [0] * len(seen)
    try:
        for letter, capital in alphabet.capital.items():
            capitals[alphabet.symbols[letter]] = ord(capital)
        small = {character: alphabet.symbols[letter] for character, letter in alphabet.small.items()}
    except KeyError as letter:
        raise NotUsable(f"the text model has no symbol for its letter {letter}; install the software again") from letter
    known = sorted((ord(character), symbol) for character, symbol in (alphabet.symbols | small).items())
    return native.Tables(
        points=array("I", seen),
        capitals=array("I", capitals),
        codes=array("I", model.codes),
        depths=model.parts.lengths,
        known=array("I", (point for point, _ in known)),
        known_symbols=bytes(symbol for _, symbol in known),
        squash=model.parts.squash,
        logits=model.parts.logits,
        weights=model.parts.weights,
        starts=model.starts,
        entries=model.parts.entries,
        symbols=model.parts.symbols,
    )
