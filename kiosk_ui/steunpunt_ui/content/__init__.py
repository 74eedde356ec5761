"""The information pages: Markdown files per language, which a municipality edits and an authority approves.

:mod:`.front` reads what stands before a page, :mod:`.markdown` makes a page of what follows, :mod:`.shelf` reads a
whole folder and chooses which page a reader gets. How to write pages: ``docs/content.md``.
"""

from steunpunt.model import SteunpuntError


class ContentError(SteunpuntError, ValueError):
    """An information page cannot be shown as it stands; the message says line and mend."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"{line}: {what}")
