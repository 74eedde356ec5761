"""The check's browser reads pages as a citizen's would, and the ports it is given are free."""

import http.server
import socket
import threading
from collections.abc import Iterator
from urllib.parse import parse_qs

import pytest

from steunpunt.demo.browser import Browser, PageError
from steunpunt.demo.ports import free_ports

PAGE = """<!doctype html><html><body>
<div class="note" hidden><h1>Not shown</h1><a href="/secret">hidden</a></div>
<h1>Two  words</h1><p class="number">47-1</p>
<blockquote>a &amp; "b"
&lt;b&gt; \u00eb</blockquote>
<dl><dt>Came over</dt><dd>radio, <b>internet</b></dd></dl>
<a href="/next?x=1"><svg><path d="M0 0"/></svg> Next page</a>
<form method="post" action="/send"><input type="hidden" name="site" value="a">
<button name="do" value="cut">Cut</button></form>
<form method="post" action="/send"><input type="hidden" name="site" value="b">
<input type="radio" name="how" value="phone"><input type="radio" name="how" value="runner" checked>
<input type="checkbox" name="read" value="yes">
<select name="who"><option value="one">1<option value="two" selected>2</select>
<textarea name="text">
 kept </textarea><button name="do" value="cut">Cut now</button></form>
</body></html>"""


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves the page, and remembers what was sent."""

    sent: dict[str, list[str]]
    origin: str | None

    def do_GET(self) -> None:
        self._reply(404 if self.path.startswith("/gone") else 200)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        type(self).sent, type(self).origin = parse_qs(body, keep_blank_values=True), self.headers["Origin"]
        self._reply(200)

    def _reply(self, status: int) -> None:
        body = PAGE.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base's name
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_it_reads_what_is_shown_and_nothing_hidden(url: str) -> None:
    page = Browser().get(url)
    assert page.titles() == ["Two words"]
    assert page.texts["blockquote"] == ['a & "b"\n<b> \u00eb']
    assert page.facts() == {"Came over": "radio, internet"}
    assert page.classes["number"] == ["47-1"]
    assert page.links == [("Next page", "/next?x=1")]


def test_it_sends_a_form_as_browsers_do(url: str) -> None:
    browser = Browser()
    browser.send(browser.get(url), "Cut", {"site": "b"}, text="one\ntwo \u00eb&")
    assert Handler.sent == {
        "site": ["b"],
        "how": ["runner"],
        "who": ["two"],
        "text": ["one\r\ntwo \u00eb&"],
        "do": ["cut"],
    }
    assert Handler.origin == url


def test_it_leaves_a_text_as_it_was(url: str) -> None:
    browser = Browser()
    browser.send(browser.get(url), "Cut now")
    assert Handler.sent["text"] == [" kept "]


def test_it_says_what_a_page_lacks(url: str) -> None:
    browser = Browser()
    page = browser.get(url)
    with pytest.raises(PageError, match="no button 'Mend'"):
        browser.send(page, "Mend")
    with pytest.raises(PageError, match="no field nothing"):
        browser.send(page, "Cut now", nothing="x")
    with pytest.raises(PageError, match="no link 'hidden'"):
        browser.follow(page, "hidden")


def test_an_error_page_is_a_page_and_no_server_is_an_error(url: str) -> None:
    assert Browser().get(f"{url}/gone").status == 404
    with pytest.raises(PageError, match="gives no page"):
        Browser().get(f"http://127.0.0.1:{free_ports([0])[0]}/")


def test_a_wished_port_is_given_when_it_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        wish = taken.getsockname()[1]
        ports = free_ports([wish, 0, 0])
        assert wish not in ports
        assert len(set(ports)) == 3
    assert free_ports([wish]) == [wish]
