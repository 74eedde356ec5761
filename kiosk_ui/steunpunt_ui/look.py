"""What a point's own config changes of the look: its theme, its logo, and whose point it is."""

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Final

from flask import Flask, abort, send_file, url_for
from werkzeug.wrappers import Response

from steunpunt.config import Config

_KINDS: Final = {".svg": "image/svg+xml", ".png": "image/png", ".webp": "image/webp"}
_SHEET: Final = Path(__file__).parent / "static" / "citizen.css"
_SCHEMES: Final = {"day": "light", "night": "dark"}
_DAY: Final = re.compile(r"^:root \{.*?^\}", re.DOTALL | re.MULTILINE)
_NIGHT: Final = re.compile(r"^@media \(prefers-color-scheme: dark\) \{(.*?)^\}", re.DOTALL | re.MULTILINE)


def add_look(app: Flask, config: Config) -> None:
    """Give pages the address of the fixed theme's sheet and of the logo; None where there is none."""
    screen = config.screen

    def theme_sheet() -> Response:
        if screen.theme == "auto":
            abort(404)
        return Response(colours(screen.theme), mimetype="text/css")

    def logo() -> Response:
        path = Path(screen.logo or "")
        if screen.logo is None or not path.is_file():
            abort(404)
        return send_file(path, mimetype=_KINDS[path.suffix])

    def words() -> dict[str, object]:
        sheet = None if screen.theme == "auto" else url_for("theme_sheet", v=_mark(screen.theme))
        picture = None if screen.logo is None else url_for("logo")
        return {"theme_sheet": sheet, "logo": picture, "organisation": screen.organisation or ""}

    app.context_processor(words)
    app.add_url_rule("/thema", "theme_sheet", theme_sheet)
    app.add_url_rule("/logo", "logo", logo)


@cache
def colours(theme: str) -> str:
    """Return the colours of "day" or "night" out of the pages' own sheet, whatever the reader's browser asks for."""
    kind = _DAY if theme == "day" else _NIGHT
    found = kind.findall(_SHEET.read_text("utf-8"))[0]
    plain = found if theme == "day" else f":root {{ color-scheme: light dark }}\n{found}"
    return plain.replace("color-scheme: light dark", f"color-scheme: {_SCHEMES[theme]}")


def _mark(theme: str) -> str:
    return hashlib.sha256(colours(theme).encode()).hexdigest()[:12]
