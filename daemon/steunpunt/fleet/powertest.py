"""``steunpunt power``: what the source says now, and whether it says the contrary of what is true."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from steunpunt.power.reading import Reading, ReadingError, reading_of
from steunpunt.power.sources import Source
from steunpunt.powerconfig import Hat, Power

LOOK_S = 1.0
SAME_LOOKS = 3
"""So many looks must agree before a change counts: a plug sparks."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a test found. ``problems`` are lines with their mend; none: passed."""

    problems: list[str] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def body(self) -> dict[str, Any]:
        """Return it for ``--json``."""
        return {"passed": self.passed, **asdict(self)}


def show_lines(variables: dict[str, str], reading: Reading) -> list[str]:
    """Return what was read, and what is believed of it."""
    names = ("ups.status", "battery.charge", "battery.voltage", "battery.current", "battery.runtime", "ups.realpower")
    lines = [f"{name}: {variables[name]}" for name in names if name in variables]
    mains = {True: "there", False: "gone", None: "not known"}[reading.mains]
    charge = "not known" if reading.charge is None else f"{reading.charge:.0f} %"
    draw = "not measured" if reading.watts is None else f"{reading.watts:.1f} W"
    return [*lines, f"mains {mains}, charge {charge}, draw {draw}"]


class PowerTest:
    """Asks the technician to pull the plug and to put it back, and watches what the source says."""

    def __init__(
        self,
        power: Power,
        source: Source,
        say: Callable[[str], None],
        *,
        wait_s: float,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """``wait_s``: how long the technician has for each step."""
        self._power, self._source, self._say = power, source, say
        self._wait_s, self._clock, self._pause = wait_s, clock, pause
        self._outcome = Outcome()

    def run(self) -> Outcome:
        """Test; at most three times ``wait_s`` long."""
        self._say("The plug must be in now.")
        first = self._settled(unlike=None)
        if first is None:
            return self._ends("nothing tells of mains: " + self._why())
        self._say(f"Pull the plug now, within {self._wait_s:g} s.")
        second = self._settled(unlike=first)
        if second is None:
            told = "there" if first else "gone"
            return self._ends(f"mains is told as {told} whether the plug is in or not; {self._unseen_mend()}")
        if second:
            self._outcome.problems.append(f"the polarity is reversed; {self._polarity_mend()}")
        self._say(f"Put the plug back, within {self._wait_s:g} s.")
        if self._settled(unlike=second) is None:
            return self._ends("that the plug is back was not seen; is it in, and the socket live?")
        return self._outcome

    def _settled(self, *, unlike: bool | None) -> bool | None:
        """Return what is said of mains once it is said steadily, and is not ``unlike``; None: not in time."""
        deadline_s, same, last = self._clock() + self._wait_s, 0, None
        while self._clock() < deadline_s:
            reading = self._look()
            mains = None if reading is None else reading.mains
            same = same + 1 if mains == last else 1
            last = mains
            if mains is not None and mains is not unlike and same >= SAME_LOOKS:
                self._note(mains, reading)
                return mains
            self._pause(LOOK_S)
        return None

    def _note(self, mains: bool, reading: Reading | None) -> None:  # noqa: FBT001  what was settled on
        step: dict[str, Any] = {"mains": mains}
        if reading is not None:
            step |= {"charge": reading.charge, "volts": reading.volts, "watts": reading.watts}
            step["problems"] = list(reading.problems)
        self._outcome.steps.append(step)
        charge = "" if reading is None or reading.charge is None else f", charge {reading.charge:.0f} %"
        self._say(f"  mains {'there' if mains else 'gone'}{charge}")

    def _look(self) -> Reading | None:
        try:
            return reading_of(self._source.read())
        except ReadingError:
            return None

    def _why(self) -> str:
        try:
            reading = reading_of(self._source.read())
        except ReadingError as error:
            return str(error)
        return "; ".join(reading.problems) or "it changes all the time; is the plug loose?"

    def _ends(self, problem: str) -> Outcome:
        self._outcome.problems.append(problem)
        return self._outcome

    def _polarity_mend(self) -> str:
        if self._power.source != "hat":
            return "the UPS says the contrary of what is: look at its driver and cable"
        hat = self._power.hat or Hat()
        if hat.mains_pin is not None:
            return f'write mains_level = "{"low" if hat.mains_level == "high" else "high"}" under [power.hat]'
        return f'write charging = "{"negative" if hat.charging == "positive" else "positive"}" under [power.hat]'

    def _unseen_mend(self) -> str:
        if self._power.source == "hat":
            return "was it pulled? Else compare mains_pin with the board's manual"
        return "was it pulled? Else the source watches another plug"
