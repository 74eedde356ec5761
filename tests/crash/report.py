"""What a part of the rig found: its figures in one line, and whatever speaks against the node."""

import time
from dataclasses import dataclass, field

BEGAN_S = time.monotonic()


def tell(line: str) -> None:
    """Print at once, with the seconds since the start: a run takes minutes."""
    print(f"[{time.monotonic() - BEGAN_S:5.0f} s] {line}", flush=True)


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
