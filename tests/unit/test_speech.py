"""Reading aloud: pages cut into sentences, sentences made into sound, and sounds put one behind the other."""

import os
import shutil
import subprocess
import wave
from pathlib import Path

import pytest
from click.testing import CliRunner

from steunpunt.cli.showing import speak
from steunpunt.config import load
from steunpunt.model import SteunpuntError
from steunpunt_ui.languages import LANGUAGES
from steunpunt_ui.speech import making
from steunpunt_ui.speech.making import Made, make, spoken_here, voices
from steunpunt_ui.speech.sentences import mark_of, sentences_of
from steunpunt_ui.speech.store import LOOK_AGAIN_S, Voice
from steunpunt_ui.speech.texts import texts_of

PROJECT = Path(__file__).parents[2]
LONG_TEXT = 20
MORE = "Er staat meer op dit scherm dan is voorgelezen."
PAGE = """<h1>Wat is er?</h1><p class="first">Gratis. Geen <b>papieren</b> nodig.</p><svg><path d="M1"/></svg>
<a class="tile" href="/x"><svg><path/></svg>Brand</a><a class="tile" href="/y">Politie &amp; meer</a>
<p>Lees <a href="water">water</a> ook.</p><span class="hidden">stil</span><p class="secret">7KQ4</p>
<textarea>geheim</textarea><p>…</p>"""


def test_a_page_is_cut_into_what_it_says() -> None:
    expected = ["Wat is er?", "Gratis.", "Geen papieren nodig.", "Brand", "Politie & meer", "Lees water ook."]
    assert sentences_of(PAGE) == expected


def sounds(folder: Path, *sentences: str) -> None:
    (folder / "nl").mkdir()
    for sentence in sentences:
        (folder / "nl" / f"{mark_of(sentence)}.mp3").write_bytes(sentence.encode())


def test_what_has_a_sound_is_read_in_order_and_it_says_that_there_is_more(tmp_path: Path) -> None:
    sounds(tmp_path, "Brand", "Wat is er?", MORE)
    voice = Voice(tmp_path)
    reading = voice.reading("nl", PAGE, MORE)
    assert voice.sound("nl", reading) == f"Wat is er?Brand{MORE}".encode()
    whole = voice.reading("nl", "<p>Brand</p>", MORE)
    assert voice.sound("nl", whole) == b"Brand"


def test_without_sounds_nothing_is_offered_and_nothing_else_can_be_asked_for(tmp_path: Path) -> None:
    sounds(tmp_path, "Brand")
    (tmp_path / "geheim.mp3").write_bytes(b"x")
    voice = Voice(tmp_path)
    assert voice.reading("nl", "<p>iets</p>", MORE) == ""
    assert voice.reading("ar", PAGE, MORE) == ""
    for asked in ("", "../../../geheim", "0" * 8, mark_of("Brand") + "1", mark_of("Brand") * 200):
        assert voice.sound("nl", asked) in (None, b""), asked
    assert voice.sound("../nl", mark_of("Brand")) is None or (tmp_path / "../nl").exists()


def test_sounds_that_come_later_are_found(tmp_path: Path) -> None:
    now = [0.0]
    voice = Voice(tmp_path, lambda: now[0])
    assert voice.reading("nl", "<p>Brand</p>") == ""
    sounds(tmp_path, "Brand")
    now[0] += LOOK_AGAIN_S
    assert voice.reading("nl", "<p>Brand</p>") == mark_of("Brand")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_of_every_language_can_be_read_aloud(language: str) -> None:
    texts = texts_of(load(PROJECT / "config" / "kiosk.toml"), language)
    assert len(texts) > 400
    assert [text for text in texts if "%(" in text or "<" in text] == []
    assert len({mark_of(text) for text in texts}) == len(texts), "two sentences would share a sound"


def seconds(sound: bytes, folder: Path) -> float:
    given, decoded = folder / "in.mp3", folder / "out.wav"
    given.write_bytes(sound)
    subprocess.run(
        [shutil.which("lame") or "lame", "--silent", "--decode", str(given), str(decoded)], check=True, timeout=60
    )
    with wave.open(str(decoded)) as told:
        return float(told.getnframes() / told.getframerate())


