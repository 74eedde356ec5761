"""A neighbour's offer: sealed to the desk in the lowest lane, a case of its own there."""

from pathlib import Path

import pytest

from steunpunt.engine.offers import WAITING_MAX, OfferMade
from steunpunt.engine.pointstate import StateSet
from steunpunt.facts import Facts, Mark
from steunpunt.ledger.tables import messages
from steunpunt.model import Asked, Category, Lane, PointState, Skill
from tests.fakes.sites import (
    MESH_UP,
    UNSHORTENED,
    Clock,
    CoordinatorSite,
    KioskSite,
    answer_in,
    ended,
    frames,
    heard,
    help_form,
    seeded,
)


@pytest.fixture(name="site")
def fixture_site(tmp_path: Path) -> KioskSite:
    return KioskSite(tmp_path / "kiosk", Clock(), seeded(6))


def offer(token: str, **fields: object) -> Asked:
    said = {"skill": Skill.TRANSPORT, "hours": 4, "text": "Bestelbus met 8 plaatsen", "language": "nl"}
    return Asked(OfferMade(form_token=token, **(said | fields)), object())  # type: ignore[arg-type]


def test_it_is_a_case_at_the_desk_with_skill_hours_and_how_to_be_called(site: KioskSite, tmp_path: Path) -> None:
    center = CoordinatorSite(tmp_path / "center", site.clock, seeded(7))
    center.turn(MESH_UP)
    facts = Facts(callback="0612345678", name="Noor")
    made = answer_in(site.turn(offer(site.token(), facts=facts)))
    for frame in frames(site.turn(MESH_UP)):
        center.turn(heard(frame.payload))
        site.turn(ended(frame))
    case = center.only_case()
    assert (case.number, case.category, case.skill, case.hours) == (made["number"], Category.OFFER, Skill.TRANSPORT, 4)
    assert (case.text, case.facts) == ("Bestelbus met 8 plaatsen", facts)
    assert case.lane is Lane.OTHER
    assert site.ticket(made["number"]).life_threat is False
    for word in (b"Bestelbus", b"Noor", b"0612345678"):
        assert all(word not in path.read_bytes() for path in tmp_path.rglob("ledger.db*") if "kiosk" in path.parts)


def test_whoever_asks_for_help_goes_before_an_offer_that_waited_longer(site: KioskSite) -> None:
    site.turn(offer(site.token()))
    site.clock.advance_s(60)
    site.turn(help_form(site.token()))
    lanes = [(row[1], row[4]) for row in site.rows(messages)]
    assert lanes == [(1, int(max(Lane))), (2, int(Lane.OTHER))]
    first = frames(site.turn(MESH_UP))[0]
    assert first.lane is Lane.OTHER


def test_the_same_form_makes_one_offer(site: KioskSite) -> None:
    token = site.token()
    first = answer_in(site.turn(offer(token)))
    again = answer_in(site.turn(offer(token, text="iets anders")))
    assert again == first | {"repeated": True}
    assert len(site.rows(messages)) == 1


def test_a_flood_of_offers_stops_at_the_limit_and_help_is_still_taken(site: KioskSite) -> None:
    for _ in range(WAITING_MAX):
        assert answer_in(site.turn(offer(site.token(), text="")))["ok"]
    assert answer_in(site.turn(offer(site.token())))["error"] == "too_many_offers"
    assert answer_in(site.turn(help_form(site.token())))["ok"]


def test_what_cannot_be_taken_is_refused_by_name(site: KioskSite) -> None:
    assert answer_in(site.turn(offer(site.token(), hours=64)))["error"] == "bad_request"
    assert answer_in(site.turn(offer(site.token(), language="xx")))["error"] == "bad_request"
    assert answer_in(site.turn(offer("no token")))["error"] == "token_invalid"
    assert answer_in(site.turn(offer(site.token(), text=UNSHORTENED)))["error"] == "text_too_long"
    site.turn(Asked(StateSet(PointState.CLOSED)))
    site.clock.advance_s(2)
    assert answer_in(site.turn(offer(site.token())))["error"] == "closed"
    assert site.rows(messages) == []


def test_an_exercise_that_is_over_marks_no_offer(site: KioskSite, tmp_path: Path) -> None:
    center = CoordinatorSite(tmp_path / "center", site.clock, seeded(7))
    site.turn(offer(site.token(), facts=Facts(mark=Mark.EXERCISE)))
    for frame in frames(site.turn(MESH_UP)):
        center.turn(heard(frame.payload))
    assert center.only_case().facts.mark is Mark.NONE
