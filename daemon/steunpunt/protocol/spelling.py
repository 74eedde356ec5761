"""Text as questions to the n-gram model, in either direction, and what was written before as its slots look at it.

Words are spelt in small letters; whether one had capitals is told after it, when the word itself says which it usually
has. A character that the model does not know is escaped as its code point. The end is a symbol of its own.
"""

from typing import Protocol

from steunpunt.model import FrameError
from steunpunt.protocol.arithmetic import ONE, Coder, Decoder, Encoder
from steunpunt.protocol.ngram import (
    CODE_BITS,
    END,
    ESCAPE,
    ORDER_MAX,
    PAIR_SLOT,
    SHAPE_SET,
    SLOTS,
    TABLED_SLOTS,
    WORD_SLOT,
    Alphabet,
    Model,
    count_state,
    key,
    narrowed,
    weight_set_of,
)

LOWER, TITLE, UPPER, MIXED = range(4)
"""Shapes of a word; MIXED is followed by a bit for each letter."""
SHAPE_CODES = (0b0 << 23, 0b10 << 22, 0b110 << 21, 0b111 << 21)
SHAPE_ENDS = {0b10: LOWER, 0b110: TITLE, 0b1110: UPPER, 0b1111: MIXED}
_FIRST_SHAPE_KEY = 20
_EVEN = ONE // 2
_SAME_BLOCK = ONE * 7 // 8
_BLOCK_BITS, _PLACE_BITS = 14, 7
_CODE_POINT_MAX = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)
_SENTENCE_ENDS = ".!?:\n"
_DIGITS_ALIKE = str.maketrans("123456789", "000000000")


class Past:
    """What was written before, as the slots look at it."""

    def __init__(self) -> None:
        self._tail = " "
        self._last = " "
        self._prefix = ""
        self._word = "<"
        self._sentence = "0"
        self._first_shape = self._last_shape = "-"
        self._word_sentence = "0"

    def keys(self) -> list[int]:
        """Return a key for each slot: orders 0 to 5, the word so far, the pair of words."""
        tail, prefix = self._tail, self._prefix
        keys = [key(0, ""), key(1, self._last)]
        keys += [key(order, tail[-order:]) for order in range(2, ORDER_MAX + 1)]
        keys.append(key(WORD_SLOT, f"{prefix}|" if prefix else f"|{tail[-2:]}"))
        keys.append(key(PAIR_SLOT, f"{self._word}|{prefix or tail[-1]}"))
        return keys

    def shape_keys(self, word: str) -> list[int]:
        """Return a key for each slot of the question whether ``word``, just ended, has capitals."""
        here = self._word_sentence + self._first_shape
        length = min(len(word), 3)
        contexts = ("", here, here + self._last_shape, word, word + here, f"{length}{self._last_shape}{here}")
        return [key(_FIRST_SHAPE_KEY + slot, context) for slot, context in enumerate(contexts)]

    def letter(self, lower: str) -> None:
        """Add a letter of a word, as a small letter."""
        if not self._prefix:
            self._word_sentence = self._sentence
        self._prefix += lower
        self._push(lower)

    def word(self, lower: str, shape: int) -> None:
        """End a word; comes before :meth:`other`."""
        if self._first_shape == "-":
            self._first_shape = str(shape)
        self._last_shape = str(shape)
        self._word, self._prefix = lower, ""
        self._sentence = "2"

    def other(self, character: str) -> None:
        """Add what is no letter."""
        if character in _SENTENCE_ENDS:
            self._sentence = "1"
        self._push(character)

    def _push(self, character: str) -> None:
        self._last = character
        self._tail = (self._tail + character.translate(_DIGITS_ALIKE))[-ORDER_MAX:]


class Speller(Protocol):
    """What a text is spelt to: a coder in either direction, or a training that listens."""

    past: Past

    def symbol(self, wanted: int) -> int:
        """Take the next symbol."""

    def shape(self, word: str, wanted: int) -> int:
        """Take which capitals the word has that just ended, here in small letters."""

    def flags(self, wanted: int, count: int) -> int:
        """Take ``count`` bits of which nothing is known beforehand, the highest first."""

    def code_point(self, wanted: int) -> int:
        """Take a character that the model does not know."""


