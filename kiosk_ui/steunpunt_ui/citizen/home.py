"""The first page: what works here now, what does not, and the way to help."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from flask import Response, abort, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from steunpunt.control import NotKnownYet, Refused, Unreachable
from steunpunt.model import PointState
from steunpunt_ui.ages import ago
from steunpunt_ui.citizen.drawn import drawn_pages
from steunpunt_ui.citizen.newswords import NewsView
from steunpunt_ui.citizen.pointstate import NODE_AWAY, is_closed, point_state, read_status
from steunpunt_ui.citizen.power import power_line
from steunpunt_ui.citizen.states import short_words
from steunpunt_ui.citizen.topnews import announcement, announcement_mark
from steunpunt_ui.content.serving import has_pages
from steunpunt_ui.context import client, config
from steunpunt_ui.languages import language
from steunpunt_ui.portal import is_phone, offers_go_on
from steunpunt_ui.speech.serving import sounds

BUTTONS_SHOWN_MAX = 3


@dataclass(frozen=True, slots=True)
class Banner:
    """What is down, and what to do now; ``calm`` when help can still be asked as usual."""

    what: str
    now: str
    calm: bool = False


@dataclass(frozen=True, slots=True)
class ButtonCall:
    """A help button's call: waiting to leave (``pending_s``), or on its way under a number."""

    name: str
    pending_s: int | None
    number: str
    says: str


@dataclass(frozen=True, slots=True)
class _Shown:
    """All that a first page shows and the config does not fix: two that are equal look the same."""

    language: str
    state: PointState
    banner: Banner | None
    calls: tuple[ButtonCall, ...]
    news: int
    pages: bool
    power: str
    on_phone: bool
    goes_on: bool
    sounds: frozenset[str]
    going: NewsView | None
    going_mark: str

    def mark(self) -> str:
        """Return a fingerprint of what changes by itself, for polling."""
        calls = [asdict(call) for call in self.calls]
        shown = [self.banner and asdict(self.banner), calls, self.news, self.power, self.pages, self.state.name]
        shown.append(self.going_mark)
        return hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:16]


def _shown() -> _Shown:
    status = read_status()
    return _Shown(
        language(),
        point_state(),
        _banner(status),
        tuple(_calls_of(status)),
        _news_of(status),
        has_pages(status),
        power_line(status),
        is_phone(),
        offers_go_on(),
        sounds(),
        announcement(),
        announcement_mark(),
    )


def show() -> str:
    """Show the first page."""
    shown = _shown()
    if request.query_string:  # its links in other languages keep some of what an address says
        return _drawn(shown)
    return drawn_pages().page(shown, lambda: _drawn(shown))


def _drawn(shown: _Shown) -> str:
    return render_template(
        "citizen/home.html",
        banner=shown.banner,
        going=shown.going,
        calls=shown.calls,
        news=shown.news,
        pages=shown.pages,
        on_phone=shown.on_phone,
        power=shown.power,
        goes_on=shown.goes_on,
        mark=shown.mark(),
        poll=url_for("citizen.home_mark"),
    )


def show_languages() -> str:
    """Show the languages, large, for who cannot read the one that is there."""
    return render_template("citizen/languages.html")


def show_mark() -> Response:
    """Return the fingerprint of what the first page shows now, for polling."""
    return Response(_shown().mark(), mimetype="text/plain")


def cancel_call(name: str) -> AnyResponse:
    """Cancel the waiting call of a button: for staff at this point, not for whoever is on its wifi."""
    if is_phone():
        abort(403)
    try:
        client().call("cancel_call", name=name)
    except Refused as refusal:
        if refusal.code == "unknown_button":
            abort(404)
        abort(503)
    except (Unreachable, NotKnownYet):
        abort(503)
    return redirect(url_for("citizen.home"), 303)


def _banner(status: dict[str, Any] | None) -> Banner | None:
    """Return the banner of the first page; a closed point has no road to speak of."""
    return None if is_closed() else banner_of(status)


def banner_of(status: dict[str, Any] | None) -> Banner | None:
    """Return the gravest thing to say of this point's roads, in plain words; None when all is well.

    A closed point says nothing that invites to ask for help.
    """
    address, station = config().region.fallback_address, config().region.coordinator_name
    if status is None or not status["can_keep"]:
        return Banner(
            gettext("This device can't keep requests now."),
            gettext("Danger? Call 112 if a phone works. Otherwise: go to %(address)s.", address=address),
        )
    links = status["links"]
    # A kiosk talks to a broker of its own: only what the coordinator says over it proves that the internet works.
    up = {name for name, link in links.items() if link["up"]}
    radio, internet = "mesh" in up, "broker" in up and status["region"]["fresh"]
    danger = gettext(
        "Your request waits here safely until it can leave. Danger? Call 112 or send someone to %(address)s.",
        address=address,
    )
    if not radio and not internet:
        heard = "" if "broker" not in up else " " + _silence(status["region"].get("age_s"), station)
        return Banner(gettext("This point can't send anything now.") + heard, danger)
    if is_closed():
        return None
    if not radio:
        return Banner(
            gettext("The radio of this point does not work now."),
            gettext("You can ask for help: it goes over the internet."),
            calm=True,
        )
    if not internet:
        return Banner(
            # A station without power, a cut line and a node that has just started look the same from here.
            gettext("We don't hear %(station)s over the internet now.", station=station)
            if "broker" in up
            else gettext("This point can't use the internet now."),
            gettext("You can ask for help: we keep your request and send it by radio."),
            calm=True,
        )
    return None


def grave_banner() -> Banner | None:
    """Return what must be said to whoever asks for help now: that it is kept nowhere, or has no road; else None."""
    banner = banner_of(read_status())
    return None if banner is None or banner.calm else banner


def _silence(age_s: float | None, station: str) -> str:
    if age_s is None:
        return gettext("We have heard nothing from %(station)s yet.", station=station)
    return gettext("We last heard %(station)s %(ago)s.", station=station, ago=ago(age_s))


def _calls_of(status: dict[str, Any] | None) -> list[ButtonCall]:
    """Return the calls that are waiting or not yet closed."""
    found = [_call_of(button) for button in (status or {}).get("buttons", [])]
    return [call for call in found if call is not None][:BUTTONS_SHOWN_MAX]


def _call_of(button: dict[str, Any]) -> ButtonCall | None:
    if button["pending_s"] is not None:
        return ButtonCall(button["name"], int(button["pending_s"]), "", "")
    return _open_call(button["name"], button["number"]) if button["number"] else None


def _open_call(name: str, number: str) -> ButtonCall | None:
    try:
        ticket = client().call("ticket", number=number)
    except NODE_AWAY:
        return None
    if ticket["state"] == "CLOSED":
        return None
    return ButtonCall(name, None, number, short_words(ticket["state"]))


def _news_of(status: dict[str, Any] | None) -> int:
    return int(status.get("news_count", 0)) if status else 0
