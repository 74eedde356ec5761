"""Phones on the point's wifi: whatever they ask for leads to the pages, and after "Continue" they stay."""

from collections.abc import Iterator

import msgspec
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from steunpunt.control import Client
from steunpunt_ui.app import create_app
from steunpunt_ui.portal import FORGET_S, PHONES_MAX, PROBES, Phones
from tests.fakes.fake_node import FakeNode
from tests.fakes.ui_citizen import words
from tests.fakes.ui_sites import kiosk_config

POINT = "10.42.0.1"
PHONE, OTHER = "10.42.0.57", "10.42.0.58"
APPLE = "<HTML><HEAD><TITLE>Success</TITLE></HEAD><BODY>Success</BODY></HTML>"
FIREFOX = '<meta http-equiv="refresh" content="0;url=https://support.mozilla.org/kb/captive-portal"/>'
ANSWERS = [
    ("captive.apple.com", "/hotspot-detect.html", 200, APPLE),
    ("connectivitycheck.gstatic.com", "/generate_204", 204, ""),
    ("www.msftconnecttest.com", "/connecttest.txt", 200, "Microsoft Connect Test"),
    ("nmcheck.gnome.org", "/check_network_status.txt", 200, "NetworkManager is online\n"),
    ("www.msftncsi.com", "/ncsi.txt", 200, "Microsoft NCSI"),
    ("www.google.com", "/gen_204", 204, ""),
    ("www.apple.com", "/library/test/success.html", 200, APPLE),
    ("detectportal.firefox.com", "/success.txt", 200, "success\n"),
    ("detectportal.firefox.com", "/canonical.html", 200, FIREFOX),
]


@pytest.fixture(name="web")
def fixture_web(node: FakeNode) -> Iterator[FlaskClient]:
    config = kiosk_config(node.path)
    config = msgspec.structs.replace(config, web=msgspec.structs.replace(config.web, hotspot_address=POINT))
    client = Client(node.path, timeout_s=5)
    yield create_app(config, client).test_client()
    client.close()


def get(web: FlaskClient, host: str, path: str, phone: str = PHONE) -> TestResponse:
    return web.get(path, base_url=f"http://{host}/", environ_base={"REMOTE_ADDR": phone})


def go_on(web: FlaskClient, phone: str = PHONE) -> TestResponse:
    here = f"http://{POINT}/"
    return web.post("/nl/verder", base_url=here, headers={"Origin": here[:-1]}, environ_base={"REMOTE_ADDR": phone})


@pytest.mark.parametrize(("host", "path", "status", "body"), ANSWERS)
def test_a_phone_is_led_here_until_somebody_taps_continue(
    web: FlaskClient, host: str, path: str, status: int, body: str
) -> None:
    assert get(web, host, path).headers["Location"] == f"http://{POINT}/"
    assert go_on(web).headers["Location"] == "/nl/"
    told = get(web, host, path)
    assert (told.status_code, told.text) == (status, body)
    assert get(web, host, path, OTHER).status_code == 302  # the neighbour's phone has not been told


@pytest.mark.parametrize("asked", ["www.nu.nl", "steunpunt", "evil.example:8080", "10.42.0.2"])
def test_any_address_leads_to_the_pages_also_later(web: FlaskClient, asked: str) -> None:
    for _ in range(2):
        assert get(web, asked, "/nl/").headers["Location"] == f"http://{POINT}/"
        go_on(web)


@pytest.mark.parametrize("host", [POINT, f"{POINT}:8080", "hulp.lan"])
def test_the_pages_serve_phones_before_and_after(web: FlaskClient, host: str) -> None:
    assert "Hulp vragen" in words(get(web, host, "/nl/"))
    assert "Dit is het wifi-netwerk van het noodsteunpunt." in words(get(web, host, "/nl/"))
    go_on(web)
    assert "wifi-netwerk" not in words(get(web, host, "/nl/"))
    assert "Set-Cookie" not in get(web, host, "/nl/").headers


def test_the_screen_of_the_point_sees_nothing_of_it(web: FlaskClient) -> None:
    assert "wifi-netwerk" not in words(web.get("/nl/"))
    assert web.get("/generate_204").status_code == 404


def test_a_form_from_elsewhere_is_no_tap(web: FlaskClient) -> None:
    reply = web.post(
        "/nl/verder",
        base_url=f"http://{POINT}/",
        headers={"Origin": "http://evil.example"},
        environ_base={"REMOTE_ADDR": PHONE},
    )
    assert reply.status_code == 403
    assert get(web, "captive.apple.com", "/hotspot-detect.html").status_code == 302


def test_a_phone_cannot_cancel_the_call_of_the_button(web: FlaskClient, node: FakeNode) -> None:
    node.status["buttons"] = [{"name": "hal", "lamp": "blinking", "number": None, "pending_s": 24, "pressed_count": 1}]
    page = get(web, POINT, "/nl/")
    assert "Er is op de hulpknop gedrukt." in words(page)
    assert "/nl/knop/hal" not in page.text
    here = {"base_url": f"http://{POINT}/", "headers": {"Origin": f"http://{POINT}"}}
    assert web.post("/nl/knop/hal", environ_base={"REMOTE_ADDR": PHONE}, **here).status_code == 403
    assert node.cancelled == []


def test_a_phone_is_forgotten_after_an_hour_and_memory_is_bounded() -> None:
    now_s = [0.0]
    phones = Phones(lambda: now_s[0])
    phones.let_pass(PHONE)
    now_s[0] = FORGET_S - 1
    assert phones.passed(PHONE)
    now_s[0] = FORGET_S
    assert not phones.passed(PHONE)
    phones.let_pass(PHONE)
    for number in range(PHONES_MAX):
        phones.let_pass(f"10.42.{number // 250 + 1}.{number % 250}")
    assert not phones.passed(PHONE)
    assert phones.passed("10.42.1.0")


def test_no_page_of_ours_has_the_path_of_a_probe(web: FlaskClient) -> None:
    paths = [rule.rule for rule in web.application.url_map.iter_rules()]
    assert not set(paths) & set(PROBES)
    assert {path for _, path, _, _ in ANSWERS} == set(PROBES)
