"""What takes too long for every run: a radio away for 20 s, and one that fails at random for minutes."""

import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from steunpunt.model import SendOutcome
from steunpunt.sim import Fault, SimulationError, VirtualRadios
from tests.fakes.mesh_links import BACK_S, frame, linked, tcp, two_radios

STORM_S = float(os.environ.get("STEUNPUNT_SOAK_S", "300"))
AWAY_S = 20.0
WEATHER: tuple[tuple[Fault, dict[str, float]], ...] = (
    (Fault.FIN, {}),
    (Fault.RST, {}),
    (Fault.EVICT, {}),
    (Fault.REFUSE, {"seconds": 2}),
    (Fault.SILENT, {"seconds": 3}),
    (Fault.NO_STATUS, {"seconds": 3}),
    (Fault.HALF_FRAME, {"times": 2}),
    (Fault.NOISE, {"times": 100}),
    (Fault.REBOOT_AFTER, {"times": 25}),
    (Fault.RES, {"times": 3, "code": 32}),
    (Fault.NAK, {"times": 3, "code": 5}),
)
Wait = Callable[..., None]


def test_a_radio_away_for_twenty_seconds(wait_until: Wait) -> None:
    with two_radios() as radios, linked(tcp(radios.port("kiosk"))) as (_, post):
        wait_until(lambda: post.up)
        radios.fault("kiosk", Fault.REFUSE, seconds=AWAY_S)
        healthy_at = time.monotonic() + AWAY_S
        wait_until(lambda: not post.up)
        wait_until(lambda: post.up, AWAY_S + BACK_S, "the link is back")
        print(f"refused for {AWAY_S:g} s: back {post.up_at - healthy_at:.2f} s after the radio")
        assert post.up_at - healthy_at <= BACK_S


def strike(radios: VirtualRadios, rng: random.Random) -> Fault:
    fault, numbers = rng.choice(WEATHER)
    try:
        radios.fault("kiosk", fault, **numbers)  # type: ignore[arg-type]
    except SimulationError:
        assert fault is Fault.EVICT, "only a second client may find the door closed"
    return fault


def test_a_radio_that_fails_at_random_for_minutes(wait_until: Wait) -> None:
    seed = random.SystemRandom().randrange(2**32)
    rng, strikes = random.Random(seed), 0
    print(f"seed {seed}")
    with two_radios() as radios, linked(tcp(radios.port("kiosk"))) as (link, post):
        wait_until(lambda: post.up)
        figures = Figures()
        until, attempt = time.monotonic() + STORM_S, 0
        while time.monotonic() < until:
            strike(radios, rng)
            strikes += 1
            for _ in range(rng.randrange(3)):
                later = time.monotonic() + rng.uniform(0, 3)
                wait_until(lambda moment=later: time.monotonic() >= moment, 10, "the next send")
                attempt += 1
                link.send(frame(attempt))
        radios.mend("kiosk")
        wait_until(lambda: post.up and len(post.outcomes()) == attempt, 60, "an end for each send")
        attempt += 1
        wait_until(lambda: post.up, BACK_S)
        link.send(frame(attempt))
        wait_until(lambda: post.outcomes().get(attempt) is SendOutcome.TAKEN, 20, "calm again")
        grown = figures.grown()
    told = ", ".join(f"{list(post.outcomes().values()).count(outcome)} {outcome}" for outcome in SendOutcome)
    print(f"{strikes} strikes, {link.counters()['connects']} connections, {attempt} sends: {told}; grown {grown}")
    assert list(post.outcomes().values()).count(SendOutcome.TAKEN) >= attempt / 10, "the storm left no room to serve"
    assert grown["threads"] == 0
    assert grown["descriptors"] <= 3
    assert grown["kib"] < 4_000
    assert link.counters().get("internal_errors", 0) == 0


class Figures:
    """Threads, descriptors and memory at the beginning."""

    def __init__(self) -> None:
        self._before = self._now()

    def grown(self) -> dict[str, int]:
        return {name: value - self._before[name] for name, value in self._now().items()}

    @staticmethod
    def _now() -> dict[str, int]:
        return {
            "threads": threading.active_count(),
            "descriptors": len(list(Path("/proc/self/fd").iterdir())),
            "kib": psutil.Process().memory_info().rss // 1024,
        }
