"""Two kiosks, a coordinator, their brokers and three virtual radios, as real, separate processes.

Used by ``steunpunt demo`` and by the tests. Everything lies in one folder; every server listens on 127.0.0.1.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from steunpunt import brokerfiles, keymaking
from steunpunt.config import load
from steunpunt.control import Body, Client, ControlError
from steunpunt.demo.cable import Cable
from steunpunt.model import SteunpuntError
from steunpunt.sim import ask_control_port
from steunpunt_ui.desk.passwords import set_password

START_S_MAX = 60.0
STOP_S_MAX = 8.0
POLL_S = 0.05
DESK_NAME = "Officier van dienst"
DESK_PASSWORD = "alleen-voor-de-demo"  # noqa: S105  printed by the demo on purpose
COORDINATOR = "coordinator"
KIOSKS = {"kiosk-a": 47, "kiosk-b": 48}
PLACES = {
    "kiosk-a": ("Buurthuis De Regenboog", "Kerkplein 1, Maastricht"),
    "kiosk-b": ("Sporthal De Geusselt", "Stadionplein 12, Maastricht"),
    COORDINATOR: ("Coördinatiepunt Noord", "Willem Alexanderweg 1, Maastricht"),
}
POSITIONS = {"kiosk-a": "50.8514,5.6910", "kiosk-b": "50.8560,5.7170", COORDINATOR: "50.8620,5.6980"}


class DemoError(SteunpuntError, RuntimeError):
    """The demo's region cannot be set up or started."""


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

    @property
    def config(self) -> Path:
        """The site's config file."""
        return self.folder / "site.toml"

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
        client = Client(self.folder / "node.sock", timeout_s=10)
        try:
            return client.call(op, **fields)
        finally:
            client.close()


