"""An n-gram model of text: what usually follows, and how far to believe it.

A character is a walk down a binary tree. At each fork every *slot* (a way to look at what was written before: the last
0 to 5 characters, the word so far, the word before it) says how often texts went either way from here. What that is
worth was learned for each slot and pair of counts (*logits*), and the slots are added up with *weights* that depend on
how much of the context is known. The sum is the logarithm of the odds for the arithmetic coder. Only whole numbers: the
same bits everywhere. How a text becomes such questions is in :mod:`steunpunt.protocol.spelling`.
"""

import zlib
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence, Sized
from dataclasses import dataclass
from itertools import accumulate

from steunpunt.model import FrameError

END, ESCAPE = 0, 1
FIRST_CHARACTER = 2
CODE_BITS = 24
"""Longest way down the tree; codes are kept flush left in this many bits."""
ORDER_MAX = 5
WORD_SLOT, PAIR_SLOT = ORDER_MAX + 1, ORDER_MAX + 2
SLOTS = ORDER_MAX + 3
SHAPE_SLOTS = 6
TABLED_SLOTS = 2
"""Orders 0 and 1 have few contexts with many followers each: their states are worked out once and kept."""
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
_QUANT = bytes(sum(total >= step for step in COUNT_STEPS) for total in range(COUNT_STEPS[-1] + 1))

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
    """A trained model: what followed what, and what that is worth."""

    def __init__(self, parts: Parts) -> None:
        self.alphabet = Alphabet(parts.characters, parts.letters, parts.capitals)
        self.codes = canonical_codes(parts.lengths)
        self.ends = tree_ends(parts.lengths)
        self.parts = parts
        self._squash = parts.squash
        size = COUNT_STATES
        self._logits = [parts.logits[i : i + size] for i in range(0, len(parts.logits), size)]
        self._weights = [parts.weights[i : i + SLOTS] for i in range(0, len(parts.weights), SLOTS)]
        self.starts = array("I", accumulate(parts.buckets, initial=0))
        self._entries, self._symbols = parts.entries, parts.symbols
        self._tables: dict[int, dict[int, int]] = {}

    def followers(self, key: int, codes: "list[int] | tuple[int, ...]") -> Followers:
        """Return what came after a context, with ``codes`` by symbol; empty when it is not known."""
        bucket, fingerprint = place(key, len(self.starts) - 1)
        first, end = self.starts[bucket], self.starts[bucket + 1]
        first = bisect_left(self._entries, fingerprint << 4, first, end)
        end = bisect_left(self._entries, fingerprint + 1 << 4, first, end)
        if first == end:
            return []
        pairs = zip(self._symbols[first:end], self._entries[first:end], strict=True)
        size = len(codes)  # now and then it is another context's entry, with a symbol that is none here
        return [(codes[symbol], LEVELS[entry & 0xF]) for symbol, entry in pairs if symbol < size]

    def table(self, key: int) -> dict[int, int]:
        """Return the state at each fork of a context that comes often, by the way down to it."""
        table = self._tables.get(key)
        if table is None:
            table = self._tables[key] = state_table(self.followers(key, self.codes), self.ends)
        return table

    def probability(self, states: list[int], weight_set: int, first_slot: int) -> int:
        """Return the chance in 1/65536 that the way down goes to 1; states are of slots from ``first_slot`` on."""
        odds, weights = 0, self._weights[weight_set]
        for place, state in enumerate(states):
            if state:
                odds += weights[place] * self._logits[first_slot + place][state]
        odds >>= _ODDS_SHIFT
        return self._squash[max(-ODDS_MAX, min(ODDS_MAX, odds)) + ODDS_MAX]


def count_state(followers: Followers, mask: int) -> int:
    """Return how often texts went either way at the fork of ``mask``: two classes of four bits."""
    ones = total = 0
    for code, count in followers:
        total += count
        if code & mask:
            ones += count
    return pair_state(total - ones, ones)


def pair_state(zeros: int, ones: int) -> int:
    """Return the state that stands for two counts."""
    try:
        return _QUANT[zeros] << 4 | _QUANT[ones]
    except IndexError:  # rare, and asking first would cost each of the many forks of a text
        return quantise(zeros) << 4 | quantise(ones)


def state_table(followers: Followers, ends: dict[int, int]) -> dict[int, int]:
    """Return :func:`count_state` for every fork at once, by the way down to it."""
    passed: Counter[int] = Counter()
    forks = set()
    for code, count in followers:
        way, depth = 1, 0
        while way not in ends:
            forks.add(way)
            depth += 1
            way = (1 << CODE_BITS | code) >> (CODE_BITS - depth)
            passed[way] += count
    return {way: pair_state(passed[way << 1], passed[way << 1 | 1]) for way in forks}


def weight_set_of(known: Sequence[Sized]) -> int:
    """Return which weights to use: by the longest order of which anything is known, and whether word and pair are."""
    order = next((order for order in range(ORDER_MAX, 0, -1) if known[order]), 0)
    return 4 * order + 2 * bool(known[PAIR_SLOT]) + bool(known[WORD_SLOT])


def narrowed(known: list[Followers], mask: int, bit: int) -> list[Followers]:
    """Return of each slot's followers those that went to ``bit`` at the fork of ``mask``."""
    goes = mask if bit else 0
    return [[one for one in each if one[0] & mask == goes] if each else each for each in known]
