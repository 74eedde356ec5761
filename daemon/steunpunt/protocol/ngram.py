"""Text by what usually follows: an n-gram model, mixed and arithmetic-coded.

Each character is a walk down a binary tree. At each fork every *slot* (a way to look at what was written before: the last
0 to 5 characters, the word so far, the word before it) says how often texts went either way from here; what that is worth was
learned for each slot and pair of counts (*logits*), and the slots are added up with *weights* that depend on how much of
the context is known. The sum is the logarithm of the odds for the arithmetic coder. Only whole numbers: the same bits
everywhere.

Words are spelt in small letters; whether one had capitals is told after it, when the word itself says which it usually has.
A character that the model does not know is escaped as its code point. The end is a symbol of its own.
"""

import zlib
from array import array
from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

from steunpunt.model import FrameError
from steunpunt.protocol.arithmetic import ONE, Coder, Decoder, Encoder

END, ESCAPE = 0, 1
FIRST_CHARACTER = 2
LOWER, TITLE, UPPER, MIXED = range(4)
CODE_BITS = 24
"""Longest way down the tree; codes are kept flush left in this many bits."""
ORDER_MAX = 5
WORD_SLOT, PAIR_SLOT = ORDER_MAX + 1, ORDER_MAX + 2
SLOTS = ORDER_MAX + 3
SHAPE_SLOTS = 6
WEIGHT_SETS = 4 * (ORDER_MAX + 1) + 1
SHAPE_SET = WEIGHT_SETS - 1
LEVELS = (1, 2, 3, 4, 6, 9, 14, 22, 36, 60, 100, 180, 340, 700, 1800, 6000)
"""The counts that an entry can hold, four bits each."""
COUNT_STEPS = (1, 2, 3, 4, 5, 7, 10, 15, 23, 37, 61, 111, 221, 501, 1501)
"""From which sum on a count belongs to the next of sixteen classes."""
COUNT_STATES = 256
LOGIT_UNIT = 1 << 11
WEIGHT_UNIT = 1 << 12
ODDS_UNIT = 1 << 8
ODDS_MAX = 11 * ODDS_UNIT
"""Odds are held within e^11, 1 to 60,000: one surprise costs at most 16 bits."""
_ODDS_SHIFT = 15  # LOGIT_UNIT * WEIGHT_UNIT / ODDS_UNIT
_MAGIC = b"SPNG\x01"
_FINGERPRINT_BITS = 12
_EVEN = ONE // 2
_SAME_BLOCK = ONE * 7 // 8
_BLOCK_BITS, _PLACE_BITS = 14, 7
_CODE_POINT_MAX = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)
_SENTENCE_ENDS = ".!?:\n"
_DIGITS_ALIKE = str.maketrans("123456789", "000000000")
_QUANT = bytes(sum(total >= step for step in COUNT_STEPS) for total in range(COUNT_STEPS[-1] + 1))
SHAPE_CODES = (0b0 << 23, 0b10 << 22, 0b110 << 21, 0b111 << 21)
SHAPE_ENDS = {0b10: LOWER, 0b110: TITLE, 0b1110: UPPER, 0b1111: MIXED}

Followers = list[tuple[int, int]]
"""What came next, and how often: (code, count)."""


def quantise(total: int) -> int:
    """Return the class, 0 to 15, of a sum of counts."""
    return _QUANT[min(total, COUNT_STEPS[-1])]


def key(slot: int, context: str) -> int:
    """Return 32 bits that stand for a context in a slot."""
    return zlib.crc32(context.encode("utf-8", "surrogatepass"), slot * 0x9E3779B1 & 0xFFFFFFFF)


def place(key: int, buckets: int) -> tuple[int, int]:
    """Return in which bucket a context lies, and the fingerprint (12 bits) by which it is known there."""
    return key * buckets >> 32, key & ((1 << _FINGERPRINT_BITS) - 1)


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
        return [key(20 + slot, context) for slot, context in enumerate(contexts)]

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


