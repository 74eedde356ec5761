"""The desk: who may look, that looking changes nothing, and that each act happens once, in a person's name."""

import re
from pathlib import Path

import msgspec
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from steunpunt import keyfiles
from steunpunt.config import OtherCoordinator
from steunpunt.control import Client
from steunpunt.facts import Facts
from steunpunt.ledger import incoming
from steunpunt.ledger.desk import CaseEvent
from steunpunt.ledger.incoming import Content, NewCase, Piece
from steunpunt.ledger.migrate import migrate
from steunpunt.ledger.store import Ledger
from steunpunt.model import (
    Category,
    Lane,
    LinkName,
    SenderFunction,
    SupplementCode,
    TicketState,
    TokenCode,
)
from steunpunt.protocol import vault
from steunpunt.relay.standby import Stand
from steunpunt.values import replace
from steunpunt_ui.app import create_app
from steunpunt_ui.desk.passwords import set_password
from tests.fakes.fake_node import FakeNode
from tests.fakes.memory_desk import CASE, MemoryDesk
from tests.fakes.sites import UNSHORTENED
from tests.fakes.ui_sites import NAME, PASSWORD, coordinator_config

HOME = "http://localhost"


@pytest.fixture(name="desk")
def fixture_desk() -> MemoryDesk:
    return MemoryDesk(
        replace(CASE, id=1, number="47-1", lane=Lane.OTHER, age_s=9000, text="dekens", facts=Facts(people=14)),
        replace(CASE, id=2, number="52-4", site=52, lane=Lane.LIFE_THREAT, life_threat=True, category=Category.MEDICAL),
        replace(CASE, id=3, number="61-2", site=61, lane=Lane.URGENT, category=Category.BUTTON, presses=3),
    )


@pytest.fixture(name="web")
def fixture_web(tmp_path: Path, passwords: Path, desk: MemoryDesk) -> FlaskClient:
    config = coordinator_config(tmp_path / "no-node.sock", passwords)
    return create_app(config, Client(tmp_path / "no-node.sock"), desk).test_client()


@pytest.fixture(name="person")
def fixture_person(web: FlaskClient) -> FlaskClient:
    assert log_in(web).headers["Location"] == "/desk/"
    return web


def log_in(web: FlaskClient, name: str = NAME, password: str = PASSWORD) -> TestResponse:
    return web.post("/desk/login", data={"name": name, "password": password}, headers={"Origin": HOME})


def token_of(page: TestResponse, act: str) -> str:
    found = re.search(rf'action="/desk/[^"]*{act}"><input type="hidden" name="token" value="([^"]+)"', page.text)
    assert found, f"no form for {act}"
    return found[1]


def act(web: FlaskClient, case_id: int, act: str, **fields: str) -> TestResponse:
    path = f"/desk/melding/{case_id}"
    fields = {"token": token_of(web.get(path), act)} | fields
    return web.post(f"{path}/{act}", data=fields, headers={"Origin": HOME})


# --- who may look -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/desk/", "/desk/melding/1", "/desk/melding/99"])
def test_nobody_looks_without_logging_in(web: FlaskClient, path: str) -> None:
    reply = web.get(path)
    assert (reply.status_code, reply.headers["Location"]) == (303, "/desk/login")
    assert web.get("/desk/stand").status_code == 401


def test_the_first_page_of_a_coordinator_is_the_desk(web: FlaskClient) -> None:
    assert web.get("/").headers["Location"] == "/desk/"
    assert web.get("/nl/").status_code == 404
    assert web.get("/nl/hulp").status_code == 404


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(web: FlaskClient, desk: MemoryDesk) -> None:
    cookie = log_in(web).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Path=/desk" in cookie
    assert desk.seen_here == [NAME]


@pytest.mark.parametrize(("name", "password"), [(NAME, "fout-woord"), ("Niemand", PASSWORD), ("", "")])
def test_a_wrong_name_and_a_wrong_password_look_the_same(web: FlaskClient, name: str, password: str) -> None:
    reply = log_in(web, name, password)
    assert reply.status_code == 403
    assert "De naam of het wachtwoord klopt niet." in reply.text
    assert "Set-Cookie" not in reply.headers


