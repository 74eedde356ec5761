"""2,000 characters of any script, from the kiosk's page over a mesh that loses a third of all packets to the desk's.

And as many back. Pages, control socket, engines, ledgers and codec are the real ones; time and the air are made.
"""

import html
import queue
import random
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from steunpunt.control import Client, Server
from steunpunt.ledger.store import Ledger
from steunpunt.ledger.tables import replies
from steunpunt.model import TEXT_CHARS_MAX, Event, TicketState
from steunpunt.node.requests import KioskRequests
from steunpunt_ui.app import create_app
from steunpunt_ui.desk.passwords import set_password
from tests.fakes.ether import Ether
from tests.fakes.sites import Clock, CoordinatorSite, KioskSite, seeded
from tests.fakes.ui_citizen import hidden, post, words
from tests.fakes.ui_sites import NAME, PASSWORD, coordinator_config, kiosk_config

LOST = 1 / 3
HOURS_S = 4 * 3600
DUTCH = (
    "wij zitten met zeven mensen op de zolder van de school en het water staat tot aan de tweede trap. Mijn moeder is "
    "gevallen en haar been bloedt nog steeds, de buurman heeft suikerziekte en zijn insuline is op. Er zijn ook twee "
    "kleine kinderen bij, die hebben het koud omdat alles nat is. Kan er iemand met een boot komen? De voordeur zit "
    "vast maar achter bij het fietsenhok kun je naar binnen. Onze telefoon is leeg; wij zwaaien met een rode jas."
)
ARABIC = (
    "نحن سبعة أشخاص فوق سطح المدرسة والماء يصل إلى الطابق الثاني. أمي سقطت وساقها تنزف منذ الصباح، وجارنا مريض بالسكري "
    "وقد نفد الأنسولين عنده. معنا طفلان صغيران يشعران بالبرد لأن كل شيء مبلل. هل يمكن أن يأتي أحد بقارب؟ الباب الأمامي "
    "عالق لكن يمكن الدخول من الخلف عند موقف الدراجات. هاتفنا فارغ ونلوح بمعطف أحمر من النافذة"
)
EMOJI = [chr(code) for code in (*range(0x1F300, 0x1F320), *range(0x1F600, 0x1F640), *range(0x1F680, 0x1F6A0))]
TEXTS = {"Dutch": (DUTCH.split(), " "), "Arabic": (ARABIC.split(), " "), "emoji": (EMOJI, "")}


def text_of(script: str, seed: int) -> str:
    """A text of exactly as many characters as may be typed, its words in an order by chance."""
    parts, between = TEXTS[script]
    text = between.join(seeded(seed).choices(parts, k=TEXT_CHARS_MAX))[:TEXT_CHARS_MAX].strip()
    return text + parts[0][0] * (TEXT_CHARS_MAX - len(text))


class Kiosk:
    """A kiosk's engine behind its own control socket and pages; the test turns it where the node's loop would."""

    def __init__(self, site: KioskSite, folder: Path, ether: Ether, stack: ExitStack) -> None:
        self._ether = ether
        self._inbox: queue.SimpleQueue[Event] = queue.SimpleQueue()
        settings = kiosk_config(folder / "node.sock")
        reader = stack.enter_context(closing(Ledger(site.path, readonly=True, read_boot_ms=site.clock.read).open()))
        asked = KioskRequests(
            settings, site.keys, site.engine, reader, site.form_key, site.rng.randbytes, self._inbox.put
        ).handlers()
        server = Server(folder / "node.sock", lambda request: asked[str(request["op"])](request))
        server.start()
        stack.callback(server.stop)
        self._pages = stack.enter_context(ThreadPoolExecutor(1))
        client = Client(folder / "node.sock")
        stack.callback(self._pages.submit, client.close)
        self.web = create_app(settings, client).test_client()

    def see(self, page: Callable[[], TestResponse]) -> TestResponse:
        """Look at a page on its own thread, while this one does what the page asks of the node."""
        asking = self._pages.submit(page)
        while not asking.done():
            try:
                self._ether.put(47, self._inbox.get(timeout=0.02))
            except queue.Empty:
                continue
            self._ether.run(0.001)
        return asking.result()


