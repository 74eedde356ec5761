"""A radio is shown, compared and brought to its config: virtual radios over TCP and a serial line, and the command."""

import os
import pty
import socket
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from steunpunt import config
from steunpunt.cli import main
from steunpunt.fleet import radio_client
from steunpunt.fleet.radio_client import Limits, RadioError
from steunpunt.keyfiles import encoded
from steunpunt.radiosettings import differences, fingerprint, wanted_settings
from steunpunt.sim import RadioSpec, VirtualRadios
from steunpunt.wire import encode_frame, mesh_pb2
from tests.fakes.fake_node import FakeNode
from tests.fakes.tapped_line import tapped
from tests.unit.test_config import kiosk

Wait = Callable[..., None]
KEY, NODE = bytes(range(100, 132)), 0xA1B2C3D4
OLD = "2.6.11.60ec05e"
LIMITS = Limits(handshake_s=6, answer_s=2, reboot_s=3, back_s=20)
FACTORY = {"long_name": "Meshtastic c3d4", "short_name": "c3d4"}
"""As a radio comes out of its box: no private channel, no names, no place."""


@contextmanager
def virtual(speed: float = 50, **more: Any) -> Iterator[VirtualRadios]:
    spec = RadioSpec("kiosk", node_num=NODE, **{**FACTORY, **more})
    with VirtualRadios([spec], speed=speed, seed=1) as radios:
        yield radios


def section(port: int, **more: Any) -> config.Radio:
    place = config.Position(latitude=50.8514, longitude=5.691, altitude_m=49)
    fields = {
        "node": "!a1b2c3d4",
        "hop_limit": 4,
        "preset": "MEDIUM_FAST",
        "role": "CLIENT_BASE",
        "long_name": "De Regenboog",
        "short_name": "SP47",
        "position": place,
        **more,
    }
    return config.Radio(kind="tcp", port=port, **fields)


def apply(radio: config.Radio, limits: Limits = LIMITS) -> list[str]:
    found = radio_client.apply(radio, wanted_settings(radio, KEY), limits=limits)
    return [difference.setting for difference in found]


def plan(radio: config.Radio) -> list[str]:
    return [each.setting for each in radio_client.plan(radio, wanted_settings(radio, KEY), LIMITS)]


ALL = ["preset", "hop limit", "role", "long name", "short name", "private channel", "channel key", "position"]


def test_a_radio_from_its_box_is_brought_to_the_config_in_one_transaction() -> None:
    with virtual() as radios, tapped(radios.address("kiosk")) as line:
        radio = section(line.port)
        assert plan(radio) == ALL
        assert line.said == [], "a plan writes nothing"
        assert apply(radio) == ALL
        assert line.said[0] == "begin_edit_settings"
        assert line.said[-1] == "commit_edit_settings"
        assert len(line.said) == len(set(line.said) - {"set_config"}) + 2, "device and lora are both set_config"
        assert radios.counters("kiosk")["reboots"] == 1
        assert plan(radio) == []
        said = list(line.said)
        assert apply(radio) == []
        assert line.said == said, "nothing differs, so nothing is written"
        assert radios.counters("kiosk")["reboots"] == 1


def test_only_the_part_that_differs_is_written() -> None:
    with virtual() as radios, tapped(radios.address("kiosk")) as line:
        apply(section(line.port))
        del line.said[:]
        assert apply(section(line.port, hop_limit=2)) == ["hop limit"]
        assert line.said == ["begin_edit_settings", "set_config", "commit_edit_settings"]


def test_it_waits_for_the_reboot_before_it_reads_back() -> None:
    began_s = time.monotonic()
    with virtual(speed=10) as radios:
        apply(section(radios.port("kiosk")))
        assert radios.counters("kiosk")["reboots"] == 1
    assert time.monotonic() - began_s >= 0.7, "the radio's 7 s"


# --- a radio that does not do it


@pytest.mark.parametrize(
    ("ignored", "left"),
    [
        ("lora", ["preset", "hop limit"]),
        ("owner", ["long name", "short name"]),
        ("channel", ["private channel", "channel key"]),
        ("device", ["role"]),
        ("fixed_position", ["position"]),
    ],
)
def test_a_radio_that_acknowledges_and_ignores_fails_loudly(ignored: str, left: list[str]) -> None:
    with virtual(ignores=frozenset({ignored})) as radios:
        radio = section(radios.port("kiosk"))
        with pytest.raises(RadioError, match="took the settings and does not hold them: ") as caught:
            apply(radio)
        assert all(f"{name}: is " in str(caught.value) for name in left)
        assert plan(radio) == left


