"""What heartbeats tell of a kiosk's power, and its last word before it goes dark."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from steunpunt.engine.beating import BROKER_MS, SLOW
from steunpunt.jobfacts import Fault
from steunpunt.ledger import heartbeats
from steunpunt.model import Event, Lane, LinkName, SendFrame
from steunpunt.powerfacts import PowerSeen, PowerSource, PowerState
from steunpunt.protocol.heartbeat import Heartbeat
from steunpunt.values import replace
from tests.fakes.sites import (
    BRIDGE_UP,
    BROKER_UP,
    MESH_UP,
    Clock,
    CoordinatorSite,
    KioskSite,
    ended,
    frames,
    heard,
    seeded,
)

BATTERY = PowerSeen(state=PowerState.BATTERY, source=PowerSource.BATTERY, percent=63, hours_left=14.0)


class Pair:
    """A kiosk whose frames reach a coordinator at once."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.kiosk = KioskSite(folder / "kiosk", self.clock, seeded(1))
        self.desk = CoordinatorSite(folder / "desk", self.clock, seeded(2))

    def turn(self, *events: Event) -> list[SendFrame]:
        """Let the kiosk turn, and carry to the coordinator what it sends."""
        sent = frames(self.kiosk.turn(*events))
        for frame in sent:
            self.desk.turn(heard(frame.payload, frame.link, self.kiosk.site))
            self.kiosk.turn(ended(frame))
        return sent

    def wait(self, seconds: float, step_s: float = 60) -> list[SendFrame]:
        sent = []
        for _ in range(round(seconds / step_s)):
            self.clock.advance_s(step_s)
            sent += self.turn()
        return sent

    @property
    def beat(self) -> Heartbeat:
        life = heartbeats.of_site(self.desk.ledger.connection, self.kiosk.site)
        assert life is not None
        return life.beat


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    for name in ("kiosk", "desk"):
        (tmp_path / name).mkdir()
    made = Pair(tmp_path)
    yield made
    made.kiosk.ledger.close()
    made.desk.ledger.close()


def test_a_heartbeat_tells_the_battery_and_unknown_as_unknown(pair: Pair) -> None:
    pair.turn(MESH_UP)
    assert pair.wait(4 * 3600)
    assert (pair.beat.battery_percent, pair.beat.hours_left, pair.beat.source) == (None, None, PowerSource.UNKNOWN)
    pair.turn(BATTERY)
    pair.wait(4 * 3600)
    assert (pair.beat.battery_percent, pair.beat.hours_left, pair.beat.source) == (63, 14, PowerSource.BATTERY)
    assert pair.beat.faults == frozenset()
    pair.turn(replace(BATTERY, hours_left=0.0, faulty=True))
    pair.wait(4 * 3600)
    assert (pair.beat.hours_left, pair.beat.faults) == (1, frozenset({Fault.BATTERY})), "0 says: dark now"


def test_the_last_word_leaves_at_once_and_so_does_its_recall(pair: Pair) -> None:
    pair.turn(MESH_UP)
    pair.wait(4 * 3600)
    (last,) = pair.turn(replace(BATTERY, going_dark=True))
    assert (last.lane, pair.beat.hours_left) == (Lane.URGENT, 0)
    assert pair.wait(60) == [], "once"
    (recall,) = pair.turn(replace(BATTERY, percent=12))
    assert (recall.lane, pair.beat.hours_left) == (Lane.URGENT, 14)
    assert all(frame.lane is Lane.HOUSEKEEPING for frame in pair.wait(4 * 3600))


def test_the_last_word_goes_over_the_broker_where_the_region_answers(pair: Pair) -> None:
    pair.turn(MESH_UP, BROKER_UP, BRIDGE_UP)
    for frame in frames(pair.desk.turn(BROKER_UP), LinkName.BROKER):
        pair.kiosk.turn(heard(frame.payload, LinkName.BROKER))
    assert pair.kiosk.engine.links.roads(pair.kiosk.now_ms()).region_answers
    (last,) = pair.turn(replace(BATTERY, going_dark=True))
    assert (last.link, last.lane, pair.beat.hours_left) == (LinkName.BROKER, Lane.URGENT, 0)


def test_who_saves_power_speaks_half_as_often(pair: Pair) -> None:
    assert SLOW == 2
    often = beats_in(pair, 24, BATTERY)
    seldom = beats_in(pair, 24, replace(BATTERY, slow_heartbeat=True))
    assert 0.35 < seldom / often < 0.65
    assert BROKER_MS == 60_000


def beats_in(pair: Pair, hours: int, power: PowerSeen) -> int:
    pair.turn(MESH_UP, power)
    pair.wait(6 * 3600, 300)
    return len([frame for frame in pair.wait(hours * 3600, 300) if frame.link is LinkName.MESH])
