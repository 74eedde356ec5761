"""The text model: trained from the corpus beside it, the same bytes each time, and good at texts it never saw."""

import hashlib
import subprocess
import sys
from array import array
from pathlib import Path

import pytest

from steunpunt import textmodel
from steunpunt.model import FrameError
from steunpunt.protocol import ngram, spelling
from steunpunt.protocol.text import compress
from tests.textmodel.__main__ import MODEL, RECORD, record
from tests.textmodel.train import CORPUS, Corpus, corpus_files, corpus_hash, squash_table, train

SMALL = Corpus(
    [
        [
            "Mijn moeder is gevallen en kan niet opstaan",
            "moeder heeft pijn aan haar heup, Dorpsstraat 4",
            "Help! BRAND",
        ],
        ["My mother fell, she cannot get up", "Er is brand in de kelder van nummer 12, rook op de trap"] * 3,
        ["Wij hebben geen water meer", "geen stroom en geen water sinds gisteren", "De buurman is niet aanspreekbaar"]
        * 3,
    ],
    ["gevallen", "moeder", "brandweer", "verdieping"],
)
SMALL_SHA256 = "b5f87afdb753b956c0e7d6011386160bdc11c51ac8ca717476c3e3ddb33f6abd"


def heldout(language: str) -> list[str]:
    files = sorted((CORPUS / language).glob("heldout-[0-9]*.txt"))
    return [line for path in files for line in path.read_text("utf-8").split("\n") if line]


def test_the_model_comes_from_this_corpus() -> None:
    assert RECORD.read_text("utf-8") == record(corpus_hash(CORPUS), MODEL.read_bytes())
    assert textmodel.model() == MODEL.read_bytes()


def test_training_gives_the_same_bytes_everywhere() -> None:
    assert hashlib.sha256(train(SMALL).pack()).hexdigest() == SMALL_SHA256


def test_a_trained_model_reads_what_it_wrote_and_knows_what_it_was_taught() -> None:
    model = ngram.Model(ngram.Parts.parse(train(SMALL).pack()))
    for text in ("Mijn moeder is gevallen", "ÉÉN Brand? bRaNd", "мама", ""):
        assert spelling.decode(model, spelling.encode(model, text), 100) == text
    known, strange = "moeder is gevallen", "qwzx jvky pfghbtrm"
    assert len(spelling.encode(model, known)) < 0.7 * len(spelling.encode(model, strange))


def test_no_text_held_out_was_trained_on() -> None:
    trained = {line for path in corpus_files(CORPUS) for line in path.read_text("utf-8").split("\n") if line}
    held = {line for path in CORPUS.glob("*/heldout*.txt") for line in path.read_text("utf-8").split("\n") if line}
    assert len(trained) > 6_000
    assert len(held) > 300
    assert trained & held == set()


@pytest.mark.parametrize(("language", "at_most"), [("nl", 0.30), ("en", 0.35), ("de", 0.35), ("fr", 0.33)])
def test_texts_held_out_take_a_third_of_their_bytes(language: str, at_most: float) -> None:
    texts = heldout(language)
    share = sum(len(compress(text)[1]) for text in texts) / sum(len(text.encode()) for text in texts)
    assert share < at_most


@pytest.mark.parametrize(
    "text",
    [
        "Мама впала на сходах, кров тече",
        "أمي سقطت على الدرج",
        "Mama upadła na schodach",
        "Annem merdivenden düştü",
    ],
)
def test_the_other_languages_of_the_screens_take_less_than_half(text: str) -> None:
    assert len(compress(text)[1]) < 0.5 * len(text.encode())


def test_a_file_that_is_no_model_is_refused() -> None:
    with pytest.raises(FrameError, match="no text model"):
        ngram.Parts.parse(b"something else")


def test_probabilities_rise_with_the_odds_and_mirror_each_other() -> None:
    table = squash_table()
    assert list(table) == sorted(table)
    assert table[ngram.ODDS_MAX] == 32_768
    assert all(abs(low + high - 65_536) <= 1 for low, high in zip(table, reversed(table), strict=True))


def test_bytes_are_swapped_only_where_the_machine_counts_from_the_other_end() -> None:
    expected = [1, 256] if sys.byteorder == "little" else [256, 1]
    assert list(ngram.little_endian(array("H", [1, 256]))) == expected


def test_the_model_is_read_at_the_first_text_and_not_before(tmp_path: Path) -> None:
    script = tmp_path / "lazy.py"
    script.write_text(
        "from steunpunt.protocol import messages, text\n"
        "text.compress('')\n"
        "assert text._model.cache_info().currsize == 0\n"
        "text.compress('Help')\n"
        "assert text._model.cache_info().currsize == 1\n",
        "utf-8",
    )
    subprocess.run([sys.executable, script], check=True, timeout=60)
