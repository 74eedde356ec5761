"""What the desk's list says of a case at one look, and what ties cases together."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from steunpunt.control import Client
from steunpunt.ledger.desk import CaseEvent
from steunpunt.model import Lane, SupplementCode, TicketState, TokenCode
from steunpunt.values import replace
from steunpunt_ui.app import create_app
from tests.fakes.memory_desk import CASE, MemoryDesk
from tests.fakes.ui_citizen import words
from tests.fakes.ui_sites import NAME, coordinator_config
from tests.integration.test_ui_desk import act, log_in


@pytest.fixture(name="desk")
def fixture_desk() -> MemoryDesk:
    danger = replace(CASE, id=2, number="52-4", site=52, lane=Lane.LIFE_THREAT, life_threat=True)
    return MemoryDesk(replace(CASE, id=1, number="47-1"), danger)


@pytest.fixture(name="web")
def fixture_web(tmp_path: Path, passwords: Path, desk: MemoryDesk) -> FlaskClient:
    config = coordinator_config(tmp_path / "no-node.sock", passwords)
    web: FlaskClient = create_app(config, Client(tmp_path / "no-node.sock"), desk).test_client()
    log_in(web)
    return web


def adds(desk: MemoryDesk, *events: CaseEvent) -> None:
    """Let this happen to case 1."""
    case = desk.held[1]
    unread = sum(event.kind == "supplement" for event in events)
    desk.held[1] = replace(case, events=(*case.events, *events), unread_supplements=unread)


def said(code: SupplementCode, *, doubtful: bool = False) -> CaseEvent:
    return CaseEvent("supplement", "", 60, "", None, code=code, doubtful=doubtful)


def test_the_list_says_that_somebody_no_longer_needs_help(web: FlaskClient, desk: MemoryDesk) -> None:
    adds(desk, said(SupplementCode.WORSE), said(SupplementCode.NO_LONGER_NEEDED), said(SupplementCode.DETAILS))
    told = words(web.get("/desk/stand"))
    assert "De melder heeft geen hulp meer nodig" in told
    assert "3 nieuwe berichten" in told
    assert "erger geworden" not in told, "the last word counts"


def test_the_list_goes_on_saying_it_until_the_case_is_closed(web: FlaskClient, desk: MemoryDesk) -> None:
    adds(desk, said(SupplementCode.NO_LONGER_NEEDED), CaseEvent("seen", NAME, 5, "", None))
    assert "geen hulp meer nodig" in words(web.get("/desk/"))
    adds(desk, CaseEvent("closed", NAME, 1, "", None))
    desk.held[1] = replace(desk.held[1], state=TicketState.CLOSED, unread_supplements=0)
    assert "geen hulp meer nodig" not in words(web.get("/desk/"))


def test_a_word_that_may_be_a_thiefs_is_not_the_persons(web: FlaskClient, desk: MemoryDesk) -> None:
    adds(desk, said(SupplementCode.NO_LONGER_NEEDED, doubtful=True))
    assert "geen hulp meer nodig" not in words(web.get("/desk/"))


@pytest.mark.parametrize(("sentence", "label"), [("6", "door"), ("2", "aan"), ("4", "dat zegt")])
def test_a_field_is_called_what_its_sentence_calls_it(web: FlaskClient, sentence: str, label: str) -> None:
    act(web, 1, "oppakken")
    page = act(web, 1, "antwoord", function="CONTROL_ROOM", p1=sentence, do="check")
    assert f'<label for="p1_who">{label} <small>' in page.text


# --- reopening, and what belongs together ---------------------------------------------------------------------------


def close(web: FlaskClient) -> None:
    act(web, 1, "oppakken")
    act(web, 1, "afsluiten", code="CLOSED_HELPED", do="close")


def test_a_closed_case_is_reopened_after_reading_over_what_the_person_will_read(
    web: FlaskClient, desk: MemoryDesk
) -> None:
    close(web)
    asked = act(web, 1, "heropenen")
    assert "de melder niet meer “Afgerond”, maar dat een medewerker dit oppakt" in words(asked)
    assert desk.held[1].state is TicketState.CLOSED, "a look changes nothing"
    act(web, 1, "heropenen", do="reopen")
    assert desk.acts[-1] == ("reopened", 1, NAME)
    assert f"Weer geopend door {NAME}" in words(web.get("/desk/"))
    page = words(web.get("/desk/melding/1"))
    assert f"Weer geopend · {NAME}" in page
    assert "Deze melding is afgesloten." not in page


def test_a_case_closed_for_the_second_time_is_not_offered_to_be_reopened(web: FlaskClient, desk: MemoryDesk) -> None:
    close(web)
    assert "Weer openen" in words(web.get("/desk/melding/1"))
    desk.held[1] = replace(desk.held[1], close_code=TokenCode.CLOSED_AGAIN_HELPED)
    page = words(web.get("/desk/melding/1"))
    assert "Weer openen" not in page
    assert "Afgesloten: De melder is geholpen" in page


def test_two_cases_are_tied_by_number_and_untied(web: FlaskClient, desk: MemoryDesk) -> None:
    page = web.get("/desk/melding/1")
    assert '<option value="52-4">' in page.text, "the open cases are offered"
    act(web, 1, "koppelen", number=" 52-4 ")
    assert desk.acts[-1] == ("linked", 1, NAME, "52-4")
    for case_id, other, number in ((1, 2, "52-4"), (2, 1, "47-1")):
        page = web.get(f"/desk/melding/{case_id}")
        assert f'Hoort bij <a href="/desk/melding/{other}">{number}</a>' in page.text
    assert "Hoort bij 52-4" in words(web.get("/desk/stand"))
    assert "Hoort bij 47-1" in words(web.get("/desk/stand"))
    act(web, 1, "loskoppelen", number="52-4")
    assert desk.acts[-1] == ("unlinked", 1, NAME, "52-4")


def test_a_number_of_no_case_is_refused_and_stays_on_the_page(web: FlaskClient, desk: MemoryDesk) -> None:
    page = act(web, 1, "koppelen", number="47-99")
    assert page.status_code == 409
    assert "Er is hier geen melding met dit nummer." in page.text
    assert 'value="47-99"' in page.text
    assert act(web, 1, "koppelen", number="").status_code == 409
    assert desk.acts == []
