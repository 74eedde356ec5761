"""Two kiosks, a coordinator, their brokers and three virtual radios, as real, separate processes.

Used by ``steunpunt demo`` and by the tests. Everything lies in one folder; every server listens on 127.0.0.1.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from steunpunt import brokerfiles, keyfiles, keymaking
from steunpunt.config import load
from steunpunt.control import Body, Client, ControlError
from steunpunt.demo.cable import Cable
from steunpunt.demo.ports import free_ports
from steunpunt.demo.processes import STOP_S_MAX, DemoError, Processes, Stopped, end, kill
from steunpunt.demo.siteconfig import NAMES, PIN_FILE, POSITIONS, Ports, coordinator_toml, kiosk_toml
from steunpunt.node.links import RESTART_REQUEST
from steunpunt.sim import ask_control_port
from steunpunt_ui.desk.passwords import set_password

START_S_MAX = 60.0
POLL_S = 0.05
REQUESTS_POLL_S = 0.5
"""Between two looks whether a node asks for another broker, in seconds."""
SOCKET_PATH_BYTES_MAX = 107
"""Linux takes no longer path for a Unix socket."""
DESK_NAME = "Officier van dienst"
DESK_PASSWORD = "alleen-voor-de-demo"  # noqa: S105  printed by the demo on purpose
STAFF_PIN = "470471"  # printed by the demo on purpose, for both kiosks
COORDINATOR = "coordinator"
COORDINATOR_ID = 1
KIOSKS = {"kiosk-a": 47, "kiosk-b": 48}
PARTS = ("broker", "node", "web")


@dataclass(slots=True)
class Site:
    """One site: its folder, addresses and running processes by name (broker, node, web)."""

    name: str
    id: int
    folder: Path
    web_port: int
    broker_port: int
    radio_port: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    power: bool = False
    """Whether it was given power; its processes may have ended by themselves."""
    radio_plugged: bool = True
    """Whether the radio's cable is in; the radio lives on the site's own power."""

    @property
    def title(self) -> str:
        """What people call it."""
        return NAMES[self.name][0]

    @property
    def config(self) -> Path:
        """The site's config file."""
        return self.folder / "site.toml"

    @property
    def socket(self) -> Path:
        """The node's control socket."""
        return self.folder / "node.sock"

    @property
    def runtime(self) -> Path:
        """What systemd's RuntimeDirectory is on a device."""
        return self.folder / "run"

    @property
    def restart_request(self) -> Path:
        """The file by which the node asks for another broker, because its own hangs."""
        return self.runtime / RESTART_REQUEST

    @property
    def url(self) -> str:
        """Where its screens are."""
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def powered(self) -> bool:
        """Whether any of its processes runs."""
        return any(process.poll() is None for process in self.processes.values())

    def ask(self, op: str, **fields: object) -> Body:
        """Ask the site's node over its control socket."""
        client = Client(self.socket, timeout_s=10)
        try:
            return client.call(op, **fields)
        finally:
            client.close()


