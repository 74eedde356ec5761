"""The bridges that `make bench-bridge` compares: how each is installed, started, and where its output is seen."""

import os
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from steunpunt import keymaking

NUMBER = re.compile(rb"m(\d{8})")
INSTALL_S_MAX = 600
EXPORTER_PORT = 9464
"""meshtastic-prometheus-exporter 2.7 fails when it is told another port."""
POLL_S = 0.02
_TOML = """\
[site]
role = "kiosk"
id = 47
name = "Bench"
place = "Bench"
[region]
name = "Bench"
coordinator_name = "Bench"
fallback_address = "Bench"
[keys]
file = "site.keys"
[radio]
kind = "tcp"
host = "{host}"
[broker]
port = {port}
[ledger]
path = "ledger.db"
[control]
socket = "node.sock"
"""


class Arrivals:
    """When what came out of a bridge, in this process's own clock."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.numbers: set[int] = set()
        self.watched = threading.Event()
        """Cleared while an idle bridge is measured: nobody asks it for figures then."""
        self.watched.set()
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self.times)

    def add(self, number: int | None = None, count: int = 1) -> None:
        with self._changed:
            if number is not None:
                if number in self.numbers:
                    return
                self.numbers.add(number)
            self.times += [time.perf_counter()] * count
            self._changed.notify_all()

    def wait_for(self, count: int, timeout_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: len(self.times) >= count, timeout_s)


class MqttSink:
    """A subscriber whose session outlives the broker's restart."""

    def __init__(self, port: int, topic: str, arrivals: Arrivals) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2, "bench-sink", clean_session=False)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe(topic, 1)
        self._client.on_message = lambda _c, _d, message: self._take(message.payload, arrivals)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    @staticmethod
    def _take(payload: bytes | bytearray, arrivals: Arrivals) -> None:
        found = NUMBER.search(payload)
        if found:
            arrivals.add(int(found[1]))

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@dataclass
class Bridge:
    """One bridge under test. ``topic`` is where its texts appear, ``line`` what it prints per packet, or neither."""

    name: str
    command: list[str]
    folder: Path
    topic: str = ""
    line: str = ""
    env: dict[str, str] = field(default_factory=dict)
    window: int = 256
    """Packets under way at most: what one bridge can queue must not be what is measured."""
    process: subprocess.Popen[bytes] | None = None

    def start(self, port: int) -> tuple[Arrivals, Callable[[], None]]:
        """Start it; return its arrivals and how to end it."""
        arrivals, stopping = Arrivals(), threading.Event()
        sink = MqttSink(port, self.topic, arrivals) if self.topic else None
        self.folder.mkdir(parents=True, exist_ok=True)
        env = dict(os.environ, PYTHONUNBUFFERED="1", **self.env)
        out = subprocess.PIPE if self.line else subprocess.DEVNULL
        process = subprocess.Popen(
            self.command, cwd=self.folder, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
        self.process = process
        if self.line:
            threading.Thread(target=_read_lines, args=(process, self.line.encode(), arrivals), daemon=True).start()
        elif not self.topic:
            threading.Thread(target=_poll_exporter, args=(arrivals, stopping), daemon=True).start()

        def stop() -> None:
            stopping.set()
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if sink is not None:
                sink.close()

        return arrivals, stop


def _read_lines(process: subprocess.Popen[bytes], wanted: bytes, arrivals: Arrivals) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if wanted in line:
            arrivals.add()


def _poll_exporter(arrivals: Arrivals, stopping: threading.Event) -> None:
    seen = 0
    while not stopping.wait(POLL_S):
        if not arrivals.watched.is_set():
            continue
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{EXPORTER_PORT}/metrics", timeout=5) as page:
                text = page.read().decode()
        except (OSError, urllib.error.URLError):
            continue
        counts = re.findall(r"^meshtastic_mesh_packets_total\{.*\} ([0-9.e+]+)$", text, re.MULTILINE)
        total = int(sum(map(float, counts)))
        if total > seen:
            arrivals.add(count=total - seen)
            seen = total


def ours(folder: Path, host: str, port: int) -> Bridge:
    folder.mkdir(parents=True, exist_ok=True)
    keymaking.make_region(folder / "region.keys", "Bench")
    keymaking.make_coordinator(folder / "region.keys", 1, folder / "coordinator", ["localhost"])
    keymaking.make_site(folder / "region.keys", 47, folder)
    (folder / "site.toml").write_text(_TOML.format(host=host, port=port), "utf-8")
    command = [sys.executable, "-m", "steunpunt", "node", str(folder / "site.toml")]
    return Bridge("steunpunt node", command, folder, topic="msh/EU_868/2/json/#")


def peers(cache: Path, folder: Path, host: str, port: int, tell: Callable[[str], None]) -> list[Bridge]:
    """Return the peers that could be installed, each in an environment of its own."""
    wanted = {
        "meshtastic2hass": ["meshtastic2hass==1.1.6"],
        "meshtastic-prometheus-exporter": ["meshtastic-prometheus-exporter==2.7"],
        "meshconsole": ["meshconsole[meshtastic]==3.15.0"],
    }
    there = {name: install(cache / name, packages, tell) for name, packages in wanted.items()}
    hass = ["--mqtt-host", "127.0.0.1", "--mqtt-port", str(port), "--mqtt-topic-prefix", "m2h"]
    hass += ["--use-network", "True", "--hostname", host]
    exporter = {"ENABLE_SENTRY": "0", "MESHTASTIC_INTERFACE": "TCP", "INTERFACE_TCP_ADDR": host}
    exporter |= {"PROMETHEUS_SERVER_ADDR": "127.0.0.1", "LOG_LEVEL": "WARNING"}
    made = [
        Bridge("meshtastic2hass", hass, folder / "m2h", topic="m2h/+/state"),
        Bridge("meshtastic-prometheus-exporter", [], folder / "exporter", env=exporter, window=2_000),
        Bridge(
            "meshconsole",
            ["listen", "--ip", host, "--backend", "meshtastic"],
            folder / "meshconsole",
            line="Processed packet from",
        ),
    ]
    for bridge in made:
        bridge.command = [str(cache / bridge.name / "bin" / bridge.name), *bridge.command]
    return [bridge for bridge in made if there[bridge.name]]


def install(place: Path, packages: list[str], tell: Callable[[str], None]) -> bool:
    done = place / "installed"
    if done.exists() and done.read_text("utf-8") == repr(packages):
        return True
    tell(f"installing {' '.join(packages)} into {place}")
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    pip = [
        str(place / "bin" / "python"),
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--no-input",
        "install",
        "--quiet",
    ]
    result = subprocess.run([*pip, *packages], check=False, capture_output=True, text=True, timeout=INSTALL_S_MAX)
    if result.returncode:
        tell(f"{packages[0]} does not install here: {(result.stderr.strip().splitlines() or ['no reason given'])[-1]}")
        return False
    done.write_text(repr(packages), "utf-8")
    return True
