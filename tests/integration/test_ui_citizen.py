"""The citizen's pages over a real control socket: the whole road of a form, and every way it can fail."""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import steunpunt_ui
from steunpunt.control import Client
from steunpunt_ui.app import create_app
from tests.fakes.fake_node import SECRET, FakeNode, ticket_body
from tests.fakes.ui_sites import kiosk_config

FIRST_VIEW_BYTES_MAX = 14 * 1024
HOME = "http://localhost"
TICKET = f"/nl/t/47-1/{SECRET}"


@pytest.fixture(name="node")
def fixture_node(tmp_path: Path) -> Iterator[FakeNode]:
    node = FakeNode(tmp_path / "node.sock")
    yield node
    node.close()


@pytest.fixture(name="web")
def fixture_web(node: FakeNode) -> Iterator[FlaskClient]:
    client = Client(node.path, timeout_s=5)
    yield create_app(kiosk_config(node.path), client).test_client()
    client.close()


def words(response: TestResponse) -> str:
    """The page's text as a reader sees it, in one line."""
    plain = re.sub(r"<(script|style|svg|noscript).*?</\1>", "", response.text, flags=re.DOTALL)
    plain = re.sub(r"</?(?:strong|b|small|span)>", "", plain)
    return " ".join(re.sub(r"<[^>]+>", " ", plain).replace("&#39;", "'").split())


def hidden(response: TestResponse, name: str) -> str:
    found = re.search(rf'<input type="hidden" name="{name}" value="([^"]*)"', response.text)
    assert found, f"no hidden field {name}"
    return found[1]


def post(web: FlaskClient, path: str, **fields: str) -> TestResponse:
    return web.post(path, data=fields, headers={"Origin": HOME})


def ask(web: FlaskClient, step: str, **fields: str) -> TestResponse:
    token = hidden(web.get("/nl/hulp/medisch"), "token")
    return post(web, "/nl/hulp/medisch", token=token, do=step, **fields)


# --- asking -----------------------------------------------------------------------------------------------------


def test_three_taps_without_typing_from_the_first_page_to_a_ticket(web: FlaskClient, node: FakeNode) -> None:
    assert web.get("/").headers["Location"] == "/nl/"
    home = web.get("/nl/")
    assert "Gratis. Geen papieren nodig. Uw naam is niet nodig." in words(home)
    assert 'href="/nl/hulp"' in home.text
    assert web.get("/nl/hulp").text.count('class="tile"') == 6
    sent = ask(web, "no")
    assert (sent.status_code, sent.headers["Location"]) == (303, TICKET)
    page = web.get(TICKET)
    assert "47-1" in page.text
    assert SECRET in page.text
    assert "<svg" in page.text
    kept = next(iter(node.kept.values()))
    assert (kept["category"], kept["life_threat"], kept["language"]) == ("MEDICAL", False, "nl")
    assert (kept["people"], kept["text"], kept["callback"]) == (0, "", "")


def test_a_life_threat_is_sent_by_one_button_on_the_page_of_its_kind(web: FlaskClient, node: FakeNode) -> None:
    assert ask(web, "yes").status_code == 303
    assert next(iter(node.kept.values()))["life_threat"] is True
    assert "Laat iemand anders dit invullen." in words(web.get(TICKET))


def test_details_pass_a_page_to_check_and_arrive_as_typed(web: FlaskClient, node: FakeNode) -> None:
    typed = {"people": "3", "text": 'Ze zei: "<b>lucht</b>" & viel\r\nمريض', "callback": "ik wacht hier"}
    check = ask(web, "check", **typed)
    assert "Controleer wat u verstuurt" in words(check)
    assert "<b>lucht" not in check.text
    assert node.kept == {}
    assert post(web, "/nl/hulp/medisch", token=hidden(check, "token"), do="no", **typed).status_code == 303
    kept = next(iter(node.kept.values()))
    assert kept["text"] == 'Ze zei: "<b>lucht</b>" & viel\nمريض'
    assert (kept["people"], kept["callback"]) == (3, "ik wacht hier")


def test_the_enter_key_checks_and_never_sends(web: FlaskClient) -> None:
    form = web.get("/nl/hulp/brand").text
    first = re.search(r"<button[^>]*>", form)
    assert first is not None
    assert 'value="check"' in first[0]