def test_after_ten_wrong_tries_one_waits(web: FlaskClient) -> None:
    assert {log_in(web, NAME, "fout-woord").status_code for _ in range(10)} == {403}
    refused = log_in(web)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")


def test_logging_out_ends_the_session_everywhere(person: FlaskClient) -> None:
    cookie = person.get_cookie("desk", path="/desk")
    assert cookie is not None
    token = token_of(person.get("/desk/"), "logout")
    person.post("/desk/logout", data={"token": token}, headers={"Origin": HOME})
    person.set_cookie("desk", cookie.value, path="/desk")
    assert person.get("/desk/").status_code == 303


def test_a_form_without_a_token_of_this_session_is_refused(person: FlaskClient, desk: MemoryDesk) -> None:
    for token in ("", "x" * 54):
        reply = person.post("/desk/melding/1/oppakken", data={"token": token}, headers={"Origin": HOME})
        assert reply.status_code == 403
    token = token_of(person.get("/desk/melding/1"), "oppakken")
    foreign = person.post("/desk/melding/1/oppakken", data={"token": token}, headers={"Origin": "http://evil.example"})
    assert foreign.status_code == 403
    assert desk.acts == []


def test_a_passwords_file_that_was_opened_to_all_lets_nobody_in(tmp_path: Path, desk: MemoryDesk) -> None:
    path = tmp_path / "open.passwords"
    set_password(path, NAME, PASSWORD)
    path.chmod(0o644)
    web = create_app(coordinator_config(tmp_path / "n", path), Client(tmp_path / "n"), desk).test_client()
    reply = log_in(web)
    assert reply.status_code == 503
    assert str(path) not in reply.text


# --- looking ----------------------------------------------------------------------------------------------------


def test_the_list_goes_by_priority_and_then_age_with_place_first(person: FlaskClient) -> None:
    page = person.get("/desk/").text
    places = ("<b>Steunpunt 52</b>", "<b>Steunpunt 61</b>", "<b>Buurthuis De Regenboog, Kerkplein 1, Maastricht</b>")
    order = [page.index(place) for place in places]
    assert order == sorted(order)
    assert "Levensgevaar" in page
    assert "Dringend" in page
    assert "3 keer gedrukt" in page
    assert '<time data-age="9000">2 u 30 min</time>' in page
    assert page.count('<svg class="shape"') == 3


def test_looking_changes_nothing(person: FlaskClient, desk: MemoryDesk) -> None:
    before = dict(desk.held)
    for path in ("/desk/", "/desk/stand", "/desk/melding/2", "/desk/melding/2/stand"):
        assert person.get(path).status_code == 200
    assert (desk.acts, desk.held) == ([], before)


def test_an_empty_list_says_so(tmp_path: Path, passwords: Path) -> None:
    config = coordinator_config(tmp_path / "n", passwords)
    web = create_app(config, Client(tmp_path / "n"), MemoryDesk()).test_client()
    log_in(web)
    assert "Geen open meldingen." in web.get("/desk/").text


def test_a_closed_case_with_news_is_among_the_open_ones(person: FlaskClient, desk: MemoryDesk) -> None:
    desk.held[1] = replace(CASE, id=1, number="47-1", state=TicketState.CLOSED, close_code=TokenCode.CLOSED_HELPED)
    assert "Afgesloten meldingen" in person.get("/desk/").text
    desk.held[1] = replace(desk.held[1], unread_supplements=1)
    page = person.get("/desk/").text
    assert "Afgesloten meldingen" not in page
    assert "1 nieuw bericht" in page


def test_what_citizens_write_is_text_and_nothing_else(person: FlaskClient, desk: MemoryDesk) -> None:
    desk.held[1] = replace(desk.held[1], text="<script>alert(1)</script>", facts=Facts(callback='"><img src=x>'))
    for path in ("/desk/", "/desk/stand", "/desk/melding/1"):
        page = person.get(path).text
        assert "<script>alert" not in page
        assert "<img" not in page


PASSED_ON = CaseEvent(
    "passed_on", "De Vries", 150, "", delivered=False, to="Meldkamer", how="c2000", reference="0042", read_back=True
)


