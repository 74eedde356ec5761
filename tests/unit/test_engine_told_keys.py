"""Notices of the offline root that come over a link: cards revoked, keys changed, and both told on."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from steunpunt.engine import pointstate
from steunpunt.engine.common import Neighbours
from steunpunt.engine.kiosk import KioskEngine
from steunpunt.engine.notices import BROKER_AGAIN_MS, MESH_AGAIN_MS
from steunpunt.model import Asked, ConfirmFrame, Effect, LinkName, PointState, SendOutcome, TicketState
from steunpunt.protocol import beacons
from steunpunt.protocol.authority import REGION, KeyNotice, Revocation
from steunpunt.protocol.packets import Kind, kind_of
from steunpunt.protocol.tokens import Head
from steunpunt.relay.outbox import HOPS_MORE
from steunpunt.values import replace
from tests.fakes.ether import Ether
from tests.fakes.region_keys import COORDINATOR, NEWS, OFFLINE, REGION_PRIVATE, SECOND, SITE, coordinator_keys
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
    help_form,
    seeded,
)

MESH, BROKER = LinkName.MESH, LinkName.BROKER
LONE, GATEWAY = 48, 51
STOLEN = Revocation(((SITE, 1),)).pack(OFFLINE.sign)
NEW_PRIVATE = bytes(range(160, 192))
NEW_PUBLIC = X25519PrivateKey.from_private_bytes(NEW_PRIVATE).public_key().public_bytes_raw()
NEW_REGION = KeyNotice(REGION, 2, NEW_PUBLIC).pack(OFFLINE.sign)
NEW_NEWS = Ed25519PrivateKey.from_private_bytes(bytes(range(192, 224)))
NEW_NEWS_NOTICE = KeyNotice(COORDINATOR, 1, NEW_NEWS.public_key().public_bytes_raw()).pack(OFFLINE.sign)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kiosk(tmp_path: Path, clock: Clock) -> KioskSite:
    return KioskSite(tmp_path / "kiosk", clock, seeded(2), SITE)


@pytest.fixture
def center(tmp_path: Path, clock: Clock) -> CoordinatorSite:
    return CoordinatorSite(tmp_path / "center", clock, seeded(11))


def request(kiosk: KioskSite) -> bytes:
    """Give the packet of a new request, as its radio would send it."""
    kiosk.restart()
    (frame,) = frames(kiosk.turn(MESH_UP, help_form(kiosk.token())), MESH)
    return frame.payload


def notices(effects: list[Effect]) -> list[tuple[LinkName, int | None]]:
    return [(f.link, f.carrier) for f in frames(effects) if kind_of(f.payload) in (Kind.REVOCATION, Kind.KEYS)]


# --- a coordinator --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", [MESH, BROKER])
def test_a_card_revoked_over_a_link_counts_no_more_also_after_a_restart(
    center: CoordinatorSite, kiosk: KioskSite, link: LinkName
) -> None:
    center.turn(heard(request(kiosk)))
    assert ConfirmFrame(7) in center.turn(heard(STOLEN, link, None, confirm=7))
    center.turn(heard(request(kiosk)))
    assert [case.quarantined for case in center.desk.cases()] == [False, True]
    center.restart()
    center.turn(heard(request(kiosk)))
    assert [case.quarantined for case in center.desk.cases()] == [False, True, True]
    assert center.engine.counts["notices"] == 0, "known from the ledger"


def test_what_the_root_did_not_sign_revokes_nothing(center: CoordinatorSite, kiosk: KioskSite) -> None:
    forged = Revocation(((SITE, 1),)).pack(NEWS.sign)
    center.turn(MESH_UP, heard(forged), heard(forged[:-1]))
    center.turn(heard(request(kiosk)))
    assert not center.only_case().quarantined
    assert (center.engine.counts["dropped_unauthentic"], center.engine.counts["dropped_malformed"]) == (1, 1)


def test_a_turn_that_the_disk_refused_revokes_nothing(center: CoordinatorSite, kiosk: KioskSite) -> None:
    def fail() -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        center.turn(heard(STOLEN), stop=fail)
    center.turn(heard(request(kiosk)))
    assert not center.only_case().quarantined
    center.turn(heard(STOLEN))
    center.turn(heard(request(kiosk)))
    assert [case.quarantined for case in center.desk.cases()] == [False, True]


def test_a_coordinator_tells_a_notice_on_by_each_link_and_seldom_again(center: CoordinatorSite, clock: Clock) -> None:
    effects = center.turn(MESH_UP, BROKER_UP, heard(STOLEN, BROKER, 60))
    told = [f for f in frames(effects) if kind_of(f.payload) is Kind.REVOCATION]
    assert [(f.link, f.carrier, f.payload) for f in told] == [(BROKER, None, STOLEN), (MESH, None, STOLEN)]
    center.turn(*(ended(f) for f in told), heard(STOLEN))
    clock.advance_s(BROKER_AGAIN_MS / 1000 - 1)
    center.restart()
    assert notices(center.turn(MESH_UP, BROKER_UP)) == []
    clock.advance_s(1)
    assert notices(center.turn()) == [(BROKER, None)]
    clock.advance_s(MESH_AGAIN_MS / 1000 - BROKER_AGAIN_MS / 1000)
    again = center.turn()
    assert sorted(notices(again)) == [(BROKER, None), (MESH, None)]
    assert [f.hops_more for f in (*told, *frames(again)) if f.link is MESH] == [0, HOPS_MORE]


def test_a_notice_that_no_link_took_goes_again(center: CoordinatorSite, clock: Clock) -> None:
    (frame,) = [f for f in frames(center.turn(MESH_UP, heard(STOLEN))) if f.payload == STOLEN]
    assert notices(center.turn(ended(frame, SendOutcome.REFUSED))) == []
    clock.advance_s(5)
    assert notices(center.turn()) == [(MESH, None)]


def test_a_key_of_the_region_whose_private_half_is_not_here_is_not_told_on(center: CoordinatorSite) -> None:
    assert notices(center.turn(MESH_UP, BROKER_UP, heard(NEW_REGION, BROKER, 60))) == []
    assert center.engine.counts["notices_without_key"] == 1
    center.keys = replace(coordinator_keys(), region_private=NEW_PRIVATE, older_region_privates=(REGION_PRIVATE,))
    center.restart()
    assert notices(center.turn(MESH_UP, BROKER_UP, heard(NEW_REGION, BROKER, 60))) == [(BROKER, None), (MESH, None)]


# --- a kiosk --------------------------------------------------------------------------------------------------------


def test_a_kiosk_seals_by_the_regions_new_key_from_then_on(center: CoordinatorSite, kiosk: KioskSite) -> None:
    center.keys = replace(coordinator_keys(), region_private=NEW_PRIVATE)
    center.restart()
    center.turn(heard(request(kiosk)))
    assert center.desk.cases() == [], "sealed by the old one"
    kiosk.turn(heard(NEW_REGION))
    kiosk.ask("in the next epoch")
    eids = kiosk.ledger.connection.exec_driver_sql("SELECT count(DISTINCT eid) FROM messages").scalar()
    assert eids == 2, "what is sealed after the notice has an epoch of its own, without a restart"
    kiosk.turn(heard(KeyNotice(REGION, 1, bytes(31) + b"\x09").pack(OFFLINE.sign)))
    center.turn(heard(request(kiosk)))
    assert center.only_case().site == SITE, "after a restart, and after an older notice that was played again"


def test_a_kiosk_believes_a_coordinators_new_news_key_and_no_more_the_old_one(kiosk: KioskSite) -> None:
    def beacon(key: Ed25519PrivateKey, number: int) -> bytes:
        body = beacons.beacon_body(Head(COORDINATOR, 1, 0, 3), number)
        return body + key.sign(beacons.beacon_signed_part(body))

    kiosk.turn(heard(beacon(NEWS, 1), BROKER))
    kiosk.turn(heard(NEW_NEWS_NOTICE, BROKER))
    kiosk.restart()
    kiosk.turn(heard(beacon(NEWS, 2), BROKER))
    assert (kiosk.engine.counts["beacons"], kiosk.engine.counts["dropped_unauthentic"]) == (0, 1)
    kiosk.turn(heard(beacon(NEW_NEWS, 3), BROKER))
    assert kiosk.engine.counts["beacons"] == 1


def test_a_forged_notice_changes_nothing_at_a_kiosk(center: CoordinatorSite, kiosk: KioskSite) -> None:
    kiosk.turn(heard(KeyNotice(REGION, 9, NEW_PUBLIC).pack(NEWS.sign)))
    assert (kiosk.engine.counts["dropped_unauthentic"], kiosk.engine.counts["notices"]) == (1, 0)
    center.turn(heard(request(kiosk)))
    assert not center.only_case().quarantined


def test_a_point_whose_own_card_is_revoked_is_closed_until_it_gets_a_new_one(kiosk: KioskSite) -> None:
    kiosk.ask("before it was revoked")
    kiosk.turn(heard(STOLEN))
    for _ in range(2):
        standing = pointstate.standing(kiosk.ledger, kiosk.ledger.connection)
        assert (standing.state, standing.by) == (PointState.CLOSED, pointstate.By.REGION)
        kiosk.turn(Asked(pointstate.StateSet(PointState.OPEN)))
        assert pointstate.standing(kiosk.ledger, kiosk.ledger.connection).state is PointState.CLOSED
        kiosk.restart()
    kiosk.generation = 2
    kiosk.restart()
    kiosk.turn()
    assert pointstate.standing(kiosk.ledger, kiosk.ledger.connection).by is pointstate.By.STAFF


# --- across the region ----------------------------------------------------------------------------------------------


class Other(CoordinatorSite):
    keys = coordinator_keys(SECOND)
    neighbours = Neighbours(SECOND, frozenset({COORDINATOR}), {LONE: COORDINATOR, GATEWAY: COORDINATOR})


def test_a_notice_reaches_a_kiosk_through_its_gateway_and_a_coordinator_that_heard_no_radio(
    tmp_path: Path, center: CoordinatorSite, clock: Clock
) -> None:
    rng = seeded(4)
    world = Ether(clock)
    lone, gateway = KioskSite(tmp_path / "lone", clock, rng, LONE), KioskSite(tmp_path / "gateway", clock, rng, GATEWAY)
    other = Other(tmp_path / "other", clock, rng)
    world.add(COORDINATOR, center, radio=False)
    world.add(SECOND, other, radio=False)
    world.add(LONE, lone, internet=False)
    world.add(GATEWAY, gateway)
    world.run(30)
    world.put(LONE, help_form(lone.token()))
    assert world.run(60, lambda: bool(center.desk.cases()))
    center.keys = replace(coordinator_keys(), notices=(STOLEN,))
    world.off(COORDINATOR)
    world.on(COORDINATOR)
    assert world.run(60, lambda: lone.engine.counts["notices"] == 1)
    world.run(900)
    assert other.engine.counts["notices"] == gateway.engine.counts["notices"] == 1
    aired = [f for site in (GATEWAY, LONE) for f in world.packets(site, MESH) if f.payload == STOLEN]
    assert len(aired) <= 2, "one for each coordinator that the gateway answers to"
    assert lone.ticket(f"{LONE}-1").state is TicketState.RECEIVED


def test_what_a_kiosk_heard_by_radio_it_gives_to_its_broker_once(kiosk: KioskSite, clock: Clock) -> None:
    body = beacons.beacon_body(Head(COORDINATOR, 1, 0, 3), 1)
    kiosk.turn(heard(STOLEN))
    beacon = heard(body + NEWS.sign(beacons.beacon_signed_part(body)), BROKER)
    assert notices(kiosk.turn(BROKER_UP, BRIDGE_UP, beacon)) == [(BROKER, SITE)]
    clock.advance_s(30)
    assert notices(kiosk.turn(heard(STOLEN))) == []


def test_what_was_brought_on_a_stick_counts_and_goes_to_the_broker(kiosk: KioskSite) -> None:
    keys = replace(kiosk.keys, notices=(STOLEN, NEW_NEWS_NOTICE))
    kiosk.engine = KioskEngine(kiosk.ledger, keys, COORDINATOR, {}, kiosk.form_key, kiosk.entropy)
    body = beacons.beacon_body(Head(COORDINATOR, 1, 0, 3), 1)
    beacon = heard(body + NEW_NEWS.sign(beacons.beacon_signed_part(body)), BROKER)
    assert notices(kiosk.turn(BROKER_UP, BRIDGE_UP, beacon)) == [(BROKER, SITE)] * 2
