"""The text coder in C against the one in Python: the same bytes, the same texts, the same errors; and doing without."""

import random
import re
import shutil
import subprocess
import sys
import time
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from steunpunt.model import FrameError
from steunpunt.protocol import text
from steunpunt.protocol.coders import Reference
from steunpunt.protocol.compiled import tables
from steunpunt.textmodel import NotUsable, native
from steunpunt.values import replace
from tests.fuzz.text_walk import Walk
from tests.textmodel.building import CC, PROJECT, SANITIZED, SOURCES, build, under_sanitizers
from tests.textmodel.train import CORPUS

pytestmark = pytest.mark.skipif(not CC, reason="no C compiler on this machine")
ANY = st.characters()
MODEL = text._model()
HELP = "Mijn buurvrouw is gevallen en kan niet meer opstaan, Dorpsstraat 12"
LONG = {
    "words": (HELP + ". ") * 57,
    "one word": "é" * 4_000,
    "capitals anyhow": "aBBaBaaB" * 500,
    "emoji": "".join(map(chr, random.Random(1).choices(range(0x1F300, 0x1F650), k=4_000))),
    "the costliest": "\U0010ffff\0" * 2_000,
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("coder") / "textcoder.so")


@pytest.fixture(scope="module")
def walk(library: Path) -> Walk:
    return Walk(str(library))


def corpus(pattern: str) -> list[str]:
    files = sorted(CORPUS.glob(pattern))
    return [line for path in files for line in path.read_text("utf-8").split("\n") if line]


def test_texts_held_out_and_some_of_the_others_become_the_same_bytes(walk: Walk) -> None:
    texts = [*corpus("*/heldout*.txt")[::4], *corpus("*/*.txt")[::90]]
    assert len(texts) > 150
    for words in texts:
        assert walk.fast.encode(words) == walk.slow.encode(words)


def test_texts_of_the_whole_corpus_come_back(walk: Walk) -> None:
    texts = corpus("*/*.txt")[::5]
    assert len(texts) > 1_200
    assert [words for words in texts if walk.fast.decode(walk.fast.encode(words), len(words)) != words] == []


@settings(max_examples=100)
@given(st.text(ANY, max_size=60))
@example("")
@example("\ud800")
@example("HELP Help hELP help. É éÉ. H h\n\r\n\t\0\1")
@example("İ\u0131ßSTRASSE straße ǅ ΑΣ ας Жж مساعدة 😀👩‍👩‍👧 ﷽ \U0010ffff")
@example("\U0010ffff\0" * 30)
def test_any_characters_become_the_same_bytes_and_come_back_alike(walk: Walk, words: str) -> None:
    walk.check_bytes(walk.check_text(words), len(words))


@settings(max_examples=60)
@given(st.binary(max_size=80), st.integers(-2, 70))
@example(b"", 0)
@example(b"", 9)
@example(b"\xff" * 40, 60)
def test_any_bytes_are_the_same_text_or_the_same_error(walk: Walk, data: bytes, chars_max: int) -> None:
    walk.check_bytes(data, chars_max)


