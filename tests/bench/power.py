"""`make bench-power`: idle cost beside meshtastic-gateway, a day's energy, hours foretold, and checking 200 sites.

The gateway is the program on PyPI that comes nearest: radio to MQTT, figures for Prometheus, a page to send by. It
knows only serial radios and the broker that its radio names on port 1883, so it gets a pseudo terminal to a virtual
radio and a mosquitto of its own on another loopback address; the node has a radio on the same air over TCP.
"""

import argparse
import contextlib
import functools
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from steunpunt.demo.region import Region, mosquitto_path
from tests.bench import energy, processes
from tests.bench.bridge_peers import install
from tests.bench.figures import Figure, noise, title, yardstick_ms
from tests.bench.watching import Cost, watch
from tests.fakes.fleet_files import fleet_files
from tests.fakes.mesh_links import serial_cable
from tests.unit.test_power_gauge import STEADY, errors_of

SITES, CHECKS, CHECK_S_MAX = 200, 3, 2.0
GATEWAY = "meshtastic-gateway==0.3.0"
GATEWAY_HOST = "127.0.0.2"
"""Its own loopback address: the gateway knows no other port than 1883."""
GATEWAY_PORT = 9467
READY_S_MAX = 60.0
SETTLE_S = 90.0
"""Before either is watched: in its first minute a node sends and looks for the first time, and that costs more."""
_SET_BROKER = """\
import sys, time
from meshtastic.tcp_interface import TCPInterface
radio = TCPInterface("127.0.0.1", portNumber=int(sys.argv[1]))
radio.localNode.moduleConfig.mqtt.address = sys.argv[2]
radio.localNode.writeConfig("mqtt")
time.sleep(1)
radio.close()
"""


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended too
    options = _options()
    began, samples = time.monotonic(), [yardstick_ms() for _ in range(10)]

    def tell(line: str) -> None:
        samples.append(yardstick_ms())
        print(f"[{time.monotonic() - began:5.0f} s] {line}", flush=True)

    for line in ["", *foretold(), "", *energy.lines(), "", *checked()]:
        print(line)
    cache = Path(".cache").resolve()
    cache.mkdir(exist_ok=True)
    if not options.quick:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=cache) as name:
            figures = idle(Path(name), cache, options, tell)
        print(title("Idle, node + web against meshtastic-gateway", options.rounds))
        for figure in figures:
            print(figure.line())
    samples += [yardstick_ms() for _ in range(10)]
    print(f"\n{noise(samples)}")