class Road:
    """A kiosk and a coordinator with only the air between them."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        clock, rng = Clock(), seeded(11)
        self.ether = Ether(clock)
        self.site, self.center = KioskSite(folder / "k", clock, rng), CoordinatorSite(folder / "c", clock, rng)
        for one, number in ((self.site, 47), (self.center, 1)):
            stack.callback(one.ledger.close)
            self.ether.add(number, one, internet=False)
        chance = random.Random(5)
        self.ether.lost = lambda _whom, _frame: chance.random() < LOST
        self.kiosk = Kiosk(self.site, folder, self.ether, stack)
        passwords = folder / "passwords"
        set_password(passwords, NAME, PASSWORD)
        desk_settings = coordinator_config(folder / "no-node.sock", passwords)
        away = Client(folder / "no-node.sock")
        self.desk = create_app(desk_settings, away, self.center.desk).test_client()
        post(self.desk, "/desk/login", name=NAME, password=PASSWORD)

    def ask(self, text: str) -> str:
        """Fill in the kiosk's page, read it over and send; returns the ticket's address."""
        web, address = self.kiosk.web, "/nl/hulp/medisch"
        token = hidden(self.kiosk.see(lambda: web.get(address)), "token")
        over = self.kiosk.see(lambda: post(web, address, token=token, do="check", text=text))
        assert over.status_code == 200
        typed = html.unescape(hidden(over, "text"))
        sent = self.kiosk.see(lambda: post(web, address, token=token, do="no", text=typed))
        assert sent.status_code == 303, words(sent)
        return sent.headers["Location"]

    def act(self, name: str, **fields: str) -> TestResponse:
        page = self.desk.get("/desk/melding/1").text
        found = re.search(rf'action="/desk/melding/1/{name}"><input type="hidden" name="token" value="([^"]+)"', page)
        assert found
        return post(self.desk, f"/desk/melding/1/{name}", token=found[1], **fields)


@pytest.fixture(name="road")
def fixture_road(tmp_path: Path) -> Iterator[Road]:
    with ExitStack() as stack:
        yield Road(tmp_path, stack)


def seen(page: TestResponse) -> str:
    return html.unescape(page.text)


@pytest.mark.parametrize("script", TEXTS)
def test_a_long_text_goes_there_and_as_long_an_answer_comes_back(road: Road, script: str) -> None:
    asked, answered, added = (text_of(script, seed) for seed in (1, 2, 3))
    assert len(asked) == len(answered) == TEXT_CHARS_MAX
    ticket = road.ask(asked)
    assert road.ether.run(HOURS_S, lambda: bool(road.center.desk.cases())), "the request arrives"
    assert asked in seen(road.desk.get("/desk/melding/1"))

    assert road.act("oppakken").status_code == 303
    costs = words(road.act("antwoord", function="MEDICAL", text=answered, do="check"))
    packets = int(re.search(r"bytes in (\d+) pakketten: \d+,\d s in de lucht", costs)[1])  # type: ignore[index]
    assert road.act("antwoord", function="MEDICAL", text=answered, do="send").status_code == 303
    assert len(road.center.rows(replies)) == 1 + packets
    web = road.kiosk.web

    def arrived() -> bool:
        return road.site.ticket("47-1").state >= TicketState.ANSWERED

    assert road.ether.run(HOURS_S, arrived), "the answer arrives"
    assert answered in seen(road.kiosk.see(lambda: web.get(ticket)))
    assert road.ether.run(HOURS_S, lambda: bool(road.center.desk.case(1).events[-1].delivered)), "the desk knows"

    token = hidden(road.kiosk.see(lambda: web.get(f"{ticket}/vraag")), "token")
    more = road.kiosk.see(lambda: post(web, f"{ticket}/vraag", token=token, text=added))
    assert more.status_code == 303
    assert road.ether.run(HOURS_S, lambda: road.center.desk.case(1).unread_supplements > 0), "the addition arrives"
    assert added in seen(road.desk.get("/desk/melding/1"))
