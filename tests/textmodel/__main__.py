"""`python -m tests.textmodel`: train the text model from the corpus and write it where the program looks for it."""

import hashlib
import time
from pathlib import Path

from tests.textmodel.train import CORPUS, Corpus, train

MODEL = Path(__file__).parents[2] / "daemon" / "steunpunt" / "textmodel" / "model-1.bin"


def main() -> None:
    began = time.monotonic()
    corpus = Corpus.read(CORPUS)
    texts = sum(len(block) for block in corpus.blocks)
    parts = train(corpus)
    data = parts.pack()
    MODEL.write_bytes(data)
    print(f"{texts} texts, {len(corpus.words)} words, {len(parts.entries)} entries, {len(data)} bytes")
    print(f"{hashlib.sha256(data).hexdigest()}  {MODEL.name}, in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
