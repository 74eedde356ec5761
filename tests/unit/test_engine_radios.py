"""A coordinator with several radios: each site is answered by the one that hears it; one that fails stops none."""

import random
from pathlib import Path

import pytest

from steunpunt.engine.common import Links
from steunpunt.ledger import incoming
from steunpunt.model import MAIN_RADIO, FrameHeard, LinkChanged, LinkName, SendFrame, SendOutcome
from steunpunt.protocol.packets import Kind, kind_of
from steunpunt.relay.replies import TOKEN_GATHER_MS, TOKEN_PACE_MS, TRIES_PER_RADIO
from steunpunt.values import replace
from tests.fakes.sites import MESH_UP, Clock, CoordinatorSite, KioskSite, ended, frames, heard, seeded

MESH = LinkName.MESH
HILL = "hill"
HILL_UP = LinkChanged(MESH, up=True, reason="radio on the hill", radio=HILL)
HILL_DOWN = LinkChanged(MESH, up=False, reason="unplugged", radio=HILL)


@pytest.fixture
def rng() -> random.Random:
    return seeded(5)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def center(tmp_path: Path, clock: Clock, rng: random.Random) -> CoordinatorSite:
    made = CoordinatorSite(tmp_path / "coordinator", clock, rng)
    made.turn(MESH_UP, HILL_UP)
    return made


@pytest.fixture
def kiosks(tmp_path: Path, clock: Clock, rng: random.Random) -> tuple[KioskSite, KioskSite]:
    return KioskSite(tmp_path / "47", clock, rng, 47), KioskSite(tmp_path / "48", clock, rng, 48)


def piece_of(kiosk: KioskSite, text: str = "Wij hebben water nodig") -> bytes:
    """Return the packet that a kiosk sends for a new request."""
    kiosk.ask(text)
    sent = frames(kiosk.turn(MESH_UP), MESH)
    kiosk.turn(*(ended(frame) for frame in sent))
    return sent[-1].payload


def by(radio: str, payload: bytes, packet_id: int | None = None) -> FrameHeard:
    return replace(heard(payload), radio=radio, packet_id=packet_id)


def receipts(center: CoordinatorSite, clock: Clock) -> list[SendFrame]:
    clock.advance_s(TOKEN_GATHER_MS / 1000)
    sent = frames(center.turn(), MESH)
    assert all(kind_of(frame.payload) is Kind.TOKENS for frame in sent)
    return sent


def is_receipted(kiosk: KioskSite, *sent: SendFrame) -> bool:
    kiosk.turn(*(heard(frame.payload) for frame in sent))
    return kiosk.ticket(f"{kiosk.site}-1").state > 1


def test_each_kiosk_is_receipted_by_the_radio_that_heard_it(
    kiosks: tuple[KioskSite, KioskSite], center: CoordinatorSite, clock: Clock
) -> None:
    near, far = kiosks
    center.turn(by(MAIN_RADIO, piece_of(near)), by(HILL, piece_of(far)))
    sent = {frame.radio: frame for frame in receipts(center, clock)}
    assert sent.keys() == {MAIN_RADIO, HILL}
    assert not is_receipted(near, sent[HILL])
    assert is_receipted(near, sent[MAIN_RADIO])
    assert is_receipted(far, sent[HILL])


def test_what_two_radios_hear_is_taken_in_once_and_receipted_once(
    kiosks: tuple[KioskSite, KioskSite], center: CoordinatorSite, clock: Clock
) -> None:
    packet = piece_of(kiosks[0])
    center.turn(by(HILL, packet, 7))
    assert [frame.radio for frame in receipts(center, clock)] == [HILL]
    center.turn(by(MAIN_RADIO, packet, 7))
    assert receipts(center, clock) == []
    assert center.engine.counts["heard_by_another_radio"] == 1
    assert incoming.roads_of(center.ledger.connection, 47).radio == HILL
    clock.advance_s(TOKEN_PACE_MS / 1000)
    center.turn(by(MAIN_RADIO, packet, 8))
    assert [frame.radio for frame in receipts(center, clock)] == [MAIN_RADIO], "another try of the kiosk is answered"
    assert incoming.roads_of(center.ledger.connection, 47).radio == MAIN_RADIO