@dataclass(frozen=True)
class Parts:
    """What a model is made of, as a training gives it."""

    characters: str
    """In the order of their symbols, from FIRST_CHARACTER."""
    letters: str
    """Which of them make words, small."""
    capitals: str
    """Their capitals in the same order; the letter itself where it has none."""
    lengths: bytes
    """How deep each symbol lies in the tree."""
    squash: "array[int]"
    """Probability in 1/65536 by odds, from -ODDS_MAX to ODDS_MAX."""
    logits: "array[int]"
    weights: "array[int]"
    buckets: bytes
    """How many entries each bucket has."""
    entries: "array[int]"
    """Fingerprint (12 bits) and level (4 bits)."""
    symbols: bytes
    """What followed, for each entry."""

    def pack(self) -> bytes:
        """Return the model file: a mark, then each part with its length, 4 bytes."""
        strings = (self.characters, self.letters, self.capitals)
        arrays = (self.squash, self.logits, self.weights, self.entries)
        parts = [part.encode() for part in strings] + [self.lengths, self.buckets, self.symbols]
        parts += [little_endian(part).tobytes() for part in arrays]
        return _MAGIC + b"".join(len(part).to_bytes(4, "little") + part for part in parts)

    @classmethod
    def parse(cls, data: bytes) -> "Parts":
        """Read a model file; FrameError when it is none."""
        if not data.startswith(_MAGIC):
            raise FrameError("this is no text model of a version that this software knows; install the software again")
        parts, at = [], len(_MAGIC)
        while at < len(data):
            start = at + 4
            at = start + int.from_bytes(data[at:start], "little")
            parts.append(data[start:at])
        characters, letters, capitals = (part.decode() for part in parts[:3])
        lengths, buckets, symbols = parts[3:6]
        squash, logits, weights, entries = (
            little_endian(array(code, part)) for code, part in zip("HhhH", parts[6:10], strict=True)
        )
        return cls(characters, letters, capitals, lengths, squash, logits, weights, buckets, entries, symbols)


def little_endian(numbers: "array[int]") -> "array[int]":
    """Swap bytes where the machine counts from the other end."""
    if array("H", b"\1\0")[0] != 1:
        numbers.byteswap()
    return numbers


def canonical_codes(lengths: bytes) -> list[int]:
    """Return each symbol's way down the tree, flush left in CODE_BITS, from how deep each lies."""
    codes, code = [0] * len(lengths), 0
    for length, symbol in sorted((length, symbol) for symbol, length in enumerate(lengths)):
        codes[symbol] = code
        code += 1 << (CODE_BITS - length)
    return codes


def tree_ends(lengths: bytes) -> dict[int, int]:
    """Return the symbol at the end of each way down the tree; a way begins with a 1, then its bits."""
    codes = canonical_codes(lengths)
    return {1 << n | codes[symbol] >> (CODE_BITS - n): symbol for symbol, n in enumerate(lengths)}


class Alphabet:
    """The characters that a model knows, and which of them are letters of words."""

    def __init__(self, characters: str, letters: str, capitals: str) -> None:
        self.characters = characters
        self.symbols = {character: FIRST_CHARACTER + i for i, character in enumerate(characters)}
        self.small = dict(zip(capitals, letters, strict=True)) | {letter: letter for letter in letters}
        """The small letter of each letter, small or capital."""
        self.capital = dict(zip(letters, capitals, strict=True))

    def has_case(self, word: str) -> bool:
        """Return whether any letter of a word in small letters has a capital."""
        return any(self.capital[letter] != letter for letter in word)

    def seen(self, symbol: int) -> str:
        """Return a character as the slots see it: all that are not known are alike."""
        return "\1" if symbol == ESCAPE else self.characters[symbol - FIRST_CHARACTER]


