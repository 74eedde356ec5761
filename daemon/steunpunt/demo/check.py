"""``steunpunt demo --check``: three requests for help, over the real pages, each with another thing broken on the way.

A citizen's browser asks at kiosk A, an officer's browser takes up and answers at the desk, and a third one pulls cables
on the world page. The check knows only what these pages show.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar

from steunpunt.control import ControlError
from steunpunt.demo.browser import Browser, Page, PageError
from steunpunt.demo.processes import DemoError, Stopped
from steunpunt.demo.region import COORDINATOR, DESK_NAME, DESK_PASSWORD, Region
from steunpunt.model import TicketState

CHECK_S_MAX = 240.0
"""The whole check, from the first page on."""
WELL_S_MAX = 90.0
ROAD_S_MAX = 100.0
"""One state to the next, in seconds: room for one repeat over the mesh, which waits 30 to 42 s."""
FAIL_OVER_S_MAX = 90.0
POLL_S = 0.2
KIOSK = "kiosk-a"
STATES = {
    "Nog niet verstuurd.": TicketState.KEPT,
    "Wij versturen uw bericht.": TicketState.ON_ITS_WAY,
    "Aangekomen, nog niet gelezen.": TicketState.RECEIVED,
    "Een medewerker pakt dit op.": TicketState.SEEN,
    "Er is antwoord.": TicketState.ANSWERED,
    "Afgerond.": TicketState.CLOSED,
}
"""The ticket's title to its state: a citizen goes by these words."""
_FoundT = TypeVar("_FoundT")


class CheckFailed(DemoError):
    """Something did not go as promised; the message says what."""


@dataclass(slots=True)
class Request:
    """One request for help and what became of it."""

    kind: str
    """The words on its tile."""
    text: str
    answer: str
    url: str = ""
    number: str = ""
    asked_s: float = 0.0
    state: TicketState | None = None
    timeline: list[tuple[float, str, str]] = field(default_factory=list)
    """Seconds since accepted, what, and more of it."""

    def note(self, what: str, more: str = "") -> None:
        """Add a line to the timeline."""
        self.timeline.append((time.monotonic() - self.asked_s, what, more))


def three_requests() -> tuple[Request, Request, Request]:
    """Return the requests, with letters and marks that a careless road would spoil."""
    return (
        Request(
            "Medische hulp",
            'Mijn buurvrouw Zoë (83) is gevallen. Ze zegt "au" & beweegt niet… Hoe snel bent u er?',
            "Blijf bij haar. De wijkverpleegkundige komt vóór 12 uur.",
        ),
        Request(
            "Brand",
            "Rook in de flat: géén melder. 's Nachts 12 bewoners, <b>twee</b> slecht ter been.",
            'Ga naar buiten & verzamel bij "de Bron". Wij zijn onderweg.',
        ),
        Request(
            "Water, eten, medicijnen",
            "Insuline van mijn vader is op.\nWij wachten hier; ±4 uur gaat het nog. Müller",
            "Er ligt insuline klaar. Een vrijwilliger brengt het naar u toe.",
        ),
    )


