"""A coordinator restored from yesterday: what it had receipted since is offered again, whoever rebooted meanwhile."""

import shutil
from pathlib import Path

import pytest

from steunpunt.engine.hearing import OFFER_MS_MAX
from steunpunt.model import BellRung, LinkName, SenderFunction, TicketState
from steunpunt.protocol.packets import Kind
from tests.fakes.ether import Ether
from tests.fakes.region_keys import COORDINATOR
from tests.fakes.sites import Clock, CoordinatorSite, KioskSite, heard, help_form, seeded

ONLINE, LOCAL = (47, 48, 49), (57, 58, 59)
MESH, BROKER = LinkName.MESH, LinkName.BROKER


class Region:
    """Three kiosks with internet, three with a radio only, and a coordinator of which a copy was kept in time."""

    def __init__(self, folder: Path) -> None:
        clock, rng = Clock(), seeded(8)
        self.center = CoordinatorSite(folder / "center", clock, rng)
        self.kiosks = {n: KioskSite(folder / f"kiosk{n}", clock, rng, n) for n in (*ONLINE, *LOCAL)}
        self.world = Ether(clock)
        self.world.add(COORDINATOR, self.center)
        for number, kiosk in self.kiosks.items():
            self.world.add(number, kiosk, internet=number in ONLINE, radio=number in LOCAL)
        self.world.run(30)
        self._kept = folder / "copy.db"
        self.ask("gisteren")
        self.world.off(COORDINATOR)
        shutil.copy(self.center.path, self._kept)
        self.world.on(COORDINATOR)

    def ask(self, text: str) -> None:
        for number, kiosk in self.kiosks.items():
            self.world.put(number, help_form(kiosk.token(), text))
        self.world.run(0.1)
        assert self.world.run(600, lambda: all(self.states(TicketState.RECEIVED)))

    def states(self, least: TicketState) -> list[bool]:
        sql = "SELECT coalesce(min(state), 0) FROM tickets"
        kiosks = self.kiosks.values()
        return [kiosk.ledger.connection.exec_driver_sql(sql).scalar_one() >= least for kiosk in kiosks]

    def restore(self) -> None:
        self.world.off(COORDINATOR)
        for stale in self.center.path.parent.glob(f"{self.center.path.name}-*"):
            stale.unlink()
        shutil.copy(self._kept, self.center.path)
        self.center.incarnation += 1
        self.world.on(COORDINATOR)

    def texts(self, sites: tuple[int, ...]) -> list[tuple[int, str]]:
        return sorted((case.site, case.text) for case in self.center.desk.cases() if case.site in sites)


@pytest.fixture
def region(tmp_path: Path) -> Region:
    return Region(tmp_path)


def test_half_of_the_kiosks_rebooted_and_nothing_stays_lost(region: Region) -> None:
    region.ask("vandaag")
    seen = next(case for case in region.center.desk.cases() if case.text == "vandaag" and case.site == 47)
    region.center.desk.take_up(seen.id, "Anna", token="t1")
    region.world.put(COORDINATOR, BellRung())
    assert region.world.run(60, lambda: region.kiosks[47].ticket(seen.number).state is TicketState.SEEN)
    for number in (47, 57):
        region.world.off(number)
        region.world.on(number)
    region.restore()
    assert len(region.center.desk.cases()) == 6, "the copy is of before today's requests"
    region.world.run(120)
    assert region.texts(ONLINE) == [(site, text) for site in ONLINE for text in ("gisteren", "vandaag")]
    assert region.kiosks[47].ticket(seen.number).state is TicketState.SEEN, "a state never falls"
    region.ask("later")  # a kiosk with only a radio learns of it by the next receipt
    region.world.run(1_200)
    assert region.texts(LOCAL) == [(site, text) for site in LOCAL for text in ("gisteren", "later", "vandaag")]


def test_kiosks_do_not_offer_again_all_at_once(region: Region) -> None:
    region.ask("vandaag")
    region.restore()
    region.ask("later")
    start, before = (region.world.clock.boot_ms - 5_000_000) / 1000, len(region.world.sent)
    region.world.run(OFFER_MS_MAX[MESH] / 1000 + 30)
    offered = [second - start for second, site, frame in region.world.sent[before:] if site in LOCAL]
    assert len(offered) >= len(LOCAL)
    assert max(offered) - min(offered) > 10
    assert len(region.world.packets(None, MESH, Kind.PIECE)) < 60


def test_an_offer_that_was_heard_is_not_made_again(region: Region) -> None:
    region.ask("vandaag")
    region.restore()
    region.world.run(600)
    before = [len(region.world.packets(site, BROKER)) for site in ONLINE]
    region.world.run(1_800)
    assert [len(region.world.packets(site, BROKER)) for site in ONLINE] == before
    assert [region.world.packets(site, MESH) for site in ONLINE] == [[]] * len(ONLINE)


def test_a_site_that_knows_of_a_later_ledger_than_this_one_raises_the_alarm(region: Region) -> None:
    region.restore()
    assert region.world.run(120, lambda: any(kiosk.engine.counts["beacons"] > 3 for kiosk in region.kiosks.values()))
    assert not region.center.engine.ledger_behind
    region.world.off(COORDINATOR)
    region.center.incarnation = 1  # put back, and nobody raised it
    region.world.on(COORDINATOR)
    region.world.set(ONLINE[0], radio=True)
    region.world.set(ONLINE[0], internet=False)
    assert not region.center.engine.ledger_behind
    assert region.world.run(4 * 3_600, lambda: region.center.engine.ledger_behind)


def test_what_the_lost_ledger_said_ends_no_offer_when_it_is_heard_again(region: Region) -> None:
    region.ask("vandaag")
    case = next(case for case in region.center.desk.cases() if case.text == "vandaag" and case.site == LOCAL[0])
    region.center.desk.take_up(case.id, "Anna", token="t1")
    region.center.desk.answer(case.id, "Anna", SenderFunction.FIRE_CREW, "Wij komen", token="t2")
    kiosk = region.kiosks[LOCAL[0]]
    region.world.put(COORDINATOR, BellRung())
    assert region.world.run(600, lambda: kiosk.ticket(case.number).state is TicketState.ANSWERED)
    recorded = [
        *region.world.packets(COORDINATOR, MESH, Kind.TOKENS),
        *region.world.packets(COORDINATOR, MESH, Kind.ANSWER),
    ]
    region.restore()
    region.ask("later")
    for frame in recorded:
        kiosk.turn(heard(frame.payload))
    assert region.world.run(600, lambda: (case.site, "vandaag") in region.texts(LOCAL))