class CodingSpeller:
    """Spells one text through a coder, in either direction; a decoder ignores what is ``wanted``."""

    def __init__(self, model: Model, coder: Coder) -> None:
        self._model, self._coder = model, coder
        self.past = Past()
        self._block = 0

    def symbol(self, wanted: int) -> int:
        """Code the next symbol."""
        model, keys = self._model, self.past.keys()
        tables = [model.table(key) for key in keys[:TABLED_SLOTS]]
        known = [model.followers(key, model.codes) for key in keys[TABLED_SLOTS:]]
        weight_set = weight_set_of([*tables, *known])
        way, mask, code = 1, 1 << (CODE_BITS - 1), model.codes[wanted]
        while way not in model.ends:
            states = [table.get(way, 0) for table in tables]
            states += [count_state(each, mask) if each else 0 for each in known]
            bit = self._coder.bit(model.probability(states, weight_set, 0), int(bool(code & mask)))
            known = narrowed(known, mask, bit)
            way, mask = way << 1 | bit, mask >> 1
        return model.ends[way]

    def shape(self, word: str, wanted: int) -> int:
        """Code a word's capitals."""
        model, way, mask, code = self._model, 1, 1 << (CODE_BITS - 1), SHAPE_CODES[wanted]
        known = [model.followers(key, SHAPE_CODES) for key in self.past.shape_keys(word)]
        while way not in SHAPE_ENDS:
            states = [count_state(each, mask) for each in known]
            bit = self._coder.bit(model.probability(states, SHAPE_SET, SLOTS), int(bool(code & mask)))
            known = narrowed(known, mask, bit)
            way, mask = way << 1 | bit, mask >> 1
        return SHAPE_ENDS[way]

    def flags(self, wanted: int, count: int) -> int:
        """Code bits as they are."""
        value = 0
        for place in reversed(range(count)):
            value = value << 1 | self._coder.bit(_EVEN, wanted >> place & 1)
        return value

    def code_point(self, wanted: int) -> int:
        """Code a code point; FrameError for one that Unicode does not have."""
        block = self._block
        same = self._coder.bit(_SAME_BLOCK, int(wanted >> _PLACE_BITS == block))
        if not same:
            block = self.flags(wanted >> _PLACE_BITS, _BLOCK_BITS)
        point = block << _PLACE_BITS | self.flags(wanted, _PLACE_BITS)
        if point > _CODE_POINT_MAX or point in _SURROGATES:
            raise FrameError("compressed text has a character that does not exist")
        self._block = block
        return point


def shape_of(capitals: list[bool]) -> int:
    """Return which of the four shapes a word has, by which of its letters are capitals."""
    if not any(capitals):
        return LOWER
    if capitals[0] and not any(capitals[1:]):
        return TITLE
    return UPPER if all(capitals) else MIXED


def spell(text: str, alphabet: Alphabet, speller: Speller) -> None:
    """Spell a whole text, its end included."""
    word = ""
    for character in text:
        lower = alphabet.small.get(character)
        if lower is not None:
            speller.symbol(alphabet.symbols[lower])
            speller.past.letter(lower)
            word += character
            continue
        symbol = alphabet.symbols.get(character, ESCAPE)
        speller.symbol(symbol)
        _spell_shape(word, alphabet, speller)
        word = ""
        if symbol == ESCAPE:
            speller.code_point(ord(character))
        speller.past.other(alphabet.seen(symbol))
    speller.symbol(END)
    _spell_shape(word, alphabet, speller)


def _spell_shape(word: str, alphabet: Alphabet, speller: Speller) -> None:
    if not word:
        return
    lower = "".join(alphabet.small[letter] for letter in word)
    capitals = [letter != small for letter, small in zip(word, lower, strict=True)]
    shape = shape_of(capitals)
    if alphabet.has_case(lower):
        speller.shape(lower, shape)
    if shape == MIXED:
        for capital in capitals:
            speller.flags(int(capital), 1)
    speller.past.word(lower, shape)


def encode(model: Model, text: str) -> bytes:
    """Return the text, of any Unicode characters, in as few bytes as the model can."""
    coder = Encoder()
    spell(text, model.alphabet, CodingSpeller(model, coder))
    return coder.finish()


def decode(model: Model, data: bytes, chars_max: int) -> str:
    """Return the text of these bytes; FrameError when they are damaged or longer than ``chars_max`` characters."""
    alphabet, speller = model.alphabet, CodingSpeller(model, Decoder(data))
    done: list[str] = []
    word = ""
    for _ in range(chars_max + 1):
        symbol = speller.symbol(END)
        character = "" if symbol == END else alphabet.seen(symbol)
        if character in alphabet.capital:
            speller.past.letter(character)
            word += character
            continue
        done.append(_read_shape(word, alphabet, speller))
        word = ""
        if symbol == END:
            return "".join(done)
        done.append(chr(speller.code_point(0)) if symbol == ESCAPE else character)
        speller.past.other(character)
    raise FrameError(f"compressed text is longer than {chars_max} characters")


def _read_shape(word: str, alphabet: Alphabet, speller: Speller) -> str:
    """Read which capitals a word has and return it with them."""
    if not word:
        return ""
    shape = speller.shape(word, LOWER) if alphabet.has_case(word) else LOWER
    capitals = [shape == UPPER or (shape == TITLE and place == 0) for place in range(len(word))]
    if shape == MIXED:
        capitals = [bool(speller.flags(0, 1)) for _ in word]
    speller.past.word(word, shape)
    return "".join(alphabet.capital[letter] if big else letter for letter, big in zip(word, capitals, strict=True))
