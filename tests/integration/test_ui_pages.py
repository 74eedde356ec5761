"""The first page, and what holds for every page of the citizen."""

import gzip
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

import steunpunt_ui
from steunpunt_ui.languages import LANGUAGES
from tests.fakes.fake_node import SECRET, FakeNode, ticket_body
from tests.fakes.ui_citizen import HOME, TICKET, ask, hidden, post, words

FIRST_VIEW_BYTES_MAX = 14 * 1024
SCRIPT_BYTES_MAX = 2 * 1024
MESH_DOWN = {"mesh": {"up": False}, "broker": {"up": True}}


def test_when_all_is_well_there_is_no_banner(web: FlaskClient) -> None:
    assert 'class="note' not in web.get("/nl/").text.replace('id="stale" class="note"', "")


@pytest.mark.parametrize(
    ("change", "told", "now"),
    [
        ({"can_keep": False}, "Dit apparaat kan nu geen vragen bewaren.", "Gevaar? Bel 112"),
        ({"links": {"mesh": {"up": False}, "broker": {"up": False}}}, "kan nu niets versturen", "stuur iemand naar"),
        ({"links": {"mesh": {"up": False}}}, "Dit steunpunt kan nu niets versturen.", "stuur iemand naar"),
        (
            {"links": {"mesh": {"up": False}, "broker": {"up": True}}},
            "De radio van dit steunpunt werkt nu niet.",
            "U kunt hulp vragen: dat gaat via internet.",
        ),
        (
            {"links": {"mesh": {"up": True}, "broker": {"up": False}}},
            "Dit steunpunt kan internet nu niet gebruiken.",
            "U kunt hulp vragen: wij bewaren uw vraag en versturen hem via de radio.",
        ),
        (
            {"region": {"fresh": False, "age_s": 3700}},
            "Wij horen Brandweerkazerne Noord nu niet via internet.",
            "U kunt hulp vragen: wij bewaren uw vraag en versturen hem via de radio.",
        ),
        (
            {"links": MESH_DOWN, "region": {"fresh": False, "age_s": 3700}},
            "Dit steunpunt kan nu niets versturen. Wij hoorden Brandweerkazerne Noord het laatst 61 minuten geleden.",
            "wacht hier veilig",
        ),
        (
            {"links": MESH_DOWN, "region": {"fresh": False, "age_s": None}},
            "Dit steunpunt kan nu niets versturen. Wij hebben nog niets gehoord van Brandweerkazerne Noord.",
            "wacht hier veilig",
        ),
    ],
)
def test_the_banner_says_what_is_down_and_what_to_do(
    web: FlaskClient, node: FakeNode, change: dict[str, object], told: str, now: str
) -> None:
    before = web.get("/nl/stand").text
    node.status |= change
    shown = words(web.get("/nl/"))
    assert told in shown
    assert now in shown
    assert web.get("/nl/stand").text != before


@pytest.mark.parametrize("age_s", [None, 61])
def test_a_silent_region_is_not_told_as_a_lack_of_internet(web: FlaskClient, node: FakeNode, age_s: int | None) -> None:
    """The fire station without power, or a point that has just started, looks the same from here."""
    node.status["region"] = {"fresh": False, "age_s": age_s}
    assert "geen internet" not in words(web.get("/nl/"))


@pytest.mark.parametrize("path", ["/nl/hulp", "/nl/hulp/spullen"])
def test_who_asks_for_help_is_told_that_nothing_can_leave_but_not_of_a_road_that_is_covered(
    web: FlaskClient, node: FakeNode, path: str
) -> None:
    told = "Dit steunpunt kan nu niets versturen."
    assert told not in words(web.get(path))
    node.status |= {"region": {"fresh": False, "age_s": 3700}}
    assert "nu niet via internet" not in words(web.get(path))
    node.status |= {"links": {"mesh": {"up": False}, "broker": {"up": False}}}
    assert told in words(web.get(path))
    if path != "/nl/hulp":
        assert told in words(post(web, path, do="check", text="water op"))