def test_change_shows_the_fields_again_with_what_was_typed(web: FlaskClient) -> None:
    page = ask(web, "change", text="zuurstof is op", people="2")
    assert "zuurstof is op</textarea>" in page.text
    assert "<details open>" in page.text


def test_the_same_form_twice_is_one_request(web: FlaskClient, node: FakeNode) -> None:
    token = hidden(web.get("/nl/hulp/brand"), "token")
    replies = [post(web, "/nl/hulp/brand", token=token, do="yes") for _ in range(2)]
    assert {reply.headers["Location"] for reply in replies} == {TICKET}
    assert len(node.kept) == 1


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"text": "x" * 131}, "Uw bericht is 1 teken te lang."),
        ({"text": "x" * 10_000}, "Uw bericht is 9870 tekens te lang."),
        ({"text": "\U0001f692" * 33}, "Uw bericht is 1 teken te lang."),
        ({"people": "veel"}, "vul een getal in van 0 tot en met 99"),
        ({"people": "100"}, "vul een getal in van 0 tot en met 99"),
        ({"people": "\u00b2"}, "vul een getal in van 0 tot en met 99"),
        ({"callback": "1" * 32}, "is 2 tekens te lang"),
    ],
)
def test_what_does_not_fit_is_told_and_stays_on_the_page(
    web: FlaskClient, node: FakeNode, fields: dict[str, str], told: str
) -> None:
    page = ask(web, "yes", **fields)
    assert page.status_code == 400
    assert told in words(page)
    assert next(iter(fields.values())) in page.text
    assert node.kept == {}


def test_control_characters_are_taken_out(web: FlaskClient, node: FakeNode) -> None:
    assert ask(web, "no", text="ge\x00vaar\x1b[31m\u202e!").status_code == 303
    assert next(iter(node.kept.values()))["text"] == "gevaar[31m!"


def test_missing_fields_are_empty_fields(web: FlaskClient, node: FakeNode) -> None:
    page = post(web, "/nl/hulp/brand")
    assert "Controleer wat u verstuurt" in words(page)
    assert node.kept == {}


@pytest.mark.parametrize("token", ["", "forged", "oud"])
def test_a_forged_or_old_form_is_sent_with_one_more_tap_and_keeps_its_text(
    web: FlaskClient, node: FakeNode, token: str
) -> None:
    page = post(web, "/nl/hulp/medisch", token=token, do="yes", text="zij valt weg", people="2", callback="hier")
    assert page.status_code == 400
    assert "Deze pagina stond te lang open." in words(page)
    assert node.kept == {}
    again = {name: hidden(page, name) for name in ("token", "do", "text", "people", "callback")}
    assert post(web, "/nl/hulp/medisch", **again).status_code == 303
    kept = next(iter(node.kept.values()))
    assert (kept["text"], kept["people"], kept["life_threat"]) == ("zij valt weg", 2, True)


def test_a_lost_reply_is_asked_for_again_with_the_same_form(web: FlaskClient, node: FakeNode) -> None:
    node.refuse = {"error": "not_known_yet", "message": "slow"}
    page = ask(web, "yes", text="zij valt weg")
    assert page.status_code == 503
    assert "Wij weten nog niet of uw vraag bewaard is." in words(page)
    node.refuse = None
    again = {name: hidden(page, name) for name in ("token", "do", "text", "people", "callback")}
    assert [post(web, "/nl/hulp/medisch", **again).headers["Location"] for _ in range(2)] == [TICKET, TICKET]
    assert len(node.kept) == 1


def test_a_node_that_hangs_up_after_keeping_makes_no_second_request(web: FlaskClient, node: FakeNode) -> None:
    node.silent_once = True
    sent = ask(web, "no")
    if sent.status_code == 503:
        again = {name: hidden(sent, name) for name in ("token", "do", "text", "people", "callback")}
        sent = post(web, "/nl/hulp/medisch", **again)
    assert sent.headers["Location"] == TICKET
    assert len(node.kept) == 1


