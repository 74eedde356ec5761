"""Two coordinators and a kiosk, each with a mosquitto of its own: the other one overhears, and takes over.

Brokers, bridges and links are real; the engines live here, under a clock that runs faster than the wall's.
"""

import contextlib
import queue
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from steunpunt.config import Bridge, Broker, Config, OtherCoordinator, RegionListener
from steunpunt.engine.common import Neighbours
from steunpunt.links.broker import BrokerLink
from steunpunt.model import BellRung, ConfirmFrame, Event, Role, SendFrame, TicketState, TokenCode
from steunpunt.relay.standby import Stand
from tests.fakes.brokers import Authority, Certificate, mosquitto, site_config
from tests.fakes.region_keys import BOTH, COORDINATOR, SECOND, SITE, coordinator_keys
from tests.fakes.sites import Clock, CoordinatorSite, KioskSite, help_form, seeded

pytestmark = pytest.mark.broker
FASTER = 40
SOON_S = 20.0
TAKEN_OVER_S = 60.0
"""Ten minutes on the engines' clock are 15 s."""
Wait = Callable[..., None]


class FastClock(Clock):
    """Time since it was made, FASTER."""

    def __init__(self) -> None:
        super().__init__()
        self._start = time.monotonic()

    def read(self) -> int:
        return self.boot_ms + round((time.monotonic() - self._start) * 1000 * FASTER)


class First(CoordinatorSite):
    keys = coordinator_keys(COORDINATOR)
    neighbours = Neighbours(COORDINATOR, frozenset({SECOND}))


class Other(CoordinatorSite):
    keys = coordinator_keys(SECOND)
    neighbours = Neighbours(SECOND, frozenset({COORDINATOR}), {SITE: COORDINATOR})


class Kiosk(KioskSite):
    coordinators = BOTH


class Joined:
    """A site's engine and its link to its own broker."""

    def __init__(self, site: KioskSite | CoordinatorSite, config: Config, password_file: Path) -> None:
        self.site, self.inbox = site, queue.SimpleQueue[Event]()
        own = msgspec.structs.replace(config.broker, password_file=str(password_file))
        several = bool(config.other_coordinator)
        self.link = BrokerLink(own, config.site.id, config.site.role, self.inbox.put, overhears=several)
        self.alive = True

    def turn(self, *events: Event) -> None:
        """Take what came in, as the node's loop does."""
        taken = [*events]
        with contextlib.suppress(queue.Empty):
            while True:
                taken.append(self.inbox.get_nowait())
        if self.alive:
            for effect in self.site.turn(*taken):
                if isinstance(effect, SendFrame):
                    self.link.send(effect)
                elif isinstance(effect, ConfirmFrame):
                    self.link.confirm(effect.confirm)


class Region:
    """All three, and the number of the kiosk's last request."""

    def __init__(self, kiosk: Joined, first: Joined, other: Joined, wait_until: Wait) -> None:
        self.kiosk, self.first, self.other, self._wait_until = kiosk, first, other, wait_until
        self._asked = 0

    def wait(self, until: Callable[[], bool], within_s: float, what: str) -> None:
        """Let the sites work until something is so."""

        def turned() -> bool:
            for joined in (self.kiosk, self.first, self.other):
                joined.turn()
            return until()

        self._wait_until(turned, within_s, what)

    def ask(self) -> str:
        site = self.kiosk.site
        assert isinstance(site, KioskSite)
        self.kiosk.turn(help_form(site.token(), life_threat=False))
        self._asked += 1
        return f"{SITE}-{self._asked}"

    def state(self, number: str) -> TicketState:
        assert isinstance(self.kiosk.site, KioskSite)
        return self.kiosk.site.ticket(number).state

    def stands(self, at: Joined) -> dict[str, Stand]:
        return {case.number: case.stand for case in coordinator(at).desk.cases()}


def coordinator(joined: Joined) -> CoordinatorSite:
    assert isinstance(joined.site, CoordinatorSite)
    return joined.site