def test_the_log_of_a_case_says_who_what_and_whether_it_arrived(person: FlaskClient, desk: MemoryDesk) -> None:
    events = (
        CaseEvent("received", "", 480, "", delivered=None),
        CaseEvent("seen", "De Vries", 200, "", delivered=True),
        PASSED_ON,
        CaseEvent("supplement", "", 30, "nu ook vlammen", None, SupplementCode.WORSE),
    )
    desk.held[2] = replace(desk.held[2], events=events, seen_by="De Vries", state=TicketState.SEEN)
    page = " ".join(re.sub(r"<[^>]+>", " ", person.get("/desk/melding/2").text).split())
    assert "Opgepakt · De Vries · 3 minuten geleden Aangekomen bij het steunpunt: ja" in page
    assert "Meldkamer · C2000 · 0042 · teruggelezen Aangekomen bij het steunpunt: nog niet bekend" in page
    assert "De melder zegt: het is erger geworden · minder dan een minuut geleden nu ook vlammen" in page


def test_polling_a_case_sees_news(person: FlaskClient, desk: MemoryDesk) -> None:
    mark = person.get("/desk/melding/1/stand").text
    assert f'data-mark="{mark}"' in person.get("/desk/melding/1").text
    desk.held[1] = replace(desk.held[1], presses=2)
    assert person.get("/desk/melding/1/stand").text != mark
    for nowhere in ("99", "99999999999999999999", "9" * 5000):
        assert person.get(f"/desk/melding/{nowhere}").status_code == 404


def test_a_request_for_the_police_is_marked_discreet(person: FlaskClient, desk: MemoryDesk) -> None:
    assert "discreet" not in person.get("/desk/").text.lower()
    desk.held[3] = replace(desk.held[3], category=Category.POLICE, presses=0)
    assert "<b>discreet</b>" in person.get("/desk/").text
    assert "Discreet." in person.get("/desk/melding/3").text


# --- acting -----------------------------------------------------------------------------------------------------


def test_from_taking_up_to_closing(person: FlaskClient, desk: MemoryDesk) -> None:
    assert "Antwoord" not in person.get("/desk/melding/2").text
    assert act(person, 2, "oppakken").headers["Location"] == "/desk/melding/2"
    act(person, 2, "antwoord", function="FIRE_CREW", text="Kom naar de deur. <b>Nu</b>")
    act(person, 2, "doorgeven", whom="control_room", how="c2000", reference="0042", read_back="yes")
    asked = act(person, 2, "afsluiten", code="CLOSED_HELPED")
    assert "Afsluiten met: De melder is geholpen?" in asked.text
    assert desk.held[2].state is TicketState.ANSWERED, "nothing is told before the question was answered"
    act(person, 2, "afsluiten", code="CLOSED_HELPED", do="close")
    assert desk.acts == [
        ("seen", 2, NAME),
        ("answer", 2, NAME, SenderFunction.FIRE_CREW, "Kom naar de deur. <b>Nu</b>"),
        ("passed_on", 2, NAME, "Meldkamer", "c2000", "0042", True, True),
        ("closed", 2, NAME, TokenCode.CLOSED_HELPED),
    ]
    assert "Deze melding is afgesloten." in person.get("/desk/melding/2").text


def test_the_same_form_acts_once(person: FlaskClient, desk: MemoryDesk) -> None:
    token = token_of(person.get("/desk/melding/1"), "oppakken")
    codes = [act(person, 1, "oppakken", token=token).status_code, 0]
    codes[1] = person.post("/desk/melding/1/oppakken", data={"token": token}, headers={"Origin": HOME}).status_code
    assert codes == [303, 303]
    assert len(desk.acts) == 1


def test_when_a_colleague_was_first_one_is_told(person: FlaskClient, desk: MemoryDesk) -> None:
    token = token_of(person.get("/desk/melding/1"), "oppakken")
    desk.take_up(1, "De Vries", token="other")
    reply = person.post("/desk/melding/1/oppakken", data={"token": token}, headers={"Origin": HOME})
    assert reply.status_code == 409
    assert "Iemand anders heeft dit al opgepakt. Bekijk de melding." in reply.text
    assert '<a href="/desk/melding/1">Laat zien</a>' in reply.text
    assert "Opgepakt door De Vries" in reply.text