def test_a_full_disk_is_told_and_recovers_with_the_same_tap(web: FlaskClient, node: FakeNode) -> None:
    node.refuse = {"error": "cannot_keep", "message": "disk full"}
    page = ask(web, "no", text="insuline op")
    assert page.status_code == 503
    assert "Dit apparaat kan uw vraag nu niet bewaren." in words(page)
    assert "Willem Alexanderweg 1" in words(page)
    node.refuse = None
    again = {name: hidden(page, name) for name in ("token", "do", "text", "people", "callback")}
    assert post(web, "/nl/hulp/medisch", **again).status_code == 303


def test_the_nodes_own_limit_is_told_in_characters(web: FlaskClient, node: FakeNode) -> None:
    node.refuse = {"error": "text_too_long", "message": "", "bytes": 120, "bytes_max": 100}
    page = ask(web, "no", text="x" * 120)
    assert "Uw bericht is 20 tekens te lang." in words(page)
    assert "x" * 120 in page.text


# --- the ticket -------------------------------------------------------------------------------------------------

STATION = "Brandweerkazerne Noord"
ADDRESS = "Willem Alexanderweg 1, Maastricht"
STATES = {
    "KEPT": [
        f"Nog niet verstuurd. Uw bericht staat veilig in dit apparaat. Niemand bij {STATION} heeft het.",
        "Doe nu: Schrijf uw nummer op. Gevaar? Bel 112 als een telefoon werkt.",
        f"Anders: stuur iemand naar {ADDRESS}.",
    ],
    "ON_ITS_WAY": [
        "Wij versturen uw bericht. Wij weten nog niet of het is aangekomen. Reken nog niet op hulp.",
        "Doe nu: Blijf dichtbij. Levensgevaar? Bel 112. Lukt dat niet?",
        f"Stuur nu iemand naar {ADDRESS} met dit nummer en de vraag op papier.",
    ],
    "RECEIVED": [
        f"Aangekomen, nog niet gelezen. Het apparaat bij {STATION} heeft uw bericht.",
        "Daar was 6 minuten geleden iemand actief. Reken nog niet op hulp.",
        f"Doe nu: Levensgevaar en na 5 minuten nog dit scherm? Stuur iemand naar {ADDRESS}.",
    ],
    "SEEN": [
        f"Een medewerker pakt dit op. {STATION}, 3 minuten geleden. Er is nog geen hulp toegezegd.",
        "Doe nu: Wacht op antwoord of kom terug met uw nummer.",
    ],
    "ANSWERED": ["Er is antwoord.", "Doe nu: Doe wat hierboven staat.", "Ik begrijp het", "Ik heb een vraag"],
    "CLOSED": ["Afgerond. Reden: u bent geholpen. Klopt dit niet?", "Ik heb nog hulp nodig"],
}


@pytest.mark.parametrize("state", STATES)
def test_each_state_has_its_words_and_the_number_and_worse(web: FlaskClient, node: FakeNode, state: str) -> None:
    node.tickets["47-1"] = ticket_body("47-1", state, close_code="CLOSED_HELPED")
    node.answers["47-1"] = [{"text": "Kom naar de gymzaal.", "function": "FIRE_CREW", "age_s": 70}]
    shown = words(web.get(TICKET))
    for sentence in STATES[state]:
        assert sentence in shown
    assert "Uw nummer 47-1" in shown
    assert "Het is erger geworden" in shown
    others = {other: said[0] for other, said in STATES.items() if other != state}
    assert [other for other, sentence in others.items() if sentence in shown] == []


