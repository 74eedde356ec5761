"""A real node says what its radio has drifted to, and is as before once `steunpunt radio apply` has mended it."""

import base64
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from steunpunt import keyfiles, keymaking
from steunpunt.config import Radio
from steunpunt.model import LinkName, RadioPrepared
from steunpunt.radiosettings import fingerprint
from steunpunt.sim import RadioSpec, VirtualRadios
from tests.fakes.mesh_links import CHANNELS, KEY, Post, linked, tcp, two_radios

Wait = Callable[..., None]
NODE = 0xA1B2C3D4
CONFIG = """
[site]
role = "kiosk"
id = 47
name = "Buurthuis"
place = "Kerkplein 1"
[region]
name = "Test"
coordinator_name = "Kazerne"
fallback_address = "Weg 1"
[keys]
file = "site/site.keys"
[radio]
kind = "tcp"
port = {port}
node = "!a1b2c3d4"
long_name = "De Regenboog"
channel_key_file = "site/channel.key"
[broker]
enabled = false
[ledger]
path = "ledger.db"
[control]
socket = "node.sock"
"""


@pytest.fixture
def kiosk() -> Iterator[VirtualRadios]:
    with two_radios() as radios:
        yield radios


def drift_in(post: Post) -> tuple[str, ...] | None:
    prepared = [event for event in post.events if isinstance(event, RadioPrepared)]
    return prepared[-1].drift if prepared else None


def test_an_old_firmware_keeps_the_link_down(wait_until: Wait) -> None:
    old = RadioSpec("old", channels=CHANNELS, firmware="2.5.9.936260f")
    with VirtualRadios([old], speed=50) as radios, linked(tcp(radios.port("old"))) as (_, here):
        wait_until(lambda: "put 2.6.12 or newer on it" in here.reason, 5, "the reason")
        assert not here.up


def test_a_key_that_differs_or_cannot_be_read_is_drift(kiosk: VirtualRadios, tmp_path: Path, wait_until: Wait) -> None:
    path = tmp_path / "channel.key"
    config = Radio(kind="tcp", port=kiosk.port("kiosk"), channel_key_file=str(path))
    with linked(config) as (_, here):
        wait_until(lambda: drift_in(here) is not None, what="the radio")
        (line,) = drift_in(here) or ()
        assert line.startswith(f"channel key: not compared, {path}: cannot be read")
        keyfiles.write(path, {"channel_key": keyfiles.encoded(bytes(32))})
        kiosk.reboot("kiosk")
        wait_until(lambda: drift_in(here) != (line,), what="the mended file is read without a restart")
        assert drift_in(here) == (f"channel key: is {fingerprint(KEY)}, config says {fingerprint(bytes(32))}",)
        assert here.up


def test_a_missing_channel_is_mended_by_the_command(kiosk: VirtualRadios, tmp_path: Path, wait_until: Wait) -> None:
    key = tmp_path / "channel.key"
    keyfiles.write(key, {"channel_key": keyfiles.encoded(bytes(32))})
    config = Radio(kind="tcp", port=kiosk.port("bare"), channel_key_file=str(key))
    with linked(config) as (_, here):
        wait_until(lambda: "run `steunpunt radio apply` with this site's config" in here.reason, 5, "the mend")


def steunpunt(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "steunpunt", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@contextmanager
def node(path: Path, log: Path) -> Iterator[None]:
    with log.open("ab") as out:
        process = subprocess.Popen([sys.executable, "-m", "steunpunt", "node", str(path)], stderr=out)
    try:
        yield
    finally:
        process.terminate()
        assert process.wait(20) == 0


def status(path: Path) -> dict[str, Any]:
    done = steunpunt("status", path, "--json")
    return dict(json.loads(done.stdout)) if done.stdout else {}


def radio_of(path: Path) -> dict[str, Any] | None:
    found = status(path)
    return found["radio"] if found and found["links"][LinkName.MESH]["up"] else None


@pytest.mark.processes
def test_drift_is_told_until_it_is_mended(tmp_path: Path, wait_until: Wait) -> None:
    region, log = tmp_path / "region.keys", tmp_path / "log"
    keymaking.make_region(region, "Test")
    keymaking.make_coordinator(region, 1, tmp_path / "c", ["localhost"])
    keymaking.make_site(region, 47, tmp_path / "site")
    key = keymaking.channel_key(region)
    spec = RadioSpec("kiosk", node_num=NODE, long_name="Drifted", channels=(("", b"\x01"), ("serial", bytes(16))))
    with VirtualRadios([spec], speed=50) as radios:
        path = tmp_path / "site.toml"
        path.write_text(CONFIG.format(port=radios.port("kiosk")), encoding="utf-8")
        wrong_key = f"channel key: is {fingerprint(bytes(16))}, config says {fingerprint(key)}"
        drift = ["long name: is Drifted, config says De Regenboog", wrong_key]
        with node(path, log):
            wait_until(lambda: radio_of(path), 20, "the radio's link", 0.2)
            assert (radio_of(path) or {})["drift"] == drift
            told = steunpunt("status", path).stdout
            assert "  up   mesh: " in told
            assert [line.strip() for line in told.splitlines() if "drift" in line] == [f"drift: {d}" for d in drift]
            radios.reboot("kiosk")
            wait_until(lambda: log.read_text().count("firmware 2.7.26") >= 2, 20, "a second connection")
            refused = steunpunt("radio", "apply", path)
            assert (refused.returncode, refused.stdout) == (1, "")
            assert "stop steunpunt-node first" in refused.stderr
        assert [log.read_text().count(f"action=radio_drift {each};") for each in drift] == [1, 1], (
            "not at each connection"
        )
        applied = steunpunt("radio", "apply", path)
        assert applied.returncode == 0, applied.stderr
        with node(path, log):
            wait_until(lambda: radio_of(path), 20, "the radio's link", 0.2)
            assert (radio_of(path) or {})["drift"] == []
            assert "drift" not in steunpunt("status", path).stdout
    everything = log.read_text() + told + applied.stdout + applied.stderr + refused.stderr
    for secret in (base64.b64encode(key).decode(), key.hex(), repr(key)[2:-1]):
        assert secret not in everything
