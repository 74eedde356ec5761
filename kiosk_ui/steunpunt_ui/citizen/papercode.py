"""The sealed request as QR codes on the ticket's page, for a runner to photograph or to carry as a print.

Nothing in them can be read, and the ticket's secret half is not in them.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import segno
from markupsafe import Markup

from steunpunt.protocol.paperletters import groups

_QUIET_MODULES = 4
"""White around a code, as ISO/IEC 18004 asks: scanners of prints need all of it."""
_DRAWN_MAX: Final = 64
"""Codes that are kept drawn, of 20 KB at most: a page that looks again each minute would draw each anew, for 20 to
60 ms on a PC. They are sealed, and the same bytes go over the air."""


@dataclass(frozen=True, slots=True)
class PaperCode:
    """One code: drawn, with its place among the others, and as it is typed."""

    drawing: Markup
    place: str
    """Such as ``1/3``."""
    groups: tuple[str, ...]


def paper_codes(text: str | None) -> list[PaperCode]:
    """Return the codes of the node's ``code`` for a ticket, one a line; none for a closed one."""
    lines = (text or "").split()
    return [
        PaperCode(_drawn(line), f"{number}/{len(lines)}", tuple(groups(line))) for number, line in enumerate(lines, 1)
    ]


@lru_cache(_DRAWN_MAX)
def _drawn(line: str) -> Markup:
    code = segno.make_qr(line, error="m")
    return Markup(code.svg_inline(border=_QUIET_MODULES, omitsize=True, dark="#000"))  # noqa: S704  made by segno