def test_without_a_node_the_first_page_says_so_and_forms_keep_what_is_typed(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1")
    node.close()
    assert "Dit apparaat kan nu geen vragen bewaren." in words(web.get("/nl/"))
    assert "Dit apparaat kan uw vraag nu niet opzoeken." in words(web.get(TICKET))
    page = ask(web, "yes", text="zij valt weg")
    assert page.status_code == 503
    assert hidden(page, "text") == "zij valt weg"
    assert web.get("/nl/t/47-1/stand").status_code == 503


def test_a_waiting_call_of_the_button_can_be_cancelled_by_staff(web: FlaskClient, node: FakeNode) -> None:
    node.status["buttons"] = [{"name": "hal", "lamp": "blinking", "number": None, "pending_s": 24, "pressed_count": 1}]
    home = web.get("/nl/")
    assert "Er is op de hulpknop gedrukt. Over 24 seconden vraagt dit steunpunt om hulp." in words(home)
    assert 'action="/nl/knop/hal"' in home.text
    assert post(web, "/nl/knop/hal").headers["Location"] == "/nl/"
    assert node.cancelled == ["hal"]
    assert post(web, "/nl/knop/anders").status_code == 404


def test_an_open_call_of_the_button_shows_its_number_until_it_is_closed(web: FlaskClient, node: FakeNode) -> None:
    node.status["buttons"] = [
        {"name": "hal", "lamp": "blinking", "number": "47-1", "pending_s": None, "pressed_count": 1}
    ]
    node.tickets["47-1"] = ticket_body("47-1", "RECEIVED")
    assert "Hulpknop: nummer 47-1. Aangekomen, nog niet gelezen." in words(web.get("/nl/"))
    node.tickets["47-1"] = ticket_body("47-1", "CLOSED")
    assert "Hulpknop" not in words(web.get("/nl/"))


PAGES = ["/nl/", "/nl/taal", "/nl/hulp", "/nl/hulp/spullen", "/nl/volgen", "/nl/t/47-1", TICKET, f"{TICKET}/erger"]


@pytest.mark.parametrize("path", PAGES)
def test_only_the_screen_of_the_point_itself_is_cleared(web: FlaskClient, node: FakeNode, path: str) -> None:
    node.tickets["47-1"] = ticket_body("47-1")
    assert '<dialog id="idle" data-warning="60" data-wipe="120" data-home="/nl/"' in web.get(path).text
    assert 'id="idle"' not in web.get(path, environ_base={"REMOTE_ADDR": "10.42.0.17"}).text


@pytest.mark.parametrize("path", PAGES)
def test_a_page_in_every_language_each_named_in_its_own(web: FlaskClient, node: FakeNode, path: str) -> None:
    node.tickets["47-1"] = ticket_body("47-1")
    for language in LANGUAGES:
        page = web.get(f"/{language}{path[3:]}")
        assert page.status_code == 200
        assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}" ' in page.text
        assert re.search(rf'(?:href|formaction)="/nl{path[3:]}"[^>]* lang="nl"', page.text)
        assert re.search(rf'(?:href|formaction)="/en{path[3:]}"[^>]* lang="en"', page.text)
        assert all(re.search(f">{own_name}</(?:a|button)>", page.text) for own_name in LANGUAGES.values())
        told = page.text.count('class="last"')
        assert told == (language != "nl" and path not in {"/nl/", "/nl/taal"})


@pytest.mark.parametrize("path", PAGES)
def test_a_first_view_fits_the_first_flight(web: FlaskClient, node: FakeNode, path: str) -> None:
    node.tickets["47-1"] = ticket_body("47-1", "ANSWERED")
    node.answers["47-1"] = [{"text": "a" * 170, "function": "FIRE_CREW", "age_s": 70}]
    css = (Path(steunpunt_ui.__file__).parent / "static" / "citizen.css").read_bytes()
    size = len(gzip.compress(web.get(path).data)) + len(gzip.compress(css))
    assert size <= FIRST_VIEW_BYTES_MAX


def test_the_script_is_small() -> None:
    script = Path(steunpunt_ui.__file__).parent / "static" / "citizen.js"
    assert len(script.read_bytes()) <= SCRIPT_BYTES_MAX


@pytest.mark.parametrize("path", [*PAGES, "/nl/stand", "/nl/nergens", "/nl/t/47-1/stand", "/"])
def test_every_reply_is_guarded_and_sets_no_cookie(web: FlaskClient, node: FakeNode, path: str) -> None:
    node.tickets["47-1"] = ticket_body("47-1")
    headers = web.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in headers