class Region:
    """See the module. :meth:`prepare`, :meth:`start`, then cut and restore; :meth:`stop` ends all it started.

    All methods may be called from any thread, but for ``prepare`` and ``start``.
    """

    def __init__(
        self, folder: Path, *, speed: float = 1.0, cancel_s: int = 30, web_ports: tuple[int, ...] = ()
    ) -> None:
        """``speed`` divides the radios' time on air; ``web_ports`` for kiosk A, kiosk B and the desk, where free."""
        self.folder = folder.resolve()
        self.stopping = threading.Event()
        """Set it, from a signal handler too, and whatever waits here ends with Stopped."""
        self._speed = speed
        self._cancel_s = cancel_s
        names = {**KIOSKS, COORDINATOR: COORDINATOR_ID}
        wishes = [*web_ports, *(0 for _ in names)][: len(names)]
        web, others = slice(0, len(names)), slice(len(names), None)
        ports = free_ports([*wishes, *(0 for _ in range(2 * len(names) + 2))])
        rest = iter(ports[others])
        self.sites = {
            name: Site(name, number, self.folder / name, web_port, next(rest), next(rest))
            for (name, number), web_port in zip(names.items(), ports[web], strict=True)
        }
        self.radio_control_port, self.tls_port = next(rest), next(rest)
        self.cables = {name: Cable(("127.0.0.1", self.tls_port)) for name in KIOSKS}
        self._processes = Processes()
        self._power = threading.Lock()
        self._radios: subprocess.Popen[bytes] | None = None
        self._watch = threading.Thread(target=self._watch_requests, name="broker-watch", daemon=True)

    # --- setting up ---------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make keys, configs and brokers' files, once; a folder made before is used as it is, but for its ports."""
        mosquitto_path()
        for site in self.sites.values():
            if len(bytes(site.socket)) > SOCKET_PATH_BYTES_MAX:
                raise DemoError(f"{self.folder}: this path is too long for a Unix socket in it; choose a shorter one")
        region_keys = self.folder / "region.keys"
        if not region_keys.exists():
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise DemoError(f"{self.folder}: {error.strerror}; choose another folder with --folder") from error
            self._make_keys(region_keys)
        for cable in self.cables.values():
            cable.far_end(powered=False)
            cable.start()
        run_as: Literal["root", "mosquitto"] = "root" if os.geteuid() == 0 else "mosquitto"
        for name in KIOSKS:
            keyfiles.write_staff_pin(self.sites[name].folder / PIN_FILE, STAFF_PIN)
        for site in self.sites.values():
            site.runtime.mkdir(exist_ok=True)
            site.config.write_text(self._toml(site), encoding="utf-8")
            brokerfiles.write_files(load(site.config), site.folder / "mosquitto", run_as)

    def _make_keys(self, region_keys: Path) -> None:
        keymaking.make_region(region_keys, "Demo")
        desk = self.sites[COORDINATOR]
        keymaking.make_coordinator(region_keys, desk.id, desk.folder, ["127.0.0.1", "localhost"])
        set_password(desk.folder / "desk.passwords", DESK_NAME, DESK_PASSWORD)
        for name, number in KIOSKS.items():
            keymaking.make_site(region_keys, number, self.sites[name].folder)

    def _toml(self, site: Site) -> str:
        coordinator = site.name == COORDINATOR
        # A kiosk's end of the road goes through a cable that we can cut.
        road = self.tls_port if coordinator else self.cables[site.name].port
        ports = Ports(site.web_port, site.broker_port, site.radio_port, road)
        if coordinator:
            return coordinator_toml(site.name, site.id, ports, KIOSKS)
        return kiosk_toml(site.name, site.id, ports, self._cancel_s)

    # --- starting and stopping ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start radios and all sites, and wait until each site's screens answer."""
        self.start_radios()
        for name in self.sites:
            self.power_on(name, wait=False)
        for name in self.sites:
            self.wait_until_up(name)

    def start_radios(self) -> None:
        """Start the virtual radios' process, and look after the brokers from here on."""
        arguments = ["virtual-radio", "--control-port", str(self.radio_control_port), "--speed", str(self._speed)]
        arguments += ["--channel-keys", str(self.folder / "region.keys")]
        for site in self.sites.values():
            arguments += ["--radio", f"{site.name}:{site.radio_port}:{POSITIONS[site.name]}"]
        self._radios = self._processes.spawn("radios", self.folder, [*_steunpunt(), *arguments])
        self._wait(lambda: _listens(self.radio_control_port), "the virtual radios", self.folder, self._radios)
        self._watch.start()

    def power_on(self, name: str, *, wait: bool = True) -> None:
        """Give a site power: its radio first, then its broker, node and web processes."""
        site = self.sites[name]
        commands = {
            "broker": [mosquitto_path(), "-c", str(site.folder / "mosquitto" / "mosquitto.conf")],
            "node": [*_steunpunt(), "node", str(site.config)],
            "web": [*_steunpunt(), "web", str(site.config)],
        }
        with self._power:
            if not site.power:
                self._power_radio(site, on=True)
            site.power = True
            site.restart_request.unlink(missing_ok=True)  # on a device it lies in memory
            for part, command in commands.items():
                self.start_part(name, part, command)
            if name == COORDINATOR:
                self._wait(
                    lambda: _listens(self.tls_port), "the region's broker", site.folder, site.processes["broker"]
                )
                self._far_ends(powered=True)
        if wait:
            self.wait_until_up(name)

    def start_part(self, name: str, part: str, command: list[str] | None = None) -> None:
        """Start one process of a site (again, with the command it had)."""
        site = self.sites[name]
        old = site.processes.get(part)
        if old is not None and old.poll() is None:
            return
        if command is None:
            if old is None or not isinstance(old.args, list):
                raise DemoError(f"{part} of {name} was never started; give the site power first")
            command = [str(argument) for argument in old.args]
        variables = {"RUNTIME_DIRECTORY": str(site.runtime)} if part == "node" else None
        site.processes[part] = self._processes.spawn(part, site.folder, command, variables)

    def wait_until_up(self, name: str) -> None:
        """Wait until a site's node and screens answer; DemoError with the end of its log otherwise."""
        site = self.sites[name]
        self._wait(lambda: _answers(site), f"the node of {name}", site.folder, site.processes["node"])
        self._wait(lambda: _listens(site.web_port), f"the screens of {name}", site.folder, site.processes["web"])

    def power_off(self, name: str) -> None:
        """Take a site's power away: SIGKILL to all its processes at once, and its radio goes with it."""
        site = self.sites[name]
        with self._power:
            site.power = False
            if name == COORDINATOR:
                self._far_ends(powered=False)
            kill(site.processes.values())
            self._power_radio(site, on=False)

    def _far_ends(self, *, powered: bool) -> None:
        for cable in self.cables.values():
            cable.far_end(powered=powered)

    def kill_part(self, name: str, part: str) -> None:
        """SIGKILL one process of a site."""
        kill([self.sites[name].processes[part]])

    def restart_hung_brokers(self) -> None:
        """Restart the broker of each site whose node asked for it; a unit of systemd does so on a device."""
        for name, site in self.sites.items():
            with self._power:
                if site.power and site.restart_request.exists():
                    site.restart_request.unlink()  # what is asked from here on is asked anew
                    end([site.processes["broker"]])
                    self.start_part(name, "broker")

    def _watch_requests(self) -> None:
        with contextlib.suppress(Stopped):
            while not self.stopping.wait(REQUESTS_POLL_S):
                self.restart_hung_brokers()

    def cut_internet(self, name: str) -> None:
        """Cut the cable between a kiosk's broker and the region's."""
        self.cables[name].cut()

    def restore_internet(self, name: str) -> None:
        """Mend the cable."""
        self.cables[name].mend()

    def radio(self, do: str, name: str) -> Body:
        """Ask the virtual radios to ``plug``, ``unplug`` or ``reboot`` a site's radio.

        A radio that is plugged in at a site without power starts when the site does.
        """
        site = self.sites[name]
        with self._power:
            if do in {"plug", "unplug"}:
                site.radio_plugged = do == "plug"
            return self._radio(do, name) if site.power or do != "plug" else {}

    def radio_counters(self, *, timeout_s: float = 5.0) -> dict[str, Body]:
        """Read what the virtual radios say of themselves, by site; DemoError when they do not answer."""
        try:
            answer = ask_control_port(self.radio_control_port, {"do": "counters"}, timeout_s=timeout_s)
        except (OSError, ValueError) as error:
            raise DemoError(f"the virtual radios do not answer ({error}); see {self.folder}/radios.log") from error
        return dict(answer["radios"])

    def stop(self) -> None:
        """End every process that was started, politely and then for certain."""
        self.stopping.set()
        self._processes.stop()
        if self._watch.is_alive():
            self._watch.join(STOP_S_MAX)
        for cable in self.cables.values():
            cable.stop()

    def _power_radio(self, site: Site, *, on: bool) -> None:
        """A Pi's USB port feeds the radio: no power at the site, no radio."""
        if site.radio_plugged:
            self._radio("plug" if on else "unplug", site.name)

    def _radio(self, do: str, name: str) -> Body:
        try:
            return ask_control_port(self.radio_control_port, {"do": do, "radio": name})
        except OSError as error:
            raise DemoError(f"the virtual radios do not answer ({error}); see {self.folder}/radios.log") from error

    def _wait(self, ready: Callable[[], bool], what: str, folder: Path, process: subprocess.Popen[bytes]) -> None:
        """Wait until something answers, as long as its process runs."""
        deadline = time.monotonic() + START_S_MAX
        while not ready():
            if process.poll() is not None:
                raise DemoError(f"{what} ended with exit code {process.returncode}; {_last_words(folder)}")
            if time.monotonic() > deadline:
                raise DemoError(f"{what} did not come up in {START_S_MAX:.0f} s; {_last_words(folder)}")
            if self.stopping.wait(POLL_S):
                raise Stopped(f"stopped while {what} started")


def _steunpunt() -> list[str]:
    return [sys.executable, "-m", "steunpunt"]


def mosquitto_path() -> str:
    """Return where mosquitto is; DemoError with what to type."""
    found = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        raise DemoError("mosquitto is not installed; type: make install   (or: sudo apt-get install mosquitto)")
    return found


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _answers(site: Site) -> bool:
    with contextlib.suppress(ControlError):
        return bool(site.ask("status")["ok"])
    return False


def _last_words(folder: Path) -> str:
    """Return the last line of each log in a folder."""
    logs = {log.name: log.read_text(errors="replace").splitlines()[-1:] for log in sorted(folder.glob("*.log"))}
    return "; ".join(f"{name} ends with: {line}" for name, lines in logs.items() for line in lines)