def test_a_radio_that_dies_before_the_commit_keeps_its_old_settings() -> None:
    with virtual() as radios:

        def pull(kind: str) -> bool:
            if kind == "commit_edit_settings":
                radios.unplug("kiosk")
            return kind != "commit_edit_settings"

        with tapped(radios.address("kiosk"), pull) as line:
            with pytest.raises(RadioError, match="not back 1 s after its reboot"):
                apply(section(line.port), Limits(back_s=1))
            radios.plug("kiosk")
            assert plan(section(radios.port("kiosk"))) == ALL, "nothing of the half transaction is left"


@pytest.mark.parametrize("at", ["begin_edit_settings", "set_owner", "set_config"])
def test_a_radio_that_dies_in_the_middle(at: str) -> None:
    with virtual() as radios:

        def pull(kind: str) -> bool:
            if kind == at:
                radios.unplug("kiosk")
            return kind != at

        with tapped(radios.address("kiosk"), pull) as line:
            with pytest.raises(RadioError, match=r"lost the radio at .* This was before the settings were committed"):
                apply(section(line.port))
            radios.plug("kiosk")
            assert apply(section(radios.port("kiosk"))) == ALL, "and then it is simply done again"


def test_a_radio_that_falls_silent_in_the_middle() -> None:
    says = r"does not answer in time.* before the settings were committed"
    with (
        virtual() as radios,
        tapped(radios.address("kiosk"), lambda kind: kind != "set_channel") as line,
        pytest.raises(RadioError, match=says),
    ):
        apply(section(line.port))
    assert line.said[-1] == "set_channel"


def test_a_radio_that_does_not_reboot_may_not_keep_it() -> None:
    with (
        virtual() as radios,
        tapped(radios.address("kiosk"), lambda kind: not kind.startswith("commit")) as line,
        pytest.raises(RadioError, match="did not reboot within 3 s after the settings were committed"),
    ):
        apply(section(line.port))
    assert line.said[-1] == "commit_edit_settings"


def test_a_radio_that_was_unplugged_for_a_while_is_waited_for(wait_until: Wait) -> None:
    with virtual(speed=10) as radios, tapped(radios.address("kiosk")) as line:

        def away() -> None:
            heard = 7  # begin, channel, owner, position, device, lora, commit
            wait_until(lambda: radios.counters("kiosk").get("packets_from_client") == heard, 5, "the commit")
            radios.unplug("kiosk", stays_on=True)
            wait_until(lambda: line.connections >= 3, 5, "a look at a radio that is away")
            wait_until(lambda: radios.counters("kiosk")["reboots"] == 1, 5, "the reboot")
            radios.plug("kiosk")

        helper = threading.Thread(target=away)
        helper.start()
        assert apply(section(line.port)) == ALL
        helper.join(5)


def test_an_old_firmware_is_refused_and_not_written_to() -> None:
    with virtual(firmware=OLD) as radios, tapped(radios.address("kiosk")) as line:
        for ask in (apply, plan):
            with pytest.raises(RadioError, match=rf"firmware is {OLD}.*CVE-2025-52464.*put 2\.6\.12 or newer on it"):
                ask(section(line.port))
        assert line.said == []


def test_another_radio_than_the_config_names_is_refused() -> None:
    with virtual() as radios, tapped(radios.address("kiosk")) as line:
        with pytest.raises(RadioError, match=r"is !a1b2c3d4, not !00000001; plug in that one or mend radio.node"):
            apply(section(line.port, node="!00000001"))
        assert line.said == []


def test_a_port_where_nobody_listens(free_port: Callable[[], int]) -> None:
    with pytest.raises(RadioError, match=r"no radio answers at 127\.0\.0\.1:.*is the cable in"):
        apply(section(free_port()))


def test_something_that_accepts_and_says_nothing() -> None:
    says = "does not tell all its settings; restart the radio"
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(RadioError, match=says):
        radio_client.read(section(mute.getsockname()[1]), Limits(handshake_s=0.3))


# --- a serial line


