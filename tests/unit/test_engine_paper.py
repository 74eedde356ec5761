"""A request that is carried on paper: from the kiosk's ledger to the desk, over no road at all."""

import random
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from steunpunt.ledger import outgoing
from steunpunt.ledger.tables import cases, sites
from steunpunt.model import PaperScanned, ReplyTo, SendFrame, TicketState
from steunpunt.protocol import paper
from steunpunt.protocol.packets import Kind, kind_of
from steunpunt.protocol.paper import PaperMessage
from tests.fakes.sites import MESH_UP, Clock, CoordinatorSite, KioskSite, frames, heard, noise, seeded

WORDS = "Vader ademt zwaar en het water stijgt"


def on_paper(kiosk: KioskSite, counter: int = 1) -> PaperMessage:
    """Return the kiosk's request as it is read from its codes."""
    row = outgoing.sealed_request(kiosk.ledger.connection, counter)
    (message,) = paper.read("\n".join(paper.codes(kiosk.keys.site, row.n, 0x90, row.e_pub, row.piece))).messages
    return message


def scan(center: CoordinatorSite, message: PaperMessage) -> dict[str, Any]:
    (effect,) = [one for one in center.turn(PaperScanned(message.packets, object())) if isinstance(one, ReplyTo)]
    return effect.body


@pytest.mark.parametrize("words", [WORDS, noise(200)])
def test_paper_makes_the_case_that_any_road_makes(kiosk: KioskSite, center: CoordinatorSite, words: str) -> None:
    kiosk.ask(words)
    told = scan(center, on_paper(kiosk))
    case = center.only_case()
    assert told == {"ok": True, "number": "47-1", "case_id": case.id, "repeated": False}
    assert (case.text, case.links, case.age_at_least) == (words, ("paper",), True)
    assert [event.kind for event in case.events] == ["received", "paper"]


def test_the_same_paper_again_and_the_radio_after_it_make_no_second_case(
    kiosk: KioskSite, center: CoordinatorSite
) -> None:
    kiosk.ask(WORDS)
    message = on_paper(kiosk)
    scan(center, message)
    assert scan(center, message)["repeated"] is True
    center.turn(MESH_UP)
    center.turn(heard(frames(kiosk.turn(MESH_UP))[0].payload))
    case = center.only_case()
    assert case.links == ("mesh", "paper")
    assert [event.kind for event in case.events] == ["received", "paper"]


def test_the_copy_by_radio_earns_the_receipt_that_paper_could_not_bring(
    kiosk: KioskSite, center: CoordinatorSite, clock: Clock
) -> None:
    kiosk.ask(WORDS)
    center.turn(MESH_UP)
    assert [one for one in center.turn(PaperScanned(on_paper(kiosk).packets)) if isinstance(one, SendFrame)] == []
    center.turn(heard(frames(kiosk.turn(MESH_UP))[0].payload))
    clock.boot_ms += 60_000
    tokens = [frame for frame in frames(center.turn()) if kind_of(frame.payload) is Kind.TOKENS]
    kiosk.turn(heard(tokens[0].payload))
    assert kiosk.ticket("47-1").state is TicketState.RECEIVED


def test_a_case_from_the_radio_tells_that_paper_came_too(kiosk: KioskSite, center: CoordinatorSite) -> None:
    kiosk.ask(WORDS)
    center.turn(heard(frames(kiosk.turn(MESH_UP))[0].payload))
    told = scan(center, on_paper(kiosk))
    assert (told["repeated"], center.only_case().links) == (True, ("mesh", "paper"))


def test_a_paper_of_another_region_or_a_forged_one_changes_nothing(
    kiosk: KioskSite, center: CoordinatorSite, rng: random.Random
) -> None:
    kiosk.ask(WORDS)
    message = on_paper(kiosk)
    packet = bytearray(message.packets[0])
    packet[12] ^= 1
    told = scan(center, PaperMessage(47, 0, (bytes(packet),)))
    assert (told["ok"], told["error"]) == (False, "foreign")
    told = scan(center, PaperMessage(47, 0, (rng.randbytes(3),)))
    assert (told["ok"], told["error"]) == (False, "damaged")
    assert center.ledger.connection.execute(sa.select(cases)).all() == []


def test_a_part_of_a_long_paper_is_no_case(kiosk: KioskSite, center: CoordinatorSite) -> None:
    kiosk.ask(noise(200))
    message = on_paper(kiosk)
    assert len(message.packets) > 1
    told = scan(center, PaperMessage(47, message.n, message.packets[1:]))
    assert (told["ok"], told["error"]) == (False, "damaged")
    assert scan(center, message)["repeated"] is False


def test_paper_says_nothing_of_where_a_site_is_heard(kiosk: KioskSite, center: CoordinatorSite) -> None:
    kiosk.ask(WORDS)
    scan(center, on_paper(kiosk))
    assert center.ledger.connection.execute(sa.select(sites)).all() == []


def test_what_was_held_of_the_epoch_opens_with_the_paper_and_did_not_come_on_paper(
    kiosk: KioskSite, center: CoordinatorSite
) -> None:
    kiosk.ask("eerste")
    kiosk.ask("tweede")
    second = on_paper(kiosk, 2)
    held = bytearray(second.packets[0][:-32])  # as it came over the mesh, without its hello
    held[0] &= ~0x2
    center.turn(heard(bytes(held)))
    scan(center, on_paper(kiosk, 1))
    links = {case.text: case.links for case in center.desk.cases()}
    assert links == {"eerste": ("paper",), "tweede": ("mesh",)}


def test_nothing_of_the_words_or_the_code_is_on_the_paper(tmp_path: Path, clock: Clock) -> None:
    kiosk = KioskSite(tmp_path / "k", clock, seeded(9))
    kiosk.ask(WORDS)
    content = b"".join(on_paper(kiosk).packets)
    assert not any(WORDS[start : start + 4].encode() in content for start in range(len(WORDS) - 4))
