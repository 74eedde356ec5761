"""Training of the text model: the same corpus gives the same bytes, on any machine.

Three steps. Count what followed what. Then go through a part of the texts as if each block of them had not been
counted, and learn what counts are worth (logits) and how far to believe each slot (weights): whoever looks at a text it
has counted believes itself too much. Last, keep what is worth its place.

All arithmetic is of whole numbers, or of floats with + - * / alone, whose results IEEE 754 fixes.
"""

import hashlib
import heapq
import itertools
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal, localcontext
from pathlib import Path

from steunpunt.protocol import ngram, spelling
from steunpunt.protocol.arithmetic import ONE

CORPUS = Path(__file__).parent / "corpus"
BLOCK_LINES = 25
"""Texts that are left out together: neighbours in a file are alike."""
CHARACTER_COUNT_MIN = 6
ENTRIES_PER_BUCKET = 8
BUCKET_ENTRIES_MAX = 255
KEPT_FROM = (1, 1, 1, 1, 2, 3, 1, 3)
"""How often something must have followed in a slot to be kept."""
PASSES = ((0.004, 0.01), (0.002, 0.01), (0.001, 0.005), (0.0005, 0.002))
"""Rates of learning, for weights and for logits."""
FORKS_LEARNT_MAX = 900_000
FORKS_PER_QUESTION = 5
WEIGHT_AT_FIRST = 0.3
_TOO_SMALL_TO_LEARN = 0.002
_LEVEL_STEPS = [low * high for low, high in itertools.pairwise(ngram.LEVELS)]
"""Squares of the geometric means of neighbouring levels."""


def corpus_files(folder: Path) -> list[Path]:
    """Return what is trained on, in a fixed order: all but the texts held out for measuring."""
    found = [path for path in folder.glob("*/*.txt") if not path.name.startswith("heldout")]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def corpus_hash(folder: Path) -> str:
    """Return SHA-256 over the names and contents of what is trained on."""
    digest = hashlib.sha256()
    for path in corpus_files(folder):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()


@dataclass(frozen=True)
class Corpus:
    """Texts in blocks, and single words."""

    blocks: list[list[str]]
    words: list[str]

    @classmethod
    def read(cls, folder: Path) -> "Corpus":
        """Read all files but those held out: one text a line, or in ``*-words.txt`` words."""
        blocks, words = [], []
        for path in corpus_files(folder):
            lines = [line for line in path.read_text("utf-8").split("\n") if line.strip()]
            if path.stem.endswith("-words"):
                words += [word for line in lines for word in line.split()]
            else:
                blocks += [lines[i : i + BLOCK_LINES] for i in range(0, len(lines), BLOCK_LINES)]
        return cls(blocks, words)

    def lines(self) -> Iterator[str]:
        """Give every text."""
        for block in self.blocks:
            yield from block


@dataclass(frozen=True, slots=True)
class Question:
    """One symbol or shape: what each slot looks at, and what it was."""

    keys: list[int]
    answer: int
    is_shape: bool = False


class Listener:
    """A speller that notes the questions."""

    def __init__(self) -> None:
        self.past = spelling.Past()
        self.questions: list[Question] = []

    def symbol(self, wanted: int) -> int:
        self.questions.append(Question(self.past.keys(), wanted))
        return wanted

    def shape(self, word: str, wanted: int) -> int:
        self.questions.append(Question(self.past.shape_keys(word), wanted, is_shape=True))
        return wanted

    def flags(self, wanted: int, count: int) -> int:  # noqa: ARG002  nothing to learn
        return wanted

    def code_point(self, wanted: int) -> int:
        return wanted


def questions(lines: Iterable[str], alphabet: ngram.Alphabet) -> list[Question]:
    """Return every question that spelling these texts asks."""
    found: list[Question] = []
    for line in lines:
        listener = Listener()
        spelling.spell(line, alphabet, listener)
        found += listener.questions
    return found


def word_questions(words: Iterable[str], alphabet: ngram.Alphabet) -> list[Question]:
    """Return what a word by itself teaches: its letters, but neither its end nor what goes before it."""
    found: list[Question] = []
    for word in words:
        listener = Listener()
        spelling.spell(word, alphabet, listener)
        asked = [question for question in listener.questions if not question.is_shape and question.answer != ngram.END]
        found += [Question(question.keys[: ngram.PAIR_SLOT], question.answer) for question in asked]
    return found


# --- alphabet and tree ---------------------------------------------------------------------------------------------


def has_plain_case(letter: str) -> bool:
    """Return whether a small letter and its capital are one character each and lead to each other."""
    capital = letter.upper()
    return len(capital) == 1 and capital != letter and capital.lower() == letter


def small(character: str) -> str:
    """Return the small letter of a capital that has a plain one."""
    lower = character.lower()
    return lower if len(lower) == 1 and has_plain_case(lower) and lower.upper() == character else character


def frequencies(corpus: Corpus) -> Counter[str]:
    """Return how often each character comes, capitals as small letters."""
    counts: Counter[str] = Counter()
    for text in (*corpus.lines(), *corpus.words):
        counts.update(small(character) for character in text)
    return counts


