"""Announcements at the desk: composed without a script, read over with what they cost, sent once, and withdrawn."""

import re
from html import unescape
from pathlib import Path

import msgspec
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from steunpunt import keyfiles
from steunpunt.control import Client
from steunpunt.facts import Mark
from steunpunt.jobfacts import Fault
from steunpunt.ledger import announcements, heartbeats, incoming
from steunpunt.ledger.clock import boot_time_ms
from steunpunt.model import LinkName, PointState, SenderFunction
from steunpunt.protocol.announcements import Announcement, CapCategory, Certainty, MessageType, Severity, Urgency
from steunpunt.protocol.heartbeat import Heartbeat, mesh_interval_s
from steunpunt.protocol.phrases import Clock as ClockTime
from steunpunt.protocol.phrases import Phrase
from steunpunt.values import replace
from steunpunt_ui.app import create_app
from tests.fakes.sites import LEDGER_KEY, MESH_UP, Clock, CoordinatorSite, heard, seeded
from tests.fakes.ui_citizen import words
from tests.fakes.ui_sites import NAME, coordinator_config
from tests.integration.test_ui_desk import HOME, log_in

NEW = "/desk/berichten/nieuw"


class MachineClock(Clock):
    """The machine's own time, which the web process reads too."""

    def read(self) -> int:
        return boot_time_ms()


class DeskSite:
    """A coordinator's node and its web process over one ledger, with somebody logged in."""

    def __init__(self, folder: Path, passwords: Path) -> None:
        self.node = CoordinatorSite(folder / "site", MachineClock(), seeded(5))
        self.node.turn(MESH_UP)
        key = folder / "ledger.key"
        keyfiles.write(key, {"ledger_key": keyfiles.encoded(LEDGER_KEY)}, keyfiles.OWNER_AND_GROUP)
        config = coordinator_config(folder / "n", passwords)
        ledger = msgspec.structs.replace(config.ledger, path=str(self.node.path), key_file=str(key))
        point = tuple(msgspec.structs.replace(config.point[0], id=number, name=f"Huis {number}") for number in (47, 48))
        self.config = msgspec.structs.replace(config, ledger=ledger, point=point)
        self.web: FlaskClient = create_app(self.config, Client(folder / "n")).test_client()
        log_in(self.web)

    def post(self, page: TestResponse, do: str, **fields: str) -> TestResponse:
        """Send the form of a page as a browser would: every field as it stands, but for those named here."""
        return self.web.post(NEW, data=form_of(page.text) | {"do": do} | fields, headers={"Origin": HOME})

    def said(self) -> list[announcements.Issued]:
        self.node.turn()
        return announcements.newest(self.node.ledger.connection)

    def beats(self, site: int, beat: Heartbeat, *, ago_s: int = 0, link: LinkName = LinkName.BROKER) -> None:
        """Let a point have given a sign of life."""
        at_ms = self.node.now_ms() - ago_s * 1000
        with self.node.ledger.transaction() as connection:
            incoming.note_road(connection, site, heard(b"", link, carrier=site), at_ms)
            assert heartbeats.keep(connection, site, (bytes([site, 0, 0]), 1), beat, at_ms)


def form_of(page: str) -> dict[str, str]:
    """Return the fields of the page's own form with their values, as a browser sends them."""
    html = page[page.index(f'action="{NEW}"') :]
    html = html[: html.index("</form>")]
    inputs = re.findall(r'<input[^>]* name="([^"]+)"[^>]* value="([^"]*)"', html)
    fields = {name: unescape(value) for name, value in inputs}
    for name, body in re.findall(r'<select[^>]* name="([^"]+)">(.*?)</select>', html, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', body) or re.search(r'value="([^"]*)"', body)
        assert chosen
        fields[name] = chosen[1]
    fields |= {name: unescape(text) for name, text in re.findall(r'<textarea[^>]* name="([^"]+)"[^>]*>([^<]*)<', html)}
    if 'type="checkbox" name="exercise"' in html and "checked" not in html:
        fields.pop("exercise")
    return fields


@pytest.fixture(name="site")
def fixture_site(tmp_path: Path, passwords: Path) -> DeskSite:
    return DeskSite(tmp_path, passwords)


