"""What goes between the engine and the kazernebox at a fire station: slips to print, and how the printer is."""

from dataclasses import dataclass, field
from enum import StrEnum

from msgspec import Struct


class SlipOutcome(StrEnum):
    """What is known of one slip after the printer had it, or had not."""

    PRINTED = "printed"
    """The printer says that it has printed all of it."""
    NOT_PRINTED = "not printed"
    """Nothing left this computer."""
    UNKNOWN = "unknown"
    """Something left it and no word came back: there may be paper."""


class SlipLine(Struct, frozen=True):
    """One line of a slip, already as short as the paper is wide; a big one is twice as high and wide."""

    text: str
    big: bool = False
    bold: bool = False


@dataclass(frozen=True, slots=True)
class PrintSlip:
    """Effect: print a slip; it must end in one :class:`SlipEnded`."""

    slip_id: int
    lines: tuple[SlipLine, ...] = field(repr=False)


class SlipEnded(Struct, frozen=True):
    """The printer has had a slip, or not."""

    slip_id: int
    outcome: SlipOutcome
    detail: str = ""


class PrinterChanged(Struct, frozen=True):
    """The printer can print now, or cannot; ``reason`` says why not, in words for the desk."""

    ready: bool
    reason: str = ""
    paper_low: bool = False
