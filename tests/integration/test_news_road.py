"""News on its road between real processes: from the desk's page to a kiosk that was off when it was sent.

And the readable fall-back, from a kiosk that nobody hears to somebody with a handheld and back.
"""

import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar

import pytest
from meshtastic.tcp_interface import TCPInterface
from pubsub import pub

from steunpunt.demo.region import COORDINATOR, DESK_NAME, DESK_PASSWORD, Region
from tests.fakes.lone_site import page
from tests.integration.test_ui_announcements import NEW, form_of

pytestmark = [pytest.mark.processes, pytest.mark.broker]
HEARD_S_MAX = 150.0
"""A bridge comes back within some 30 s, and a heartbeat goes every 60 s; as a rule it takes 20 s in all."""
FALLBACK_S_MAX = 90.0
SOON_S = PAGE_S_MAX = 15.0
Wait = Callable[..., None]


class Desk:
    """The desk in a browser without scripts."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self._opener.addheaders = [("Origin", url)]
        self.page("/desk/login", {"name": DESK_NAME, "password": DESK_PASSWORD})

    def page(self, path: str, fields: dict[str, str] | None = None) -> str:
        data = None if fields is None else urllib.parse.urlencode(fields).encode()
        with self._opener.open(self._url + path, data, timeout=PAGE_S_MAX) as reply:
            return str(reply.read(), "utf-8")

    def say(self, headline: str, sentence: str) -> None:
        """Compose an announcement, read it over, and send it."""
        form = form_of(self.page(NEW)) | {"headline": headline, "p1": sentence, "do": "look"}
        preview = self.page(NEW, form)
        assert "In de lucht:" in preview
        assert headline in self.page(NEW, form_of(preview) | {"do": "send"})


@pytest.fixture(name="region")
def fixture_region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    """Make a region for each test: both leave wreckage that the other would stumble over, whichever comes first."""
    made = Region(tmp_path_factory.mktemp("region"), speed=20)
    made.prepare()
    for name in ("kiosk-a", "kiosk-b"):
        with made.sites[name].config.open("a", encoding="utf-8") as config:
            config.write("\n[relay]\nfallback_min = 1\n")
    try:
        made.start()
        yield made
    finally:
        made.stop()


def news(region: Region, kiosk: str, lang: str = "nl") -> str:
    return page(region.sites[kiosk].web_port, f"/{lang}/nieuws").words


def confirmed(region: Region, kiosk: str) -> bool:
    shown = news(region, kiosk)
    return "Gaslek" in shown and "Niet bevestigd" not in shown


def test_an_announcement_reaches_a_kiosk_that_was_off_when_it_was_sent(region: Region, wait_until: Wait) -> None:
    region.power_off("kiosk-b")
    kiosk = region.sites["kiosk-a"]
    wait_until(lambda: kiosk.ask("status")["region"]["fresh"], HEARD_S_MAX, "kiosk A hears the region", 0.2)
    desk = Desk(region.sites[COORDINATOR].url)
    desk.say("Gaslek", "93")
    wait_until(lambda: "Gaslek" in news(region, "kiosk-a"), SOON_S, "the news at kiosk A", 0.2)
    region.power_on("kiosk-b")
    assert "Er is nu geen nieuws." in news(region, "kiosk-b")
    wait_until(lambda: confirmed(region, "kiosk-b"), HEARD_S_MAX, "the news at kiosk B", 0.2)
    shown = news(region, "kiosk-b", "en")
    assert "Gaslek Stay inside. Close windows and doors." in shown
    assert "From: the duty officer." in shown
    assert "Nieuws 1 mededeling" in page(region.sites["kiosk-b"].web_port, "/nl/").words
    points = f"{region.sites['kiosk-a'].title} (47), {region.sites['kiosk-b'].title} (48)."
    wait_until(lambda: f"Gehoord door: {points}" in desk.page("/desk/berichten"), HEARD_S_MAX, "all heard it", 0.5)
    assert desk.page("/desk/punten").count("alles gehoord") == 2


@contextmanager
def handheld(region: Region) -> Iterator[tuple[TCPInterface, list[str]]]:
    """Kiosk B's radio in the hands of somebody with the usual client; what it hears in plain words."""
    region.kill_part("kiosk-b", "node")
    heard: list[str] = []

    def hear(packet: dict[str, dict[str, str]], interface: TCPInterface) -> None:  # noqa: ARG001  the topic's form
        heard.append(packet["decoded"]["text"])

    radio = TCPInterface("127.0.0.1", portNumber=region.sites["kiosk-b"].radio_port)
    pub.subscribe(hear, "meshtastic.receive.text")
    try:
        yield radio, heard
    finally:
        pub.unsubscribe(hear, "meshtastic.receive.text")
        radio.close()


def test_a_life_threat_that_nobody_hears_reaches_a_handheld_and_its_ok_is_shown(
    region: Region, wait_until: Wait
) -> None:
    region.cut_internet("kiosk-a")
    region.radio("unplug", COORDINATOR)
    kiosk = region.sites["kiosk-a"]
    with handheld(region) as (radio, heard):
        form = {"category": "MEDICAL", "life_threat": True, "text": "Truus valt weg"}
        asked = kiosk.ask("submit", token=kiosk.ask("form_token")["token"], **form)
        number = asked["number"]
        wait_until(lambda: heard, FALLBACK_S_MAX, "plain words on the air", 0.1)
        assert heard[0] == (
            f"LEVENSGEVAAR, medische hulp. Steunpunt {kiosk.title}. Nummer {number}. "
            f"Kunt u helpen? Antwoord: OK {number}"
        )
        radio.sendText(f"OK {number}")
        ticket = f"/nl/t/{number}/{asked['secret']}"
        replied = "Iemand met een portofoon heeft geantwoord"
        wait_until(lambda: replied in page(kiosk.web_port, ticket).words, PAGE_S_MAX, "the OK on the ticket", 0.1)
    state = kiosk.ask("ticket", number=number)["state"]
    assert state in ("KEPT", "ON_ITS_WAY"), "anybody can say OK: it is worth no receipt"
