"""A form becomes one ticket: the same form again is the same ticket, and nothing that was written stays on the disk."""

import random
from pathlib import Path
from typing import Any

import pytest

from steunpunt.facts import CALLBACK_BYTES_MAX, Facts, Flag, Mark, Place
from steunpunt.ledger import outgoing
from steunpunt.ledger.boardrows import board
from steunpunt.ledger.tables import messages, tickets
from steunpunt.model import TEXT_CHARS_MAX, Category, Lane, SupplementCode
from steunpunt.protocol import forms
from steunpunt.values import replace
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
    more_form,
    seeded,
)


@pytest.fixture
def rng() -> random.Random:
    return seeded(1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kiosk(tmp_path: Path, clock: Clock, rng: random.Random) -> KioskSite:
    return KioskSite(tmp_path / "kiosk", clock, rng)


@pytest.fixture
def center(tmp_path: Path, clock: Clock, rng: random.Random) -> CoordinatorSite:
    return CoordinatorSite(tmp_path / "coordinator", clock, rng)


def arrive(kiosk: KioskSite, center: CoordinatorSite) -> None:
    """Bring what the kiosk sends to the coordinator."""
    waiting = frames(kiosk.turn(MESH_UP))
    while waiting:
        center.turn(heard(waiting[0].payload))
        waiting = frames(kiosk.turn(ended(waiting[0])))


def test_a_test_request_is_never_on_the_waiting_board_not_even_after_a_power_cut(kiosk: KioskSite) -> None:
    kiosk.ask(mark=Mark.TEST)  # one turn, one commit: there is no moment between the ticket and its mark
    real = kiosk.ask()
    kiosk.restart()
    lines, more = board(kiosk.ledger.connection, kiosk.ledger.clock.now_ms())
    assert ([line.counter for line in lines], more) == ([2], 0)
    assert real["number"] == "47-2"


def test_the_first_ticket_is_number_one_and_the_next_number_two(kiosk: KioskSite) -> None:
    assert [kiosk.ask()["number"], kiosk.ask()["number"]] == ["47-1", "47-2"]


def test_the_same_form_is_the_same_ticket_also_after_a_restart_and_when_too_old_by_then(
    kiosk: KioskSite, clock: Clock
) -> None:
    token = kiosk.token()
    first = answer_in(kiosk.turn(help_form(token)))
    again = answer_in(kiosk.turn(help_form(token)))
    kiosk.restart()
    clock.advance_s(forms.FORM_AGE_S_MAX + 60)
    later = answer_in(kiosk.turn(help_form(token)))
    assert first["repeated"] is False
    assert again == later == {**first, "repeated": True}
    assert len(kiosk.rows(tickets)) == len(kiosk.rows(messages)) == 1


def test_the_same_form_twice_in_one_batch_is_one_ticket(kiosk: KioskSite) -> None:
    token = kiosk.token()
    effects = kiosk.turn(help_form(token), help_form(token))
    one, two = (answer_in([effect]) for effect in effects)
    assert (one["number"], one["secret"]) == (two["number"], two["secret"])
    assert len(kiosk.rows(tickets)) == 1


def test_a_form_whose_commit_failed_can_be_sent_again(kiosk: KioskSite) -> None:
    token = kiosk.token()

    def fail() -> None:
        raise OSError("no power")

    with pytest.raises(OSError, match="no power"):
        kiosk.turn(help_form(token), stop=fail)
    assert kiosk.rows(tickets) == []
    assert answer_in(kiosk.turn(help_form(token)))["repeated"] is False


@pytest.mark.parametrize("spoilt", ["", "geen token", "{token}A", "é{token}", "{head}AA", " {token}", "\ud800"])
def test_a_forged_token_is_refused(kiosk: KioskSite, spoilt: str) -> None:
    token = kiosk.token()
    answer = answer_in(kiosk.turn(help_form(spoilt.format(token=token, head=token[:-2]))))
    assert (answer["ok"], answer["error"]) == (False, "token_invalid")
    assert kiosk.rows(tickets) == []


def test_a_token_expires_in_ledger_time(kiosk: KioskSite, clock: Clock) -> None:
    token = kiosk.token()
    clock.advance_s(forms.FORM_AGE_S_MAX)
    other = kiosk.token()
    clock.advance_s(1)
    assert answer_in(kiosk.turn(help_form(token)))["error"] == "token_expired"
    assert answer_in(kiosk.turn(help_form(other)))["ok"]


def test_a_form_used_for_help_is_not_a_supplement_and_nobody_is_told_it_was_kept(kiosk: KioskSite) -> None:
    token = kiosk.token()
    number = answer_in(kiosk.turn(help_form(token)))["number"]
    answer = answer_in(kiosk.turn(more_form(token, number, SupplementCode.QUESTION, "Hoe lang nog?")))
    assert (answer["ok"], answer["error"]) == (False, "token_invalid")


def test_a_form_used_for_a_supplement_is_not_a_help_request(kiosk: KioskSite) -> None:
    number = kiosk.ask()["number"]
    token = kiosk.token()
    assert answer_in(kiosk.turn(more_form(token, number)))["ok"]
    assert answer_in(kiosk.turn(help_form(token)))["error"] == "token_invalid"
    assert len(kiosk.rows(tickets)) == 1


def test_the_same_supplement_form_adds_once(kiosk: KioskSite) -> None:
    number = kiosk.ask()["number"]
    form = more_form(kiosk.token(), number, SupplementCode.QUESTION, "Hoe lang nog?")
    first, again = answer_in(kiosk.turn(form)), answer_in(kiosk.turn(form))
    assert (first["repeated"], again["repeated"]) == (False, True)
    assert len(kiosk.rows(messages)) == 2


@pytest.mark.parametrize("number", ["", "47-2", "48-1", "abc", "47", "0-0", "99999-999999"])
def test_a_supplement_to_no_ticket_of_this_site_is_refused(kiosk: KioskSite, number: str) -> None:
    kiosk.ask()
    assert answer_in(kiosk.turn(more_form(kiosk.token(), number)))["error"] == "unknown_ticket"


def test_the_longest_request_fits_and_arrives_unchanged(kiosk: KioskSite, center: CoordinatorSite) -> None:
    text, callback = "€" * (TEXT_CHARS_MAX - 1) + "x", "é" * (CALLBACK_BYTES_MAX // 2)
    kiosk.turn(help_form(kiosk.token(), text, people=99, callback=callback, language="uk", life_threat=True))
    arrive(kiosk, center)
    case = center.only_case()
    assert (case.text, case.facts.callback, case.facts.people, case.language) == (text, callback, 99, "uk")


def test_words_are_composed_and_line_ends_are_one_kind(kiosk: KioskSite, center: CoordinatorSite) -> None:
    kiosk.ask("  cafe\u0301\r\nachter de kerk\rlinks \t\n")
    arrive(kiosk, center)
    assert center.only_case().text == "café\nachter de kerk\nlinks"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"text": "a" * (TEXT_CHARS_MAX + 1)}, "text_too_long"),
        ({"text": "€" * (TEXT_CHARS_MAX + 1)}, "text_too_long"),
        ({"text": UNSHORTENED}, "text_too_long"),
        ({"text": "een\0twee"}, "control_characters"),
        ({"text": "een\x1b[31mtwee"}, "control_characters"),
        ({"text": "half \ud83d teken"}, "control_characters"),
        ({"callback": "0" * (CALLBACK_BYTES_MAX + 1)}, "callback_too_long"),
        ({"callback": "0" * 1_000}, "callback_too_long"),
        ({"callback": "06\x0712"}, "control_characters"),
        ({"people": -1}, "bad_request"),
        ({"people": 100}, "bad_request"),
        ({"language": "xx"}, "bad_request"),
        ({"category": Category.BUTTON}, "bad_request"),
    ],
)
def test_what_cannot_be_sent_is_refused_and_the_same_form_can_be_sent_mended(
    kiosk: KioskSite, fields: dict[str, Any], error: str
) -> None:
    token = kiosk.token()
    assert answer_in(kiosk.turn(help_form(token, **fields)))["error"] == error
    assert kiosk.rows(tickets) == []
    assert answer_in(kiosk.turn(help_form(token)))["repeated"] is False


