"""Gateways: a kiosk without internet is carried by those that have it, and six of them make no flood."""

import random
from pathlib import Path
from typing import Any

import pytest

from steunpunt.model import BellRung, LinkName, RadioUsed, SenderFunction, SendFrame, TicketState
from steunpunt.protocol.packets import Kind, kind_of
from steunpunt.protocol.pieces import SealedPiece
from steunpunt.protocol.tokens import parse_tokens
from steunpunt.relay.airbudget import HOUR_MS
from steunpunt.relay.gateway import AIR_SHARE_MAX, BUCKET_PACKETS_MAX
from tests.fakes.ether import Ether
from tests.fakes.region_keys import COORDINATOR
from tests.fakes.sites import Clock, CoordinatorSite, KioskSite, ended, frames, heard, help_form, seeded

MESH, BROKER = LinkName.MESH, LinkName.BROKER
LONE = 47
SIX = (51, 52, 53, 54, 55, 56)
PIECES = (Kind.PIECE, Kind.FRAGMENT)


@pytest.fixture
def rng() -> random.Random:
    return seeded(5)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lone(tmp_path: Path, clock: Clock, rng: random.Random) -> KioskSite:
    return KioskSite(tmp_path / "lone", clock, rng, LONE)


@pytest.fixture
def center(tmp_path: Path, clock: Clock, rng: random.Random) -> CoordinatorSite:
    return CoordinatorSite(tmp_path / "center", clock, rng)


def ether(
    folder: Path, lone: KioskSite, center: CoordinatorSite, gateways: tuple[int, ...], *, hears_lone: bool = False
) -> Ether:
    """A kiosk without internet, gateways with it, and a coordinator whose radio the kiosk cannot reach."""
    world = Ether(lone.clock)
    world.add(COORDINATOR, center, radio=hears_lone)
    world.add(LONE, lone, internet=False)
    for number in gateways:
        world.add(number, KioskSite(folder / f"gateway{number}", lone.clock, lone.rng, number))
    world.run(30)  # the first beacon
    return world


def ask(world: Ether, site: KioskSite, text: str = "Wij hebben water nodig", **fields: Any) -> str:
    world.put(site.site, help_form(site.token(), text, **fields))
    world.run(0)
    rows = site.ledger.connection.exec_driver_sql("SELECT max(counter) FROM tickets").scalar()
    return f"{site.site}-{rows}"


def receipts(world: Ether) -> int:
    """Return how many tokens the coordinator sent over the broker, those for sites' own heartbeats there left out."""
    sent = world.packets(COORDINATOR, BROKER, Kind.TOKENS)
    return sum(len(parse_tokens(frame.payload).tokens) for frame in sent) - len(world.heartbeats(BROKER))


def test_a_kiosk_without_internet_is_receipted_seen_and_answered_through_a_gateway(
    tmp_path: Path, lone: KioskSite, center: CoordinatorSite
) -> None:
    world = ether(tmp_path, lone, center, (51,))
    number = ask(world, lone)
    assert world.run(20, lambda: lone.ticket(number).state is TicketState.RECEIVED)
    case = center.only_case()
    center.desk.take_up(case.id, "Anna", token="t1")
    center.desk.answer(case.id, "Anna", SenderFunction.FIRE_CREW, "Wij komen eraan", token="t2")
    world.put(COORDINATOR, BellRung())
    assert world.run(120, lambda: lone.ticket(number).state is TicketState.ANSWERED)
    assert world.run(120, lambda: all(event.delivered is not False for event in center.only_case().events))
    assert {frame.carrier for frame in world.packets(COORDINATOR, BROKER)} == {51}


def test_six_gateways_bring_six_copies_and_put_one_receipt_on_the_air(
    tmp_path: Path, lone: KioskSite, center: CoordinatorSite
) -> None:
    world = ether(tmp_path, lone, center, SIX)
    number = ask(world, lone)
    assert world.run(20, lambda: lone.ticket(number).state is TicketState.RECEIVED)
    world.run(1_800)
    assert len(world.packets(None, BROKER, *PIECES)) == len(SIX)
    assert receipts(world) == 1
    assert world.heartbeats(MESH) == []
    assert len([frame for site in SIX for frame in world.packets(site, MESH)]) == 1
    assert len(world.packets(LONE, MESH)) == 1


