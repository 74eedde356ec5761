"""What of a site may leave it in a diagnosis: an allow-list for the config, and a sieve for everything else. Pure.

A diagnosis is mailed to people who should learn nothing but what is broken. Of the config only numbers, flags, and the
words of LISTED go along; names, places, paths, hosts and commands stay behind. All other text goes through a
:class:`Sieve`, which takes out whatever of that stands in it, and what looks like a key, a code or a telephone number.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from steunpunt.config import Config

LEFT_OUT = "(left out)"
LISTED = frozenset(
    {
        "role", "kind", "region", "preset", "source", "gauge", "charging", "mains_level", "pins", "action", "channel",
        "emergency_channel", "mesh_root", "discovery_prefix",
    }
)  # fmt: skip
"""Keys of the config whose words say what is chosen and nothing of anybody."""
COMMON = frozenset(
    {
        "steunpunt", "127.0.0.1", "localhost", "main", "systemctl", "poweroff", "shutdown", "start", "stop", "restart",
        "nmcli", "connection", "down", "upscmd", "sudo",
    }
)  # fmt: skip
"""Words of many configs that tell nothing, and without which an examination cannot be read."""
_SHORT_CHARACTERS_MAX = 3
"""A word so short would take pieces out of other words."""
_SECRETS = re.compile(
    r"(?=[\w+/=-]*\d)(?=[\w+/=-]*[A-Z])[\w+/=-]{22,}"  # keys and tokens
    r"|\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{16,}\b"  # hashes
    r"|\b(?=[0-9A-Z-]*[A-Z])[0-9A-Z]{4}-[0-9A-Z]{4}\b"  # the secret half of a ticket
    r"|(?<!\w)\+?\d[\d ]{8,}\d(?!\w)"  # telephone numbers
    r"|[\w.+-]+@[\w-]+\.[\w.]+"  # mail addresses
)


def redacted(config: Config) -> dict[str, Any]:
    """Return the config with only what may leave the site."""
    body: dict[str, Any] = msgspec.to_builtins(config)
    return {name: _kept(name, value) for name, value in body.items()}


def _kept(key: str, value: Any) -> Any:  # noqa: ANN401  whatever a config file holds
    if isinstance(value, dict):
        return {name: _kept(name, inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_kept(key, inner) for inner in value]
    if key in {"latitude", "longitude", "altitude_m"} and value is not None:
        return LEFT_OUT
    return value if not isinstance(value, str) or key in LISTED else LEFT_OUT


class Sieve:
    """Takes out of a text what names people and places of this site, and what looks secret."""

    def __init__(self, words: Iterable[str]) -> None:
        long = sorted(
            {word for word in words if len(word) > _SHORT_CHARACTERS_MAX and word not in COMMON}, key=len, reverse=True
        )
        self._words = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, long))})(?!\w)") if long else None

    def text(self, text: str) -> str:
        """Return what may be seen."""
        if self._words is not None:
            text = self._words.sub(LEFT_OUT, text)
        return _SECRETS.sub(LEFT_OUT, text)

    def body(self, value: Any) -> Any:  # noqa: ANN401  whatever JSON holds
        """Return a body with every text in it sieved."""
        if isinstance(value, dict):
            return {self.text(str(key)): self.body(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.body(inner) for inner in value]
        return self.text(value) if isinstance(value, str) else value


def sieve_of(config: Config | None, path: Path) -> Sieve:
    """Return the sieve of a site: every word of its config that is not on the list, and where that file is."""
    places = [str(path), str(path.resolve().parent)]
    return Sieve(places if config is None else [*places, *_words("", msgspec.to_builtins(config))])


def _words(key: str, value: Any) -> Iterable[str]:  # noqa: ANN401  whatever a config file holds
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _words(name, inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _words(key, inner)
    elif isinstance(value, str) and key not in LISTED:
        yield value
        yield from re.split(r"[\s\"']+", value) if key.endswith("command") else ()
