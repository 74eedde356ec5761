"""Hostile texts and bytes for the text coder in C: ``python -m tests.fuzz.text_walk RUNS [SEED [LIBRARY]]``.

Each is held against the reference in Python: the same bytes, the same text, or an error in the same words. Without a
LIBRARY one is built with sanitizers: whatever touches what is not its own ends the process.
"""

import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from steunpunt.model import FrameError
from steunpunt.protocol import text
from steunpunt.protocol.coders import Reference, TextCoder
from steunpunt.protocol.compiled import Compiled
from tests.textmodel.building import SANITIZED, build, under_sanitizers

ALPHABETS = (
    "abcdefghijklmnopqrstuvwxyz  ",
    "aAbBeEéÉoOöÖ\u0131İßẞ 1.!\n",
    " ,.?!:\n0123456789-",
    "мамаМАМАأمي سقطت",
    "\0\x01\x02\x7f\x80\ud800\udfff\ue000\uffff\U00010000\U0010ffff",
)
CHARS_MAX = 90
OUTCOME = str | bytes


def outcome(call: Callable[[], OUTCOME]) -> OUTCOME | tuple[str]:
    """Return what a call gives, or the words of its error."""
    try:
        return call()
    except FrameError as error:
        return (str(error),)


class Walk:
    """Both coders over one model."""

    def __init__(self, library: str | None) -> None:
        self.fast: TextCoder = Compiled(text._model(), library)
        self.slow: TextCoder = Reference(text._model())

    def check_text(self, words: str) -> bytes:
        """Encode by both; return the bytes of the model, empty when both refuse."""
        assert outcome(lambda: self.fast.encode_points(words)) == outcome(lambda: self.slow.encode_points(words))
        found = outcome(lambda: self.fast.encode(words))
        assert found == outcome(lambda: self.slow.encode(words)), repr(words)
        return found if isinstance(found, bytes) else b""

    def check_bytes(self, data: bytes, chars_max: int) -> None:
        """Decode by both."""
        for fast, slow in ((self.fast.decode, self.slow.decode), (self.fast.decode_points, self.slow.decode_points)):
            assert outcome(lambda: fast(data, chars_max)) == outcome(lambda: slow(data, chars_max)), data.hex()  # noqa: B023

    def step(self, chance: random.Random) -> None:
        """Check a text, what becomes of it when its bytes are damaged, and bytes that never were a text."""
        mixed = "".join(chance.choices(ALPHABETS, k=2)) + chr(chance.randrange(0x110000))
        words = "".join(chance.choices(mixed, k=chance.randrange(CHARS_MAX)))
        good = bytearray(self.check_text(words))
        self.check_bytes(bytes(good), chance.randrange(-1, CHARS_MAX))
        if good:
            good[chance.randrange(len(good))] ^= 1 << chance.randrange(8)
        self.check_bytes(bytes(good[: chance.randrange(len(good) + 1)]), CHARS_MAX)
        self.check_bytes(chance.randbytes(chance.randrange(60)), chance.randrange(CHARS_MAX))


def main() -> None:
    runs, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    if len(sys.argv) > 3:
        walk_through(sys.argv[3], runs, seed)
        return
    with tempfile.TemporaryDirectory() as folder:
        library = build(Path(folder) / "textcoder.so", SANITIZED)
        done = under_sanitizers("-m", "tests.fuzz.text_walk", str(runs), str(seed), str(library))
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    print(done.stdout, end="")


def walk_through(library: str, runs: int, seed: int) -> None:
    walk, chance = Walk(library), random.Random(seed)
    for _ in range(runs):
        walk.step(chance)
    walk.fast.decode(walk.fast.encode("é" * 4_000), 4_000)
    walk.fast.decode_points(walk.fast.encode_points("\U0010ffff\0" * 2_000), 4_000)
    print(f"{runs} steps from seed {seed}: no difference")


if __name__ == "__main__":
    main()
