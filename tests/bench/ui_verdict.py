"""One line of `make bench-ui` that is no ratio: a worst value beside its aim, and where it was."""

from dataclasses import dataclass, field

SHOWN_MAX = 12
"""Misses that are named; the rest are counted."""


@dataclass(slots=True)
class Verdict:
    """``misses`` say what and where; empty when the aim is met."""

    name: str
    told: str
    misses: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.misses

    def line(self) -> str:
        head = f"{self.name:<58} {self.told:<44} {'pass' if self.passed else 'MISS'}"
        named = [f"    {miss}" for miss in self.misses[:SHOWN_MAX]]
        more = len(self.misses) - SHOWN_MAX
        return "\n".join([head, *named, *([f"    … and {more} more"] if more > 0 else [])])
