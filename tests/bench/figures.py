"""Figures as ratios: the median over the rounds, the range beside it, and the aim."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

NAME_WIDTH = 50
YARDSTICK_STEPS = 300_000


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report. ``ours`` and ``base`` hold one value per round, measured in that same round."""

    name: str
    ours: Sequence[float]
    base: Sequence[float]
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def ratios(self) -> list[float]:
        return [ours / base for ours, base in zip(self.ours, self.base, strict=True)]

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    @property
    def verdict(self) -> str:
        if self.at_most is not None:
            return f"aim <= {self.at_most:g}: {'pass' if self.ratio <= self.at_most else 'MISS'}"
        if self.at_least is not None:
            return f"aim >= {self.at_least:g}: {'pass' if self.ratio >= self.at_least else 'MISS'}"
        return "for information"

    def line(self) -> str:
        values = f"{_amount(self.ours)} / {_amount(self.base)} {self.unit}"
        spread = f"({min(self.ratios):.2f}-{max(self.ratios):.2f})"
        return f"{self.name:<{NAME_WIDTH}} {self.ratio:6.2f} {spread:<13} {values:<27} {self.verdict}"


def title(text: str, rounds: int) -> str:
    head = f"{'':<{NAME_WIDTH}} {'ratio':>6} {'(min-max)':<13} {'medians':<27}"
    return f"\n{text}, {rounds} rounds\n{head}".rstrip()


def _amount(values: Sequence[float]) -> str:
    middle = statistics.median(values)
    return f"{middle:.0f}" if middle >= 100 else f"{middle:.3g}"


def yardstick_ms() -> float:
    """Time a loop that is always the same: what it varies is the machine's own noise."""
    started = time.perf_counter()
    total = 0
    for step in range(YARDSTICK_STEPS):
        total += step & 7
    assert total
    return (time.perf_counter() - started) * 1000


def noise(samples: Sequence[float]) -> str:
    middle = statistics.median(samples)
    low, high = (min(samples) / middle - 1) * 100, (max(samples) / middle - 1) * 100
    return f"noise of this machine: {len(samples)} times the same loop, {middle:.1f} ms, {low:+.0f} % to {high:+.0f} %"
