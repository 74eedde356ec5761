"""The text coder in C beside the reference in Python, over texts that the model was not trained on."""

import itertools
import statistics
import time
from collections.abc import Callable, Iterator

from steunpunt.protocol import text
from steunpunt.protocol.coders import Reference
from steunpunt.protocol.compiled import Compiled
from tests.bench.figures import Figure
from tests.textmodel.train import CORPUS

LANGUAGES = ("nl", "en", "de", "fr")
CHARACTERS = range(60, 101)
LONG = 2_000
REFERENCE_TEXTS = 20
"""That many of the varied texts in a round are enough for the slow one."""


Work = Callable[[str], object]


def heldout() -> list[str]:
    """Return some two hundred texts in four languages, of the length that people write."""
    files = [path for language in LANGUAGES for path in sorted(CORPUS.glob(f"{language}/heldout-[0-9]*.txt"))]
    lines = [line for path in files for line in path.read_text("utf-8").split("\n")]
    return [line for line in lines if len(line) in CHARACTERS]


def varied() -> Iterator[str]:
    """Give one after the other, without end, so that no cache flatters what is measured."""
    return itertools.cycle(heldout())


def _each_ms(work: Work, texts: list[str]) -> float:
    """Return processor time: a busy machine lengthens all else."""
    began = time.thread_time()
    for words in texts:
        work(words)
    return (time.thread_time() - began) * 1000 / len(texts)


def measure(rounds: int, tell: Callable[[str], None]) -> list[Figure]:
    """Measure in turns; NotUsable when nothing was compiled (`make native`)."""
    fast, slow = Compiled(text._model()), Reference(text._model())
    short, long = heldout(), [" ".join(heldout())[:LONG]]
    figures = [*_beside(short, fast, slow, rounds), *_beside(long, fast, slow, rounds)]
    tell(f"texts: {rounds} rounds done")
    return figures


def _beside(texts: list[str], fast: Compiled, slow: Reference, rounds: int) -> Iterator[Figure]:
    few = texts[:REFERENCE_TEXTS]
    length = f"{statistics.median(map(len, texts)):.0f} characters"
    ways: list[tuple[str, Work, Work]] = [
        ("written: compiled / Python", fast.encode, slow.encode),
        ("read: compiled / Python", _reader(fast, texts), _reader(slow, few)),
        ("by every method / written by Python", text.compress, slow.encode),
    ]
    for name, ours, base in ways:
        pairs = [(_each_ms(ours, texts), _each_ms(base, few)) for _ in range(rounds)]
        yield Figure(f"{length} {name}", [one for one, _ in pairs], [other for _, other in pairs], "ms")


def _reader(coder: Compiled | Reference, texts: list[str]) -> Callable[[str], str]:
    """Return what reads back the text it is asked for."""
    data = {words: coder.encode(words) for words in texts}
    return lambda words: coder.decode(data[words], text.CHARS_MAX)
