"""The wifi's rules and names for real: a point and a phone in network namespaces, with nft, dnsmasq and the pages."""

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.ui_sites import EXAMPLES
from tests.integration.test_ui_serve import SERVE

HOTSPOT = EXAMPLES / "hotspot"
POINT, PHONE = "10.42.0.1", "10.42.0.57"
PROGRAMS = ("ip", "nft", "dnsmasq")

# Run within the phone's namespace: asks for each thing in turn and prints the answers as JSON.
ASK = """
import http.client, json, socket, sys
POINT = "10.42.0.1"
def page(method, host, path, **headers):
    link = http.client.HTTPConnection(POINT, 80, timeout=5)
    link.request(method, path, headers={"Host": host, **headers})
    reply = link.getresponse()
    return [reply.status, reply.getheader("Location"), reply.read().decode()]
def port(number):
    with socket.socket() as one:
        one.settimeout(2)
        try:
            one.connect((POINT, number))
        except OSError as error:
            return type(error).__name__
        return "open"
def address(name):
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(5)
        one.sendto(b"\\x12\\x34\\x01\\x00\\x00\\x01" + bytes(6) + labels + b"\\x00\\x00\\x01\\x00\\x01", (POINT, 53))
        return socket.inet_ntoa(one.recv(512)[-4:])
def held(count):
    links, refused = [], 0
    for _ in range(count):
        one = socket.socket()
        one.settimeout(2)
        try:
            one.connect((POINT, 80))
            links.append(one)
        except OSError:
            refused += 1
    for one in links:
        one.close()
    return refused
print(json.dumps([globals()[what](*args[0], **args[1]) for what, *args in json.loads(sys.argv[1])]))
"""


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


def _namespaces() -> str | None:
    """Return why there can be no namespaces here; None when there can."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"missing: {', '.join(missing)}"
    probe = ["ip", "netns", "add", name := f"spt-{uuid.uuid4().hex[:6]}"]
    done = subprocess.run(probe, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        return f"no network namespaces here: {done.stderr.strip()}"
    rules = subprocess.run(
        [*probe[:2], "exec", name, "nft", "-f", str(HOTSPOT / "steunpunt.nft")],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    run("ip", "netns", "delete", name)
    return None if not rules.returncode else f"this kernel lets us set no such rules: {rules.stderr.splitlines()[0]}"


class Hotspot:
    """A point and a phone, joined by a cable that the point calls wlan0."""

    def __init__(self) -> None:
        tag = uuid.uuid4().hex[:6]
        self.point, self.phone = f"spt-{tag}", f"sph-{tag}"
        for name in (self.point, self.phone):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", self.point, "link", "add", "wlan0", "type", "veth", "peer", "name", "eth0", "netns", self.phone)
        for name, device, address in ((self.point, "wlan0", POINT), (self.phone, "eth0", PHONE)):
            run("ip", "-n", name, "address", "add", f"{address}/24", "dev", device)
            run("ip", "-n", name, "link", "set", device, "up")
        run("ip", "-n", self.phone, "route", "add", "default", "via", POINT)
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str) -> None:
        at = ["ip", "netns", "exec", self.point, *command]
        self.processes.append(subprocess.Popen(at, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def ask(self, *what: list[Any]) -> list[Any]:
        """Ask all of it from the phone; each: name of a function in ASK, its arguments, its named arguments."""
        full = [[one[0], one[1], one[2] if len(one) > 2 else {}] for one in what]
        done = run("ip", "netns", "exec", self.phone, sys.executable, "-c", ASK, json.dumps(full))
        answers: list[Any] = json.loads(done)
        return answers

    def close(self) -> None:
        for process in self.processes:
            process.terminate()
            process.wait(10)
        for name in (self.phone, self.point):
            run("ip", "netns", "delete", name)


@pytest.fixture(name="hotspot")
def fixture_hotspot(tmp_path: Path, wait_until: Callable[..., None]) -> Iterator[Hotspot]:
    why = _namespaces() if os.geteuid() == 0 else "only root can make network namespaces"
    if why:
        pytest.skip(why)
    hotspot = Hotspot()
    try:
        run("ip", "netns", "exec", hotspot.point, "nft", "-f", str(HOTSPOT / "steunpunt.nft"))
        site = tmp_path / "site.toml"
        text = (EXAMPLES / "kiosk.toml").read_text("utf-8")
        assert "# hotspot_address" in text
        site.write_text(text.replace("# hotspot_address", "hotspot_address"), "utf-8")
        hotspot.start(sys.executable, "-c", SERVE, str(site))
        own = [f"--listen-address={POINT}", f"--pid-file={tmp_path / 'dnsmasq.pid'}", "--user=root"]
        names = f"--conf-file={HOTSPOT / 'portal.conf'}"
        hotspot.start("dnsmasq", "--keep-in-foreground", names, "--no-hosts", "--bind-interfaces", *own)
        wait_until(lambda: _serves(hotspot), 30, "the pages and names of the point")
        yield hotspot
    finally:
        hotspot.close()


def _serves(hotspot: Hotspot) -> bool:
    with suppress(AssertionError):
        return bool(hotspot.ask(["page", ["GET", POINT, "/nl/"]], ["address", ["nu.nl"]]))
    return False


@pytest.mark.processes
def test_a_phone_reaches_the_pages_and_nothing_else(hotspot: Hotspot) -> None:
    probe = ["page", ["GET", "connectivitycheck.gstatic.com", "/generate_204"]]
    tap = ["page", ["POST", POINT, "/nl/verder"], {"Origin": f"http://{POINT}"}]
    names = [["address", [name]] for name in ("www.nu.nl", "captive.apple.com", "hulp.lan")]
    assert hotspot.ask(*names) == [POINT] * 3
    first, tapped, then, home = hotspot.ask(probe, tap, probe, ["page", ["GET", "hulp.lan", "/nl/"]])
    assert first[:2] == [302, f"http://{POINT}/"]
    assert tapped[:2] == [303, "/nl/"]
    assert then == [204, None, ""]
    assert home[0] == 200
    assert "Hulp vragen" in home[2]
    # 443 is refused at once; the port behind 80, the broker's and any other are silent.
    closed = hotspot.ask(["port", [443]], ["port", [8080]], ["port", [1883]], ["port", [22]])
    assert closed == ["ConnectionRefusedError", "TimeoutError", "TimeoutError", "TimeoutError"]


@pytest.mark.processes
def test_one_phone_does_not_take_all_the_places(hotspot: Hotspot) -> None:
    (refused,) = hotspot.ask(["held", [40]])
    assert refused >= 40 - 17
    (page,) = hotspot.ask(["page", ["GET", POINT, "/nl/"]])
    assert page[0] == 200