def say(site: DeskSite, **fields: str) -> None:
    """Compose, read over and send."""
    preview = site.post(site.web.get(NEW), "look", **fields)
    assert preview.status_code == 200, words(preview)
    assert site.post(preview, "send").headers["Location"] == "/desk/berichten"


# --- composing -----------------------------------------------------------------------------------------------------


def test_an_announcement_is_composed_read_over_and_signed_by_the_node(site: DeskSite) -> None:
    empty = site.post(site.web.get(NEW), "look", p1="83", headline="Water")
    assert empty.status_code == 409
    assert "Vul in wat de zin nodig heeft: plaats." in empty.text
    preview = site.post(empty, "look", p1_place="school", p1_time="14:21", text="Neem flessen mee")
    told = words(preview)
    assert "Voor alle steunpunten. · Voorbij na 24 uur." in told
    assert "Drinkwater. Waar: school. Vanaf: 14:30" in told
    assert "Drinking water." in told
    assert re.search(r"In de lucht: \d,\d seconden in 1 pakket, elke keer", told)
    assert site.said() == [], "a look sends nothing"
    assert site.post(preview, "send").status_code == 303
    (one,) = site.said()
    assert one.announcement == Announcement(
        type=MessageType.ALERT,
        function=SenderFunction.DUTY_OFFICER,
        category=CapCategory.SAFETY,
        urgency=Urgency.EXPECTED,
        severity=Severity.MODERATE,
        certainty=Certainty.LIKELY,
        expires_min=24 * 60,
        headline="Water",
        phrases=(Phrase(83, ("school", ClockTime(870))),),
        text="Neem flessen mee",
    )
    assert (one.serial, announcements.open_by(LEDGER_KEY, one.by_box)) == (1, NAME)


def test_a_double_tap_says_it_once(site: DeskSite) -> None:
    preview = site.post(site.web.get(NEW), "look", headline="Gaslek")
    assert [site.post(preview, "send").status_code for _ in range(2)] == [303, 303]
    assert len(site.said()) == 1


def test_from_the_look_one_goes_back_and_changes_it(site: DeskSite) -> None:
    preview = site.post(site.web.get(NEW), "look", headline="Gasslek", exercise="1", sites="48", urgency="IMMEDIATE")
    assert "OEFENING" in preview.text
    assert "Huis 48" in preview.text
    form = site.post(preview, "edit")
    assert form.status_code == 200
    again = site.post(form, "look", headline="Gaslek")
    site.post(again, "send")
    (one,) = site.said()
    said = one.announcement
    assert (said.headline, said.mark, said.sites, said.urgency) == ("Gaslek", Mark.EXERCISE, (48,), Urgency.IMMEDIATE)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "Kies een zin, of schrijf wat er aan de hand is"),
        ({"headline": "é" * 71}, "Wat is er aan de hand: 8 tekens te lang."),
        ({"text": "x" * 2001}, "De tekst is 1 teken te lang."),
        ({"headline": "x", "function": "OTHER"}, "Kies wie dit zegt."),
        ({"headline": "x", "urgency": "PANIC"}, "Kies uit elke lijst."),
        ({"headline": "x", "expires_h": "171"}, "0 tot 170"),
        ({"headline": "x", "expires_h": "-1"}, "0 tot 170"),
        ({"headline": "x", "expires_h": "²"}, "0 tot 170"),
        ({"headline": "x", "sites": "47 huis"}, "Schrijf de nummers van de steunpunten"),
        ({"headline": "x", "sites": "70000"}, "Schrijf de nummers van de steunpunten"),
        ({"headline": "x", "sites": " ".join(str(n) for n in range(100, 164))}, "Hoogstens 63 steunpunten"),
        ({"function": "FIRE_CREW", "p1": "40"}, "mag dit niet toezeggen"),
    ],
)
def test_what_cannot_be_said_is_refused_and_kept_on_the_page(site: DeskSite, fields: dict[str, str], says: str) -> None:
    page = site.post(site.web.get(NEW), "look", **({"sites": "48"} | fields))
    assert page.status_code == 409
    assert says in words(page)
    assert form_of(page.text)["sites"] == fields.get("sites", "48")
    assert site.said() == []


def test_markup_and_what_is_typed_stay_text(site: DeskSite) -> None:
    say(site, headline='<b>"Gas"</b>', text="<script>x</script> & meer")
    (one,) = site.said()
    assert one.announcement.headline == '<b>"Gas"</b>'
    assert "<script>x" not in site.web.get("/desk/berichten").text