def make_alphabet(counts: Counter[str]) -> ngram.Alphabet:
    """Return the characters that are common enough, the most common first."""
    known = [c for c in sorted(counts, key=lambda c: (-counts[c], c)) if counts[c] >= CHARACTER_COUNT_MIN]
    letters = "".join(sorted(c for c in known if c.isalpha()))
    capitals = "".join(letter.upper() if has_plain_case(letter) else letter for letter in letters)
    return ngram.Alphabet("".join(known[: 256 - ngram.FIRST_CHARACTER]), letters, capitals)


def tree_depths(weights: list[int]) -> bytes:
    """Return how deep each symbol lies in Huffman's tree."""
    heap: list[tuple[int, int, tuple[int, ...]]] = [
        (weight, symbol, (symbol,)) for symbol, weight in enumerate(weights)
    ]
    heapq.heapify(heap)
    depths = bytearray(len(weights))
    while len(heap) > 1:
        one, other = heapq.heappop(heap), heapq.heappop(heap)
        for symbol in one[2] + other[2]:
            depths[symbol] += 1
        heapq.heappush(heap, (one[0] + other[0], min(one[1], other[1]), one[2] + other[2]))
    if max(depths) > ngram.CODE_BITS:
        raise ValueError(f"a symbol lies {max(depths)} deep; raise CHARACTER_COUNT_MIN")
    return bytes(depths)


def symbol_depths(corpus: Corpus, counts: Counter[str], alphabet: ngram.Alphabet) -> bytes:
    """Return the depth of every symbol, by how often each comes."""
    unknown = sum(count for character, count in counts.items() if character not in alphabet.symbols)
    ends = sum(len(block) for block in corpus.blocks)
    return tree_depths([ends, max(1, unknown), *(counts[character] for character in alphabet.characters)])


# --- odds ------------------------------------------------------------------------------------------------------------


def squash_table() -> "array[int]":
    """Return the probability, in 1/65536, of each odds from -ODDS_MAX to ODDS_MAX: the logistic function."""
    table = array("H")
    with localcontext() as context:
        context.prec = 30
        for odds in range(-ngram.ODDS_MAX, ngram.ODDS_MAX + 1):
            share = 1 / (1 + (Decimal(-odds) / ngram.ODDS_UNIT).exp())
            table.append(max(1, min(ONE - 1, int(share * ONE + Decimal("0.5")))))
    return table


class Learner:
    """Logits and weights while they are learnt."""

    def __init__(self, squash: "array[int]") -> None:
        self._squash = squash
        self.logits = [[0.0] * ngram.COUNT_STATES for _ in range(ngram.SLOTS + ngram.SHAPE_SLOTS)]
        self.weights = [[WEIGHT_AT_FIRST] * ngram.SLOTS for _ in range(ngram.WEIGHT_SETS)]

    def start(self, forks: "list[Fork]") -> None:
        """Begin with what each state was worth by itself."""
        seen = [[[0.4, 0.4] for _ in range(ngram.COUNT_STATES)] for _ in self.logits]
        for fork in forks:
            for slot, state in enumerate(fork.states, fork.first_slot):
                seen[slot][state][fork.bit] += 1
        for slot, states in enumerate(seen):
            for state, (zeros, ones) in enumerate(states):
                share = ones / (zeros + ones) * ONE
                place = bisect_left(self._squash, share) - ngram.ODDS_MAX
                self.logits[slot][state] = place / ngram.ODDS_UNIT if state else 0.0

    def chance(self, fork: "Fork") -> float:
        """Return the probability of 1."""
        weights, odds = self.weights[fork.weight_set], 0.0
        for slot, state in enumerate(fork.states):
            odds += weights[slot] * self.logits[fork.first_slot + slot][state]
        place = int(odds * ngram.ODDS_UNIT)
        return self._squash[max(-ngram.ODDS_MAX, min(ngram.ODDS_MAX, place)) + ngram.ODDS_MAX] / ONE

    def learn(self, forks: "list[Fork]", weight_rate: float, logit_rate: float) -> None:
        """Go through all forks once, stepping downhill."""
        for fork in forks:
            error = fork.bit - self.chance(fork)
            if -_TOO_SMALL_TO_LEARN < error < _TOO_SMALL_TO_LEARN:
                continue
            weights = self.weights[fork.weight_set]
            for slot, state in enumerate(fork.states):
                if state:
                    logits = self.logits[fork.first_slot + slot]
                    logit = logits[state]
                    logits[state] = logit + error * logit_rate * weights[slot]
                    weights[slot] += error * weight_rate * logit

    def whole(self) -> "tuple[array[int], array[int]]":
        """Return logits and weights as the model keeps them."""
        logits = array("h", (_short(value * ngram.LOGIT_UNIT) for row in self.logits for value in row))
        weights = array("h", (_short(value * ngram.WEIGHT_UNIT) for row in self.weights for value in row))
        return logits, weights


def _short(value: float) -> int:
    return max(-32768, min(32767, int(value + 0.5) if value >= 0 else -int(0.5 - value)))


