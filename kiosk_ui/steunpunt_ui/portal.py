"""The captive portal: phones on the point's own wifi find its pages, whatever address they ask for.

All names lead here (``config/hotspot/``), and there is no internet behind it. A phone that joins asks a page of its
maker whether the internet is there. In two phases: first that question is sent on to the pages here, so that the
phone opens them; once somebody tapped "Continue", it gets the answer that its maker gives, for a phone that finds no
internet leaves the wifi again. Who answers what: Apple, Google, Microsoft, GNOME and Mozilla, as of 2026.

A phone is known by its address on the wifi; nothing is stored but that, for an hour, in memory.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final, NamedTuple

from flask import Flask, Response, current_app, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from steunpunt_ui.languages import LANGUAGES

FORGET_S = 3_600
PHONES_MAX = 512
"""More than any hotspot of a Pi carries; the one seen longest ago is forgotten, and only sees the portal again."""
NAME: Final = "hulp.lan"
"""What may be typed or printed on a poster; any name leads here, this one says what it is."""
_KEY: Final = "steunpunt_portal"


class Probe(NamedTuple):
    """What a phone's maker answers when the internet is there."""

    status: int
    body: str
    content_type: str


_APPLE = Probe(200, "<HTML><HEAD><TITLE>Success</TITLE></HEAD><BODY>Success</BODY></HTML>", "text/html")
_GOOGLE = Probe(204, "", "text/plain")
_FIREFOX = '<meta http-equiv="refresh" content="0;url=https://support.mozilla.org/kb/captive-portal"/>'
PROBES: dict[str, Probe] = {
    "/hotspot-detect.html": _APPLE,
    "/library/test/success.html": _APPLE,
    "/generate_204": _GOOGLE,
    "/gen_204": _GOOGLE,
    "/connecttest.txt": Probe(200, "Microsoft Connect Test", "text/plain"),
    "/ncsi.txt": Probe(200, "Microsoft NCSI", "text/plain"),
    "/check_network_status.txt": Probe(200, "NetworkManager is online\n", "text/plain"),
    "/success.txt": Probe(200, "success\n", "text/plain"),
    "/canonical.html": Probe(200, _FIREFOX, "text/html"),
}
"""By path: makers use several hosts for one path, and no page here has such a path."""


class Phones:
    """Which phones tapped "Continue" within the hour. Any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._passed_s: OrderedDict[str, float] = OrderedDict()

    def let_pass(self, address: str) -> None:
        """Note that somebody at this address tapped "Continue"."""
        with self._lock:
            self._passed_s[address] = self._clock()
            self._passed_s.move_to_end(address)
            while len(self._passed_s) > PHONES_MAX:
                self._passed_s.popitem(last=False)

    def passed(self, address: str) -> bool:
        """Return whether the phone at this address is to be told that all is well."""
        with self._lock:
            since_s = self._passed_s.get(address)
            return since_s is not None and self._clock() - since_s < FORGET_S


def add_portal(app: Flask, address: str, phones: Phones | None = None) -> None:
    """Answer phones for the hotspot at ``address``, an IP address of this device."""
    known = phones or Phones()
    own = {address, NAME}

    def catch() -> AnyResponse | None:
        if not is_phone():
            return None
        if request.path in PROBES:
            probe = PROBES[request.path]
            if known.passed(request.remote_addr or ""):
                return Response(probe.body, probe.status, content_type=probe.content_type)
            return redirect(f"http://{address}/")
        if request.host.rpartition(":")[0] not in own and request.host not in own:
            return redirect(f"http://{address}/")
        return None

    def go_on(lang: str) -> AnyResponse:
        known.let_pass(request.remote_addr or "")
        return redirect(f"/{lang}/", 303)

    # Before the check of forms: a foreign address is no form of ours, and is answered with the way here.
    app.before_request_funcs.setdefault(None, []).insert(0, catch)
    rule = f"/<any({','.join(LANGUAGES)}):lang>/verder"
    app.add_url_rule(rule, "portal_go_on", go_on, methods=["POST"])
    app.extensions[_KEY] = known


def offers_go_on() -> bool:
    """Return whether this phone is still to be told that there is no internet here."""
    known = current_app.extensions.get(_KEY)
    return isinstance(known, Phones) and is_phone() and not known.passed(request.remote_addr or "")


def is_phone() -> bool:
    """Return whether this request comes over the wifi and not from the screen of this device."""
    return from_wifi(request.remote_addr or "127.0.0.1")


def from_wifi(address: str) -> bool:
    """Return whether an address is not one of this device's own."""
    try:
        return not ip_address(address or "127.0.0.1").is_loopback
    except ValueError:
        return True