def test_nobody_says_anything_without_logging_in(site: DeskSite) -> None:
    form = form_of(site.web.get(NEW).text) | {"headline": "Vals"}
    site.web.delete_cookie("desk", path="/desk")
    for path in ("/desk/berichten", NEW, "/desk/punten"):
        assert site.web.get(path).headers["Location"] == "/desk/login"
    assert site.web.get("/desk/punten/stand").status_code == 401
    assert site.web.post(NEW, data=form | {"do": "send"}, headers={"Origin": HOME}).status_code == 403
    assert site.said() == []


def test_a_form_of_another_session_says_nothing(site: DeskSite) -> None:
    page = site.web.get(NEW)
    assert site.post(page, "send", headline="Vals", token="x" * 54).status_code == 403
    assert site.said() == []


# --- changing and withdrawing ----------------------------------------------------------------------------------------


def test_an_announcement_is_changed_and_withdrawn(site: DeskSite) -> None:
    say(site, headline="Gaslek", p1="98", p1_frequency="95,3", text="Ramen dicht", sites="47", expires_h="2")
    first = site.said()[0]
    change = site.web.get(f"{NEW}?over={first.id}&soort=wijzigen")
    fields = form_of(change.text)
    assert (fields["headline"], fields["text"], fields["sites"], fields["p1_frequency"]) == (
        "Gaslek",
        "Ramen dicht",
        "47",
        "95.3",
    )
    assert fields["expires_h"] == "2", "it ends when it would have ended, unless somebody says otherwise"
    site.post(site.post(change, "look", headline="Gaslek groter"), "send")
    second = site.said()[0]
    assert (second.announcement.type, second.about) == (MessageType.UPDATE, first.id)
    assert second.announcement.phrases == first.announcement.phrases
    withdraw = site.web.get(f"{NEW}?over={second.id}&soort=intrekken")
    assert form_of(withdraw.text)["text"] == ""
    assert all(name not in withdraw.text for name in ('name="p1"', '<select id="urgency', 'id="expires_h"'))
    site.post(site.post(withdraw, "look", headline=""), "send")  # to withdraw needs no words
    assert site.said()[0].announcement.type is MessageType.CANCEL
    listed = words(site.web.get("/desk/berichten"))
    assert listed.count("Vervangen of ingetrokken") == 2
    refused = site.post(site.post(site.web.get(f"{NEW}?over={first.id}&soort=wijzigen"), "look"), "send")
    assert refused.status_code == 409
    assert "Deze mededeling geldt niet meer. Kijk in de lijst." in refused.text
    assert len(site.said()) == 3


@pytest.mark.parametrize("over", ["99", "x", "²", "9" * 30])
def test_about_what_is_not_there_nothing_is_said(site: DeskSite, over: str) -> None:
    assert site.web.get(f"{NEW}?over={over}").status_code == 404


def test_the_sentences_of_an_announcement_begin_with_what_is_going_on(site: DeskSite) -> None:
    groups = re.findall(r'<optgroup label="([^"]+)"', site.web.get(NEW).text)
    assert groups[:2] == ["Wat is er aan de hand", "Wat nu te doen"]


# --- who has heard it -------------------------------------------------------------------------------------------------


def test_the_list_says_who_has_heard_it_by_heartbeats_alone(site: DeskSite) -> None:
    say(site, headline="Gaslek")
    assert "Nog geen steunpunt heeft gemeld dat het dit heeft gehoord." in words(site.web.get("/desk/berichten"))
    site.said()
    site.beats(47, Heartbeat(serial=1, incarnation=1))
    site.beats(48, Heartbeat(serial=0, incarnation=1))
    listed = words(site.web.get("/desk/berichten"))
    assert f"Geldt nu · Mededeling · Officier van dienst · minder dan een minuut geleden · {NAME}" in listed
    assert "Voor alle steunpunten. Gehoord door: Huis 47 (47). Nog niet gehoord door: Huis 48 (48)." in listed


# --- commands --------------------------------------------------------------------------------------------------------