@contextmanager
def serial_line(radio: tuple[str, int], noise: bytes = b"") -> Iterator[str]:
    """Lead a pseudo terminal to a virtual radio, with console log between its bytes; through reboots, as a UART."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    connection: list[socket.socket] = []
    done = threading.Event()

    def connect() -> socket.socket:
        while not done.is_set():
            with suppress(OSError):
                return socket.create_connection(radio, 5)
            done.wait(0.02)
        raise OSError("the test is over")

    def down() -> None:
        with suppress(OSError):
            while not done.is_set():
                with connect() as made:
                    connection[:] = [made]
                    os.write(ours, noise)
                    with suppress(ConnectionError):
                        while data := made.recv(4096):
                            os.write(ours, data)
                # What firmware says on a serial line when it has booted.
                os.write(ours, encode_frame(mesh_pb2.FromRadio(rebooted=True).SerializeToString()))

    def up() -> None:
        with suppress(OSError):
            while not done.is_set():
                data = os.read(ours, 4096)
                with suppress(OSError, IndexError):
                    connection[0].sendall(data)

    threads = [threading.Thread(target=each, daemon=True) for each in (down, up)]
    for thread in threads:
        thread.start()
    try:
        yield os.ttyname(theirs)
    finally:
        done.set()
        for made in connection:
            with suppress(OSError):
                made.shutdown(socket.SHUT_RDWR)
        os.close(theirs)
        threads[0].join(5)
        os.close(ours)


def test_a_radio_on_a_serial_line_with_console_log_between() -> None:
    with virtual(long_name="x") as radios:
        noise = b"INFO  | ??:??:?? 12 [Main] Boot\r\n\x94\xc3\x01\x80 half a frame"
        with serial_line(radios.address("kiosk"), noise) as path:
            radio = config.Radio(kind="serial", path=path, hop_limit=5, long_name="De Regenboog")
            assert apply(radio) == ["hop limit", "long name", "private channel", "channel key"]
            assert plan(radio) == []


# --- the command


def written(folder: Path, port: int, **replacements: str) -> Path:
    text = kiosk().replace("port = 4403", f"port = {port}").replace("hop_limit = 3", "hop_limit = 4")
    for old, new in replacements.items():
        text = text.replace(f"{old} = ", f"{old} = {new} # ", 1)
    path = folder / "site.toml"
    path.write_text(text, encoding="utf-8")
    key = folder / "channel.key"
    key.write_text(f'channel_key = "{encoded(KEY)}"\n', encoding="utf-8")
    key.chmod(0o600)
    return path


def run(action: str, path: Path) -> Result:
    result = CliRunner().invoke(main, ["radio", action, str(path)])
    for secret in (encoded(KEY), KEY.hex(), repr(KEY)):
        assert secret not in result.output
    return result


def test_plan_apply_and_show_as_a_technician_reads_them(tmp_path: Path) -> None:
    with virtual() as radios:
        path = written(tmp_path, radios.port("kiosk"))
        planned = run("plan", path)
        rows = [line.split("  ") for line in planned.output.splitlines()]
        assert planned.exit_code == 0
        assert planned.output.splitlines()[0].split() == ["setting", "is", "will", "be"]
        assert [part.strip() for part in rows[1] if part] == ["hop limit", "3", "4"]
        assert f"no key           fingerprint {fingerprint(KEY).split()[1]}" in planned.output
        done = run("apply", path)
        assert done.exit_code == 0
        assert done.output.splitlines()[:-1] == planned.output.splitlines()
        assert done.output.endswith("the radio is as the config says: written, rebooted and read back\n")
        assert run("plan", path).output == ""
        assert run("apply", path).output == "the radio is as the config says\n"
        shown = run("show", path).output.splitlines()
        assert shown[0] == "radio            !a1b2c3d4, firmware 2.7.26.virtual"
        assert "private channel  secondary" in shown
        assert f"channel key      {fingerprint(KEY)}" in shown
        assert "position         fixed at 50.8514000, 5.6910000, 49 m" in shown


def test_a_running_node_holds_the_radio(tmp_path: Path) -> None:
    with virtual() as radios:
        path, node = written(tmp_path, radios.port("kiosk")), FakeNode(tmp_path / "node.sock")
        try:
            for action in ("show", "plan", "apply"):
                refused = run(action, path)
                assert refused.exit_code == 1
                assert "stop steunpunt-node first" in refused.output
        finally:
            node.close()
        assert "clients" not in radios.counters("kiosk"), "nobody went near the radio"


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"firmware": OLD}, "put 2.6.12 or newer on it"),
        ({"ignores": frozenset({"lora"})}, "does not hold them: hop limit: is 3, config says 4"),
        ({"channels": (("serial", KEY),)}, "must be a secondary one"),
    ],
)
def test_a_failure_is_one_line_and_exit_code_1(tmp_path: Path, spec: dict[str, Any], says: str) -> None:
    with virtual(**spec) as radios:
        failed = run("apply", written(tmp_path, radios.port("kiosk")))
        assert failed.exit_code == 1
        last = failed.output.splitlines()[-1]
        assert last.startswith("steunpunt: ")
        assert says in last


def test_a_site_without_a_radio_or_key_file(tmp_path: Path) -> None:
    none = run("plan", written(tmp_path, 1, kind='"none"'))
    assert (none.exit_code, "has no radio to set" in none.output) == (1, True)
    path = written(tmp_path, 1)
    (tmp_path / "channel.key").unlink()
    missing = run("plan", path)
    assert (missing.exit_code, "channel.key: cannot be read" in missing.output) == (1, True)


def test_what_was_read_is_what_the_radio_holds() -> None:
    with virtual() as radios:
        state = radio_client.read(section(radios.port("kiosk")), LIMITS)
        assert (state.node_num, state.firmware) == (NODE, "2.7.26.virtual")
        assert [each.setting for each in differences(state, wanted_settings(section(1), KEY))] == ALL
