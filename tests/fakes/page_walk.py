"""Finds every page that a citizen can reach: follows each link and presses each button, as long as pages are new.

Pages that come later are found without being named here. A page counts as new when its words are, digits aside.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from steunpunt.control import Client
from steunpunt.protocol.answerbody import pack_phrases
from steunpunt.protocol.phrases import Phrase
from steunpunt.values import replace
from steunpunt_ui.app import create_app
from steunpunt_ui.speech.sentences import mark_of
from steunpunt_ui.speech.texts import texts_of
from tests.fakes.fake_node import PIN, SECRET, FakeNode, news_row, ticket_body
from tests.fakes.ui_citizen import HOME, words
from tests.fakes.ui_sites import kiosk_config
from tests.unit.test_doctor_live import healthy

PAGES_MAX: Final = 250
STEPS_MAX: Final = 2_500
NOT_FOLLOWED: Final = ("/staf/uit",)
"""What ends a walk among the staff's pages."""
STATES: Final = ("OPEN", "CLOSED", "EXERCISE")
PHONE: Final = "10.42.0.23"
TICKET_STATES: Final = ("KEPT", "ON_ITS_WAY", "RECEIVED", "SEEN", "ANSWERED", "CLOSED")
ANSWER: Final = {
    "function": "MEDICAL",
    "phrases": pack_phrases((Phrase(60), Phrase(63)), "").hex(),
    "text": "Blijf bij haar. De wijkverpleegkundige komt.",
    "age_s": 130,
    "newer": False,
}
TREND: Final = {
    "age_s": 0,
    "percent": 97,
    "hours_left": 81.5,
    "draw_w": None,
    "queue": 1,
    "air_ms": 36_000,
    "snr_db": -3.5,
}
LOG: Final = [
    {"age_s": age_s, "level": level, "name": "steunpunt.links.base", "text": "mesh: <b>is the cable in?</b> " * 4}
    for age_s, level in enumerate(("INFO", "WARNING", "ERROR"))
]
TYPED: Final = {"number": "47-1", "secret": SECRET, "people": "2", "count-63": "2"}
"""What is typed into a field of this name; into any other ``SOME_WORDS``."""
SOME_WORDS: Final = "zij is gevallen"


@dataclass(frozen=True, slots=True)
class FoundPage:
    """A page and the way to it."""

    name: str
    language: str
    html: str
    status: int


@dataclass(slots=True)
class _Form:
    action: str
    post: bool
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[dict[str, str]] = field(default_factory=list)


class _Reader(HTMLParser):
    """Takes links and forms out of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: dict[str, _Form] = {}
        self._open: str | None = None
        self._area: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "a" and told.get("href"):
            self.links.append(told["href"])
        elif tag == "form":
            self._open = told.get("id", f"#{len(self.forms)}")
            self.forms[self._open] = _Form(told.get("action", ""), told.get("method") == "post")
        elif tag in ("input", "textarea", "select", "button"):
            form = self.forms.get(told.get("form", self._open or ""))
            if form is not None:
                self._take(form, tag, told)

    def _take(self, form: _Form, tag: str, told: dict[str, str]) -> None:
        name = told.get("name", "")
        if tag == "button" and name == "lang":
            return  # the same page in another language
        if tag == "button":
            form.buttons.append({name: told.get("value", "")} if name else {})
        elif tag == "input" and told.get("type") in ("radio", "checkbox"):
            if "checked" in told or told["type"] == "radio":
                form.fields.setdefault(name, told.get("value", "on"))
        elif name:
            form.fields[name] = told.get("value") or TYPED.get(name, SOME_WORDS if tag == "textarea" else "")
            self._area = name if tag == "textarea" else None

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None


@dataclass(frozen=True, slots=True)
class _Step:
    path: str
    fields: tuple[tuple[str, str], ...] | None = None

    @property
    def key(self) -> str:
        """The same for steps that lead to the same page: tokens differ, digits of a ticket do not matter."""
        told = () if self.fields is None else tuple((k, v if len(v) < 12 else "…") for k, v in self.fields)
        return f"{re.sub(r'stil=[0-9]+', '', self.path)} {told if self.fields is not None else 'GET'}"


class Walk:
    """One walk in one language, from the first page and the pages that only a ticket's owner knows."""

    def __init__(self, web: FlaskClient, language: str, *, phone: bool = False, root: str = "") -> None:
        """``root`` is where the walk stays; "" for the citizen's pages of this language."""
        self._web, self._language, self._root = web, language, root or f"/{language}"
        self._from = {"REMOTE_ADDR": PHONE} if phone else {}
        self._seen: set[str] = set()
        self._known: set[str] = set()

    def pages(self, *first: str) -> Iterator[FoundPage]:
        """Give each page once, the nearest first."""
        waiting = deque(_Step(f"{self._root}{path}") for path in ("/", *first))
        found = 0
        for _ in range(STEPS_MAX):
            if not waiting or found >= PAGES_MAX:
                return
            step = waiting.popleft()
            if step.key in self._seen:
                continue
            self._seen.add(step.key)
            reply = self._go(step)
            if reply.mimetype != "text/html":
                continue
            told = re.sub(r"\d+", "", words(reply))
            if told in self._known:
                continue
            self._known.add(told)
            found += 1
            yield FoundPage(_name(step), self._language, reply.text, reply.status_code)
            waiting.extend(self._next(reply.text, urlsplit(reply.request.path).path))
        raise AssertionError(f"no end after {STEPS_MAX} steps")

    def _go(self, step: _Step) -> TestResponse:
        if step.fields is None:
            return self._web.get(step.path, environ_overrides=self._from, follow_redirects=True)
        return self._web.post(
            step.path,
            data=dict(step.fields),
            headers={"Origin": HOME},
            environ_overrides=self._from,
            follow_redirects=True,
        )

    def _next(self, html: str, here: str) -> Iterator[_Step]:
        reader = _Reader()
        reader.feed(html)
        ours = f"{self._root}/"
        links = [link for link in reader.links if link.startswith(ours) and link not in NOT_FOLLOWED]
        yield from (_Step(link) for link in links)
        for form in reader.forms.values():
            action = form.action or here
            for button in form.buttons or [{}]:
                filled = tuple((form.fields | button).items())
                if action.startswith(ours) and form.post:
                    yield _Step(action, filled)