def test_an_hour_of_requests_through_six_gateways_stays_bounded(
    tmp_path: Path, lone: KioskSite, center: CoordinatorSite
) -> None:
    world = ether(tmp_path, lone, center, SIX)
    for i in range(20):
        ask(world, lone, f"vraag {i}")
        world.run(180)
    assert len(center.desk.cases()) == 20
    tries = len(world.packets(LONE, MESH, *PIECES))
    aired = [frame for site in SIX for frame in world.packets(site, MESH)]
    assert {kind_of(frame.payload) for frame in aired} == {Kind.TOKENS}
    assert tries <= 30
    assert len(aired) <= tries
    assert len(world.packets(None, BROKER, *PIECES)) <= len(SIX) * tries


def test_what_brokers_lose_after_their_puback_comes_again(
    tmp_path: Path, lone: KioskSite, center: CoordinatorSite
) -> None:
    world = ether(tmp_path, lone, center, SIX)
    lost: list[SendFrame] = []

    def drop(site: int, frame: SendFrame) -> bool:
        if site in SIX and len(lost) < len(SIX):
            lost.append(frame)
            return True
        return False

    world.drop = drop
    number = ask(world, lone)
    assert not world.run(100, lambda: lone.ticket(number).state >= TicketState.RECEIVED)
    assert world.run(300, lambda: lone.ticket(number).state is TicketState.RECEIVED)
    assert len(lost) == len(SIX)
    world.run(1_800)
    assert len([frame for site in SIX for frame in world.packets(site, MESH)]) <= 2


def test_a_gateway_that_hears_the_kiosk_and_is_not_heard_by_it_gives_way_to_the_next(
    tmp_path: Path, lone: KioskSite, center: CoordinatorSite
) -> None:
    world = ether(tmp_path, lone, center, (51, 52))
    number = ask(world, lone)
    assert world.run(20, lambda: lone.ticket(number).state is TicketState.RECEIVED)
    world.run(300)
    last = world.packets(COORDINATOR, BROKER)[-1].carrier
    assert last is not None
    world.deaf.add((LONE, last))
    center.desk.take_up(center.only_case().id, "Anna", token="t1")
    assert world.run(300, lambda: lone.ticket(number).state is TicketState.SEEN)
    assert {frame.carrier for frame in world.packets(COORDINATOR, BROKER)} == {51, 52}


def test_what_the_coordinator_hears_itself_is_not_receipted_through_gateways(
    tmp_path: Path, lone: KioskSite, center: CoordinatorSite
) -> None:
    world = ether(tmp_path, lone, center, SIX, hears_lone=True)
    number = ask(world, lone)
    assert world.run(60, lambda: lone.ticket(number).state is TicketState.RECEIVED)
    world.run(600)
    assert [frame.link for frame in world.packets(COORDINATOR, MESH)] == [MESH]
    assert len(world.heartbeats(BROKER)) > len(SIX)
    assert receipts(world) == 0


def test_a_kiosk_that_hears_only_a_gateway_is_receipted_all_the_same(
    tmp_path: Path, lone: KioskSite, center: CoordinatorSite
) -> None:
    world = ether(tmp_path, lone, center, (51,), hears_lone=True)
    world.deaf.add((LONE, COORDINATOR))
    number = ask(world, lone)
    assert world.run(600, lambda: lone.ticket(number).state is TicketState.RECEIVED)


def test_without_an_answering_region_nothing_is_carried(
    tmp_path: Path, lone: KioskSite, center: CoordinatorSite
) -> None:
    world = ether(tmp_path, lone, center, (51,))
    world.set(COORDINATOR, internet=False)
    world.run(120)
    ask(world, lone)
    world.run(300)
    assert world.packets(51, BROKER) == []
    world.set(COORDINATOR, internet=True)
    world.run(1_000)
    assert center.only_case().number == "47-1"


