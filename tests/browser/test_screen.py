"""The browser of the device, for real: its policies, and what `steunpunt screen` does when something is gone."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Error, sync_playwright
from werkzeug.serving import make_server

from steunpunt.screen.browser import _below, _words, shows_page
from tests.browser.conftest import ARGUMENTS
from tests.conftest import wait_until

PROJECT = Path(__file__).parents[2]
POLICY = PROJECT / "config" / "browser" / "steunpunt.json"
# A driver needs these two to look at pages at all; on a device they stay.
DRIVERS = ("DeveloperToolsAvailability", "RemoteDebuggingAllowed")
PAGE = b"""<!doctype html><title>site</title><h1>hier</h1>
<a id=out href=https://example.org/>x</a><a id=new href=https://example.org/ target=_blank>x</a>"""
WAYS_OUT = (
    "https://example.org/",
    "file:///etc/passwd",
    "chrome://settings/",
    "chrome://version/",
    "chrome://policy/",
    "chrome-untrusted://terminal/",
    "view-source:{site}",
    "data:text/html,hi",
    "devtools://devtools/bundled/inspector.html",
    "http://localhost:{port}/",
    "http://127.0.0.1:9999/",
)
START_MS_MAX = 60_000
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may lay a folder over /etc/chromium")


def app(_environ: dict[str, str], start: object) -> list[bytes]:
    start("200 OK", [("Content-Type", "text/html")])  # type: ignore[operator]
    return [PAGE]


@contextmanager
def site(port: int) -> Iterator[None]:
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join(20)
        server.server_close()


@contextmanager
def under_policy(folder: Path, port: int, *, without: tuple[str, ...] = ()) -> Iterator[BrowserContext]:
    """Chromium with our policies where it looks for them; only for its own processes, by a mount of their own."""
    policy = json.loads(POLICY.read_text("utf-8"))
    policy = {key: value for key, value in policy.items() if key not in (*DRIVERS, *without)}
    policy["URLAllowlist"] = [f"http://127.0.0.1:{port}"]
    managed = folder / "etc" / "policies" / "managed"
    managed.mkdir(parents=True)
    (managed / "steunpunt.json").write_text(json.dumps(policy), "utf-8")
    program = folder / "chromium"
    mount = f"mount --bind {folder / 'etc'} /etc/chromium"
    program.write_text(f'#!/bin/sh\nexec unshare -m sh -c \'{mount} && exec chromium "$@"\' sh "$@"\n')
    program.chmod(0o755)
    with sync_playwright() as playwright:
        # Not a new context: that would be a private window, which the policy does not allow.
        context = playwright.chromium.launch_persistent_context(
            folder / "profile", executable_path=program, args=ARGUMENTS, timeout=START_MS_MAX
        )
        yield context
        context.close()


def refused(context: BrowserContext, address: str) -> bool:
    """Try to go there in a tab of its own; whether the policy is what refuses it."""
    page = context.new_page()
    try:
        page.goto(address, timeout=START_MS_MAX)
    except Error as error:
        if "ERR_BLOCKED_BY_ADMINISTRATOR" not in error.message:
            raise
        page.wait_for_url("chrome-error://**", timeout=START_MS_MAX)
        return True
    finally:
        page.close()
    return False


@needs_root
@pytest.mark.browser
def test_there_is_no_way_out_of_the_site(tmp_path: Path, free_port: Callable[[], int]) -> None:
    port = free_port()
    with site(port), under_policy(tmp_path, port) as context:
        home, page = f"http://127.0.0.1:{port}/", context.pages[0]
        page.goto(home)
        ways = [way.format(site=home, port=port) for way in WAYS_OUT]
        assert [way for way in ways if not refused(context, way)] == []
        assert page.inner_text("h1") == "hier"
        for link in ("#new", "#out"):
            page.click(link, no_wait_after=True)
        page.wait_for_url("chrome-error://**", timeout=START_MS_MAX)
        assert [tab.url for tab in context.pages if not tab.url.startswith((home, "chrome-error:"))] == []


@needs_root
@pytest.mark.browser
def test_this_chromium_knows_every_policy(tmp_path: Path) -> None:
    rows = """() => { const found = [], walk = (root) => { for (const one of root.querySelectorAll("*")) {
      if (one.tagName === "POLICY-ROW") found.push(one.shadowRoot.textContent.trim().split(/\\s+/).join(" "))
      if (one.shadowRoot) walk(one.shadowRoot) } }; walk(document); return found }"""
    policy = json.loads(POLICY.read_text("utf-8"))
    asked = [name for name in policy if name not in (*DRIVERS, "URLBlocklist")]
    with under_policy(tmp_path, 9, without=("URLBlocklist",)) as context:
        page = context.pages[0]
        page.goto("chrome://policy/")
        page.wait_for_function(f"({rows})().length > {len(asked)}", timeout=START_MS_MAX)
        told = {row.split()[0]: row for row in page.evaluate(rows)}
    assert [name for name in asked if "Mandatory" not in told.get(name, "") or "Mandatory Error" in told[name]] == []


@contextmanager
def screen(folder: Path, port: int, web_port: int) -> Iterator["subprocess.Popen[bytes]"]:
    program = folder / "headless"
    words = " ".join(ARGUMENTS)
    program.write_text(f'#!/bin/sh\nexec chromium --headless=new {words} "$@"\n')
    program.chmod(0o755)
    config = (PROJECT / "config" / "kiosk.toml").read_text("utf-8").replace("port = 8080", f"port = {web_port}")
    config += f'\n[screen]\nport = {port}\nbrowser = "{program.name}"\n'
    (folder / "site.toml").write_text(config, "utf-8")
    environment = os.environ | {"RUNTIME_DIRECTORY": str(folder), "NOTIFY_SOCKET": str(folder / "notify")}
    environment["PATH"] = f"{folder}:{environment['PATH']}"  # as a path it would be too long for the config
    command = [sys.executable, "-m", "steunpunt", "screen", str(folder / "site.toml")]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.browser
@pytest.mark.processes
def test_it_shows_the_site_and_begins_anew_when_the_page_has_crashed(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    port, web_port = free_port(), free_port()
    ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ready.bind(str(tmp_path / "notify"))
    with ready, site(web_port), screen(tmp_path, port, web_port) as process:
        ready.settimeout(60)
        assert ready.recv(100) == b"READY=1"
        assert shows_page(process.pid)

        def crashed() -> bool:
            for pid in _below(process.pid):
                if "--type=renderer" in _words(pid):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            return process.poll() is not None

        wait_until(crashed, timeout_s=90, interval_s=0.2)
        assert process.wait(60) == 1
        assert list(_below(process.pid)) == [process.pid], "no browser may be left"
