"""A kiosk without internet, out of the coordinator's earshot, is carried by the other one: real processes."""

import uuid
from collections.abc import Callable, Iterator

import pytest

from steunpunt.config import load
from steunpunt.control import Body
from steunpunt.demo.region import COORDINATOR, KIOSKS, Region
from steunpunt.ledger.desk import Desk
from steunpunt.model import SenderFunction

pytestmark = [pytest.mark.processes, pytest.mark.broker]
SOON_S = 30.0
CARRIED_S = 90.0
TEXT = "Wij hebben dekens nodig"
REPLY = "De dekens komen om zes uur"
Wait = Callable[..., None]


@pytest.fixture
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    made = Region(tmp_path_factory.mktemp("region"), speed=20)
    made.prepare()
    try:
        made.start()
        yield made
    finally:
        made.stop()


def test_kiosk_b_is_carried_by_kiosk_a_and_the_receipt_and_the_answer_come_back(
    region: Region, wait_until: Wait
) -> None:
    gateway, lone, center = (region.sites[name] for name in ("kiosk-a", "kiosk-b", COORDINATOR))
    wait_until(lambda: gateway.ask("status")["region"]["fresh"], CARRIED_S, "the region answers kiosk A", 0.1)
    region.cut_internet(lone.name)
    region.radio("unplug", COORDINATOR)
    wait_until(lambda: not lone.ask("status")["region"]["fresh"], CARRIED_S, "kiosk B is without", 0.1)
    wait_until(lambda: lone.ask("status")["links"]["mesh"]["up"], SOON_S, "its radio serves", 0.1)

    token = lone.ask("form_token")["token"]
    sent = lone.ask("submit", token=token, category="OTHER", text=TEXT)

    def ticket() -> Body:
        return lone.ask("ticket", number=sent["number"], secret=sent["secret"])

    wait_until(lambda: ticket()["state"] == "RECEIVED", CARRIED_S, "the receipt came back", 0.1)
    desk = Desk.open(load(center.config))
    (case,) = desk.cases()
    assert (case.site, case.text, case.links) == (KIOSKS[lone.name], TEXT, ("broker",))
    assert gateway.ask("status")["counters"]["carried"] >= 1

    desk.take_up(case.id, "Anna", token=uuid.uuid4().hex)
    desk.answer(case.id, "Anna", SenderFunction.FIRE_CREW, REPLY, token=uuid.uuid4().hex)
    center.ask("bell")
    wait_until(lambda: ticket()["state"] == "ANSWERED", CARRIED_S, "the answer came back", 0.1)
    assert REPLY in str(ticket())
    wait_until(
        lambda: all(event.delivered is not False for event in desk.case(case.id).events),
        CARRIED_S,
        "the desk knows that kiosk B holds it",
        0.1,
    )
    assert gateway.ask("status")["counters"]["aired"] >= 2