@pytest.mark.parametrize(
    ("name", "fields", "told"),
    [
        ("antwoord", {"function": "FIRE_CREW", "text": " "}, "Kies een zin, of schrijf eerst het antwoord."),
        ("antwoord", {"function": "KONING", "text": "hallo"}, "Kies wie antwoordt."),
        ("antwoord", {"function": "MEDICAL", "text": UNSHORTENED}, "tekens te lang."),
        ("antwoord", {"function": "MEDICAL", "text": "m" * 2_003}, "Het antwoord is 3 tekens te lang."),
        ("doorgeven", {"to": "", "how": "c2000"}, "Schrijf aan wie u dit doorgaf."),
        ("doorgeven", {"to": "Meldkamer", "how": "duif"}, "Kies hoe u dit doorgaf."),
        ("doorgeven", {"to": "M" * 81, "how": "phone"}, "Dat is te lang."),
        ("afsluiten", {"code": "RECEIVED"}, "Kies een reden."),
        ("afsluiten", {}, "Kies een reden."),
    ],
)
def test_a_refused_act_says_why_and_keeps_what_was_typed(
    person: FlaskClient, desk: MemoryDesk, name: str, fields: dict[str, str], told: str
) -> None:
    desk.take_up(1, NAME, token="earlier")
    reply = act(person, 1, name, **fields)
    assert reply.status_code == 409
    assert told in reply.text
    for value in (fields.get("text", "").strip(), fields.get("to", "")):
        assert value in reply.text
    assert len(desk.acts) == 1


def test_a_case_that_is_gone(person: FlaskClient, desk: MemoryDesk) -> None:
    token = token_of(person.get("/desk/melding/1"), "oppakken")
    del desk.held[1]
    reply = person.post("/desk/melding/1/oppakken", data={"token": token}, headers={"Origin": HOME})
    assert reply.status_code == 404
    assert "Deze melding is hier niet meer." in reply.text


def test_an_act_that_is_refused_for_another_reason_says_that_reason(person: FlaskClient, desk: MemoryDesk) -> None:
    desk.take_up(1, NAME, token="earlier")
    token = token_of(person.get("/desk/melding/1"), "afsluiten")
    desk.close(1, "De Vries", TokenCode.CLOSED_HELPED, token="other")
    fields = {"token": token, "code": "CLOSED_HELPED", "do": "close"}
    reply = person.post("/desk/melding/1/afsluiten", data=fields, headers={"Origin": HOME})
    assert reply.status_code == 409
    assert "Deze melding is al afgesloten." in reply.text


def test_what_was_typed_outlives_the_session(person: FlaskClient, desk: MemoryDesk) -> None:
    desk.take_up(1, NAME, token="earlier")
    token = token_of(person.get("/desk/melding/1"), "antwoord")
    person.delete_cookie("desk", path="/desk")
    fields = {"token": token, "function": "FIRE_CREW", "text": "Kom <b>nu</b>"}
    page = person.post("/desk/melding/1/antwoord", data=fields, headers={"Origin": HOME})
    assert page.status_code == 403
    assert "U bent uitgelogd. Log opnieuw in; uw tekst staat hieronder." in page.text
    kept = "readonly>Kom &lt;b&gt;nu&lt;/b&gt;</textarea>"
    assert kept in page.text
    login = {"name": NAME, "password": "fout-woord", "typed": "Kom <b>nu</b>"}
    assert kept in person.post("/desk/login", data=login, headers={"Origin": HOME}).text
    again = person.post("/desk/login", data=login | {"password": PASSWORD}, headers={"Origin": HOME})
    assert "Uw tekst is niet verstuurd." in again.text
    assert kept in again.text
    assert person.get("/desk/").status_code == 200
    assert len(desk.acts) == 1


DESK_PAGES = ("/desk/", "/desk/stand", "/desk/melding/1")


