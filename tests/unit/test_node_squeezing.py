"""A text is compressed by the thread of the one who asks, not by the loop that has others to serve."""

from pathlib import Path

import pytest

from steunpunt.model import Event, HelpSubmitted, SupplementSubmitted
from steunpunt.node.pending import Pending
from steunpunt.node.requests import KioskRequests
from steunpunt.protocol import text
from tests.fakes.nodes import kiosk_config
from tests.fakes.sites import Clock, KioskSite, seeded

LONG = "Wij zitten met veertig mensen op zolder en het water stijgt nog. " * 20


class Loop:
    """Stands where the node's loop does: keeps the forms and answers each."""

    def __init__(self) -> None:
        self.forms: list[HelpSubmitted | SupplementSubmitted] = []

    def put(self, event: Event) -> None:
        assert isinstance(event, HelpSubmitted | SupplementSubmitted)
        assert isinstance(event.reply, Pending)
        self.forms.append(event)
        event.reply.answer({"ok": True})


@pytest.fixture(name="site")
def fixture_site(tmp_path: Path) -> KioskSite:
    return KioskSite(tmp_path / "kiosk", Clock(), seeded(1))


@pytest.fixture(name="loop")
def fixture_loop() -> Loop:
    return Loop()


@pytest.fixture(name="requests")
def fixture_requests(site: KioskSite, loop: Loop, tmp_path: Path) -> KioskRequests:
    config = kiosk_config(tmp_path)
    return KioskRequests(config, site.keys, site.engine, site.ledger, site.form_key, bytes, loop.put)


def submit(requests: KioskRequests, site: KioskSite, words: str) -> None:
    form = {"token": site.token(), "category": "SUPPLIES", "text": words}
    assert requests.handlers()["submit"](form) == {"ok": True}


def test_a_request_comes_to_the_loop_with_its_text_compressed(
    requests: KioskRequests, site: KioskSite, loop: Loop
) -> None:
    submit(requests, site, f"  {LONG}\r\n")
    (form,) = loop.forms
    assert form.squeezed == (LONG.strip(), *text.compress(LONG.strip()))


def test_a_supplement_too(requests: KioskRequests, site: KioskSite, loop: Loop) -> None:
    made = site.ask()
    form = {"token": site.token(), "number": made["number"], "secret": made["secret"], "code": "QUESTION", "text": LONG}
    assert requests.handlers()["supplement"](form) == {"ok": True}
    assert loop.forms[0].squeezed == (LONG.strip(), *text.compress(LONG.strip()))


@pytest.mark.parametrize("words", ["x" * 5_000, "\x00"])
def test_what_the_loop_will_refuse_is_left_to_it(
    requests: KioskRequests, site: KioskSite, loop: Loop, words: str
) -> None:
    submit(requests, site, words)
    assert loop.forms[0].squeezed is None


def test_who_asks_for_a_form_finds_the_model_read(requests: KioskRequests) -> None:
    text._coder.cache_clear()
    requests.handlers()["form_token"]({})
    assert text._coder.cache_info().currsize == 1