def test_a_command_to_points_is_signed_like_news_and_ends_when_the_next_comes(site: DeskSite) -> None:
    page = site.web.get(f"{NEW}?soort=opdracht")
    assert "headline" not in form_of(page.text)
    assert site.post(page, "look").status_code == 409, "no state is chosen by itself"
    preview = site.post(page, "look", state="EXERCISE", sites="47 48")
    assert "Opdracht aan steunpunten: oefening" in words(preview)
    site.post(preview, "send")
    (one,) = site.said()
    assert one.announcement == Announcement(
        type=MessageType.POINT_STATE,
        function=SenderFunction.DUTY_OFFICER,
        state=PointState.EXERCISE,
        sites=(47, 48),
    )
    assert site.post(page, "look", state="PARTY").status_code == 409


# --- points ----------------------------------------------------------------------------------------------------------


GOOD = Heartbeat(mesh_up=True, broker_up=True, state=PointState.OPEN, version=(1, 2, 3), serial=1, incarnation=1)


def rows(site: DeskSite) -> list[str]:
    page = site.web.get("/desk/punten/stand").text
    return [words_of(row) for row in re.findall(r"<tr class=.*?</tr>", page, re.DOTALL)]


def words_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def test_a_point_that_was_never_heard_says_so(site: DeskSite) -> None:
    assert "Huis 47 (47) Nog nooit gehoord." in rows(site)[0]
    assert "Het steunpunt" not in words(site.web.get("/desk/punten"))


def test_points_are_sorted_by_worry(site: DeskSite) -> None:
    say(site, headline="Gaslek")
    site.said()
    old_s = round(2.5 * mesh_interval_s(site.config.region.sites)) + 60
    told = {
        60: (replace(GOOD, incarnation=2), 0, LinkName.BROKER, "het register hier is een oude kopie"),
        61: (GOOD, 301, LinkName.BROKER, "Langer stil dan normaal."),
        62: (GOOD, old_s, LinkName.MESH, "Langer stil dan normaal."),
        63: (replace(GOOD, faults=frozenset({next(iter(Fault))})), 0, LinkName.BROKER, "Meldt een storing."),
        64: (replace(GOOD, queue=3, oldest_s=3000), 0, LinkName.BROKER, "Daar wachten al lang vragen."),
        65: (replace(GOOD, state=PointState.CLOSED), 0, LinkName.BROKER, "Het steunpunt is gesloten."),
        66: (replace(GOOD, serial=0), 0, LinkName.BROKER, "Heeft niet alle mededelingen gehoord."),
        67: (replace(GOOD, broker_up=False), 400, LinkName.MESH, "Heeft maar één weg."),
        68: (GOOD, 0, LinkName.BROKER, "Niets mis bekend."),
    }
    for number in sorted(told, reverse=True):
        beat, ago_s, link, _ = told[number]
        site.beats(number, beat, ago_s=ago_s, link=link)
    found = rows(site)
    numbers = [int(re.search(r"\d+", row)[0]) for row in found]  # type: ignore[index]
    assert numbers == [60, 47, 48, 61, 62, 63, 64, 65, 66, 67, 68]
    by_number = dict(zip(numbers, found, strict=True))
    for number, (_, _, _, says) in told.items():
        assert says in by_number[number], number
    assert "mist er 1" in by_number[66]
    told_67 = (
        "radio: laatst gehoord 6 minuten geleden internet: nooit gehoord zei zelf, 6 minuten geleden: geen internet"
    )
    assert f"6 minuten geleden (radio) Levensteken: 6 minuten geleden {told_67} 0 zei dit 6 minuten" in by_number[67]
    assert "(68)" not in by_number[68], "the config does not list it"
    assert "versie 1.2.3 Niets mis bekend." in by_number[68]
    now = "minder dan een minuut geleden"
    assert f"internet: gehoord {now} 0 zei dit {now} alles gehoord open zei dit {now} niet bekend" in by_number[68]


def test_a_road_that_fell_silent_is_not_called_good_by_what_the_point_said_before(site: DeskSite) -> None:
    site.beats(68, GOOD, ago_s=200, link=LinkName.BROKER)
    site.beats(68, GOOD, ago_s=10, link=LinkName.MESH)
    (row,) = (row for row in rows(site) if "68" in row.split()[:3])
    assert "Internet: niet meer gehoord sinds 3 minuten geleden." in row
    assert "ja" not in row.split()