@pytest.mark.parametrize(
    ("down", "told"),
    [(set(), ""), ({"mesh"}, "De radio werkt niet."), ({"broker"}, "De broker werkt niet.")],
)
def test_the_desk_says_which_link_of_its_own_node_is_down(
    tmp_path: Path, person: FlaskClient, down: set[str], told: str
) -> None:
    node = FakeNode(tmp_path / "no-node.sock")
    node.status["links"] = {name: {"up": name not in down} for name in ("mesh", "broker")}
    pages = [person.get(path).text for path in DESK_PAGES]
    node.close()
    for page in pages:
        assert page.count("Waarschuw de technicus.") == len(down)
        assert told in page


def test_the_desk_says_that_one_of_several_radios_is_down(tmp_path: Path, person: FlaskClient) -> None:
    node = FakeNode(tmp_path / "no-node.sock")
    node.status["radios"] = {"main": {"up": True}, "hill": {"up": False}}
    told = [person.get(path).text for path in DESK_PAGES]
    node.status["links"] = {"mesh": {"up": False}, "broker": {"up": True}}
    all_down = person.get("/desk/").text
    node.close()
    assert [page.count("Een van de radio&#39;s werkt niet. Waarschuw de technicus.") for page in told] == [1, 1, 1]
    assert "De radio werkt niet." in all_down
    assert "Een van de radio" not in all_down, "one word on the mesh is enough"


def test_the_desk_repeats_what_its_node_says_of_the_slip_printer(tmp_path: Path, person: FlaskClient) -> None:
    node = FakeNode(tmp_path / "no-node.sock")
    node.status["troubles"] = ["Het papier van de bonprinter is op. <b>"]
    told = [person.get(path).text for path in DESK_PAGES]
    node.close()
    assert [page.count("Het papier van de bonprinter is op. &lt;b&gt;") for page in told] == [1, 1, 1]


def test_the_desk_says_that_its_node_does_not_answer(person: FlaskClient) -> None:
    for path in DESK_PAGES:
        assert "Deze computer ontvangt en verstuurt nu niets. Waarschuw de technicus." in person.get(path).text


# --- the ledger itself ------------------------------------------------------------------------------------------


LEDGER_KEY = bytes(range(32))


@pytest.fixture(name="over_ledger")
def fixture_over_ledger(tmp_path: Path, passwords: Path) -> FlaskClient:
    key = tmp_path / "ledger.key"
    keyfiles.write(key, {"ledger_key": keyfiles.encoded(LEDGER_KEY)}, keyfiles.OWNER_AND_GROUP)
    config = coordinator_config(tmp_path / "n", passwords)
    ledger = msgspec.structs.replace(config.ledger, path=str(tmp_path / "ledger.db"), key_file=str(key))
    return create_app(msgspec.structs.replace(config, ledger=ledger), Client(tmp_path / "n")).test_client()


def begin_ledger(path: Path) -> None:
    """Make a ledger with one case, as the node does."""
    migrate(path)
    ledger = Ledger(path).open()
    content = Content(
        category=1,
        life_threat=True,
        text="zij valt weg",
        facts=Facts(people=2, callback="hier"),
        language="nl",
        verify=bytes(16),
        answer=bytes(16),
    )
    at, key, nonce = Piece(47, b"abc", 0), bytes(32), bytes(vault.NONCE_BYTES)
    wrapped, box = incoming.wrap_case_key(LEDGER_KEY, key, nonce), incoming.box_content(key, nonce, content)
    with ledger.transaction() as connection:
        ledger.touch(connection)
        now_ms = ledger.clock.now_ms()
        incoming.add_case(
            connection,
            NewCase(at, 12, 0, wrapped, box, 65_000, age_at_least=False, received_ms=now_ms, link=LinkName.MESH),
        )
        incoming.add_event(connection, at, "received", now_ms, None)
    ledger.close()


def test_until_the_node_made_the_ledger_the_desk_waits(over_ledger: FlaskClient, tmp_path: Path) -> None:
    assert log_in(over_ledger).status_code == 303
    waiting = over_ledger.get("/desk/")
    assert waiting.status_code == 503
    assert "Het register is nu niet te gebruiken." in waiting.text
    assert 'http-equiv="refresh"' in waiting.text
    begin_ledger(tmp_path / "ledger.db")
    assert "zij valt weg" in over_ledger.get("/desk/").text
    assert over_ledger.get("/desk/melding/99").status_code == 404


