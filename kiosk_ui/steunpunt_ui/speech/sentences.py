"""Cuts a page into the sentences that can be read aloud; the same cut for pages and for the words they are made of."""

import hashlib
import html
import re
from typing import Final

MARK_CHARS: Final = 8
"""Of a sentence's name: 32 bits, for some hundreds of sentences in a language."""
_SILENT: Final = re.compile(
    r"<(svg|script|noscript|textarea|dialog|audio|option)\b.*?</\1>|<(\w+)[^>]*\bclass=\"(?:hidden|secret|number)[^>]*>.*?</\2>",
    re.DOTALL,
)
# A link with a class is a tile or a button and stands by itself; one without is part of its sentence.
_INLINE: Final = re.compile(r"</?(?:strong|b|em|i|bdi|span)(?: [^>]*)?>")
_LINK: Final = re.compile(r"<a (?![^>]*class=)[^>]*>(.*?)</a>", re.DOTALL)
_TAG: Final = re.compile(r"<[^>]+>")
_END: Final = re.compile(r"(?<=[.!?؟。…])\s+")
_SPOKEN: Final = re.compile(r"\w")


def sentences_of(page: str) -> list[str]:
    """Return what a page of HTML says, sentence by sentence, without what only eyes need."""
    plain = _TAG.sub("\n", _INLINE.sub("", _LINK.sub(r"\1", _SILENT.sub("\n", page))))
    lines = (" ".join(line.split()) for line in re.split(r"\n", html.unescape(plain)))
    return [part for line in lines for part in _END.split(line) if _SPOKEN.search(part)]


def mark_of(sentence: str) -> str:
    """Return the name of a sentence's sound: the same words have the same."""
    return hashlib.sha256(sentence.encode()).hexdigest()[:MARK_CHARS]
