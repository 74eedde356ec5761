"""The text of a config file: read with a limit, and taken apart as TOML. What the keys mean is not known here."""

import re
import tomllib
from pathlib import Path
from typing import Any

from steunpunt.model import ConfigError

FILE_BYTES_MAX = 65536
_HINT = ': text stands between straight quotes ("), and a number has a point, no comma'


def read(path: Path) -> str:
    """Return the file's text, without a byte order mark; ConfigError when it cannot be read or is too long."""
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
        # Editors on Windows put a byte order mark in front, which TOML does not know.
        text = raw.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read ({reason}); give the path of a readable TOML file") from error
    if len(raw) > FILE_BYTES_MAX:
        raise ConfigError(f"{path}: longer than {FILE_BYTES_MAX} bytes; this is not a site's config file")
    return text


def parse(path: Path, text: str) -> dict[str, Any]:
    """Return the file's tables; ConfigError names the line that is no TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"at line (\d+)", str(error))
        line = int(at[1]) if at else max(1, len(text.splitlines()))
        hint = _HINT if re.match("Invalid value|Expected '=' after", str(error)) else ""
        raise ConfigError(f"{path}:{line}: not valid TOML: {error}; correct that line{hint}") from error