def test_how_many_characters_are_too_many_is_told(kiosk: KioskSite) -> None:
    answer = answer_in(kiosk.turn(help_form(kiosk.token(), "é" * 2_007)))
    assert answer["characters_over"] == 7


def test_what_does_not_compress_is_refused_and_fits_without_the_characters_that_are_told(kiosk: KioskSite) -> None:
    over = answer_in(kiosk.turn(help_form(kiosk.token(), UNSHORTENED)))["characters_over"]
    assert isinstance(over, int)
    assert 0 < over < len(UNSHORTENED) // 2
    assert answer_in(kiosk.turn(help_form(kiosk.token(), UNSHORTENED[:-over])))["ok"] is True


def test_nothing_that_was_written_and_no_secret_is_in_any_file_of_the_kiosk(
    kiosk: KioskSite, center: CoordinatorSite, tmp_path: Path
) -> None:
    canaries = ["kanarie in de mijn", "0612345678", "zij ademt niet meer"]
    answer = kiosk.ask(canaries[0], callback=canaries[1])
    secret = str(answer["secret"])
    kiosk.turn(more_form(kiosk.token(), answer["number"], SupplementCode.QUESTION, canaries[2]))
    arrive(kiosk, center)
    files = [path for path in (tmp_path / "kiosk").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} >= {".db", ".db-wal"}
    found = b"".join(path.read_bytes() for path in files)
    for canary in [*canaries, secret, secret.replace("-", "")]:
        for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
            assert canary.encode(encoding) not in found
            assert canary.lower().encode(encoding) not in found.lower()
    assert center.only_case().text == canaries[0]  # the search above would have found it: the words were there


