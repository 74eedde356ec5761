"""What a part of the rig found: its figures in one line, and whatever speaks against the node."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

BEGAN_S = time.monotonic()
Item = TypeVar("Item")


def tell(line: str) -> None:
    """Print at once, with the seconds since the start: a run takes minutes."""
    print(f"[{time.monotonic() - BEGAN_S:5.0f} s] {line}", flush=True)


def in_time(items: Iterable[Item], minutes: float) -> Iterator[Item]:
    """Yield until so much time has gone: on a busy machine fewer are tried, and the figures count those that were."""
    until_s = time.monotonic() + minutes * 60
    for number, item in enumerate(items):
        if time.monotonic() >= until_s:
            tell(f"{minutes:g} minutes have gone: stopped after {number}")
            return
        yield item


@dataclass
class Outcome:
    """One part's result. ``faults`` non-empty: not proven."""

    name: str
    figures: str = ""
    faults: list[str] = field(default_factory=list)
    skipped: str = ""

    def line(self) -> str:
        if self.skipped:
            return f"SKIPPED  {self.name}: {self.skipped}"
        return f"{'FAILED ' if self.faults else 'ok     '}  {self.name}: {self.figures}"
