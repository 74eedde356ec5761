"""How far a packet may travel: back over as many radios as the other end's came by and one more, then as far as any."""

from pathlib import Path

import pytest

from steunpunt.links.mesh_terms import hop_limit
from steunpunt.model import Category, FrameHeard, LinkName, SenderFunction, SendFrame
from steunpunt.protocol.packets import Kind, kind_of
from steunpunt.relay import outbox
from steunpunt.relay.reassembly import WANTS_MAX
from tests.fakes.sites import MESH_UP, Clock, CoordinatorSite, KioskSite, ended, frames, help_form, noise, seeded

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
        self.center.turn(self.heard(frame, KIOSK_RADIO, hops))
        due_ms = self.center.due_ms()
        assert due_ms is not None
        self.center.clock.boot_ms = max(self.center.clock.boot_ms, due_ms)
        (receipt,) = frames(self.center.turn(), LinkName.MESH)
        self.center.turn(ended(receipt))
        return receipt

    def receipted(self, receipt: SendFrame, hops: int | None = HOPS) -> None:
        self.kiosk.turn(self.heard(receipt, REGION_RADIO, hops))

    def replies(self, count: int) -> list[SendFrame]:
        """Return the next packets of the coordinator, none of which arrives."""
        sent: list[SendFrame] = []
        while len(sent) < count:
            for frame in frames(self.center.turn(), LinkName.MESH):
                sent.append(frame)
                self.center.turn(ended(frame))
            if len(sent) < count:
                due_ms = self.center.due_ms()
                assert due_ms is not None
                self.center.clock.boot_ms = max(self.center.clock.boot_ms, due_ms)
        return sent

    def heard(self, frame: SendFrame, sender: int, hops: int | None) -> FrameHeard:
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


@pytest.mark.parametrize("life_threat", [False, True])
def test_an_answer_goes_one_radio_further_than_its_site_was_heard_then_any_way_then_over_more(
    region: Region, *, life_threat: bool
) -> None:
    region.arrives(region.ask("Mijn buurman ademt zwaar", life_threat=life_threat))
    case = region.center.only_case().id
    region.center.desk.take_up(case, "Anna", token="t1")
    region.center.desk.answer(case, "Anna", SenderFunction.MEDICAL, "Leg hem neer", token="t2")
    usual = outbox.LIFE_TRIES_USUAL if life_threat else outbox.TRIES_USUAL
    told = [frame for frame in region.replies(2 * usual + 2) if kind_of(frame.payload) is Kind.ANSWER]
    assert [frame.hops_max for frame in told] == [HOPS + 1] + [None] * usual
    assert [frame.hops_more for frame in told] == [0] * usual + [outbox.HOPS_MORE]


def test_who_was_heard_from_beyond_the_usual_reach_is_told_as_far_away_at_once(region: Region) -> None:
    region.arrives(region.ask("Wij hebben geen water meer"), hops=5)
    region.center.desk.take_up(region.center.only_case().id, "Anna", token="t")
    (told,) = region.replies(1)
    assert hop_limit(told, 3) == 5


def test_the_rest_of_a_message_is_asked_for_as_far_as_it_came_then_any_way_then_over_more(region: Region) -> None:
    region.center.turn(region.heard(region.ask(noise(200)), KIOSK_RADIO, HOPS))
    asked = region.replies(WANTS_MAX)
    assert {kind_of(frame.payload) for frame in asked} == {Kind.WANT}
    assert [frame.hops_max for frame in asked] == [HOPS + 1] + [None] * (WANTS_MAX - 1)
    more = WANTS_MAX - outbox.TRIES_USUAL
    assert [frame.hops_more for frame in asked] == [0] * outbox.TRIES_USUAL + [outbox.HOPS_MORE] * more


@pytest.mark.parametrize(("hops", "more"), [(HOPS, 0), (5, outbox.HOPS_MORE)])
def test_the_hello_of_who_was_heard_from_afar_is_asked_for_as_far_away(region: Region, hops: int, more: int) -> None:
    region.receipted(region.arrives(region.ask("Wij hebben geen water meer")))
    later = region.ask("Er is ook geen brood")
    stranger = CoordinatorSite(region.center.path.parent.parent / "stranger", region.center.clock, seeded(3))
    stranger.turn(MESH_UP)
    (asked,) = frames(stranger.turn(region.heard(later, KIOSK_RADIO, hops)), LinkName.MESH)
    assert (kind_of(asked.payload), asked.hops_max, asked.hops_more) == (Kind.WANT_HELLO, None, more)