def _options() -> argparse.Namespace:
    options = argparse.ArgumentParser(prog="python -m tests.bench.power", description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--idle-s", type=float, default=60.0, help="how long each is watched (default 60 s)")
    options.add_argument("--quick", action="store_true", help="leave out the idle processes")
    return options.parse_args()


# --- hours left --------------------------------------------------------------------------------------------------


def foretold() -> list[str]:
    """Replay discharges and say how far the hours left were off, once a tenth of the battery was used."""
    lines = [f"{'hours left, replayed discharges':<44} {'longest h':>9} {'worst error':>12}"]
    for name, (battery, load_w, plate) in STEADY.items():
        errors = errors_of(battery, functools.partial(_steady, load_w), **plate)
        worst, longest = max(error for _, error in errors), max(hours for hours, _ in errors)
        verdict = "pass" if worst <= 0.10 else "MISS"
        lines.append(f"{name:<44} {longest:9.0f} {100 * worst:10.1f} %  aim <= 10 %: {verdict}")
    return lines


def _steady(load_w: float, _at_s: float) -> float:
    return load_w


# --- fleet ------------------------------------------------------------------------------------------------------


def checked() -> list[str]:
    """Time `steunpunt fleet check` of 200 files, the start of Python included."""
    with tempfile.TemporaryDirectory() as name:
        region = fleet_files(Path(name), kiosks=SITES - 1)
        command = [sys.executable, "-m", "steunpunt", "fleet", "check", str(region)]
        seconds = []
        for _ in range(CHECKS):
            began = time.perf_counter()
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            seconds.append(time.perf_counter() - began)
            assert done.returncode == 0, done.stderr
    middle = statistics.median(seconds)
    verdict = "pass" if middle <= CHECK_S_MAX else "MISS"
    spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
    return [f"fleet check of {SITES} sites: {middle:.2f} s ({spread}), aim <= {CHECK_S_MAX:g} s: {verdict}"]


# --- idle --------------------------------------------------------------------------------------------------------


def idle(folder: Path, cache: Path, options: argparse.Namespace, tell: Callable[[str], None]) -> list[Figure]:
    """Watch node + web, and the gateway, in turns."""
    place = cache / "meshtastic-gateway"
    if not install(place, [GATEWAY], tell):
        return []
    ours: list[list[Cost]] = []
    theirs: list[Cost] = []
    with processes.surroundings(folder / "region") as region, gateway_broker(folder / "broker"):
        _name_broker(place, region)
        for number in range(options.rounds):
            if number % 2:
                theirs.append(_gateway(place, region, folder, options.idle_s))
            ours.append(_ours(region, options.idle_s))
            if not number % 2:
                theirs.append(_gateway(place, region, folder, options.idle_s))
            tell(f"round {number + 1} of {options.rounds} done")
    return [
        Figure("processor time", [_sum_cpu(one) for one in ours], [one.cpu_ms for one in theirs], "ms/s", at_most=0.5),
        Figure("wake-ups", [_sum_wakes(one) for one in ours], [one.wakes for one in theirs], "/s", at_most=0.5),
        Figure(
            "the node's processor time alone", [one[0].cpu_ms for one in ours], [one.cpu_ms for one in theirs], "ms/s"
        ),
        Figure("the node's wake-ups alone", [one[0].wakes for one in ours], [one.wakes for one in theirs], "/s"),
    ]


def _sum_cpu(costs: list[Cost]) -> float:
    return sum(cost.cpu_ms for cost in costs)


def _sum_wakes(costs: list[Cost]) -> float:
    return sum(cost.wakes for cost in costs)


def _ours(region: Region, idle_s: float) -> list[Cost]:
    site = region.sites[processes.KIOSK]
    with processes.run(processes.node_command(site), site, "node") as node:
        processes.until(lambda: processes.has_radio(site), node)
        with processes.run(processes.web_command(site), site, "web") as web:
            processes.until(lambda: processes.page_shown(site.web_port, "/nl/"), web)
            time.sleep(SETTLE_S)
            return watch([node.pid, web.pid], idle_s)


def _gateway(place: Path, region: Region, folder: Path, idle_s: float) -> Cost:
    site, device = region.sites["kiosk-b"], folder / "radio"
    command = [str(place / "bin" / "meshtastic-gateway"), str(device), "--port", str(GATEWAY_PORT)]
    command += ["--allow-net", "127.0.0.0/8"]
    with serial_cable(site.radio_port, device), processes.run(command, site, "gateway") as gateway:
        processes.until(lambda: processes.page_shown(GATEWAY_PORT, "/metrics"), gateway)
        time.sleep(SETTLE_S)
        return watch([gateway.pid], idle_s)[0]


@contextlib.contextmanager
def gateway_broker(folder: Path) -> Iterator[None]:
    """Run the mosquitto that the gateway finds."""
    folder.mkdir(parents=True)
    conf = folder / "mosquitto.conf"
    conf.write_text(f"listener 1883 {GATEWAY_HOST}\nallow_anonymous true\n", "utf-8")
    with (folder / "log").open("wb") as log:
        broker = subprocess.Popen([mosquitto_path(), "-c", str(conf)], stdout=log, stderr=log)
    try:
        yield
    finally:
        broker.terminate()
        broker.wait(10)


def _name_broker(place: Path, region: Region) -> None:
    """Write the broker into the radio's settings, as the gateway's user does; the radio starts again by it."""
    port = str(region.sites["kiosk-b"].radio_port)
    command = [str(place / "bin" / "python"), "-c", _SET_BROKER, port, GATEWAY_HOST]
    subprocess.run(command, check=True, timeout=READY_S_MAX)


if __name__ == "__main__":
    main()
