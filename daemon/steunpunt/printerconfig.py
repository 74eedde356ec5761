"""The section ``[printer]`` of the config file: the slip printer of a fire station's kazernebox."""

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

from steunpunt.configparts import DevicePath, HostName, Name, Port, Section


class Printer(Section, frozen=True, kw_only=True):
    """An ESC/POS receipt printer on which each life threat comes out as a slip; coordinator only."""

    kind: Literal["network", "serial", "usb", "file"]
    """``usb``: the kernel's own printer device; ``file``: everything is appended to a file, for trying out."""
    host: HostName = "192.168.1.50"
    port: Port = 9100
    path: DevicePath = ""
    """Device or file; ``usb`` without it is ``/dev/usb/lp0``."""
    baud: Literal[9600, 19200, 38400, 57600, 115200] = 19200
    width_chars: Annotated[int, msgspec.Meta(ge=24, le=64)] = 42
    """Characters of normal size on a line: 42 or 48 on paper of 80 mm, 32 on paper of 58 mm."""
    profile: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9-]{1,40}\Z")] = "default"
    """The printer's name in python-escpos, which decides on the characters that it knows."""
    confirms: bool = True
    """Whether it answers what it is asked about its paper. A slip of one that does not counts once it is sent."""
    taken_by: Name = "Knop in de kazerne"
    """Who takes a case up, as the desk reads it, when somebody presses the box's button."""


def printer_problems(printer: Printer, *, coordinator: bool) -> Iterator[tuple[str, str]]:
    """Yield what is wrong between the section's keys, each with the key it is about."""
    if not coordinator:
        yield "printer.kind", "printer: a kiosk prints no slips; delete the section [printer]"
    if printer.kind in ("serial", "file") and not printer.path:
        yield "printer.path", f'printer.path is missing for kind = "{printer.kind}"; add path = "/dev/ttyUSB1"'