def test_more_messages_than_an_epoch_has_numbers_begin_a_new_one_and_all_open(
    kiosk: KioskSite, center: CoordinatorSite
) -> None:
    number = kiosk.ask()["number"]
    for i in range(260):
        kiosk.turn(more_form(kiosk.token(), number, SupplementCode.QUESTION, f"vraag {i}"))
    sending = frames(kiosk.turn(MESH_UP))
    while sending:
        center.turn(heard(sending[0].payload))
        sending = frames(kiosk.turn(ended(sending[0])))
    assert len({row[5] for row in kiosk.rows(messages)}) == 2
    told = {event.text for event in center.only_case().events if event.kind == "supplement"}
    assert told == {f"vraag {i}" for i in range(260)}


TOLD = Facts(
    people=4,
    injured=2,
    flags=frozenset({Flag.UNCONSCIOUS}),
    place=Place(postcode="6211AB", house_number=12, floor=2, access="achterom"),
    callback="0612345678",
    name="Truus",
    mark=Mark.TEST,
    on_behalf=True,
)


def test_all_that_is_told_reaches_the_desk(kiosk: KioskSite, center: CoordinatorSite) -> None:
    typed = replace(TOLD, callback="+31 6 1234-5678", place=replace(TOLD.place, postcode=" 6211 ab"))
    kiosk.turn(help_form(kiosk.token(), facts=typed))
    arrive(kiosk, center)
    assert center.only_case().facts == TOLD


def test_what_is_told_later_is_added_and_the_latest_word_counts(kiosk: KioskSite, center: CoordinatorSite) -> None:
    number = answer_in(kiosk.turn(help_form(kiosk.token(), facts=TOLD)))["number"]
    later = Facts(people=5, flags=frozenset({Flag.MEDICINE}), mark=Mark.REAL, place=Place(position=(50.85, 5.69)))
    for facts in (Facts(children=1), later):
        form = more_form(kiosk.token(), number, SupplementCode.DETAILS)
        kiosk.turn(replace(form, facts=facts))
    sending = frames(kiosk.turn(MESH_UP))
    while sending:
        center.turn(heard(sending[0].payload))
        sending = frames(kiosk.turn(ended(sending[0])))
    found = center.only_case().facts
    assert found.place.position is not None
    assert found == replace(
        TOLD,
        people=5,
        children=1,
        flags=frozenset({Flag.UNCONSCIOUS, Flag.MEDICINE}),
        mark=Mark.REAL,
        place=Place(position=found.place.position),
    )


@pytest.mark.parametrize(
    ("facts", "error"),
    [
        (Facts(injured=100), "bad_request"),
        (Facts(returns_min=631), "bad_request"),
        (Facts(paper_age_s=float("nan")), "bad_request"),
        (Facts(paper_age_s=400_000), "bad_request"),
        (Facts(name="x" * 41), "name_too_long"),
        (Facts(place=Place(postcode="621 AB")), "bad_postcode"),
        (Facts(place=Place(house_number=-1)), "bad_request"),
        (Facts(place=Place(floor=56)), "bad_request"),
        (Facts(place=Place(position=(91.0, 0.0))), "bad_request"),
        (Facts(place=Place(position=(0.0, float("nan")))), "bad_request"),
        (Facts(place=Place(access="x" * 81)), "access_too_long"),
        (Facts(place=Place(addition="123456789")), "addition_too_long"),
    ],
)
def test_facts_that_cannot_travel_are_refused(kiosk: KioskSite, facts: Facts, error: str) -> None:
    number = kiosk.ask()["number"]
    assert answer_in(kiosk.turn(help_form(kiosk.token(), facts=facts)))["error"] == error
    more = replace(more_form(kiosk.token(), number, SupplementCode.DETAILS), facts=facts)
    assert answer_in(kiosk.turn(more))["error"] == error


