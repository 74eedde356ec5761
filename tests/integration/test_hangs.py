"""A service that stands still (SIGSTOP) is ended and started again by its watchdog, in time, and nothing is lost."""

import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from steunpunt import keymaking
from steunpunt.control import Body, Client, ControlError, Refused
from tests.fakes.supervisor import RESTART_S, Supervisor

UNITS = Path(__file__).parents[2] / "systemd"
WATCHDOG_S = 6.0
"""Shorter than the units', so that the test is."""
START_S_MAX = 9.0
BACK_S_MAX = 30.0
"""What is promised: WatchdogSec, RestartSec and a start together."""
_TOML = """\
[site]
role = "kiosk"
id = 47
name = "Buurthuis"
place = "Kerkplein 1"

[region]
name = "Zuid"
coordinator_name = "Kazerne"
fallback_address = "Weg 1"

[keys]
file = "site.keys"

[radio]
kind = "none"

[broker]
port = {broker}

[ledger]
path = "ledger.db"

[control]
socket = "node.sock"

[web]
port = {web}
"""


def of_unit(service: str, key: str) -> float:
    found = re.search(rf"^{key}=(\d+)$", (UNITS / f"steunpunt-{service}.service").read_text("utf-8"), re.MULTILINE)
    assert found, f"{service}: {key}"
    return float(found[1])


@pytest.mark.parametrize("service", ["node", "web"])
def test_the_units_leave_room_for_a_start_within_what_is_promised(service: str) -> None:
    assert of_unit(service, "RestartSec") == RESTART_S
    assert of_unit(service, "WatchdogSec") + RESTART_S + START_S_MAX <= BACK_S_MAX


@pytest.mark.processes
def test_loops_that_stand_still_are_back_in_time(
    tmp_path: Path, free_port: Callable[[], int], wait_until: Callable[..., None]
) -> None:
    """Both at once, for half of the time is waiting; the node with keys that systemd hands it."""
    keymaking.make_region(tmp_path / "region.keys", "Zuid")
    keymaking.make_coordinator(tmp_path / "region.keys", 1, tmp_path / "coordinator", ["localhost"])
    handed = tmp_path / "credentials"
    keymaking.make_site(tmp_path / "region.keys", 47, handed)
    assert not (tmp_path / "site.keys").exists()
    config = tmp_path / "site.toml"
    config.write_text(_TOML.format(broker=free_port(), web=free_port()), "utf-8")
    program = [sys.executable, "-m", "steunpunt"]
    node = Supervisor(tmp_path / "node", [*program, "node", str(config)], WATCHDOG_S, handed)
    try:
        wait_until(lambda: node.ready_at, 60, "the node is ready")
        web = Supervisor(tmp_path / "web", [*program, "web", str(config)], WATCHDOG_S)
        try:
            wait_until(lambda: web.ready_at, 60, "the web is ready")
            number = ask_for_help(tmp_path)
            stand_still_and_come_back({"node": node, "web": web}, wait_until)
            assert ask(tmp_path, "ticket", number=number)["state"] == "KEPT"
        finally:
            web.close()
    finally:
        node.close()


def stand_still_and_come_back(services: dict[str, Supervisor], wait_until: Callable[..., None]) -> None:
    stopped, first = time.monotonic(), {}
    for name, service in services.items():
        assert service.process is not None
        first[name] = service.process.pid
        os.kill(first[name], signal.SIGSTOP)
    for name, service in services.items():
        wait_until(lambda service=service: len(service.ready_at) > 1, 90, f"the {name} is back")
        assert service.process is not None
        assert service.process.pid != first[name]
        assert len(service.started_at) == 2, f"{name}: one restart, and the new one stays"
        until_restart_s = service.started_at[1] - stopped
        assert until_restart_s <= WATCHDOG_S + RESTART_S + 2, service.log
        print(
            f"{name}: restarted {until_restart_s:.1f} s after it stood still, a start took "
            f"{service.ready_at[1] - service.started_at[1]:.1f} s"
        )


def ask(folder: Path, op: str, **fields: object) -> Body:
    client = Client(folder / "node.sock")
    try:
        return client.call(op, **fields)
    except (ControlError, Refused) as error:
        pytest.fail(f"{op}: {error}")
    finally:
        client.close()


def ask_for_help(folder: Path) -> str:
    token = ask(folder, "form_token")["token"]
    form = {"category": "SUPPLIES", "life_threat": False, "people": 1, "text": "water", "callback": ""}
    return str(ask(folder, "submit", token=token, language="nl", **form)["number"])
