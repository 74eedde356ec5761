"""A battery under a load, as a UPS tells of it in NUT's variables; time goes as the test says."""

from collections.abc import Callable
from dataclasses import dataclass, field

Variables = dict[str, str]
SHOWN: dict[str, Callable[[float], str]] = {
    "whole": lambda percent: str(int(percent)),
    "rounded": lambda percent: str(round(percent)),
    "fine": lambda percent: f"{round(percent * 256) / 256:.6f}",
}


@dataclass
class Battery:
    """What it really holds, and what its gauge shows of that."""

    holds_wh: float = 500.0
    load_w: float = 6.0
    charger_w: float = 40.0
    percent: float = 100.0
    mains: bool = True
    shows: str = "whole"
    measured: bool = False
    """Whether the gauge tells the power drawn."""
    lies: Variables = field(default_factory=dict)
    """What it says instead of the truth; an empty text leaves the variable out."""

    def pass_time(self, seconds: float) -> None:
        power_w = self.charger_w if self.mains else -self.load_w
        self.percent = min(max(self.percent + power_w * seconds / 36 / self.holds_wh, 0.0), 100.0)

    @property
    def empty(self) -> bool:
        return self.percent <= 0 and not self.mains

    def variables(self) -> Variables:
        online = "OL CHRG" if self.percent < 100 else "OL"
        told = {
            "ups.status": online if self.mains else "OB DISCHRG",
            "battery.charge": SHOWN[self.shows](self.percent),
            "battery.voltage": f"{11.5 + self.percent / 50:.2f}",
        }
        if self.measured:
            told["ups.realpower"] = f"{self.load_w:.2f}"
        return {name: text for name, text in {**told, **self.lies}.items() if text}