def supplements(center: CoordinatorSite) -> list[SupplementCode | None]:
    return [event.code for event in center.only_case().events if event.kind == "supplement"]


@pytest.mark.parametrize("sent_before", [False, True])
def test_yes_after_no_on_the_same_form_raises_the_case_to_a_life_threat_exactly_once(
    kiosk: KioskSite, center: CoordinatorSite, *, sent_before: bool
) -> None:
    token = kiosk.token()
    first = answer_in(kiosk.turn(help_form(token, category=Category.MEDICAL)))
    if sent_before:
        arrive(kiosk, center)
        assert center.only_case().lane is Lane.URGENT
    for _ in range(3):
        effects = kiosk.turn(help_form(token, category=Category.MEDICAL, life_threat=True))
        assert answer_in(effects) == {**first, "repeated": True}
        for frame in frames(effects):
            center.turn(heard(frame.payload))
            kiosk.turn(ended(frame))
    assert kiosk.ticket(first["number"]).life_threat is True
    assert len(kiosk.rows(messages)) == 2
    arrive(kiosk, center)
    assert (center.only_case().lane, center.only_case().life_threat) == (Lane.LIFE_THREAT, True)
    assert supplements(center) == [SupplementCode.LIFE_THREAT]


def test_yes_and_no_in_one_batch_is_a_life_threat_in_either_order(kiosk: KioskSite) -> None:
    for answers in ((False, True), (True, False)):
        token = kiosk.token()
        effects = kiosk.turn(*(help_form(token, life_threat=answer) for answer in answers))
        number = answer_in(effects[:1])["number"]
        assert kiosk.ticket(number).life_threat is True
    assert len(kiosk.rows(tickets)) == 2
    assert len(kiosk.rows(messages)) == 3


def test_no_after_yes_takes_no_life_threat_back(kiosk: KioskSite) -> None:
    token = kiosk.token()
    number = answer_in(kiosk.turn(help_form(token, life_threat=True)))["number"]
    kiosk.turn(help_form(token, life_threat=False))
    assert kiosk.ticket(number).life_threat is True
    assert len(kiosk.rows(messages)) == 1


def test_a_raise_whose_commit_failed_is_made_by_the_next_tap(kiosk: KioskSite) -> None:
    token = kiosk.token()
    number = answer_in(kiosk.turn(help_form(token)))["number"]

    def fail() -> None:
        raise OSError("no power")

    with pytest.raises(OSError, match="no power"):
        kiosk.turn(help_form(token, life_threat=True), stop=fail)
    assert kiosk.ticket(number).life_threat is False
    assert len(kiosk.rows(messages)) == 1
    kiosk.restart()
    assert answer_in(kiosk.turn(help_form(token, life_threat=True)))["number"] == number
    assert kiosk.ticket(number).life_threat is True
    assert len(kiosk.rows(messages)) == 2


def test_a_raised_request_and_what_is_added_to_it_go_in_the_first_lane(kiosk: KioskSite) -> None:
    token = kiosk.token()
    number = answer_in(kiosk.turn(help_form(token)))["number"]
    kiosk.turn(help_form(token, life_threat=True))
    kiosk.turn(more_form(kiosk.token(), number))
    with kiosk.ledger.transaction() as connection:
        assert [message.lane for message in outgoing.waiting(connection)] == [Lane.LIFE_THREAT] * 3


def test_a_raise_that_overtakes_its_request_still_raises_it(kiosk: KioskSite, center: CoordinatorSite) -> None:
    token = kiosk.token()
    kiosk.turn(help_form(token, UNSHORTENED[:120]))
    lost = frames(kiosk.turn(MESH_UP))[0]
    kiosk.turn(help_form(token, life_threat=True))
    later = []
    waiting = frames(kiosk.turn(ended(lost)))
    while waiting:
        later.append(waiting[0].payload)
        waiting = frames(kiosk.turn(ended(waiting[0])))
    for payload in [*reversed(later), lost.payload]:
        center.turn(heard(payload))
    assert center.only_case().lane is Lane.LIFE_THREAT
