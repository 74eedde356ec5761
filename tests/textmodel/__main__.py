"""`python -m tests.textmodel`: train the text model from the corpus and write it where the program looks for it."""

import hashlib
import time
from pathlib import Path

from tests.textmodel.train import CORPUS, Corpus, corpus_hash, train

MODEL = Path(__file__).parents[2] / "daemon" / "steunpunt" / "textmodel" / "model-1.bin"
RECORD = Path(__file__).parent / "trained.txt"
"""Which corpus gave which model."""


def main() -> None:
    began = time.monotonic()
    corpus = Corpus.read(CORPUS)
    texts = sum(len(block) for block in corpus.blocks)
    parts = train(corpus)
    data = parts.pack()
    MODEL.write_bytes(data)
    RECORD.write_text(record(corpus_hash(CORPUS), data), "utf-8")
    print(f"{texts} texts, {len(corpus.words)} words, {len(parts.entries)} entries, {len(data)} bytes")
    print(f"{MODEL.name} and {RECORD.name} written in {time.monotonic() - began:.0f} s")


def record(corpus_digest: str, model: bytes) -> str:
    """Return what is noted of a training."""
    return f"corpus {corpus_digest}\nmodel  {hashlib.sha256(model).hexdigest()}\n"


if __name__ == "__main__":
    main()