@settings(max_examples=40)
@given(st.sampled_from(corpus("nl/heldout-1.txt")), st.data())
def test_damaged_and_cut_bytes_are_the_same_text_or_the_same_error(walk: Walk, words: str, data: st.DataObject) -> None:
    good = bytearray(walk.fast.encode(words))
    good[data.draw(st.integers(0, len(good) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    walk.check_bytes(bytes(good[: data.draw(st.integers(0, len(good)))]), 120)


@pytest.mark.parametrize("kind", LONG)
def test_the_longest_texts_are_the_same_and_one_character_more_is_for_the_reference(walk: Walk, kind: str) -> None:
    words = LONG[kind][: native.CHARS_MAX]
    data = walk.fast.encode(words)
    assert data == walk.slow.encode(words)
    assert walk.fast.decode(data, len(words)) == words
    points = walk.fast.encode_points(words)
    assert walk.fast.decode_points(points, len(words)) == words
    with pytest.raises(FrameError, match="longer than"):
        walk.fast.decode(data, len(words) - 1)
    with pytest.raises(FrameError, match="more than"):
        walk.fast.decode_points(points, len(words) - 1)


def test_a_text_that_takes_more_than_the_first_guess_is_written_whole(walk: Walk) -> None:
    words = "\U0010ffff\0" * 100
    data = walk.fast.encode(words)
    assert len(data) > native._BYTES_A_CHARACTER * len(words) + native._BYTES_AT_LEAST
    assert data == walk.slow.encode(words)


def test_beyond_its_limit_the_reference_answers(walk: Walk) -> None:
    words = "hulp " * 801
    data = walk.slow.encode(words)
    assert walk.fast.encode(words) == data
    assert walk.fast.decode(data, len(words)) == words
    assert walk.fast.decode_points(walk.fast.encode_points(HELP), 4_001) == HELP
    assert native.CHARS_MAX == text.CHARS_MAX


def test_it_is_far_faster(walk: Walk) -> None:
    def cost_s(encode: Callable[[str], bytes]) -> float:
        began = time.process_time()
        encode(HELP)
        return time.process_time() - began

    tries = [(cost_s(walk.slow.encode), cost_s(walk.fast.encode)) for _ in range(20)]
    assert min(slow for slow, _ in tries) > 5 * min(fast for _, fast in tries)


# --- doing without -----------------------------------------------------------------------------------------------


def same_bytes_without(path: Path, why: str) -> None:
    coder = text.fastest(MODEL, str(path))
    assert isinstance(coder, Reference)
    assert re.search(why, coder.words)
    assert coder.encode(HELP) == text.by_method(text.NGRAM, HELP)


def test_without_a_library_python_does_it(tmp_path: Path) -> None:
    same_bytes_without(
        tmp_path / "none.so", r"Python, .*none\.so: cannot open .*; `make native` in the project's folder makes it"
    )


def test_a_file_that_is_no_library_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "broken.so").write_bytes(b"\x7fELF" + bytes(200))
    same_bytes_without(tmp_path / "broken.so", r"broken\.so: .*`make native`")
    strange = tmp_path / "strange.so"
    subprocess.run([*CC, "-shared", "-o", strange, "-xc", "/dev/null"], check=True, timeout=60)
    same_bytes_without(strange, r"strange\.so: undefined symbol: textcoder_version; `make native`")


def test_a_library_of_another_version_is_left_alone(tmp_path: Path) -> None:
    library = build(tmp_path / "textcoder.so", "-O0 -DTEXTCODER_VERSION=99")
    same_bytes_without(library, "of version 99, and 1 is needed; `make native`")


@pytest.mark.parametrize(
    "change",
    [
        {"starts": array("I", [0, 5])},
        {"starts": array("I", [0])},
        {"squash": array("H", [1])},
        {"logits": array("h")},
        {"depths": bytes(len(MODEL.codes))},
        {"depths": bytes([1]) * len(MODEL.codes)},
        {"codes": array("I", bytes(4 * len(MODEL.codes)))},
        {"known": array("I", [65])},
        {"symbols": b""},
    ],
    ids=" ".join,
)
def test_a_model_whose_parts_do_not_fit_is_refused(library: Path, change: dict[str, "array[int] | bytes"]) -> None:
    with pytest.raises(NotUsable, match="install the software again"):
        native.Coder(replace(tables(MODEL), **change), str(library))


def test_it_is_loaded_at_the_first_text_and_not_before() -> None:
    script = (
        "import sys\n"
        "from steunpunt.protocol import messages, text\n"
        "text.compress('')\n"
        "assert 'steunpunt.textmodel.native' not in sys.modules\n"
        "text.compress('Help')\n"
        "assert 'steunpunt.textmodel.native' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_a_copy_of_the_program_without_it_works_and_says_so(tmp_path: Path) -> None:
    copy = shutil.copytree(
        PROJECT / "daemon", tmp_path / "daemon", ignore=shutil.ignore_patterns("*.so", "__pycache__", "sim", "demo")
    )
    script = f"from steunpunt.protocol import text; print(text.compress({HELP!r})[1].hex()); print(text.coder_words())"
    done = subprocess.run(
        [sys.executable, "-c", script], env={"PYTHONPATH": str(copy)}, capture_output=True, text=True, check=True
    )
    data, words = done.stdout.splitlines()
    assert bytes.fromhex(data) == text.compress(HELP)[1]
    assert "Python" in words
    assert str(copy) in words


# --- memory ------------------------------------------------------------------------------------------------------


def test_nothing_outlives_a_call(tmp_path: Path) -> None:
    """No variable that can be written: so any number of threads may call at once."""
    subprocess.run([*CC, "-std=c99", "-c", *SOURCES.glob("*.c")], cwd=tmp_path, check=True, timeout=60)
    listing = [shutil.which("nm") or "nm", *map(str, tmp_path.glob("*.o"))]
    names = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
    assert " T textcoder_encode" in names
    assert re.findall(r" [bBdDC] .*", names) == []


def test_hostile_texts_and_bytes_touch_nothing_of_others(tmp_path: Path) -> None:
    library = build(tmp_path / "textcoder.so", SANITIZED)
    done = under_sanitizers("-m", "tests.fuzz.text_walk", "15", "7", str(library))
    assert done.returncode == 0, done.stderr
    assert "no difference" in done.stdout
    overrun = (
        "import ctypes\nfrom steunpunt.protocol import text\nfrom steunpunt.protocol.compiled import Compiled\n"
        f"coder = Compiled(text._model(), {str(library)!r})._native\n"
        "data = coder.encode('a' * 300)\n"
        "room = (ctypes.c_char * 100)()\n"
        "coder._library.textcoder_decode(coder._model, data, len(data), ctypes.addressof(room), 300)\n"
    )
    caught = under_sanitizers("-c", overrun)
    assert caught.returncode != 0
    assert "heap-buffer-overflow" in caught.stderr  # so the watch would have barked