def test_sentences_become_sounds_that_can_follow_each_other(tmp_path: Path) -> None:
    texts = ["Is er iemand in levensgevaar?", "Brand", "Nee."]
    assert make(tmp_path, "nl", texts).new == 3
    each = [(tmp_path / "nl" / f"{mark_of(text)}.mp3").read_bytes() for text in texts]
    apart = sum(seconds(sound, tmp_path) for sound in each)
    assert apart > 1.5
    assert seconds(b"".join(each), tmp_path) == pytest.approx(apart, abs=0.3)
    again = make(tmp_path, "nl", texts[:2])
    assert again == Made("nl", 2, 0, sum(map(len, each[:2]))), "what no page says any more is gone"


def test_what_was_stopped_in_the_middle_goes_on_from_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    texts = ["Brand", "Nee.", "Ja.", "Medische hulp", "Politie"]
    spoken, programs, place = shutil.which("espeak-ng"), tmp_path / "bin", tmp_path / "nl"
    programs.mkdir()
    stopping = programs / "espeak-ng"
    count = '[ "$(grep -c . "$0.calls")" -lt 3 ]'
    stopping.write_text(f'#!/bin/sh\necho call >> "$0.calls"\n{count} || exit 137\nexec {spoken} "$@"\n', "utf-8")
    stopping.chmod(0o755)
    path = os.environ["PATH"]
    monkeypatch.setenv("PATH", f"{programs}:{path}")
    with pytest.raises(making.SpeechError, match="goes on from there"):
        make(tmp_path, "nl", texts)
    done = {one.name: one.stat().st_mtime_ns for one in place.iterdir()}
    assert sorted(done) == sorted(f"{mark_of(text)}.mp3" for text in texts[:2])
    # A power cut may leave these two behind: a file that was begun, and a name without its bytes.
    (place / f"{mark_of(texts[2])}.half").write_bytes(b"begun")
    (place / f"{mark_of(texts[3])}.mp3").touch()
    monkeypatch.setenv("PATH", path)
    assert make(tmp_path, "nl", texts).new == 3
    assert sorted(one.name for one in place.iterdir()) == sorted(f"{mark_of(text)}.mp3" for text in texts)
    assert {name: (place / name).stat().st_mtime_ns for name in done} == done, "what was made is not made again"
    assert all(seconds(one.read_bytes(), tmp_path) > 0.2 for one in place.iterdir())


def test_a_language_without_a_voice_is_absent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    known = voices()
    assert all(spoken_here(language, known) for language in LANGUAGES)
    assert not spoken_here("nl", known - {"nl"})
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("espeak-ng") is None
    with pytest.raises(making.SpeechError, match="apt-get install espeak-ng lame") as caught:
        voices()
    assert isinstance(caught.value, SteunpuntError)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_of_the_screens_is_heard(language: str, tmp_path: Path) -> None:
    texts = [text for text in texts_of(load(PROJECT / "config" / "kiosk.toml"), language) if len(text) > LONG_TEXT][:1]
    made = make(tmp_path, language, texts)
    assert (made.sentences, made.new) == (1, 1)
    assert seconds((tmp_path / language / f"{mark_of(texts[0])}.mp3").read_bytes(), tmp_path) > 1.0


def test_who_makes_the_sounds_is_told_which_language_has_no_voice(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spoken, programs = shutil.which("espeak-ng"), tmp_path / "bin"
    programs.mkdir()
    poorer = programs / "espeak-ng"
    poorer.write_text(f'#!/bin/sh\n{spoken} "$@" | grep -v Ukrainian\n', "utf-8")
    poorer.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    config = tmp_path / "kiosk.toml"
    text = (PROJECT / "config" / "kiosk.toml").read_text("utf-8")
    config.write_text(f'{text}\n[screen]\naudio = "{tmp_path}/audio"\n', "utf-8")
    told = CliRunner().invoke(speak, [str(config), "--language", "uk"])
    assert (told.exit_code, told.output) == (0, "uk: espeak-ng has no voice for it here; left out\n")
    assert not (tmp_path / "audio").exists()