def test_a_copy_is_not_taken_for_known_when_the_disk_did_not_keep_the_first(
    kiosks: tuple[KioskSite, KioskSite], center: CoordinatorSite
) -> None:
    packet = piece_of(kiosks[0])

    def fail() -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        center.turn(by(HILL, packet, 7), stop=fail)
    center.turn(by(MAIN_RADIO, packet, 7))
    assert center.only_case().text == "Wij hebben water nodig"


def test_garbage_does_not_make_the_true_packet_known(
    kiosks: tuple[KioskSite, KioskSite], center: CoordinatorSite
) -> None:
    packet = piece_of(kiosks[0])
    center.turn(by(HILL, packet[:-1] + bytes([packet[-1] ^ 1]), 7), by(MAIN_RADIO, packet, 7))
    assert center.only_case().links == ("mesh",)


def test_a_receipt_goes_by_another_radio_while_that_one_is_down(
    kiosks: tuple[KioskSite, KioskSite], center: CoordinatorSite, clock: Clock
) -> None:
    center.turn(by(HILL, piece_of(kiosks[1])), HILL_DOWN)
    (frame,) = receipts(center, clock)
    assert frame.radio == MAIN_RADIO
    assert is_receipted(kiosks[1], frame)


def test_a_refused_receipt_goes_again_by_a_radio_that_serves(
    kiosks: tuple[KioskSite, KioskSite], center: CoordinatorSite, clock: Clock
) -> None:
    center.turn(by(HILL, piece_of(kiosks[1])))
    (frame,) = receipts(center, clock)
    center.turn(HILL_DOWN, ended(frame, SendOutcome.REFUSED))
    clock.advance_s(10)
    assert [again.radio for again in frames(center.turn(), MESH)] == [MAIN_RADIO]


def replies(center: CoordinatorSite, clock: Clock, count: int) -> list[str]:
    """Return the radios of the next ``count`` tries of what waits for the mesh."""
    radios: list[str] = []
    for _ in range(3 * count):
        for frame in frames(center.turn(), MESH):
            radios.append(frame.radio)
            center.turn(ended(frame))
        clock.boot_ms = max(clock.boot_ms, center.due_ms() or 0)
    return radios[:count]


def test_a_reply_goes_by_the_radio_that_heard_the_kiosk_last_also_after_a_restart(
    kiosks: tuple[KioskSite, KioskSite], center: CoordinatorSite, clock: Clock
) -> None:
    for radio, kiosk in zip((MAIN_RADIO, HILL), kiosks, strict=True):
        center.turn(by(radio, piece_of(kiosk)))
    for frame in receipts(center, clock):
        center.turn(ended(frame))
    center.restart()
    center.turn(HILL_UP, MESH_UP)
    for case in center.desk.cases():
        center.desk.take_up(case.id, "Jansen", token=f"t{case.id}")
    sent = frames(center.turn(), MESH)
    radios = {frame.radio: frame for frame in sent}
    assert len(sent) == 2
    assert is_receipted(kiosks[0], radios[MAIN_RADIO])
    assert is_receipted(kiosks[1], radios[HILL])


def test_a_reply_that_nobody_acknowledges_is_tried_by_the_other_radio_too(
    kiosks: tuple[KioskSite, KioskSite], center: CoordinatorSite, clock: Clock
) -> None:
    center.turn(by(HILL, piece_of(kiosks[1])))
    assert [frame.radio for frame in receipts(center, clock)] == [HILL]
    center.desk.take_up(center.only_case().id, "Jansen", token="t")
    assert TRIES_PER_RADIO == 2
    assert replies(center, clock, 6) == [HILL, HILL, MAIN_RADIO, MAIN_RADIO, HILL, HILL]


def test_the_mesh_is_up_while_any_radio_is_and_says_how_each_is() -> None:
    links = Links()
    for event, up in ((HILL_DOWN, False), (MESH_UP, True), (HILL_UP, True), (HILL_DOWN, True)):
        links.note(event, 1_000)
        assert links.mesh.up is up
    links.note(replace(MESH_UP, up=False, reason="cable"), 5_000)
    assert (links.mesh.up, links.mesh.reason, links.mesh.since_ms) == (False, "hill: unplugged | main: cable", 5_000)
    assert links.radios_up() == ()
