"""A coordinator's node after `keys import`: a revoked card makes no case, and a new key of the region costs none."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from steunpunt.facts import Facts
from steunpunt.model import Category, SupplementCode, TokenCode
from steunpunt.protocol.authority import Revocation
from steunpunt.protocol.keys import SiteKeys, epoch_id
from steunpunt.protocol.messages import (
    Acknowledged,
    Acknowledgement,
    HelpRequest,
    Reference,
    Supplement,
    pack,
)
from steunpunt.protocol.pieces import seal
from steunpunt.values import replace
from tests.fakes.region_keys import OFFLINE, REGION_PRIVATE, SITE, coordinator_keys, site_keys
from tests.fakes.sites import MESH_UP, Clock, CoordinatorSite, frames, heard, seeded

NEW_PRIVATE = bytes(range(160, 192))
NEW_PUBLIC = X25519PrivateKey.from_private_bytes(NEW_PRIVATE).public_key().public_bytes_raw()


@pytest.fixture
def center(tmp_path: Path) -> CoordinatorSite:
    return CoordinatorSite(tmp_path / "coordinator", Clock(), seeded(11))


class Epoch:
    """A kiosk's epoch, with the packets of its requests."""

    def __init__(self, card: SiteKeys, number: int) -> None:
        self.card = card
        self.e_pub, self.chain = card.open_epoch(bytes([number]) * 32)

    def packet(self, counter: int, *, hello: bool = True) -> bytes:
        eid = epoch_id(self.e_pub)
        n, keys = self.chain.take()
        request = HelpRequest(counter, Category.SUPPLIES, life_threat=False, text="water")
        return seal(self.card.site, eid, n, keys, pack(request, eid)).packet(0, self.e_pub if hello else None)

    def about_first(self, message: Supplement | Acknowledgement) -> bytes:
        """Seal a message about the epoch's first one."""
        eid = epoch_id(self.e_pub)
        n, keys = self.chain.take()
        return seal(self.card.site, eid, n, keys, pack(message, eid)).packet(0, None)

    @property
    def first(self) -> Reference:
        return Reference(epoch_id(self.e_pub), 0)


def cases(center: CoordinatorSite) -> int:
    return len(center.desk.cases())


def quarantined(center: CoordinatorSite) -> int:
    return sum(case.quarantined for case in center.desk.cases())


def test_a_new_key_of_the_region_costs_no_epoch_that_was_sealed_under_the_old_one(center: CoordinatorSite) -> None:
    known, unknown, new = (
        Epoch(site_keys(), 1),
        Epoch(site_keys(), 2),
        Epoch(replace(site_keys(), region_public=NEW_PUBLIC), 3),
    )
    center.turn(heard(known.packet(1)))
    center.keys = replace(coordinator_keys(), region_private=NEW_PRIVATE, older_region_privates=(REGION_PRIVATE,))
    center.restart()
    center.turn(heard(known.packet(2, hello=False)))
    assert cases(center) == 2
    center.turn(heard(unknown.packet(3)), heard(unknown.packet(4, hello=False)))
    center.turn(heard(new.packet(5)))
    center.restart()
    center.turn(heard(new.packet(6, hello=False)))
    assert cases(center) == 6
    assert center.engine.counts["dropped_unauthentic"] == 0


def test_a_revoked_cards_pieces_go_into_quarantine_and_earn_no_receipt_and_the_new_cards_do(
    center: CoordinatorSite,
) -> None:
    stolen, new = Epoch(site_keys(), 1), Epoch(site_keys(generation=2), 2)
    center.turn(heard(stolen.packet(1)))
    center.keys = replace(coordinator_keys(), notices=(Revocation(((SITE, 1),)).pack(OFFLINE.sign),))
    center.restart()
    center.turn(MESH_UP)
    effects = center.turn(heard(stolen.packet(2, hello=False)), heard(Epoch(site_keys(), 3).packet(3)))
    assert (cases(center), quarantined(center)) == (3, 2), "what was filed before stays, what comes now is doubtful"
    center.clock.advance_s(60)
    assert frames(effects + center.turn()) == [], "and the thief hears nothing"
    center.turn(heard(new.packet(4)))
    other = Epoch(site_keys(48), 4)
    center.turn(heard(other.packet(1)))
    assert (cases(center), quarantined(center)) == (5, 2)


def revoke(center: CoordinatorSite) -> None:
    center.keys = replace(coordinator_keys(), notices=(Revocation(((SITE, 1),)).pack(OFFLINE.sign),))
    center.restart()


def test_a_revoked_card_does_not_say_that_what_was_told_was_heard(center: CoordinatorSite) -> None:
    stolen = Epoch(site_keys(), 1)
    center.turn(MESH_UP, heard(stolen.packet(1)))
    center.desk.take_up(center.only_case().id, "Anna", token="t1")
    revoke(center)
    center.turn(MESH_UP, heard(stolen.about_first(Acknowledgement((Acknowledged(stolen.first, TokenCode.SEEN),)))))
    assert [event.delivered for event in center.only_case().events if event.kind == "seen"] == [False]
    assert center.engine.counts["quarantined_acknowledgements"] == 1


@pytest.mark.parametrize("early", [False, True])
def test_what_a_revoked_card_adds_is_shown_as_doubtful_and_changes_no_case(
    center: CoordinatorSite, *, early: bool
) -> None:
    stolen = Epoch(site_keys(), 1)
    request = stolen.packet(1)
    said = [
        Supplement(stolen.first, SupplementCode.PRESSED_AGAIN, presses=9),
        Supplement(stolen.first, SupplementCode.DETAILS, "ga niet naar binnen", facts=Facts(people=99)),
    ]
    more = [heard(stolen.about_first(supplement)) for supplement in said]
    if early:
        hello = Epoch(site_keys(), 1)
        assert hello.e_pub == stolen.e_pub
        for _ in range(3):
            hello.packet(1)
        center.turn(heard(hello.packet(2)))  # makes the epoch known
    else:
        center.turn(heard(request))
    revoke(center)
    center.turn(*more)
    if early:
        center.turn(heard(request))
    case = next(case for case in center.desk.cases() if case.number.endswith("-1"))
    assert [(event.doubtful, event.text) for event in case.events if event.kind == "supplement"] == [
        (True, ""),
        (True, "ga niet naar binnen"),
    ]
    assert (case.presses, case.facts.people, case.unread_supplements) == (0, 0, 0)
    assert case.quarantined is early