def test_static_files_are_cached_by_their_fingerprint(web: FlaskClient) -> None:
    sheet = re.search(r'href="(/static/[^"]+)"', web.get("/nl/").text)
    assert sheet is not None
    with web.get(sheet[1]) as reply:
        assert "immutable" in reply.headers["Cache-Control"]
    with web.get("/static/nothing.css?v=1") as reply:
        assert (reply.status_code, reply.headers["Cache-Control"]) == (404, "no-store")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://localhost:81"},
        {"Referer": "http://evil.example/http://localhost/"},
        {"Origin": "http://evil.example", "Referer": "http://localhost/nl/"},
    ],
)
def test_a_form_from_elsewhere_is_refused(web: FlaskClient, node: FakeNode, headers: dict[str, str]) -> None:
    page = web.post("/nl/hulp/brand", data={"token": "form-1", "do": "yes"}, headers=headers)
    assert page.status_code == 403
    assert "Dit formulier komt niet van dit apparaat." in words(page)
    assert node.kept == {}


def test_a_form_with_only_a_referer_of_here_is_taken(web: FlaskClient) -> None:
    headers = {"Referer": "http://localhost/nl/hulp/brand"}
    assert web.post("/nl/hulp/brand", data={"token": "form-1", "do": "yes"}, headers=headers).status_code == 303


@pytest.mark.parametrize(
    ("method", "path", "status", "told"),
    [
        ("GET", "/nl/nergens", 404, "Deze pagina bestaat niet."),
        ("GET", "/en/nowhere", 404, "This page does not exist."),
        ("GET", "/nl/hulp/taart", 404, "Deze pagina bestaat niet."),
        ("GET", "/xx/", 404, "Deze pagina bestaat niet."),
        ("GET", "/desk/", 404, "Deze pagina bestaat niet."),
        ("GET", "/nl/knop/hal", 405, "Deze pagina kan niet zo geopend worden."),
        ("POST", "/nl/hulp/brand", 413, "Dit was te veel om te versturen."),
    ],
)
def test_errors_have_plain_pages(web: FlaskClient, method: str, path: str, status: int, told: str) -> None:
    reply = web.open(
        path, method=method, data={"text": "x" * 200_000} if method == "POST" else None, headers={"Origin": HOME}
    )
    assert reply.status_code == status
    assert told in words(reply)
    assert "Traceback" not in reply.text


def test_a_fault_of_ours_shows_a_page_and_logs_neither_address_nor_text(
    web: FlaskClient, node: FakeNode, caplog: pytest.LogCaptureFixture
) -> None:
    node.tickets["47-1"] = {"number": "47-1", "state": "geheime tekst"}
    page = web.get(TICKET)
    assert page.status_code == 500
    assert "Er ging iets mis in dit apparaat." in words(page)
    assert "Traceback" not in page.text
    assert "citizen.ticket" in caplog.text
    assert SECRET not in caplog.text
    assert "geheime tekst" not in caplog.text


def test_every_link_on_every_page_leads_somewhere(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1", "ANSWERED")
    node.answers["47-1"] = [{"text": "Goed", "function": "MEDICAL", "age_s": 1}]
    links = {link for path in PAGES for link in re.findall(r'href="(/[^"]*)"', web.get(path).text)}
    assert len(links) > 20
    for link in sorted(links):
        with web.get(link, follow_redirects=True) as reply:  # the staff's door leads to where the PIN is asked
            assert reply.status_code == 200, link
        assert not urlsplit(link).netloc


@pytest.mark.parametrize(
    ("asked", "address", "language"),
    [
        ("ar-SY,ar;q=0.9,en;q=0.5", "10.42.0.17", "ar"),
        ("uk", "10.42.0.17", "uk"),
        ("zh,ja;q=0.5", "10.42.0.17", "nl"),
        ("", "10.42.0.17", "nl"),
        ("en-US", "127.0.0.1", "nl"),
    ],
)
def test_a_phone_begins_in_its_own_language_and_the_kiosk_in_dutch(
    web: FlaskClient, asked: str, address: str, language: str
) -> None:
    reply = web.get("/", headers={"Accept-Language": asked}, environ_base={"REMOTE_ADDR": address})
    assert reply.headers["Location"] == f"/{language}/"
