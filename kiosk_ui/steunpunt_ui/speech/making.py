"""``steunpunt speak``: makes a sound of every sentence, with espeak-ng and lame, before anybody needs it."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from steunpunt.model import SteunpuntError
from steunpunt_ui.speech.sentences import mark_of
from steunpunt_ui.speech.store import SUFFIX

WORDS_PER_MINUTE: Final = 140
"""Slower than a newsreader: for who is stressed, old, or learns the language."""
KBIT_PER_S: Final = 24
SENTENCE_S_MAX: Final = 600.0
"""For one sentence, which takes a tenth of a second: a machine that other work keeps busy may need minutes."""
_HALF: Final = ".half"
_VOICES: Final = {"en": "en-gb", "fr": "fr-fr"}


class SpeechError(SteunpuntError, OSError):
    """Nothing can be made into sound."""


@dataclass(frozen=True, slots=True)
class Made:
    """What there is of one language now."""

    language: str
    sentences: int
    new: int
    bytes: int


def voices() -> set[str]:
    """Return the languages that espeak-ng speaks here; raises SpeechError when it, or lame, is not there."""
    for program in ("espeak-ng", "lame"):
        if shutil.which(program) is None:
            raise SpeechError(f"{program} is not installed; type: sudo apt-get install espeak-ng lame")
    told = _run(["espeak-ng", "--voices"]).decode("utf-8", "replace").splitlines()[1:]
    return {line.split()[1] for line in told if len(line.split()) > 1}


def make(folder: Path, language: str, texts: list[str], tell: Callable[[int], None] = lambda _: None) -> Made:
    """Make what is not there yet and delete what no page says any more; raises SpeechError.

    What is made stays, also when it is stopped in the middle: run again, it goes on from there.
    """
    place = folder / language
    place.mkdir(parents=True, exist_ok=True)
    wanted = {mark_of(text): text for text in texts}
    for path in [*place.glob(f"*{SUFFIX}"), *place.glob(f"*{_HALF}")]:
        if path.suffix == _HALF or path.stem not in wanted or not path.stat().st_size:
            path.unlink()
    new = 0
    for mark, text in _missing(place, wanted):
        _write(place / f"{mark}{SUFFIX}", _sound(text, _VOICES.get(language, language)))
        new += 1
        tell(new)
    return Made(language, len(wanted), new, sum(path.stat().st_size for path in place.glob(f"*{SUFFIX}")))


def spoken_here(language: str, known: set[str]) -> bool:
    """Whether espeak-ng has a voice for a language of the screens."""
    return _VOICES.get(language, language) in known


def _missing(place: Path, wanted: dict[str, str]) -> Iterator[tuple[str, str]]:
    return ((mark, text) for mark, text in wanted.items() if not (place / f"{mark}{SUFFIX}").exists())


def _sound(text: str, voice: str) -> bytes:
    speak = ["espeak-ng", "-v", voice, "-s", str(WORDS_PER_MINUTE), "-g", "2", "--stdin", "--stdout"]
    wave = _run(speak, f"{text}\n".encode())
    # Frames that lean on no earlier one and a stream without a head: so that sounds can be put one behind the other.
    encode = ["lame", "--silent", "-t", "--nores", "-m", "m", "-b", str(KBIT_PER_S), "--resample", "22.05", "-", "-"]
    return _run(encode, wave)


def _write(path: Path, sound: bytes) -> None:
    """Whole or not at all: a power cut must leave no half sentence."""
    half = path.with_suffix(_HALF)
    with half.open("wb") as file:
        file.write(sound)
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)


def _run(command: list[str], given: bytes = b"") -> bytes:
    try:
        done = subprocess.run(command, input=given, capture_output=True, timeout=SENTENCE_S_MAX, check=True)  # noqa: S603
    except subprocess.SubprocessError as error:
        raise SpeechError(
            f"{command[0]} failed on a sentence ({error}); run it again: it goes on from there"
        ) from error
    return done.stdout