# --- counts ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fork:
    """One decision, as the slots see it when its own block was not counted."""

    states: list[int]
    bit: int
    weight_set: int
    first_slot: int


def level_of(count: int) -> int:
    """Return the level whose count is nearest, by ratio."""
    return bisect_right(_LEVEL_STEPS, count * count)


class Counts:
    """What followed each context, and how often."""

    def __init__(self, depths: bytes) -> None:
        self._codes, self._ends = ngram.canonical_codes(depths), ngram.tree_ends(depths)
        self.after: dict[int, dict[int, int]] = {}

    def add(self, asked: Iterable[Question], times: int = 1) -> None:
        """Count these questions ``times`` more, or less."""
        for question in asked:
            for key in question.keys:
                follow = self.after.setdefault(key, {})
                count = follow.get(question.answer, 0) + times
                if count:
                    follow[question.answer] = count
                else:
                    del follow[question.answer]

    def kept(self, slot: int, key: int) -> dict[int, int]:
        """Return what the model will know of a context."""
        least = KEPT_FROM[slot] if slot < ngram.SLOTS else 1
        return {answer: count for answer, count in self.after.get(key, {}).items() if count >= least}

    def forks(self, question: Question) -> Iterator[Fork]:
        """Give the decisions of a question."""
        first_slot = ngram.SLOTS if question.is_shape else 0
        codes = spelling.SHAPE_CODES if question.is_shape else self._codes
        known = [
            [
                (codes[answer], ngram.LEVELS[level_of(count)])
                for answer, count in self.kept(first_slot + slot, key).items()
                if answer < len(codes)  # two contexts may have one key
            ]
            for slot, key in enumerate(question.keys)
        ]
        weight_set = ngram.SHAPE_SET if question.is_shape else ngram.weight_set_of(known)
        ends = spelling.SHAPE_ENDS if question.is_shape else self._ends
        way, mask = 1, 1 << (ngram.CODE_BITS - 1)
        while way not in ends:
            bit = int(bool(codes[question.answer] & mask))
            yield Fork([ngram.count_state(each, mask) for each in known], bit, weight_set, first_slot)
            known = ngram.narrowed(known, mask, bit)
            way = way << 1 | bit
            mask >>= 1


def entry_table(counts: Counts, slots: dict[int, int]) -> "tuple[bytes, array[int], bytes]":
    """Return buckets, entries and symbols of what is kept; ``slots`` tells each context's slot."""
    rows = [
        (key, level_of(count), answer)
        for key, slot in slots.items()
        for answer, count in counts.kept(slot, key).items()
    ]
    buckets = -(-len(rows) // ENTRIES_PER_BUCKET)
    filled: list[list[tuple[int, int]]] = [[] for _ in range(buckets)]
    for key, level, answer in rows:
        bucket, fingerprint = ngram.place(key, buckets)
        filled[bucket].append((fingerprint << 4 | level, answer))
    most = max(len(bucket) for bucket in filled)
    if most > BUCKET_ENTRIES_MAX:
        raise ValueError(f"a bucket has {most} entries; change ENTRIES_PER_BUCKET")
    flat = [entry for bucket in filled for entry in sorted(bucket)]
    sizes = bytes(len(bucket) for bucket in filled)
    return sizes, array("H", (entry for entry, _ in flat)), bytes(answer for _, answer in flat)


def context_slots(asked: Iterable[Question]) -> dict[int, int]:
    """Return the slot of each context that was ever looked at."""
    slots: dict[int, int] = {}
    for question in asked:
        first = ngram.SLOTS if question.is_shape else 0
        for slot, key in enumerate(question.keys, first):
            slots.setdefault(key, slot)
    return slots


def learning_forks(counts: Counts, blocks: list[list[Question]]) -> list[Fork]:
    """Return the forks of a part of the blocks, spread evenly, each as if its block had not been counted."""
    total = sum(len(block) for block in blocks)
    stride = 1 + total * FORKS_PER_QUESTION // FORKS_LEARNT_MAX
    forks: list[Fork] = []
    for block in blocks[::stride]:
        counts.add(block, -1)
        for question in block:
            forks += counts.forks(question)
        counts.add(block)
    return forks


def train(corpus: Corpus) -> ngram.Parts:
    """Return a model of these texts."""
    seen = frequencies(corpus)
    alphabet = make_alphabet(seen)
    depths = symbol_depths(corpus, seen, alphabet)
    blocks = [questions(block, alphabet) for block in corpus.blocks]
    blocks.append(word_questions(corpus.words, alphabet))
    counts = Counts(depths)
    for block in blocks:
        counts.add(block)
    squash = squash_table()
    learner = Learner(squash)
    forks = learning_forks(counts, blocks[:-1])
    learner.start(forks)
    for weight_rate, logit_rate in PASSES:
        learner.learn(forks, weight_rate, logit_rate)
    logits, weights = learner.whole()
    buckets, entries, symbols = entry_table(counts, context_slots(q for block in blocks for q in block))
    letters = "".join(alphabet.capital)
    capitals = "".join(alphabet.capital.values())
    return ngram.Parts(
        alphabet.characters, letters, capitals, depths, squash, logits, weights, buckets, entries, symbols
    )