def test_the_ledger_itself_from_taking_up_to_closing(over_ledger: FlaskClient, tmp_path: Path) -> None:
    begin_ledger(tmp_path / "ledger.db")
    log_in(over_ledger)
    token = token_of(over_ledger.get("/desk/melding/1"), "oppakken")
    for _ in range(2):
        data = {"token": token}
        taken = over_ledger.post("/desk/melding/1/oppakken", data=data, headers={"Origin": HOME})
        assert taken.status_code == 303
    for name, fields in {
        "antwoord": {"function": "FIRE_CREW", "text": "Wij komen eraan."},
        "doorgeven": {"whom": "control_room", "how": "c2000", "reference": "0042"},
        "afsluiten": {"code": "CLOSED_NOT_NEEDED", "do": "close"},
    }.items():
        assert act(over_ledger, 1, name, **fields).status_code == 303
    page = " ".join(re.sub(r"<[^>]+>", " ", over_ledger.get("/desk/melding/1").text).split())
    for said in ("Opgepakt · Jansen", "Wij komen eraan.", "Meldkamer · C2000 · 0042 · niet teruggelezen"):
        assert page.count(said) == 1
    assert "Afgesloten: Er is geen hulp meer nodig" in page


def test_the_desk_says_that_its_ledger_is_older_than_the_points_know(tmp_path: Path, person: FlaskClient) -> None:
    node = FakeNode(tmp_path / "no-node.sock")
    told = "De punten weten van nieuwere gegevens dan deze computer heeft."
    before = [told in person.get(path).text for path in DESK_PAGES]
    node.status["ledger_behind"] = True
    after = [told in person.get(path).text for path in DESK_PAGES]
    node.close()
    assert (before, after) == ([False] * 3, [True] * 3)


def test_a_case_of_another_coordinator_says_for_whom_it_is_and_what_was_overheard(
    tmp_path: Path, passwords: Path, desk: MemoryDesk
) -> None:
    history = (
        CaseEvent("elsewhere", "", 9, "", delivered=None, coordinator=2, said=TokenCode.SEEN),
        CaseEvent("taken_over", "", 5, "", delivered=None, coordinator=2, stand=Stand.SILENT),
        CaseEvent("taken_over", "", 3, "", delivered=None, coordinator=3, stand=Stand.ABSENT),
        CaseEvent("supplement", "", 1, "ga weg", delivered=None, code=SupplementCode.DETAILS, doubtful=True),
    )
    desk.held[1] = replace(desk.held[1], coordinator=2, stand=Stand.WAITING, events=history)
    config = coordinator_config(tmp_path / "no-node.sock", passwords)
    config = msgspec.structs.replace(config, other_coordinator=(OtherCoordinator(id=2, name="Kazerne West"),))
    web = create_app(config, Client(tmp_path / "no-node.sock"), desk).test_client()
    log_in(web)
    listed = web.get("/desk/").text
    assert listed.count("Voor Kazerne West") == 1
    page = web.get("/desk/melding/1").text
    for words in (
        "Bij Kazerne West: Opgepakt",
        "Overgenomen: Kazerne West heeft niet gereageerd",
        "Overgenomen: bij Coördinator 3 is niemand bezig",
    ):
        assert words in page
    assert page.index("Verdacht.") < page.index("ga weg")


def test_a_case_that_the_disk_damaged_is_shown_as_such(over_ledger: FlaskClient, tmp_path: Path) -> None:
    begin_ledger(tmp_path / "ledger.db")
    ledger = Ledger(tmp_path / "ledger.db").open()
    with ledger.transaction() as connection:
        connection.exec_driver_sql("UPDATE cases SET content = x'00'")
    ledger.close()
    log_in(over_ledger)
    assert "Beschadigd." in over_ledger.get("/desk/").text
    page = over_ledger.get("/desk/melding/1")
    assert "De schijf heeft deze melding beschadigd" in page.text
    assert "Deze melding is beschadigd op de schijf." in act(over_ledger, 1, "oppakken").text