class Model:
    """A trained model: what followed what, and what that is worth. Never changes once made."""

    def __init__(self, parts: Parts) -> None:
        self.alphabet = Alphabet(parts.characters, parts.letters, parts.capitals)
        self.codes = canonical_codes(parts.lengths)
        self.ends = tree_ends(parts.lengths)
        self._squash = parts.squash
        size = COUNT_STATES
        self._logits = [parts.logits[i : i + size] for i in range(0, len(parts.logits), size)]
        self._weights = [parts.weights[i : i + SLOTS] for i in range(0, len(parts.weights), SLOTS)]
        self._starts = array("I", accumulate(parts.buckets, initial=0))
        self._entries, self._symbols = parts.entries, parts.symbols

    def followers(self, key: int, codes: "list[int] | tuple[int, ...]") -> Followers:
        """Return what came after a context, with ``codes`` by symbol; empty when it is not known."""
        bucket, fingerprint = place(key, len(self._starts) - 1)
        first, end = self._starts[bucket], self._starts[bucket + 1]
        first = bisect_left(self._entries, fingerprint << 4, first, end)
        end = bisect_left(self._entries, fingerprint + 1 << 4, first, end)
        if first == end:
            return []
        pairs = zip(self._symbols[first:end], self._entries[first:end], strict=True)
        size = len(codes)  # now and then it is another context's entry, with a symbol that is none here
        return [(codes[symbol], LEVELS[entry & 0xF]) for symbol, entry in pairs if symbol < size]

    def probability(self, known: list[Followers], mask: int, weight_set: int, first_slot: int) -> int:
        """Return the chance in 1/65536 that the way down goes to 1 at the fork of ``mask``."""
        odds, weights = 0, self._weights[weight_set]
        for slot, followers in enumerate(known):
            if followers:
                state = count_state(followers, mask)
                odds += weights[slot] * self._logits[first_slot + slot][state]
        odds >>= _ODDS_SHIFT
        return self._squash[max(-ODDS_MAX, min(ODDS_MAX, odds)) + ODDS_MAX]


def count_state(followers: Followers, mask: int) -> int:
    """Return how often texts went either way at the fork of ``mask``: two classes of four bits."""
    ones = total = 0
    for code, count in followers:
        total += count
        if code & mask:
            ones += count
    zeros = total - ones
    top = COUNT_STEPS[-1]
    return _QUANT[min(top, zeros)] << 4 | _QUANT[min(top, ones)]


def known_set(known: list[Followers]) -> int:
    """Return which weights to use: by the longest order that is known, and whether word and pair are."""
    order = next((order for order in range(ORDER_MAX, 0, -1) if known[order]), 0)
    return 4 * order + 2 * bool(known[PAIR_SLOT]) + bool(known[WORD_SLOT])


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
        codes = self._model.codes
        known = [self._model.followers(key, codes) for key in self.past.keys()]
        return self._walk(known, codes[wanted], self._model.ends, known_set(known), 0)

    def shape(self, word: str, wanted: int) -> int:
        """Code a word's capitals."""
        known = [self._model.followers(key, SHAPE_CODES) for key in self.past.shape_keys(word)]
        return self._walk(known, SHAPE_CODES[wanted], SHAPE_ENDS, SHAPE_SET, SLOTS)

    def _walk(self, known: list[Followers], code: int, ends: dict[int, int], weight_set: int, first_slot: int) -> int:
        way, mask = 1, 1 << (CODE_BITS - 1)
        while way not in ends:
            probability = self._model.probability(known, mask, weight_set, first_slot)
            bit = self._coder.bit(probability, int(bool(code & mask)))
            way = way << 1 | bit
            known = narrowed(known, mask, bit)
            mask >>= 1
        return ends[way]

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


def narrowed(known: list[Followers], mask: int, bit: int) -> list[Followers]:
    """Return of each slot's followers those that went to ``bit`` at the fork of ``mask``."""
    goes = mask if bit else 0
    return [[one for one in each if one[0] & mask == goes] if each else each for each in known]


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
