"""Integrators' packets are guests on the site's air: charged to it in the lowest lane, kept over a restart."""

import random
from pathlib import Path

import pytest

from steunpunt.model import (
    MAIN_RADIO,
    GuestSending,
    Lane,
    LinkName,
    RadioUsed,
    SendEnded,
    SendFrame,
    SendOutcome,
)
from steunpunt.relay.airbudget import HOUR_MS, SHARE_MAX
from steunpunt.values import replace
from tests.fakes.sites import MESH_UP, Clock, CoordinatorSite, KioskSite, frames, help_form, seeded

MESH = LinkName.MESH
AIR_MS = 900.0
ROOM_MS = SHARE_MAX[Lane.HOUSEKEEPING] * HOUR_MS
GUEST = GuestSending(SendFrame(MESH, -1, b"", Lane.HOUSEKEEPING, packet=b"\x08\x01"), AIR_MS)


@pytest.fixture
def kiosk(tmp_path: Path) -> KioskSite:
    made = KioskSite(tmp_path / "47", Clock(), seeded(5), 47)
    made.turn(MESH_UP)
    return made


def guest(number: int, radio: str = MAIN_RADIO) -> GuestSending:
    return GuestSending(replace(GUEST.frame, attempt_id=-number, radio=radio), AIR_MS)


def fits(site: KioskSite | CoordinatorSite, air_ms: float, radio: str = MAIN_RADIO) -> bool:
    return site.engine.guest_fits(site.ledger.connection, radio, air_ms, site.now_ms())


def used_ms_of(site: KioskSite) -> float:
    return site.engine.air_used_ms(site.ledger.connection, MAIN_RADIO, site.now_ms())


def over(attempt: int, outcome: SendOutcome) -> SendEnded:
    return SendEnded(MESH, attempt, outcome, "")


def test_a_guests_packet_goes_once_its_air_is_charged(kiosk: KioskSite) -> None:
    assert fits(kiosk, ROOM_MS)
    (sent,) = frames(kiosk.turn(GUEST), MESH)
    assert sent == GUEST.frame
    assert used_ms_of(kiosk) == AIR_MS
    assert (fits(kiosk, ROOM_MS), fits(kiosk, ROOM_MS - AIR_MS)) == (False, True)


@pytest.mark.parametrize(("outcome", "used_ms"), list(zip(SendOutcome, (AIR_MS, 0, AIR_MS), strict=True)))
def test_what_may_have_gone_on_air_stays_charged(kiosk: KioskSite, outcome: SendOutcome, used_ms: float) -> None:
    kiosk.turn(GUEST)
    before = dict(kiosk.engine.counts)
    kiosk.turn(over(-1, outcome))
    assert used_ms_of(kiosk) == used_ms
    assert kiosk.engine.counts == before, "what the site sent itself is counted apart"


def test_a_restart_does_not_forget_what_guests_sent(kiosk: KioskSite) -> None:
    kiosk.turn(guest(1), guest(2))
    kiosk.restart()
    assert (fits(kiosk, ROOM_MS - AIR_MS), fits(kiosk, ROOM_MS - 2 * AIR_MS)) == (False, True)


def test_a_radio_that_relayed_much_has_no_room_for_guests(kiosk: KioskSite) -> None:
    kiosk.turn(RadioUsed(SHARE_MAX[Lane.HOUSEKEEPING]))
    assert not fits(kiosk, 1)


def test_guests_never_close_the_air_to_the_sites_own(kiosk: KioskSite) -> None:
    number = 0
    while fits(kiosk, AIR_MS):
        kiosk.turn(guest(number := number + 1))
    assert number > 0
    assert frames(kiosk.turn(help_form(kiosk.token())), MESH)


def test_each_radio_of_a_coordinator_has_its_own_air(tmp_path: Path) -> None:
    center = CoordinatorSite(tmp_path / "coordinator", Clock(), random.Random(5))
    center.turn(MESH_UP)
    (sent,) = frames(center.turn(guest(1, "hill")), MESH)
    assert sent.radio == "hill"
    assert (fits(center, ROOM_MS, "hill"), fits(center, ROOM_MS)) == (False, True)
    center.turn(replace(over(-1, SendOutcome.REFUSED), radio="hill"))
    assert fits(center, ROOM_MS, "hill")
