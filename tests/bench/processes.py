"""The node and its screens against a plain script with the usual libraries: start, memory, idle minutes.

Both stand in the same place, one after the other: the same virtual radio on a simulated air with two more radios, the
same mosquitto with its bridge to the region's, a coordinator that sends its beacons.
"""

import contextlib
import http.client
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from steunpunt.control import ControlError
from steunpunt.demo.region import COORDINATOR, Region, Site, mosquitto_path
from tests.bench.conventional import RADIO_LINE
from tests.bench.figures import Figure
from tests.bench.watching import Cost, Memory, memory, watch

KIOSK = "kiosk-a"
START_S_MAX = 60.0
STOP_S_MAX = 15.0
STARTS = 9
LOOK_S = 0.004
"""Between two looks at whether the node has its radio: the most by which its start is measured too long."""
SETTLE_S = 20.0
"""From the start to the first idle second: the broker's backlog, the coordinator's first beacon, the ticket stock."""
UNITS = Path(__file__).parents[2] / "systemd"
_SET_BY_UNIT = re.compile(r"^Environment=((?:MALLOC|PYTHON)_?\w+)=(.*)$", re.MULTILINE)
CONVENTIONAL = Path(__file__).with_name("conventional.py")


@dataclass(frozen=True, slots=True)
class Sample:
    """One process in one round."""

    memory: Memory
    idle: Cost


@contextlib.contextmanager
def surroundings(folder: Path) -> Iterator[Region]:
    """Run what both sides need: radios, brokers, a coordinator's node."""
    region = Region(folder)
    region.prepare()
    try:
        region.start_radios()
        region.power_on(COORDINATOR)
        conf = region.sites[KIOSK].folder / "mosquitto" / "mosquitto.conf"
        region.start_part(KIOSK, "broker", [mosquitto_path(), "-c", str(conf)])
        yield region
    finally:
        region.stop()


def measure(region: Region, rounds: int, idle_s: float, tell: Callable[[str], None]) -> list[Figure]:
    """Measure both, in turns and each round in the other order; then the script once more without gpiozero's Button."""
    site = region.sites[KIOSK]
    first_s = _warm_up(site)
    tell(f"the node's very first start, compiling its bytecode and making the ledger: {first_s:.2f} s")
    starts = [_starts(site, node_first=number % 2 == 0) for number in range(STARTS)]
    tell(f"processes: {STARTS} starts of each done")
    ours: list[tuple[Sample, Sample]] = []
    theirs: list[Sample] = []
    for number in range(rounds):
        if number % 2:
            theirs.append(_conventional(site, idle_s))
        ours.append(_node(site, idle_s))
        if not number % 2:
            theirs.append(_conventional(site, idle_s))
        tell(f"processes: round {number + 1} of {rounds} done")
    gentle = [_conventional(site, idle_s, "--plain-contact")]
    name = f"node: start until it has its radio ({STARTS} starts)"
    start = Figure(name, [node for node, _ in starts], [script for _, script in starts], "s", at_most=1.2)
    return [start, *_figures(ours, theirs), *_against_gentle(ours, gentle)]


def _starts(site: Site, *, node_first: bool) -> tuple[float, float]:
    """Start each once and stop it again; return the seconds until it had its radio: the node's, the script's."""
    if node_first:
        node_s = _start_node(site)
        return node_s, _start_script(site)
    script_s = _start_script(site)
    return _start_node(site), script_s


def _start_node(site: Site) -> float:
    with run(node_command(site), site, "node") as node:
        return until(lambda: has_radio(site), node)


def _start_script(site: Site) -> float:
    with run(_conventional_command(site), site, "conventional") as script:
        return until(lambda: _script_has_radio(site), script)


def _script_has_radio(site: Site) -> bool:
    return RADIO_LINE in (site.folder / "conventional.out").read_text("utf-8")


def _figures(ours: list[tuple[Sample, Sample]], theirs: list[Sample]) -> list[Figure]:
    nodes, webs = [node for node, _ in ours], [web for _, web in ours]

    def against(name: str, unit: str, of: Callable[[Sample], float], aim: float | None = None) -> Figure:
        return Figure(f"node: {name}", [of(s) for s in nodes], [of(s) for s in theirs], unit, at_most=aim)

    def both(name: str, unit: str, of: Callable[[Sample], float], aim: float | None = None) -> Figure:
        sums = [of(node) + of(web) for node, web in zip(nodes, webs, strict=True)]
        return Figure(f"node + web: {name}", sums, [of(s) for s in theirs], unit, at_most=aim)

    return [
        against("idle processor time", "ms/s", lambda s: s.idle.cpu_ms, 0.5),
        against("idle wake-ups", "/s", lambda s: s.idle.wakes, 0.5),
        against("resident memory (VmRSS)", "MiB", lambda s: s.memory.rss, 1.2),
        against("its share of memory (PSS)", "MiB", lambda s: s.memory.pss),
        both("resident memory (VmRSS)", "MiB", lambda s: s.memory.rss, 2.2),
        both("their share of memory (PSS)", "MiB", lambda s: s.memory.pss),
        both("idle processor time", "ms/s", lambda s: s.idle.cpu_ms),
        both("idle wake-ups", "/s", lambda s: s.idle.wakes),
    ]