def test_beacons_and_what_is_for_all_never_go_on_the_air(
    tmp_path: Path, lone: KioskSite, center: CoordinatorSite
) -> None:
    world = ether(tmp_path, lone, center, SIX)
    tokens = bytes([1 << 6 | Kind.TOKENS << 2, 1, 1, 0, 0, 0]) + bytes(6)
    for site in SIX:
        world.put(site, heard(tokens, BROKER, None), heard(tokens, BROKER, 99), heard(tokens, MESH))
    world.run(200)
    assert [frame for site in SIX for frame in world.packets(site, MESH)] == []
    assert world.run(800, lambda: bool(world.heartbeats(MESH)))
    world.run(10)
    (aired,) = [frame for site in SIX for frame in world.packets(site, MESH)]
    assert kind_of(aired.payload) is Kind.TOKENS, "for a heartbeat that was carried"


def test_one_sites_flood_does_not_keep_another_from_being_carried(
    tmp_path: Path, lone: KioskSite, center: CoordinatorSite
) -> None:
    world = ether(tmp_path, lone, center, (51,))
    for i in range(300):
        junk = SealedPiece(48, b"xyz", i % 256, i.to_bytes(60, "big")).packet(0, None)
        world.put(51, heard(junk))
        world.run(1)
    number = ask(world, lone)
    assert world.run(20, lambda: lone.ticket(number).state is TicketState.RECEIVED)
    assert len(world.packets(51, BROKER)) <= BUCKET_PACKETS_MAX + 300 / 8 + 2
    assert len(world.packets(51, MESH)) <= 8, "questions for a hello that no site has"


def test_carrying_never_takes_more_than_its_share_of_the_air(tmp_path: Path, clock: Clock, rng: random.Random) -> None:
    gateway = KioskSite(tmp_path / "gateway", clock, rng, 51)
    world = Ether(clock)
    world.add(51, gateway)
    air_ms = gateway.engine._sender.air.air_ms(216)
    for i in range(600):
        tokens = bytes([1 << 6 | Kind.TOKENS << 2, 1, 1, 0, 0, 0]) + i.to_bytes(210, "big")
        world.put(51, heard(tokens, BROKER, 51))
        world.run(5)
        if i == 100:
            gateway.restart()
            world.set(51, radio=True)
    count = len(world.packets(51, MESH))
    assert 0.9 * AIR_SHARE_MAX * HOUR_MS <= count * air_ms <= AIR_SHARE_MAX * HOUR_MS
    assert gateway.engine.counts["air_too_old"] > 0


def test_what_others_need_waits_for_our_own_and_for_the_radios_own_limit(
    tmp_path: Path, clock: Clock, rng: random.Random
) -> None:
    gateway = KioskSite(tmp_path / "gateway", clock, rng, 51)
    world = Ether(clock)
    world.add(51, gateway, internet=False)
    world.run(1)
    gateway.turn(RadioUsed(0.08))
    tokens = bytes([1 << 6 | Kind.TOKENS << 2, 1, 1, 0, 0, 0]) + bytes(6)
    world.put(51, heard(tokens, BROKER, 51), help_form(gateway.token(), life_threat=True))
    world.run(100)
    assert {kind_of(frame.payload) for frame in world.packets(51, MESH)} == {Kind.PIECE}


def test_a_turn_that_the_disk_refused_loses_nothing_that_was_carried(
    tmp_path: Path, clock: Clock, lone: KioskSite, center: CoordinatorSite
) -> None:
    world = ether(tmp_path, lone, center, (51,))
    gateway = world.stations[51].site
    (frame,) = frames(lone.turn(help_form(lone.token())), MESH)
    gateway.turn(heard(frame.payload))
    clock.advance_s(6)

    def fail() -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        gateway.turn(stop=fail)
    (carried,) = frames(gateway.turn(), BROKER)
    assert (carried.payload, carried.carrier) == (frame.payload, 51)
    assert frames(gateway.turn(ended(carried))) == []


def test_a_receipt_for_its_own_heartbeat_that_comes_twice_is_not_put_on_the_air(
    tmp_path: Path, lone: KioskSite, center: CoordinatorSite
) -> None:
    world = ether(tmp_path, lone, center, (51,))
    gateway = world.stations[51].site.engine
    assert world.run(120, lambda: gateway.counts["heartbeats_receipted"] == 1)
    receipt = world.packets(COORDINATOR, BROKER, Kind.TOKENS)[-1]
    world.put(51, heard(receipt.payload, BROKER, 51))
    world.run(10)
    assert (gateway.counts["tokens_matched"], gateway.counts["heartbeats_receipted"]) == (2, 1)
    assert world.packets(51, MESH) == []
