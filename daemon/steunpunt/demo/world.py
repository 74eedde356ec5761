"""The world page of the demo: here one cuts a kiosk's internet, pulls its radio, takes its power, presses its button.

It ends processes, so it listens on 127.0.0.1 only, under no other name, and takes forms from its own page alone.
"""

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict

from flask import Flask, Response, abort, jsonify, redirect, render_template, request, url_for
from waitress.server import BaseWSGIServer, MultiSocketServer, create_server
from werkzeug.wrappers import Response as AnyResponse

from steunpunt.control import ControlError, Refused
from steunpunt.demo.processes import DemoError
from steunpunt.demo.region import COORDINATOR, DESK_NAME, DESK_PASSWORD, KIOSKS, STAFF_PIN, Region
from steunpunt.demo.sight import Mark, Sight
from steunpunt.model import SteunpuntError
from steunpunt_ui.security import guard

HOST = "127.0.0.1"
THREADS = 6
CONNECTIONS_MAX = 100
STOP_S_MAX = 2.0
PROBLEM_S_MAX = 20.0
"""How long the page tells of something that could not be done, in seconds."""
NO_PROBLEM = Mark("", "good")


class World:
    """What the page's forms do, and the last thing that could not be done."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.sight = Sight(region)
        self._problem = NO_PROBLEM
        self._problem_s = 0.0

    def acts(self, name: str) -> dict[str, Callable[[str], object]]:
        """Return what can be done with a site, by the word in the form."""
        region = self.region
        everywhere: dict[str, Callable[[str], object]] = {
            "power_off": region.power_off,
            "power_on": lambda site: region.power_on(site, wait=False),
            "plug": lambda site: region.radio("plug", site),
            "unplug": lambda site: region.radio("unplug", site),
            "press": self.sight.press,
        }
        if name not in KIOSKS:
            return everywhere
        return everywhere | {
            "cut": region.cut_internet,
            "restore": region.restore_internet,
        }

    def act(self, name: str, do: str) -> None:
        """Do one thing with a site; KeyError for what there is not."""
        act = self.acts(name)[do]
        self._problem = NO_PROBLEM
        try:
            act(name)
        except (ControlError, Refused):
            self._complain(f"{self.region.sites[name].title} geeft geen antwoord. Geef eerst stroom en wacht even.")
        except SteunpuntError as error:
            self._complain(f"Dat ging niet: {error}")
        self.sight.forget()

    def marks(self) -> dict[str, Mark]:
        """Return all that the page shows."""
        recent = time.monotonic() - self._problem_s < PROBLEM_S_MAX
        return {**self.sight.read(), "problem": self._problem if recent else NO_PROBLEM}

    def _complain(self, text: str) -> None:
        self._problem, self._problem_s = Mark(text, "bad"), time.monotonic()


def create_app(world: World) -> Flask:
    """Return the page's application."""
    app = Flask(__name__)
    app.config["TRUSTED_HOSTS"] = [HOST, "localhost"]
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    guard(app)

    @app.get("/")
    def page() -> str:
        sites = world.region.sites
        return render_template(
            "world.html",
            marks=world.marks(),
            kiosks=[("A", sites["kiosk-a"]), ("B", sites["kiosk-b"])],
            desk=sites[COORDINATOR],
            desk_name=DESK_NAME,
            desk_password=DESK_PASSWORD,
            staff_pin=STAFF_PIN,
        )

    @app.get("/state")
    def state() -> Response:
        return jsonify({name: asdict(mark) for name, mark in world.marks().items()})

    @app.post("/do")
    def do() -> AnyResponse:
        name, what = request.form.get("site", ""), request.form.get("do", "")
        if name not in world.region.sites or what not in world.acts(name):
            abort(400)
        world.act(name, what)
        return redirect(url_for("page"), 303)

    return app


class WorldServer:
    """Serves the page with waitress, in this process."""

    def __init__(self, world: World, port: int) -> None:
        self._world = world
        self._server: BaseWSGIServer | MultiSocketServer | None = None
        self._thread: threading.Thread | None = None
        self.port = port

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self.port}"

    def start(self) -> None:
        """Listen and serve in a thread of its own."""
        try:
            listener = socket.create_server((HOST, self.port))
        except OSError as error:
            raise DemoError(f"port {self.port} was taken just now ({error.strerror}); start the demo again") from error
        self._server = create_server(
            create_app(self._world),
            sockets=[listener],
            threads=THREADS,
            connection_limit=CONNECTIONS_MAX,
            ident="",
            clear_untrusted_proxy_headers=True,
        )
        self._thread = threading.Thread(target=self._server.run, name="world", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests; those under way may end after this."""
        if isinstance(self._server, BaseWSGIServer) and self._thread is not None:
            self._server.trigger.pull_trigger(self._server.close)  # type: ignore[attr-defined]  # no number at all
            self._thread.join(STOP_S_MAX)