def test_nobody_known_to_be_there_is_said(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1", "RECEIVED", active_min=None)
    assert "heeft uw bericht. Wij weten niet of daar nu iemand is. Reken" in words(web.get(TICKET))


def test_after_a_loss_of_power_ages_are_at_least(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1", "SEEN", age_at_least=True)
    assert "Brandweerkazerne Noord, minstens 3 minuten geleden." in words(web.get(TICKET))


def test_the_answer_says_who_and_that_it_was_passed_on(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1", "ANSWERED", passed_on_age_s=130)
    node.answers["47-1"] = [{"text": "Wacht <i>buiten</i>.", "function": "DUTY_OFFICER", "age_s": 70}]
    page = web.get(TICKET)
    assert "Wacht &lt;i&gt;buiten&lt;/i&gt;." in page.text
    assert "Van de officier van dienst. (1 minuut geleden)" in words(page)
    assert "Doorgegeven aan de meldkamer. (2 minuten geleden)" in words(page)


def test_the_number_alone_shows_the_state_but_not_the_answer(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1", "ANSWERED")
    node.answers["47-1"] = [{"text": "Geheim", "function": "MEDICAL", "age_s": 70}]
    page = web.get("/nl/t/47-1")
    assert "Er is antwoord." in words(page)
    assert "Geheim" not in page.text
    assert SECRET not in page.text


def test_a_buttons_answer_is_shown_to_all_here(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body(
        "47-1",
        "ANSWERED",
        open_to_all=True,
        answers=[
            {"text": "Wij komen eraan.", "function": "FIRE_CREW", "age_s": 70},
            {"text": "", "function": "", "age_s": 60, "unreadable": True},
        ],
    )
    shown = words(web.get("/nl/t/47-1"))
    assert "Wij komen eraan." in shown
    assert "Uw code" not in shown


def test_absent_and_wrong_get_the_same_answer(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1")
    paths = ["/nl/t/47-1/AAAA-AAAA", f"/nl/t/47-2/{SECRET}", "/nl/t/47-1/onzin", "/nl/t/99-1", "/nl/t/x"]
    answers = [web.get(path) for path in paths]
    assert {answer.status_code for answer in answers} == {404}
    assert len({re.sub(r'href="/(nl|en)/t/[^"]*"', "", answer.text) for answer in answers}) == 1


def test_looking_up_leads_to_the_ticket(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1")
    assert post(web, "/nl/volgen", number="47 1", secret="7kq4m2xd").headers["Location"] == TICKET
    assert post(web, "/nl/volgen", number="47-1").headers["Location"] == "/nl/t/47-1"
    for fields in ({"number": "abc"}, {"number": "47-1", "secret": "kort"}):
        refused = post(web, "/nl/volgen", **fields)
        assert (refused.status_code, 'role="alert"' in refused.text) == (400, True)


def test_polling_sees_a_change_by_the_public_number_alone(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1")
    page = web.get(TICKET)
    poll, mark = (re.search(rf'data-{name}="([^"]+)"', page.text) for name in ("poll", "mark"))
    assert poll is not None
    assert mark is not None
    assert SECRET not in poll[1]
    assert web.get(poll[1]).text == mark[1]
    node.tickets["47-1"] = ticket_body("47-1", "SEEN")
    assert web.get(poll[1]).text != mark[1]
    assert web.get("/nl/t/47-9/stand").status_code == 404


OWN_HOSTS = ("127.0.0.1:8080", "localhost:1", "[::1]:8080")


def _picture(web: FlaskClient, host: str) -> str:
    return web.get(TICKET, headers={"Host": host}).text.split('class="qr">')[1].split("</div>")[0]


def test_a_qr_leads_phones_here_and_is_plain_text_where_they_could_not_follow(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1")
    pictures = {host: _picture(web, host) for host in (*OWN_HOSTS, "10.42.0.1", "steunpunt.lan:8080")}
    own = {pictures.pop(host) for host in OWN_HOSTS}
    assert len(own) == 1
    assert len(set(pictures.values()) | own) == 3


# --- adding to a request ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slug", "code", "text"),
    [
        ("erger", "WORSE", ""),
        ("vraag", "QUESTION", "hoe lang nog?"),
        ("begrepen", "UNDERSTOOD", ""),
        ("nog-nodig", "STILL_NEEDED", "trap op"),
        ("niet-nodig", "NO_LONGER_NEEDED", ""),
    ],
)
def test_each_addition_reaches_the_node_once(web: FlaskClient, node: FakeNode, slug: str, code: str, text: str) -> None:
    node.tickets["47-1"] = ticket_body("47-1", "SEEN")
    token = hidden(web.get(f"{TICKET}/{slug}"), "token")
    for _ in range(2):
        sent = post(web, f"{TICKET}/{slug}", token=token, text=text)
        assert (sent.status_code, sent.headers["Location"]) == (303, f"{TICKET}?added=1")
    [added] = node.supplements.values()
    assert (added["code"], added["text"], added["number"]) == (code, text, "47-1")
    assert "Toegevoegd aan uw vraag. Wij weten nog niet of ook dit is aangekomen." in words(
        web.get(f"{TICKET}?added=1")
    )


def test_only_worse_goes_without_the_secret_half(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1", "SEEN")
    token = hidden(web.get("/nl/t/47-1/erger"), "token")
    assert post(web, "/nl/t/47-1/erger", token=token).headers["Location"] == "/nl/t/47-1?added=1"
    assert web.get("/nl/t/47-1/vraag").status_code == 404
    assert post(web, "/nl/t/47-1/niet-nodig", token=token).status_code == 405
    assert post(web, "/nl/t/47-1/AAAA-AAAA/niet-nodig", token="form-9").status_code == 404
    assert [added["code"] for added in node.supplements.values()] == ["WORSE"]


def test_an_addition_that_is_refused_keeps_its_text(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1", "SEEN")
    empty = post(web, f"{TICKET}/vraag", token="form-1", text=" ")
    assert (empty.status_code, "Schrijf wat u wilt vertellen" in words(empty)) == (400, True)
    long = post(web, f"{TICKET}/erger", token="form-1", text="y" * 140)
    assert (long.status_code, "y" * 140 in long.text) == (400, True)
    old = post(web, f"{TICKET}/erger", token="old", text="nu ook rook")
    assert hidden(old, "text") == "nu ook rook"
    assert post(web, f"{TICKET}/erger", token=hidden(old, "token"), text="nu ook rook").status_code == 303


# --- the first page ---------------------------------------------------------------------------------------------


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
            "Dit steunpunt heeft nu geen internet.",
            "U kunt hulp vragen: dat gaat via de radio.",
        ),
        (
            {"region": {"fresh": False, "age_s": 3700}},
            "Wij hoorden Brandweerkazerne Noord het laatst 61 minuten geleden.",
            "wacht hier veilig",
        ),
        (
            {"region": {"fresh": False, "age_s": None}},
            "Wij hebben nog niets gehoord van Brandweerkazerne Noord.",
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


# --- every page -------------------------------------------------------------------------------------------------

PAGES = ["/nl/", "/nl/hulp", "/nl/hulp/spullen", "/nl/volgen", "/nl/t/47-1", TICKET, f"{TICKET}/erger"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_in_both_languages_each_named_in_its_own(web: FlaskClient, node: FakeNode, path: str) -> None:
    node.tickets["47-1"] = ticket_body("47-1")
    for language in ("nl", "en"):
        page = web.get(f"/{language}{path[3:]}")
        assert page.status_code == 200
        assert f'<html lang="{language}">' in page.text
        assert f'href="/nl{path[3:]}" lang="nl"' in page.text
        assert f'href="/en{path[3:]}" lang="en"' in page.text
        assert ">Nederlands</a>" in page.text


@pytest.mark.parametrize("path", PAGES)
def test_a_first_view_fits_the_first_flight(web: FlaskClient, node: FakeNode, path: str) -> None:
    node.tickets["47-1"] = ticket_body("47-1", "ANSWERED")
    node.answers["47-1"] = [{"text": "a" * 170, "function": "FIRE_CREW", "age_s": 70}]
    css = (Path(steunpunt_ui.__file__).parent / "static" / "citizen.css").read_bytes()
    size = len(gzip.compress(web.get(path).data)) + len(gzip.compress(css))
    assert size <= FIRST_VIEW_BYTES_MAX


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
        ("GET", "/de/", 404, "Deze pagina bestaat niet."),
        ("GET", "/desk/", 404, "Deze pagina bestaat niet."),
        ("GET", "/nl/knop/hal", 405, "Deze pagina kan niet zo geopend worden."),
        ("POST", "/nl/hulp/brand", 413, "Dit was te veel om te versturen."),
    ],
)
def test_errors_have_plain_pages(web: FlaskClient, method: str, path: str, status: int, told: str) -> None:
    reply = web.open(
        path, method=method, data={"text": "x" * 70_000} if method == "POST" else None, headers={"Origin": HOME}
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
        with web.get(link) as reply:
            assert reply.status_code == 200, link
        assert not urlsplit(link).netloc
