"""Reading aloud on the pages: a control where something can be read, and the sound behind it."""

import io
from pathlib import Path

from flask import Flask, abort, current_app, request, send_file, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from steunpunt.config import Config
from steunpunt_ui.languages import language
from steunpunt_ui.speech.store import Voice

_DISCREET = "/politie"
_KEY = "steunpunt_voice"


def add_speech(app: Flask, config: Config) -> None:
    """Give pages what they need to be read aloud; without ``screen.audio`` they offer nothing."""
    voice = None if config.screen.audio is None else Voice(Path(config.screen.audio))
    app.extensions[_KEY] = voice

    def listen(page: str) -> str:
        """Return the address of a page's sound, "" without."""
        if voice is None:
            return ""
        more = gettext("There is more on this screen than was read aloud.")
        reading = voice.reading(language(), page, more)
        return url_for("sound", lang=language(), reading=reading) if reading else ""

    def ask_aloud(words: str) -> str:
        """Return the sound of the question whether somebody is there; never where a request is to be discreet."""
        return "" if _DISCREET in request.path else listen(words)

    def sound(lang: str, reading: str) -> Response:
        found = None if voice is None else voice.sound(lang, reading)
        if found is None:
            abort(404)
        return send_file(io.BytesIO(found), mimetype="audio/mpeg", conditional=True)

    app.context_processor(lambda: {"listen": listen, "ask_aloud": ask_aloud, "listen_words": gettext("Read aloud")})
    app.add_url_rule("/<lang>/stem/<reading>", "sound", sound)


def sounds() -> frozenset[str]:
    """Return which sentences have a sound now in the reader's language: what a page reads aloud hangs on it."""
    voice = current_app.extensions[_KEY]
    return voice.marks(language()) if isinstance(voice, Voice) else frozenset()
