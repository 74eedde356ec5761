"""Between browser and web process: what is handed on, and what is said while nobody answers."""

import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from steunpunt.demo.ports import free_port
from steunpunt.screen.relay import Away, Relay
from steunpunt_ui.languages import LANGUAGES
from steunpunt_ui.starting import starting_page

ADDRESS = "Kerkplein 1"
FORM = b"token=form-1&text=zij+valt+%3Cb%3Eweg%3C%2Fb%3E+%22&do=no"


class Site(BaseHTTPRequestHandler):
    """Echoes what it was sent; hangs up on /gone after reading the form."""

    protocol_version = "HTTP/1.1"
    heard: list[tuple[str, str, bytes]] = []  # noqa: RUF012  cleared by the fixture

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.heard.append((self.command, self.path, body))
        if self.path == "/gone":
            self.close_connection = True
            return
        told = body or b"hier"
        self.send_response(200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    do_GET = do_POST  # noqa: N815  the name that http.server asks for

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def site(port: int) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", port), Site)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def page(away: Away) -> str:
    form = away.request.body if away.request.method == "POST" else None
    return starting_page(away.request.path, form, ADDRESS, sent=away.sent)


@pytest.fixture(name="web_port")
def fixture_web_port() -> int:
    Site.heard.clear()
    return free_port()


@pytest.fixture(name="ask")
def fixture_ask(web_port: int) -> Iterator[Callable[..., tuple[int, str]]]:
    relay = Relay(0, web_port, page, wait_s=0.3)
    port = relay.start()

    def ask(path: str, body: bytes | None = None) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET" if body is None else "POST", path, body)
        reply = connection.getresponse()
        told = reply.read().decode("utf-8", "replace")
        connection.close()
        return reply.status, told

    yield ask
    relay.stop()


Ask = Callable[..., tuple[int, str]]


def test_what_is_asked_and_answered_is_handed_on_whole(ask: Ask, web_port: int) -> None:
    body = bytes(range(256)) * 700
    with site(web_port):
        assert ask("/nl/") == (200, "hier")
        assert ask("/nl/hulp/medisch", b"x=1") == (200, "x=1")
        ask("/groot", body)
    assert Site.heard[-1] == ("POST", "/groot", body)


def test_a_request_waits_for_a_web_process_that_comes_back(web_port: int) -> None:
    relay = Relay(0, web_port, page, wait_s=20)
    connection = http.client.HTTPConnection("127.0.0.1", relay.start(), timeout=30)
    connection.request("POST", "/nl/hulp/medisch", FORM)
    with site(web_port):
        reply = connection.getresponse()
        assert (reply.status, reply.read()) == (200, FORM)
    relay.stop()
    connection.close()
    assert len(Site.heard) == 1


def test_without_a_web_process_the_page_says_so_and_looks_again(ask: Ask) -> None:
    status, told = ask("/nl/hulp")
    assert status == 503
    assert "Dit scherm start op" in told
    assert f"ga naar {ADDRESS}" in told
    assert 'content="2;url=/nl/hulp"' in told


def test_a_form_that_reached_nobody_is_not_kept_and_can_be_sent_again(ask: Ask) -> None:
    status, told = ask("/nl/hulp/medisch", FORM)
    assert status == 503
    assert "nog niet bewaard" in told
    assert "refresh" not in told, "or the form would be gone"
    assert "value='zij valt &lt;b&gt;weg&lt;/b&gt; &quot;'" in told
    assert "<form method=post action='/nl/hulp/medisch'>" in told


def test_a_form_that_left_without_an_answer_is_unknown_and_never_sent_twice(ask: Ask, web_port: int) -> None:
    with site(web_port):
        _, told = ask("/gone", FORM)
    assert "Wij weten nog niet of dit bewaard is" in told
    assert len(Site.heard) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_speaks_the_language_of_the_page_that_was_asked_for(language: str) -> None:
    told = starting_page(f"/{language}/volgen", None, ADDRESS)
    assert f"<html lang={language} dir={'rtl' if language == 'ar' else 'ltr'}>" in told
    assert ("One moment" in told) == (language == "en")


@pytest.mark.parametrize("path", ["/", "/xx/", '/nl/"><script>', "//example.org/"])
def test_any_address_is_harmless(path: str) -> None:
    told = starting_page(path, b"<b>=<i>", '"<script>')
    assert "<script>" not in told
    assert "<i>" not in told


@pytest.mark.parametrize("junk", [b"", b"\r\n\r\n", b"GET /\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"])
def test_what_is_no_request_is_hung_up_on(web_port: int, junk: bytes) -> None:
    relay = Relay(0, web_port, page, wait_s=0.1)
    with socket.create_connection(("127.0.0.1", relay.start()), timeout=20) as browser:
        browser.sendall(junk)
        browser.shutdown(socket.SHUT_WR)
        assert browser.recv(100) == b""
    relay.stop()