class Region:
    """See the module. :meth:`prepare`, :meth:`start`, then cut and restore; :meth:`stop` ends every process it
    started."""

    def __init__(
        self, folder: Path, *, speed: float = 1.0, cancel_s: int = 30, web_ports: tuple[int, ...] = ()
    ) -> None:
        """``speed`` divides the radios' time on air; ``web_ports`` for kiosk A, kiosk B and the desk, where free."""
        self.folder = folder
        self._speed = speed
        self._cancel_s = cancel_s
        self.radio_control_port = free_port()
        self.tls_port = free_port()
        names = [*KIOSKS, COORDINATOR]
        wished = [*web_ports, *(0 for _ in names)]
        self.sites = {
            name: Site(name, KIOSKS.get(name, 1), folder / name, free_port(wish), free_port(), free_port())
            for name, wish in zip(names, wished, strict=False)
        }
        self.cables = {name: Cable(("127.0.0.1", self.tls_port)) for name in KIOSKS}
        self._radios: subprocess.Popen[bytes] | None = None

    # --- setting up ---------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make keys, configs and brokers' files, once; a folder made before is used as it is, but for its ports."""
        mosquitto_path()
        region_keys = self.folder / "region.keys"
        if not region_keys.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            keymaking.make_region(region_keys, "Demo")
            desk = self.sites[COORDINATOR]
            keymaking.make_coordinator(region_keys, desk.id, desk.folder, ["127.0.0.1", "localhost"])
            set_password(desk.folder / "desk.passwords", DESK_NAME, DESK_PASSWORD)
            for name, number in KIOSKS.items():
                keymaking.make_site(region_keys, number, self.sites[name].folder)
        for cable in self.cables.values():
            cable.start()
        for site in self.sites.values():
            site.config.write_text(self._toml(site), encoding="utf-8")
            brokerfiles.write_files(
                load(site.config), site.folder / "mosquitto", "root" if os.geteuid() == 0 else "mosquitto"
            )

    def _toml(self, site: Site) -> str:
        coordinator = site.name == COORDINATOR
        name, place = PLACES[site.name]
        parts = [
            f'[site]\nrole = "{"coordinator" if coordinator else "kiosk"}"\nid = {site.id}\nname = "{name}"\nplace = "{place}"\n',
            '[region]\nname = "Demo"\ncoordinator = 1\ncoordinator_name = "Brandweerkazerne Noord"\n'
            'fallback_address = "Willem Alexanderweg 1, Maastricht"\n',
            f'[keys]\nfile = "{"coordinator" if coordinator else "site"}.keys"\n',
            f'[radio]\nkind = "tcp"\nhost = "127.0.0.1"\nport = {site.radio_port}\nchannel = "serial"\nhop_limit = 3\n',
            f'[broker]\nhost = "127.0.0.1"\nport = {site.broker_port}\npassword_file = "broker.password"\n',
            self._road(site),
            '[ledger]\npath = "ledger.db"\n' + ('key_file = "ledger.key"\n' if coordinator else ""),
            '[control]\nsocket = "node.sock"\n',
            f'[web]\nhost = "127.0.0.1"\nport = {site.web_port}\n'
            + ('desk_passwords_file = "desk.passwords"\n' if coordinator else ""),
        ]
        return "\n".join(parts + ([] if coordinator else [self._panel()]))

    def _road(self, site: Site) -> str:
        """The TLS road between a kiosk's broker and the region's: the kiosk's end goes through a cable we can cut."""
        if site.name == COORDINATOR:
            return (
                f'[broker.region_listener]\nhost = "127.0.0.1"\nport = {self.tls_port}\nca_file = "region-ca.pem"\n'
                'certificate_file = "region.pem"\nkey_file = "region-key.pem"\n'
            )
        return (
            f'[broker.bridge]\nhost = "127.0.0.1"\nport = {self.cables[site.name].port}\nca_file = "region-ca.pem"\n'
            'certificate_file = "site.pem"\nkey_file = "site-key.pem"\n'
        )

    def _panel(self) -> str:
        return (
            '[panel]\npins = "mock"\nbuzzer_pin = 22\n\n[[panel.button]]\nname = "help"\nbutton_pin = 17\nlamp_pin = 27\n'
            f"cancel_s = {self._cancel_s}\n"
        )

    # --- starting and stopping ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start radios and all sites, and wait until each site's screens answer."""
        self.start_radios()
        for name in self.sites:
            self.power_on(name, wait=False)
        for name in self.sites:
            self.wait_until_up(name)

    def start_radios(self) -> None:
        """Start the virtual radios' process."""
        arguments = ["virtual-radio", "--control-port", str(self.radio_control_port), "--speed", str(self._speed)]
        arguments += ["--channel-keys", str(self.folder / "region.keys")]
        for site in self.sites.values():
            arguments += ["--radio", f"{site.name}:{site.radio_port}:{POSITIONS[site.name]}"]
        self._radios = self._spawn("radios", self.folder, [*_steunpunt(), *arguments])
        _wait(lambda: _listens(self.radio_control_port), "the virtual radios", self.folder / "radios.log")

    def power_on(self, name: str, *, wait: bool = True) -> None:
        """Start a site's broker, node and web processes."""
        site = self.sites[name]
        commands = {
            "broker": [mosquitto_path(), "-c", str(site.folder / "mosquitto" / "mosquitto.conf")],
            "node": [*_steunpunt(), "node", str(site.config)],
            "web": [*_steunpunt(), "web", str(site.config)],
        }
        for part, command in commands.items():
            self.start_part(name, part, command)
        if wait:
            self.wait_until_up(name)

    def start_part(self, name: str, part: str, command: list[str] | None = None) -> None:
        """Start one process of a site again, with the command it had."""
        site = self.sites[name]
        old = site.processes.get(part)
        if old is not None and old.poll() is None:
            return
        arguments = command or [str(argument) for argument in old.args] if old or command else []  # type: ignore[union-attr]
        site.processes[part] = self._spawn(part, site.folder, arguments)

    def wait_until_up(self, name: str) -> None:
        """Wait until a site's node and screens answer; DemoError with the end of its log otherwise."""
        site = self.sites[name]
        _wait(lambda: _answers(site), f"the node of {name}", site.folder / "node.log")
        _wait(lambda: _listens(site.web_port), f"the screens of {name}", site.folder / "web.log")

    def power_off(self, name: str) -> None:
        """Take a site's power away: SIGKILL to all its processes at once."""
        for process in self.sites[name].processes.values():
            process.kill()
        for process in self.sites[name].processes.values():
            process.wait()

    def kill_part(self, name: str, part: str) -> None:
        """SIGKILL one process of a site."""
        process = self.sites[name].processes[part]
        process.kill()
        process.wait()

    def cut_internet(self, name: str) -> None:
        """Cut the cable between a kiosk's broker and the region's."""
        self.cables[name].cut()

    def restore_internet(self, name: str) -> None:
        """Mend the cable."""
        self.cables[name].mend()

    def radio(self, do: str, name: str) -> Body:
        """Ask the virtual radios to ``plug``, ``unplug`` or ``reboot`` a site's radio."""
        return ask_control_port(self.radio_control_port, {"do": do, "radio": name})

    def stop(self) -> None:
        """End every process that was started, politely and then for certain."""
        processes = [p for site in self.sites.values() for p in site.processes.values()]
        processes += [self._radios] if self._radios else []
        for process in processes:
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + STOP_S_MAX
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(deadline - time.monotonic(), 0))
            if process.poll() is None:
                process.kill()
                process.wait()
        for cable in self.cables.values():
            cable.stop()

    def _spawn(self, name: str, folder: Path, command: list[str]) -> subprocess.Popen[bytes]:
        with (folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, start_new_session=True
            )


def _steunpunt() -> list[str]:
    return [sys.executable, "-m", "steunpunt.cli"]


def mosquitto_path() -> str:
    """Return where mosquitto is; DemoError with what to type."""
    found = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        raise DemoError("mosquitto is not installed; type: make install   (or: sudo apt-get install mosquitto)")
    return found


def free_port(wish: int = 0) -> int:
    """Return ``wish`` when it is free, else any free TCP port on 127.0.0.1."""
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.bind(("127.0.0.1", wish))
        return int(probe.getsockname()[1])
    return free_port()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _answers(site: Site) -> bool:
    with contextlib.suppress(ControlError):
        return bool(site.ask("status")["ok"])
    return False


def _wait(ready: Callable[[], bool], what: str, log: Path) -> None:
    deadline = time.monotonic() + START_S_MAX
    while not ready():
        if time.monotonic() > deadline:
            lines = log.read_text(errors="replace").splitlines()[-3:] if log.exists() else []
            raise DemoError(f"{what} did not come up in {START_S_MAX:.0f} s; {log} ends with: {' / '.join(lines)}")
        time.sleep(POLL_S)