class Check:
    """Walks the three requests through the region, and tells of them line by line."""

    def __init__(self, region: Region, world_url: str, say: Callable[[str], None]) -> None:
        self._region = region
        self._kiosk_url, self._desk_url = region.sites[KIOSK].url, region.sites[COORDINATOR].url
        self._world_url = world_url
        self._say = say
        self._citizen, self._officer, self._hand = Browser(), Browser(), Browser()
        self._deadline = time.monotonic()
        self._known: Counter[str] = Counter()
        self.requests = three_requests()

    def run(self) -> None:
        """Do all of it; raises CheckFailed with what was wrong."""
        self._deadline = time.monotonic() + CHECK_S_MAX
        first, second, third = self.requests
        self._log_in()
        self._known = self._numbers()
        self._until("kiosk A to hear the region", self._is_well, WELL_S_MAX)
        self._tell("1", "internet up", first, self._with_internet)
        self._tell("2", "internet cut", second, self._without_internet)
        self._tell("3", "power taken away before it could leave", third, self._through_power_cut)
        self._each_once()

    def _tell(self, number: str, title: str, request: Request, walk: Callable[[Request], None]) -> None:
        """Walk one request and print its timeline, also when it went wrong."""
        self._say(f"\n{number}  {title}")
        try:
            walk(request)
        finally:
            for second, what, more in request.timeline:
                self._say(f"   {second:7.1f} s  {what:<12} {more}".rstrip())

    # --- the three requests -------------------------------------------------------------------------------------

    def _with_internet(self, request: Request) -> None:
        self._ask(request)
        self._arrive(request)
        self._deal_with(request, roads={"internet"})

    def _without_internet(self, request: Request) -> None:
        cut_s = time.monotonic()
        self._world("Knip de kabel door")
        self._ask(request)
        self._arrive(request)
        took_s = time.monotonic() - cut_s
        request.note("fail-over", f"received {took_s:.1f} s after the cut (at most {FAIL_OVER_S_MAX:.0f} s)")
        if took_s > FAIL_OVER_S_MAX:
            raise CheckFailed(f"{request.number}: fail-over took {took_s:.0f} s; at most {FAIL_OVER_S_MAX:.0f} s")
        # Kiosk A's cable is cut: it left by radio. Kiosk B heard it and has internet: it may have carried it on.
        self._deal_with(request, roads={"internet", "radio"})

    def _through_power_cut(self, request: Request) -> None:
        self._world("Trek de radio los")
        self._ask(request)
        self._look(request)
        if request.state is not TicketState.KEPT or self._numbers()[request.number]:
            raise CheckFailed(f"{request.number}: without internet and radio it must only be kept; it is not")
        self._world("Haal de stroom weg")
        request.note("power off", "every process of kiosk A ended by SIGKILL")
        for words in ("Herstel de kabel", "Sluit de radio aan", "Geef stroom"):
            self._world(words)
        request.note("power on", "internet and radio are back too")
        self._arrive(request)
        self._deal_with(request, roads={"internet", "radio"})

    # --- at the kiosk -------------------------------------------------------------------------------------------

    def _is_well(self) -> bool:
        """Whether the kiosk's first page has nothing to complain of: radio and internet work, the region answers."""
        page = self._citizen.get(self._kiosk_url)
        return bool(page.classes.get("first")) and not page.classes.get("note")

    def _ask(self, request: Request) -> None:
        browser = self._citizen
        page = browser.follow(browser.get(self._kiosk_url), "Hulp vragen")
        page = browser.follow(page, request.kind)
        page = browser.send(page, "Nee \N{EN DASH} eerst meer")
        page = browser.send(page, "Hier")
        page = browser.send(page, "Volgende", people="2")
        page = browser.send(page, "Volgende")
        page = browser.send(page, "Controleren", text=request.text, callback="wacht hier")
        page = browser.send(page, "Verstuur nu")
        request.asked_s = time.monotonic()
        request.url, request.number = page.url, next(iter(page.classes.get("number", [])), "")
        if not request.number:
            raise CheckFailed(f"no ticket after sending; {page.url} (status {page.status}) says: {page.titles()}")
        self._note_state(request, page)

    def _look(self, request: Request) -> Page:
        page = self._citizen.get(request.url)
        self._note_state(request, page)
        return page

    def _note_state(self, request: Request, page: Page) -> None:
        state = next((STATES[title] for title in page.titles() if title in STATES), None)
        if state is None or state is request.state:
            return
        if request.state is not None and state < request.state:
            raise CheckFailed(f"{request.number} went back from {request.state.name} to {state.name}")
        more = f"number {request.number}" if request.state is None else ""
        request.state = state
        request.note(state.name.lower().replace("_", " "), more)

    def _reach(self, request: Request, state: TicketState) -> Page:
        """Look at the ticket until it shows a state."""

        def reached() -> Page | None:
            page = self._look(request)
            return page if request.state is state else None

        return self._until(f"ticket {request.number} to show {state.name}", reached, ROAD_S_MAX)

    def _arrive(self, request: Request) -> None:
        self._reach(request, TicketState.RECEIVED)

    # --- at the desk --------------------------------------------------------------------------------------------

    def _log_in(self) -> None:
        page = self._officer.get(self._desk_url)
        page = self._officer.send(page, "Inloggen", name=DESK_NAME, password=DESK_PASSWORD)
        if page.status != HTTPStatus.OK or page.url.endswith("/login"):
            raise CheckFailed(f"could not log in at the desk: {page.titles()}")

    def _cases(self) -> list[tuple[str, str]]:
        """Return the number and address of every case on the desk's list."""
        page = self._officer.get(self._desk_url)
        numbers = page.classes.get("number", [])
        addresses = [address for _, address in page.links if "/melding/" in address]
        if page.status != HTTPStatus.OK or len(numbers) != len(addresses):
            raise PageError(f"{page.url} (status {page.status}) is no list of cases: {page.titles()}")
        return list(zip(numbers, addresses, strict=True))

    def _numbers(self) -> Counter[str]:
        """Count the cases on the desk's list by number, less those that were there before."""
        return Counter(number for number, _ in self._cases()) - self._known

    def _deal_with(self, request: Request, *, roads: set[str]) -> None:
        """Find the request at the desk, compare it, take it up and answer; the citizen must see each step."""
        address = dict(self._cases()).get(request.number)
        if address is None:
            raise CheckFailed(f"{request.number} is received, but not on the desk's list")
        page = self._officer.get(self._desk_url + address)
        came = page.facts().get("Kwam via", "")
        request.note("at the desk", f"came over {came}")
        if request.text not in page.texts.get("blockquote", []):
            raise CheckFailed(f"{request.number}: sent {request.text!r}, the desk shows {page.texts.get('blockquote')}")
        if not set(came.split(", ")) <= roads:
            raise CheckFailed(f"{request.number} came over {came}; possible were {', '.join(sorted(roads))}")
        page = self._officer.send(page, "Ik pak dit op")
        self._reach(request, TicketState.SEEN)
        self._officer.send(page, "Verstuur het antwoord", function="DUTY_OFFICER", text=request.answer)
        page = self._reach(request, TicketState.ANSWERED)
        if request.answer not in page.texts.get("blockquote", []):
            page = self._until("the answer's words", lambda: self._answer_shown(request), ROAD_S_MAX)
        request.note("answer read", "the citizen's page shows its words unchanged")

    def _answer_shown(self, request: Request) -> Page | None:
        page = self._look(request)
        return page if request.answer in page.texts.get("blockquote", []) else None

    def _each_once(self) -> None:
        """Count the cases, when nothing is under way any more."""
        self._until("kiosk A's queue to be empty", self._is_idle, ROAD_S_MAX)
        counts, wanted = self._numbers(), Counter(request.number for request in self.requests)
        if counts != wanted:
            raise CheckFailed(f"cases at the desk: {dict(counts)}; each of {', '.join(wanted)} must be there once")

    def _is_idle(self) -> bool:
        return bool(self._region.sites[KIOSK].ask("status")["queue"] == 0)

    # --- on the world page --------------------------------------------------------------------------------------

    def _world(self, words: str) -> None:
        """Press a button of kiosk A on the world page."""
        page = self._hand.send(self._hand.get(self._world_url), words, {"site": KIOSK})
        problem = page.classes.get("problem", [""])[-1]
        if problem or page.status != HTTPStatus.OK:
            raise CheckFailed(f"the world page could not do {words!r}: {problem or page.titles()}")

    # --- waiting ------------------------------------------------------------------------------------------------

    def _until(self, what: str, look: Callable[[], _FoundT | None], limit_s: float) -> _FoundT:
        """Look until something true comes; a page that is away is waited for too."""
        deadline = min(time.monotonic() + limit_s, self._deadline)
        trouble = ""
        while True:
            try:
                found = look()
            except (PageError, ControlError) as error:
                found, trouble = None, f"; last: {error}"
            if found:
                return found
            if time.monotonic() > deadline:
                raise CheckFailed(f"waited {limit_s:.0f} s in vain for {what}{trouble}")
            if self._region.stopping.wait(POLL_S):
                raise Stopped(f"stopped while waiting for {what}")
