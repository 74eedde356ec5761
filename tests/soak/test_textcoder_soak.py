"""The text coder in C says the same as the one in Python of each text of the corpus, one way and the other."""

from pathlib import Path

import pytest

from tests.fuzz.text_walk import Walk
from tests.textmodel.building import CC, build
from tests.textmodel.train import CORPUS, corpus_files

TEXTS_MIN = 7_000


@pytest.mark.skipif(not CC, reason="no C compiler on this machine")
def test_each_text_of_the_corpus_is_the_same_bytes_and_comes_back_from_both(tmp_path: Path) -> None:
    walk = Walk(str(build(tmp_path / "textcoder.so")))
    texts = [line for path in corpus_files(CORPUS) for line in path.read_text("utf-8").splitlines() if line]
    differ = []
    for words in texts:
        data = walk.fast.encode(words)
        same = data == walk.slow.encode(words)
        if not (same and walk.fast.decode(data, len(words)) == words == walk.slow.decode(data, len(words))):
            differ.append(words)
    print(f"{len(texts)} texts, {len(differ)} differ")
    assert differ == []
    assert len(texts) >= TEXTS_MIN