def _name(step: _Step) -> str:
    if step.fields is None:
        return step.path
    pressed = "&".join(f"{name}={value[:12]}" for name, value in step.fields if name in ("do", "option"))
    return f"{step.path} {pressed or 'POST'}"


def full_node(path: Path) -> FakeNode:
    """A node with a ticket in each state, news of each standing, and a call of a help button."""
    node = FakeNode(path)
    node.status |= {"news_count": 3}
    for at, state in enumerate(TICKET_STATES, 1):
        number = f"47-{at}"
        node.tickets[number] = ticket_body(number, state, life_threat=at == 1)
        if state in ("ANSWERED", "CLOSED"):
            node.answers[number] = [dict(ANSWER)]
    node.tickets["47-6"]["close_code"] = "CLOSED_HELPED"
    node.news = [
        news_row(headline="Gaslek in de Kerkstraat", text="Ga naar buiten.", left_s=7_200),
        news_row(headline="Water", standing="unconfirmed"),
        news_row(headline="Stroom", standing="expired"),
    ]
    return node


def tickets() -> list[str]:
    """The addresses that only the owner of a ticket knows, after the language; one of each state."""
    return [f"/t/47-{at}/{SECRET}" for at in range(1, len(TICKET_STATES) + 1)]


@contextmanager
def citizen_site(
    folder: Path, *, long_names: bool = False, aloud: Iterable[str] = ()
) -> Iterator[tuple[FakeNode, FlaskClient]]:
    """The example kiosk as a citizen finds it, in demonstration: pages that nobody has approved are there too.

    ``aloud``: languages that can be read aloud. Their sounds are empty: looked at, not heard.
    """
    node = full_node(folder / "node.sock")
    client = Client(node.path, timeout_s=5)
    config = kiosk_config(node.path, long_names=long_names)
    config = msgspec.structs.replace(config, kiosk=msgspec.structs.replace(config.kiosk, demo=True))
    if aloud:
        config = msgspec.structs.replace(
            config, screen=msgspec.structs.replace(config.screen, audio=str(folder / "audio"))
        )
    for language in aloud:
        (folder / "audio" / language).mkdir(parents=True)
        for text in texts_of(config, language):
            (folder / "audio" / language / f"{mark_of(text)}.mp3").touch()
    try:
        yield node, create_app(config, client).test_client()
    finally:
        client.close()
        node.close()


def shape(page: FoundPage) -> tuple[tuple[str, str], ...]:
    """What a page is made of, whatever its words are: each element with its classes once, in order."""
    plain = re.sub(r"<svg.*?</svg>", "", page.html, flags=re.DOTALL)
    return tuple(dict.fromkeys(re.findall(r"<(\w+)(?: [^>]*?class=\"([^\"]*)\")?", plain)))


def each_shape(pages: Iterable[FoundPage]) -> list[FoundPage]:
    """The first page of each shape."""
    found: dict[tuple[tuple[str, str], ...], FoundPage] = {}
    for page in pages:
        found.setdefault(shape(page), page)
    return list(found.values())


def every_page(node: FakeNode, web: FlaskClient, language: str) -> Iterator[FoundPage]:
    """All pages of one language: the point open, closed and in exercise, and open as a phone sees it."""
    for state in STATES:
        node.status["point_state"] = state
        yield from _named(state, Walk(web, language).pages("/niet-hier", *tickets()))
    node.status["point_state"] = "OPEN"
    yield from _named("phone", Walk(web, language, phone=True).pages(*tickets()))


def staff_pages(node: FakeNode, web: FlaskClient) -> Iterator[FoundPage]:
    """The staff's and the technician's pages, Dutch only: the PIN, and what is behind it, open and in exercise."""
    yield FoundPage("/staf/inloggen", "nl", web.get("/staf/inloggen").text, 200)
    wrong = web.post("/staf/inloggen", data={"pin": "1", "enter": "1"}, headers={"Origin": HOME})
    yield FoundPage("/staf/inloggen wrong", "nl", wrong.text, wrong.status_code)
    web.post("/staf/inloggen", data={"pin": PIN, "enter": "1"}, headers={"Origin": HOME})
    note = {"kind": "HAVE", "text": "twee kampeerbedden, bij de ingang"}
    web.post("/nl/buren/prikbord", data=note, headers={"Origin": HOME})
    told = node.status.copy()
    node.status |= healthy()
    node.technician = {"version": "1.2", "trend": [TREND | {"age_s": 600}, TREND], "log": LOG}
    for state in ("OPEN", "EXERCISE"):
        node.status["point_state"] = state
        yield from _named(state, Walk(web, "nl", root="/staf").pages(f"/briefje/47-1/{SECRET}"))
    node.technician = {"version": "1.2", "trend": [], "log": []}
    node.status |= {"point_state": "OPEN", "can_keep": False, "radio": None}
    page = web.get("/staf/techniek")
    yield FoundPage("/staf/techniek just started, much is wrong", "nl", page.text, page.status_code)
    node.status = told


def _named(state: str, pages: Iterator[FoundPage]) -> Iterator[FoundPage]:
    return (replace(page, name=f"{page.name} ({state.lower()})") for page in pages)