def _against_gentle(ours: list[tuple[Sample, Sample]], theirs: list[Sample]) -> list[Figure]:
    """Most of the script's wake-ups are of gpiozero's Button, which looks ten times a second whether it is held.

    A careful author leaves that out, so these two are told as well, of one round.
    """
    last, base = ours[-1][0].idle, theirs[0].idle
    return [
        Figure("node: idle processor time / without Button", [last.cpu_ms], [base.cpu_ms], "ms/s"),
        Figure("node: idle wake-ups / without Button", [last.wakes], [base.wakes], "/s"),
    ]


def _warm_up(site: Site) -> float:
    """Start each once, so that all bytecode is compiled and the ledger made; returns the node's start in seconds."""
    with run(node_command(site), site, "node") as node:
        start_s = until(lambda: has_radio(site), node)
        with run(web_command(site), site, "web") as web:
            until(lambda: page_shown(site.web_port, "/nl/"), web)
    with run(_conventional_command(site), site, "conventional") as script:
        until(lambda: page_shown(site.web_port, "/"), script)
    return start_s


def _node(site: Site, idle_s: float) -> tuple[Sample, Sample]:
    with run(node_command(site), site, "node") as node:
        until(lambda: has_radio(site), node)
        with run(web_command(site), site, "web") as web:
            until(lambda: page_shown(site.web_port, "/nl/"), web)
            time.sleep(SETTLE_S)
            idle = watch([node.pid, web.pid], idle_s)
            return Sample(memory(node.pid), idle[0]), Sample(memory(web.pid), idle[1])


def _conventional(site: Site, idle_s: float, *more: str) -> Sample:
    with run([*_conventional_command(site), *more], site, "conventional") as script:
        until(lambda: page_shown(site.web_port, "/"), script)
        time.sleep(SETTLE_S)
        return Sample(memory(script.pid), watch([script.pid], idle_s)[0])


def node_command(site: Site) -> list[str]:
    return [sys.executable, "-m", "steunpunt", "node", str(site.config)]


def web_command(site: Site) -> list[str]:
    return [sys.executable, "-m", "steunpunt", "web", str(site.config)]


def _conventional_command(site: Site) -> list[str]:
    places = {"radio": site.radio_port, "broker": site.broker_port, "web": site.web_port}
    command = [sys.executable, str(CONVENTIONAL)]
    command += [word for name, port in places.items() for word in (f"--{name}", str(port))]
    command += ["--user", "steunpunt", "--password-file", str(site.folder / "broker.password")]
    command += ["--topic", f"steunpunt/v1/down/{site.id}", "--topic", "steunpunt/v1/down/all"]
    return [*command, "--forward-to", "msh/EU_868/2/json/LongFast/!00000000"]


@contextlib.contextmanager
def run(command: list[str], site: Site, name: str) -> Iterator[subprocess.Popen[bytes]]:
    log, out = site.folder / f"bench-{name}.log", site.folder / f"{name}.out"
    with log.open("ab") as errors, out.open("wb") as lines:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=lines, stderr=errors, env=_environment(site, name)
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment(site: Site, name: str) -> dict[str, str]:
    """Return what a process gets: a place for its bytecode, compiled in the warm-up, and what its systemd unit sets."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(site.folder.parent / "bytecode")
    unit = UNITS / f"steunpunt-{name}.service"
    if unit.exists():
        environment |= dict(_SET_BY_UNIT.findall(unit.read_text("utf-8")))
    return environment


def until(ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> float:
    """Return the seconds until ``ready``, counted from just after the process was started."""
    began = time.perf_counter()
    while not ready():
        if process.poll() is not None or time.perf_counter() - began > START_S_MAX:
            raise RuntimeError(f"{' '.join(str(word) for word in process.args)} did not come up")  # type: ignore[union-attr]
        time.sleep(LOOK_S)
    return time.perf_counter() - began


def has_radio(site: Site) -> bool:
    with contextlib.suppress(ControlError):
        return bool(site.ask("status")["links"]["mesh"]["up"])
    return False


def page_shown(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()