def bridge(port: int, own: Certificate) -> Bridge:
    return Bridge(host="localhost", port=port, ca_file=own.ca, certificate_file=own.certificate, key_file=own.key)


def configs(folder: Path, free_port: Callable[[], int]) -> tuple[Config, Config, Config]:
    """Give the kiosk's, the first coordinator's and the other's, whose brokers both bridge to the first's."""
    folder.mkdir()
    authority, road = Authority(folder), free_port()
    own = authority.issue(str(COORDINATOR))
    listener = RegionListener(
        host="127.0.0.1", port=road, ca_file=own.ca, certificate_file=own.certificate, key_file=own.key
    )
    brokers = (
        Broker(port=free_port(), bridge=bridge(road, authority.issue(str(SITE)))),
        Broker(port=free_port(), region_listener=listener),
        Broker(port=free_port(), bridge=bridge(road, authority.issue(str(SECOND)))),
    )
    kiosk = site_config(Role.KIOSK, SITE, brokers[0])
    first, other = (
        msgspec.structs.replace(
            site_config(Role.COORDINATOR, own_id, broker),
            other_coordinator=(OtherCoordinator(id=other_id, name="Kazerne"),),
        )
        for own_id, other_id, broker in ((COORDINATOR, SECOND, brokers[1]), (SECOND, COORDINATOR, brokers[2]))
    )
    return kiosk, first, other


@pytest.fixture
def region(tmp_path: Path, free_port: Callable[[], int], wait_until: Wait) -> Iterator[Region]:
    clock, rng = FastClock(), seeded(6)
    sites: tuple[Kiosk, First, Other] = (
        Kiosk(tmp_path / "k", clock, rng, SITE),
        First(tmp_path / "f", clock, rng),
        Other(tmp_path / "o", clock, rng),
    )
    made = configs(tmp_path / "tls", free_port)
    names = ("kiosk", "first", "other")
    with contextlib.ExitStack() as stack:
        brokers = {
            name: stack.enter_context(mosquitto(config, tmp_path / name, wait_until))
            for name, config in zip(("first", "other", "kiosk"), (made[1], made[2], made[0]), strict=True)
        }
        joined = [Joined(sites[i], made[i], brokers[name].password_file) for i, name in enumerate(names)]
        for one in joined:
            one.link.start()
            stack.callback(one.link.stop, 5)
        whole = Region(joined[0], joined[1], joined[2], wait_until)
        engine = sites[0].engine
        whole.wait(lambda: engine.links.roads(sites[0].now_ms()).region_answers, SOON_S, "the region answers")
        yield whole


def test_the_other_overhears_the_first_and_takes_over_when_it_is_silent(region: Region) -> None:
    number = region.ask()
    region.wait(lambda: region.state(number) is TicketState.RECEIVED, SOON_S, "the first receipts")
    region.wait(lambda: region.stands(region.other) == {number: Stand.WITH_OTHER}, SOON_S, "the other overhears it")
    case = coordinator(region.first).only_case()
    coordinator(region.first).desk.take_up(case.id, "Anna", token="t1")
    region.first.turn(BellRung())
    region.wait(lambda: region.state(number) is TicketState.SEEN, SOON_S, "it is seen")
    overheard = coordinator(region.other).only_case
    region.wait(lambda: any(e.said is TokenCode.SEEN for e in overheard().events), SOON_S, "the other knows")
    assert coordinator(region.other).engine.counts["taken_over"] == 0

    region.first.alive = False
    second = region.ask()
    region.wait(lambda: second in region.stands(region.other), SOON_S, "the other has it")
    assert region.stands(region.other)[second] is Stand.WAITING
    assert region.state(second) < TicketState.RECEIVED
    region.wait(lambda: region.state(second) is TicketState.RECEIVED, TAKEN_OVER_S, "the other takes over")
    assert region.stands(region.other) == {number: Stand.WITH_OTHER, second: Stand.SILENT}
