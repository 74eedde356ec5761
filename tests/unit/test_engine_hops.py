"""How far a packet may travel: back over as many radios as the other end's came by and one more, then as far as any."""

from pathlib import Path

import pytest

from steunpunt.model import Category, FrameHeard, LinkName, SendFrame
from steunpunt.relay import outbox
from tests.fakes.sites import MESH_UP, Clock, CoordinatorSite, KioskSite, ended, frames, help_form, seeded

KIOSK_RADIO, REGION_RADIO = 0x47, 0x1
HOPS = 1


class Region:
    """A kiosk and a coordinator whose packets pass over one radio between them."""

    def __init__(self, folder: Path) -> None:
        clock = Clock()
        self.kiosk = KioskSite(folder / "kiosk", clock, seeded(1))
        self.center = CoordinatorSite(folder / "center", clock, seeded(2))
        self.kiosk.turn(MESH_UP)
        self.center.turn(MESH_UP)
        self._packet_id = 100

    def ask(self, text: str, *, life_threat: bool = False) -> SendFrame:
        """Return the packet of a new request; the radio takes it."""
        form = help_form(self.kiosk.token(), text, life_threat=life_threat, category=Category.MEDICAL)
        (frame,) = frames(self.kiosk.turn(form), LinkName.MESH)
        self.kiosk.turn(ended(frame))
        return frame

    def arrives(self, frame: SendFrame, hops: int | None = HOPS) -> SendFrame:
        """Let a packet of the kiosk's arrive; returns the packet with its receipt."""
        self.center.turn(self._heard(frame, KIOSK_RADIO, hops))
        due_ms = self.center.due_ms()
        assert due_ms is not None
        self.center.clock.boot_ms = max(self.center.clock.boot_ms, due_ms)
        (receipt,) = frames(self.center.turn(), LinkName.MESH)
        self.center.turn(ended(receipt))
        return receipt

    def receipted(self, receipt: SendFrame, hops: int | None = HOPS) -> None:
        self.kiosk.turn(self._heard(receipt, REGION_RADIO, hops))

    def _heard(self, frame: SendFrame, sender: int, hops: int | None) -> FrameHeard:
        self._packet_id += 1
        return FrameHeard(LinkName.MESH, frame.payload, sender=sender, packet_id=self._packet_id, hops=hops)


@pytest.fixture(name="region")
def fixture_region(tmp_path: Path) -> Region:
    return Region(tmp_path)


def next_try(kiosk: KioskSite) -> SendFrame:
    """Walk to the next packet for the radio."""
    while not (sent := frames(kiosk.turn(), LinkName.MESH)):
        due_ms = kiosk.due_ms()
        assert due_ms is not None
        kiosk.clock.boot_ms = max(kiosk.clock.boot_ms, due_ms)
    (frame,) = sent
    kiosk.turn(ended(frame))
    return frame


def test_before_the_region_spoke_a_request_may_go_as_far_as_the_radio_lets_it(region: Region) -> None:
    assert region.ask("Wij hebben geen water meer").hops_max is None


def test_a_request_goes_one_radio_further_than_the_last_receipt_came_and_then_any_way(region: Region) -> None:
    region.receipted(region.arrives(region.ask("Wij hebben geen water meer")))
    first = region.ask("Er is ook geen brood")
    assert (first.hops_max, first.destination) == (HOPS + outbox.HOPS_MARGIN, REGION_RADIO)
    assert next_try(region.kiosk).hops_max is None


def test_a_life_threat_may_always_take_any_way(region: Region) -> None:
    region.receipted(region.arrives(region.ask("Wij hebben geen water meer")))
    assert region.ask("Zij ademt niet meer", life_threat=True).hops_max is None


def test_a_life_threat_that_two_tries_did_not_bring_goes_further_and_so_does_its_receipt(region: Region) -> None:
    region.receipted(region.arrives(region.ask("Wij hebben geen water meer")))
    first = region.ask("Zij ademt niet meer", life_threat=True)
    assert next_try(region.kiosk).hops_more == 0
    third = next_try(region.kiosk)
    assert (third.hops_max, third.hops_more) == (None, outbox.HOPS_MORE)
    assert region.arrives(first).hops_more == 0
    receipt = region.arrives(third, hops=5)
    assert (receipt.hops_max, receipt.hops_more) == (None, outbox.HOPS_MORE)


def test_a_receipt_for_what_came_again_from_afar_goes_further(region: Region) -> None:
    first = region.ask("Wij hebben geen water meer")
    region.arrives(first, hops=3)
    assert region.arrives(next_try(region.kiosk), hops=3).hops_more == outbox.HOPS_MORE


def test_a_receipt_goes_one_radio_further_than_its_request_came(region: Region) -> None:
    assert region.arrives(region.ask("Wij hebben geen water meer")).hops_max == HOPS + 1


def test_a_receipt_for_what_came_again_may_take_any_way(region: Region) -> None:
    first = region.ask("Wij hebben geen water meer")
    region.arrives(first)
    assert region.arrives(next_try(region.kiosk)).hops_max is None


def test_where_a_packet_does_not_say_how_far_it_came_nothing_is_cut_short(region: Region) -> None:
    receipt = region.arrives(region.ask("Wij hebben geen water meer"), hops=None)
    assert receipt.hops_max is None
    region.receipted(receipt, hops=None)
    assert region.ask("Er is ook geen brood").hops_max is None


def test_a_sign_of_life_goes_no_further_than_it_must(region: Region) -> None:
    region.receipted(region.arrives(region.ask("Wij hebben geen water meer")))
    beat = next_try(region.kiosk)
    assert (beat.hops_max, beat.destination) == (HOPS, REGION_RADIO)
    assert beat.answers is not None
    assert next_try(region.kiosk).hops_max is None
