"""Outages played by NUT's real dummy-ups and upsd to a real power watch: only the site's own clock is the test's."""

import random
from collections.abc import Callable
from pathlib import Path

from steunpunt.model import Event
from steunpunt.power.nut import NutReader
from steunpunt.power.watch import PowerWatch
from steunpunt.powerconfig import Action, Power, Shed
from steunpunt.powerfacts import PowerSeen, PowerState
from tests.fakes.upses import DummyUps

STEP_S = 10
ORDER = ["dim", "hotspot", "browser"]
Wait = Callable[..., None]


class Outages:
    """A point on a UPS. Its commands are real: each writes its name into one file."""

    def __init__(self, ups: DummyUps, folder: Path, wait_until: Wait) -> None:
        self.ups, self._wait_until, self.log = ups, wait_until, folder / "done"
        self.log.touch()
        levels: tuple[tuple[Action, int], ...] = (("dim", 100), ("hotspot", 80), ("browser", 60))
        steps = tuple(
            Shed(action=name, below_percent=below, command=self._note(f"-{name}"), undo_command=self._note(name))
            for name, below in levels
        )
        self.power = Power(
            source="nut",
            nut=ups.nut,
            capacity_wh=500,
            draw_w=6,
            farewell_s=30,
            shutdown_command=self._note("DOWN"),
            shed=steps,
        )
        self.now_ms = 0
        self.events: list[Event] = []
        self.source = NutReader(ups.nut)
        self.watch = PowerWatch(self.power, self.events.append, self.source, clock=lambda: self.now_ms)

    def _note(self, word: str) -> str:
        return f"sh -c 'echo {word} >> {self.log}'"

    def tell(self, status: str, charge: object, **more: object) -> None:
        """Let the UPS say this, and wait until upsd does."""
        self.ups.tell(ups__status=status, battery__charge=charge, **more)
        self._wait_until(lambda: self._said(status, charge), 15, f"upsd says {status} {charge}")

    def _said(self, status: str, charge: object) -> bool:
        said = self.ups.said()
        return (said.get("ups.status"), said.get("battery.charge")) == (status, str(charge))

    def looks(self, seconds: float, step_s: int = STEP_S) -> PowerState:
        """Look every ten seconds for so long, by the site's clock. A real upsd takes 40 ms for an answer."""
        state = PowerState.UNKNOWN
        for _ in range(max(round(seconds / step_s), 1)):
            self.now_ms += step_s * 1000
            state = self.watch.look().state
        return state

    def done(self) -> list[str]:
        return self.log.read_text("ascii").split()

    def begin(self) -> None:
        """Mains, all well, nothing saved."""
        self.tell("OL", 100)
        assert self.looks(1_200, 60) is PowerState.MAINS
        self.log.write_text("", "ascii")

    def over(self) -> None:
        """Mains is back: all is undone, and the site is up."""
        self.tell("OL CHRG", 70)
        self.looks(1_500, 60)
        assert self.watch.status()["state"] == "mains", self.watch.status()
        assert self.watch.status()["shed"] == []

    def _saved(self) -> list[str]:
        """What was saved, in the order of its first time: the hotspot opens and closes."""
        return list(dict.fromkeys(word[1:] for word in self.done() if word.startswith("-")))

    # --- the kinds ----------------------------------------------------------------------------------------------

    def flapping(self, rng: random.Random) -> None:
        for _ in range(rng.randint(2, 4)):
            self.tell("OB", 100)
            self.looks(STEP_S / 2)
            self.tell("OL", 100)
            self.looks(STEP_S / 2)
        assert self.watch.status()["state"] == "mains"
        assert self.done() == []

    def long(self, rng: random.Random) -> None:
        """Down to the end, in the order of the config; and mains is back only after that."""
        for charge in (95, 86, 78, 69, 61, 55, 46, 37, 28, 19, 12):
            self.tell("OB DISCHRG", charge)
            self.looks(rng.uniform(60, 600), 20)
        assert self._saved() == ORDER
        assert self.watch.status()["state"] == "low"
        self.tell("OB DISCHRG", 9)
        assert self.looks(40) is PowerState.CRITICAL
        assert "DOWN" not in self.done(), "the last word goes first"
        last = [event for event in self.events if isinstance(event, PowerSeen)][-1]
        assert last.going_dark
        self.looks(40)
        assert self.done()[-1] == "DOWN"

    def back_in_mid_shutdown(self, rng: random.Random) -> None:
        self.tell("OB LB", rng.randint(5, 20))
        self.looks(50)
        assert self.watch.status()["going_dark"]
        self.tell("OL CHRG", 12)
        self.looks(60)
        assert self.watch.status()["going_dark"] is False
        assert "DOWN" not in self.done()

    def stuck(self, rng: random.Random) -> None:
        self.tell("OB DISCHRG", 90)
        self.looks(9 * 3600, 300)
        status = self.watch.status()
        assert "stands still" in status["problems"][0]
        assert (status["measured"], status["percent"] < 85) == (False, True)
        self.looks(rng.uniform(40, 80) * 3600, 900)
        assert "DOWN" not in self.done(), "our own count ends nothing"
        assert self._saved() == ORDER, "but it saves"

    def wrong_values(self, rng: random.Random) -> None:
        self.tell("OB DISCHRG", 90)
        self.looks(120)
        for _ in range(3):
            self.tell("OB DISCHRG", rng.choice(["-3", "400", "banana", "0", "2", "nan"]))
            self.looks(rng.uniform(30, 500), 20)
            assert self.watch.status()["problems"]
        assert "DOWN" not in self.done()

    def server_gone(self, rng: random.Random) -> None:
        self._gone(rng, "upsd", self.ups.start_server)

    def driver_gone(self, rng: random.Random) -> None:
        self._gone(rng, "driver", self.ups.start_driver)

    def _gone(self, rng: random.Random, process: str, back: Callable[[], None]) -> None:
        for charge in (91, 82, 78):
            self.tell("OB DISCHRG", charge)
            self.looks(60)
        self.ups.kill(process)
        self._wait_until(lambda: not self.ups.said(), 15, f"no {process}, no word")
        assert self.looks(rng.uniform(100, 3_000), 30) is PowerState.UNKNOWN
        assert self._saved() == ORDER[:2], "what is saved stays saved"
        assert "DOWN" not in self.done()
        back()
        self.tell("OB DISCHRG", 77)
        assert self.looks(60) is PowerState.BATTERY

    @property
    def kinds(self) -> dict[str, Callable[[random.Random], None]]:
        return {
            "flapping": self.flapping,
            "long": self.long,
            "back in mid-shutdown": self.back_in_mid_shutdown,
            "stuck gauge": self.stuck,
            "wrong values": self.wrong_values,
            "server gone": self.server_gone,
            "driver gone": self.driver_gone,
        }

    def play(self, kind: str, rng: random.Random) -> None:
        """One outage, from mains to mains."""
        self.begin()
        self.kinds[kind](rng)
        self.over()
