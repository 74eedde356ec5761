"""Staff at a point: in with the PIN, report for others, the board, the point's state. Over a real node."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.datastructures import MultiDict

from steunpunt.control import Unreachable
from steunpunt.ledger.boardrows import LINES_MAX
from steunpunt.node.retention import retention_job
from steunpunt.node.staffdoor import FREE_TRIES
from steunpunt_ui.manners import REQUESTS
from steunpunt_ui.staff.reporting import read_report
from tests.fakes.staff_sites import PIN, StaffSite, hidden, post, staff_site
from tests.fakes.ui_citizen import words

REPORT = {"category": "MEDICAL", "life": "yes", "source": "asked"}
STAFF_PAGES = ["/staf/", "/staf/melden", "/staf/punt", "/staf/briefje/47-1/7KQ4-M2XD"]


@pytest.fixture(name="site")
def fixture_site(tmp_path: Path) -> Iterator[StaffSite]:
    with staff_site(tmp_path) as site:
        yield site


# --- in and out -----------------------------------------------------------------------------------------------------


def test_without_the_pin_no_page_of_the_staff_opens(site: StaffSite) -> None:
    web = site.screen()
    for path in STAFF_PAGES:
        assert web.get(path).headers["Location"] == "/staf/inloggen", path
    assert site.phone().get("/staf/").status_code == 404
    assert post(site.phone(), "/staf/inloggen", pin=PIN, enter="1").status_code == 404
    assert post(web, "/staf/punt", state="CLOSED", do="set").status_code == 403
    assert site.ask("status")["point_state"] == "OPEN"


def test_the_pin_is_typed_on_the_pages_own_keys_without_a_script(site: StaffSite) -> None:
    web = site.screen()
    typed = ""
    for digit in "9" + "c" + PIN:
        page = post(web, "/staf/inloggen", pin=typed, d=digit)
        assert page.status_code == 200
        typed = page.text.split('name="pin"')[1].split('value="')[1].split('"')[0]
    assert typed == PIN
    done = post(web, "/staf/inloggen", pin=typed, enter="1")
    cookie = done.headers["Set-Cookie"]
    assert all(part in cookie for part in ("HttpOnly", "SameSite=Strict", "Path=/staf"))
    assert all(web.get(path).status_code == 200 for path in STAFF_PAGES)
    assert web.get("/nl/").status_code == 200
    web.get("/staf/uit")
    assert web.get("/staf/").status_code == 303


def test_wrong_pins_are_counted_by_the_node_for_all_browsers_together(site: StaffSite) -> None:
    for _ in range(FREE_TRIES):
        refused = post(site.screen(), "/staf/inloggen", pin="000000", enter="1")
        assert (refused.status_code, "De pincode is fout." in words(refused)) == (403, True)
    waits = post(site.screen(), "/staf/inloggen", pin=PIN, enter="1")
    assert waits.status_code == 429
    assert 0 < int(waits.headers["Retry-After"]) <= 31


def test_a_report_that_comes_after_the_session_goes_on_with_the_pin(site: StaffSite) -> None:
    web = site.staff()
    token = hidden(web.get("/staf/melden"))["token"]
    web.get("/staf/uit")
    asks = post(web, "/staf/melden", token=token, text="ligt op <de> trap", flag=["1", "8"], **REPORT)
    assert asks.status_code == 403
    assert "Typ de pincode opnieuw" in words(asks)
    carried = [("pin", PIN), ("enter", "1"), ("flag", "1"), ("flag", "8"), ("token", token), *REPORT.items()]
    kept = web.post("/staf/melden", data=_multi([*carried, ("text", "ligt op de trap")]), headers=_origin())
    assert kept.headers["Location"].startswith("/staf/briefje/47-1/")
    assert 'value="ligt op &lt;de&gt; trap"' in asks.text
    assert asks.text.count('name="flag"') == 2


def _multi(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _origin() -> dict[str, str]:
    return {"Origin": "http://localhost"}


def test_over_the_wifi_only_where_the_config_says_so_and_then_without_a_phones_limits(tmp_path: Path) -> None:
    with staff_site(tmp_path, over_wifi=True) as site:
        web = site.phone()
        assert post(web, "/staf/inloggen", pin=PIN, enter="1").headers["Location"] == "/staf/"
        assert web.get("/staf/").status_code == 200
        for _ in range(REQUESTS.most + 2):
            token = hidden(web.get("/staf/melden"))["token"]
            assert post(web, "/staf/melden", token=token, **REPORT).status_code == 303


def test_a_pin_file_that_is_gone_lets_nobody_in_and_says_so(site: StaffSite) -> None:
    site.pin_file.unlink()
    page = post(site.screen(), "/staf/inloggen", pin=PIN, enter="1")
    assert (page.status_code, "niet te gebruiken" in words(page)) == (503, True)


def test_when_the_node_is_away_nobody_is_in(tmp_path: Path) -> None:
    with staff_site(tmp_path) as site:
        web = site.staff()
    with pytest.raises(Unreachable):
        site.ask("status")
    assert web.get("/staf/").headers["Location"] == "/staf/inloggen"
    assert post(web, "/staf/inloggen", pin=PIN, enter="1").status_code == 503


# --- reporting ------------------------------------------------------------------------------------------------------


def test_staff_report_for_somebody_and_get_a_ticket_to_hand_out(site: StaffSite) -> None:
    web = site.staff()
    token = hidden(web.get("/staf/melden"))["token"]
    fields = REPORT | {"token": token, "people": "2", "postcode": "6211 ab", "house_number": "12", "floor": "-1"}
    done = post(web, "/staf/melden", text="zij valt weg", name="Mia", **fields)
    handout = web.get(done.headers["Location"])
    number, secret = done.headers["Location"].split("/")[-2:]
    assert number in words(handout)
    assert secret in words(handout)
    assert "<svg" in handout.text.split('class="qr"')[1]
    ticket = site.ask("ticket", number=number, secret=secret)
    assert (ticket["state"], ticket["life_threat"]) == ("KEPT", True)
    again = post(web, "/staf/melden", text="zij valt weg", name="Mia", **fields)
    assert again.headers["Location"] == done.headers["Location"], "the same form makes one request"


def test_everything_wrong_is_told_at_once_and_every_field_stays(site: StaffSite) -> None:
    web = site.staff()
    token = hidden(web.get("/staf/melden"))["token"]
    typed = {
        "people": "veel",
        "postcode": "62 AB",
        "floor": "99",
        "minutes": "-5",
        "name": "x" * 41,
        "text": "op zolder",
    }
    page = post(web, "/staf/melden", token=token, source="paper", flag=["5"], **typed)
    assert page.status_code == 400
    told = words(page)
    for line in (
        "Nog niet verstuurd. Verbeter eerst dit:",
        "Kies welke hulp",
        "levensgevaar",
        "Hoeveel mensen:",
        "postcode",
        "Verdieping",
        "Hoe lang geleden",
        "te lang",
    ):
        assert line in told, line
    assert all(f'value="{value}"' in page.text for name, value in typed.items() if name != "text")
    assert "op zolder</textarea>" in page.text
    assert 'name="flag" value="5" checked' in page.text
    assert site.ask("board")["lines"] == []


def test_a_form_on_paper_is_never_newer_than_somebody_says(site: StaffSite) -> None:
    web = site.staff()
    token = hidden(web.get("/staf/melden"))["token"]
    page = post(web, "/staf/melden", **REPORT | {"token": token, "source": "paper", "minutes": " "})
    assert (page.status_code, "Hoe lang geleden" in words(page)) == (400, True)
    assert site.ask("board")["lines"] == []
    with web.application.test_request_context("/staf/melden"):
        typed = MultiDict({"source": "asked", "minutes": "95"})  # the tick beside it was forgotten
        facts = read_report(typed, exercise=False).facts
        assert (facts["paper_age_s"], facts["on_behalf"]) == (95 * 60, True)


def test_a_closed_point_refuses_and_keeps_what_was_typed(site: StaffSite) -> None:
    web = site.staff()
    post(web, "/staf/punt", state="CLOSED", do="set")
    token = hidden(web.get("/staf/melden"))["token"]
    # Passes of the second in which it closed still count: such a form was promised before.
    page = post(web, "/staf/melden", token="x" + token[1:], text="zij valt weg", **REPORT)
    assert page.status_code == 503
    assert "zij valt weg</textarea>" in page.text


# --- the point's state ------------------------------------------------------------------------------------------------


def test_staff_close_and_open_the_point_after_a_question_and_see_who_did(site: StaffSite) -> None:
    web = site.staff()
    assert "Dit steunpunt: open. Mensen kunnen hier hulp vragen. Niemand heeft dit nog ingesteld." in words(
        web.get("/staf/")
    )
    asked = post(web, "/staf/punt", state="CLOSED")
    assert "Veranderen in: gesloten?" in words(asked)
    assert "krijgt dit te horen zodra dat kan." in words(asked)  # perhaps no road is up
    assert site.ask("status")["point_state"] == "OPEN"
    post(web, "/staf/punt", state="CLOSED", do="set")
    assert "Dit steunpunt is gesloten. U kunt hier nu geen hulp vragen." in words(site.screen().get("/nl/hulp"))
    assert "Hier ingesteld met de pincode, minder dan een minuut geleden." in words(web.get("/staf/punt"))
    post(web, "/staf/punt", state="EXERCISE", do="set")
    assert "OEFENING. Dit is niet echt." in words(site.screen().get("/nl/"))
    assert [path for path in STAFF_PAGES if "OEFENING. Dit is niet echt." not in words(web.get(path))] == []
    assert 'name="real"' in web.get("/staf/melden").text
    post(web, "/staf/punt", state="OPEN", do="set")
    assert "Gratis." in words(site.screen().get("/nl/"))


# --- board and paper --------------------------------------------------------------------------------------------------


def test_the_board_tells_numbers_and_states_and_nothing_else(site: StaffSite) -> None:
    empty = words(site.phone().get("/nl/bord"))
    assert "Niemand wacht nu op antwoord." in empty
    mark = site.phone().get("/nl/bord/stand").text
    token = site.ask("form_token")["token"]
    form = {"category": "POLICE", "life_threat": True, "text": "hij slaat mij", "language": "nl"}
    number = site.ask("submit", token=token, facts={"name": "Mia", "callback": "0612345678"}, **form)["number"]
    board = site.phone().get("/nl/bord")
    assert f"{number} Nog niet verstuurd. minder dan een minuut geleden" in words(board)
    for secret in ("Politie", "slaat", "Mia", "0612345678", "Levensgevaar", "levensgevaar:"):
        assert secret not in words(board).replace("Levensgevaar? Bel 112", "")
    assert site.phone().get("/nl/bord/stand").text != mark
    assert site.ask("board")["lines"] == [{"number": number, "state": "KEPT", "age_s": 0}]


def test_the_board_has_room_for_so_many_and_says_how_many_more(site: StaffSite) -> None:
    for _ in range(LINES_MAX + 2):
        token = site.ask("form_token")["token"]
        site.ask("submit", token=token, category="SUPPLIES", text="", language="nl")
    board = site.phone().get("/nl/bord")
    assert board.text.count('class="code"') == LINES_MAX
    assert "Nummers die niet op dit bord passen: 2." in words(board)


def test_the_board_stays_on_a_screen_that_nobody_touches(site: StaffSite) -> None:
    page = site.screen().get("/nl/bord").text
    assert 'id="idle"' not in page
    assert 'data-poll="/nl/bord/stand"' in page
    assert '<meta http-equiv="refresh" content="10">' in page


@pytest.mark.parametrize("language", ["nl", "ar"])
def test_the_form_on_paper_asks_what_the_screen_asks(site: StaffSite, language: str) -> None:
    page = site.phone().get(f"/{language}/formulier")
    assert page.status_code == 200
    assert page.text.count('class="tick"') == 6 + 2 + 10 + 1
    assert "47-_______" in page.text


def test_the_retention_of_a_running_node_deletes_nothing_open_and_empties_the_log(site: StaffSite) -> None:
    token = site.ask("form_token")["token"]
    site.ask("submit", token=token, category="SUPPLIES", text="", language="nl")
    log = Path(site.config.ledger.path + "-wal")
    assert log.stat().st_size > 0
    assert retention_job(site.config, site.put, lambda: False)() == ""
    assert log.stat().st_size == 0
    assert len(site.ask("board")["lines"]) == 1
    assert site.ask("status")["counters"]["retention_deleted"] == 0
