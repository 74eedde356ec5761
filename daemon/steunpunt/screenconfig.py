"""The section ``[screen]`` of the config file: how the pages look and sound, and the browser on the device itself."""

from collections.abc import Iterator
from typing import Literal

from steunpunt.configparts import FileName, Name, Port, Section

LOGO_KINDS = (".svg", ".png", ".webp")


class Screen(Section, frozen=True, kw_only=True):
    """What is shown and said."""

    theme: Literal["auto", "day", "night"] = "auto"
    """``auto``: as the reader's browser asks; the point's own browser asks for day."""
    logo: FileName | None = None
    """A picture before the point's name; ``None``: a house."""
    organisation: Name | None = None
    """Whose point this is, as its people call it; stands below the point's name."""
    audio: FileName | None = None
    """Folder of what ``steunpunt speak`` made; ``None``: nothing is read aloud."""
    port: Port = 8079
    """Where ``steunpunt screen`` serves the browser of the device; its policy names the same."""
    browser: Name = "chromium"
    """The program, by name or path."""


def screen_problems(screen: Screen, web_port: int) -> Iterator[tuple[str, str]]:
    """Give what is wrong between keys that are each well-formed, each with the key it is about."""
    if screen.port == web_port:
        yield "screen.port", f"screen.port and web.port are both {web_port}; give each a port of its own"
    if screen.logo is not None and not screen.logo.endswith(LOGO_KINDS):
        yield "screen.logo", f"screen.logo is no picture that browsers know; give a file {', '.join(LOGO_KINDS)}"
