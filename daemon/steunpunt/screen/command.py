"""``steunpunt screen``: runs the relay and the browser, and ends when the browser shows nothing any more.

Whoever started it starts it again (systemd does): there is one way to begin, and it is also the way to recover.
"""

import contextlib
import logging
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from steunpunt.config import Config
from steunpunt.control import notify_systemd
from steunpunt.model import SteunpuntError
from steunpunt.screen.browser import command, folder_of_run, shows_page
from steunpunt.screen.relay import Away, Relay

LOOK_S: Final = 1.0
START_S_MAX: Final = 60.0
"""From the start to a first page; a Pi with a slow card takes its time."""
GONE_LOOKS_MAX: Final = 3
"""Looks in a row without a page after which the browser is begun anew: a page that changes has none for a moment."""
SILENT_S_MAX: Final = 900.0
"""A browser that asks nothing for so long hangs, or shows no page of ours: a citizen's page asks each minute."""
STOP_S_MAX: Final = 5.0
_log = logging.getLogger(__name__)


class ScreenError(SteunpuntError, OSError):
    """The screen cannot be shown."""


def run(config: Config, page: Callable[[Away], str]) -> int:
    """Show the site's pages until told to stop; return 0 then, and 1 when the browser ended or lost its page.

    ``page`` makes what is shown while the web process is away. Raises ScreenError when the port is taken or there is
    no such browser.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    relay = Relay(config.screen.port, config.web.port, page)
    try:
        port = relay.start()
    except OSError as error:
        mend = "stop the other program or change screen.port in the config file and in the browser's policy"
        raise ScreenError(f"screen: port {config.screen.port} cannot be used ({error.strerror}); {mend}") from error
    try:
        with _folder() as folder:
            words = command(config.screen.browser, f"http://127.0.0.1:{port}/nl/", folder, theme=config.screen.theme)
            with _started(words, config.screen.browser) as browser:
                return _watch(browser, relay, stop)
    finally:
        relay.stop()


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    told = folder_of_run()
    if told is not None:
        yield told
        return
    with tempfile.TemporaryDirectory(prefix="steunpunt-screen-") as name:
        yield Path(name)


@contextlib.contextmanager
def _started(words: list[str], program: str) -> Iterator["subprocess.Popen[bytes]"]:
    try:
        browser = subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603  ours
    except OSError as error:
        mend = "install it (apt-get install chromium) or correct screen.browser in the config file"
        raise ScreenError(f"screen: {program} cannot be started ({error.strerror}); {mend}") from error
    try:
        yield browser
    finally:
        _end(browser)


def _end(browser: "subprocess.Popen[bytes]") -> None:
    browser.terminate()
    try:
        browser.wait(STOP_S_MAX)
    except subprocess.TimeoutExpired:
        browser.kill()
        browser.wait()


def _watch(browser: "subprocess.Popen[bytes]", relay: Relay, stop: threading.Event) -> int:
    started, gone, waited_s = False, 0, 0.0
    while not stop.wait(LOOK_S):
        waited_s += LOOK_S
        if browser.poll() is not None or relay.silent_s() > SILENT_S_MAX:
            _log.error("action=browser_ended code=%s silent_s=%.0f", browser.returncode, relay.silent_s())
            return 1
        if shows_page(browser.pid):
            if not started:
                notify_systemd("READY=1")
            started, gone = True, 0
            notify_systemd("WATCHDOG=1")
            continue
        gone += started
        if gone >= GONE_LOOKS_MAX or (not started and waited_s >= START_S_MAX):
            _log.error("action=page_gone started=%s", started)
            return 1
    notify_systemd("STOPPING=1")
    return 0
