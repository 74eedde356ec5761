"""Virtual radios over real TCP: the unmodified meshtastic command line, and clients of every manner."""

import contextlib
import json
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest

from steunpunt.sim import RadioSpec, SimulationError, VirtualRadios, ask_control_port
from steunpunt.wire import BROADCAST, FrameReader, encode_frame, mesh_pb2, node_name, portnums_pb2, sender

KEY = bytes(range(32))
CHANNELS = (("", b"\x01"), ("serial", KEY))
A, B, C = 0xA1B2C3D1, 0xA1B2C3D2, 0xA1B2C3D3
SPEED = 20.0
DEADLINE_S = 20.0
WaitUntil = Callable[..., None]
Port = portnums_pb2.PortNum


def spec(name: str, num: int, port: int = 0) -> RadioSpec:
    """Give a radio that says nothing by itself: a first broadcast could collide with the one packet of a test."""
    title = f"Radio {name}"
    return RadioSpec(name, port, num, CHANNELS, title, nodeinfo_interval_s=0, telemetry_interval_s=0)


@pytest.fixture
def radios() -> Iterator[VirtualRadios]:
    with VirtualRadios([spec("a", A), spec("b", B), spec("c", C)], speed=SPEED, seed=1) as running:
        yield running


class Client:
    """A bare client of the client protocol; every wait has a deadline."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, timeout=DEADLINE_S)
        self._reader = FrameReader()
        self._waiting: list[mesh_pb2.FromRadio] = []

    def __enter__(self) -> Self:
        self.send(mesh_pb2.ToRadio(want_config_id=7))
        self.wait_for(lambda message: message.config_complete_id == 7)
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, message: mesh_pb2.ToRadio) -> None:
        self._socket.sendall(encode_frame(message.SerializeToString()))

    def send_raw(self, data: bytes) -> None:
        self._socket.sendall(data)

    def send_private(self, payload: bytes, *, to: int = BROADCAST, packet_id: int, hops: int = 3) -> None:
        packet = mesh_pb2.MeshPacket(to=to, id=packet_id, channel=1, hop_limit=hops, want_ack=to != BROADCAST)
        packet.decoded.portnum = Port.PRIVATE_APP
        packet.decoded.payload = payload
        self.send(mesh_pb2.ToRadio(packet=packet))

    def wait_for(
        self, wanted: Callable[[mesh_pb2.FromRadio], bool], timeout_s: float = DEADLINE_S
    ) -> mesh_pb2.FromRadio:
        """Read until a message is wanted; what came before it is dropped."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            while self._waiting:
                message = self._waiting.pop(0)
                if wanted(message):
                    return message
            self._socket.settimeout(max(deadline_s - time.monotonic(), 0.001))
            data = self._socket.recv(4096)
            if not data:
                raise ConnectionResetError("the radio closed the connection")
            self._waiting += [mesh_pb2.FromRadio.FromString(raw) for raw in self._reader.feed(data)]

    def wait_for_private(self, timeout_s: float = DEADLINE_S) -> mesh_pb2.MeshPacket:
        return self.wait_for(lambda m: m.packet.decoded.portnum == Port.PRIVATE_APP, timeout_s).packet

    def wait_for_status(self) -> mesh_pb2.QueueStatus:
        return self.wait_for(lambda message: message.HasField("queueStatus")).queueStatus

    def reset_at_close(self) -> None:
        """Make the end of this connection a reset instead of an orderly close."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def is_closed(self) -> bool:
        """Read to the end of the connection."""
        with contextlib.suppress(ConnectionError):
            while self._socket.recv(4096):
                pass
        return True


# --- the unmodified command line


def meshtastic(radios: VirtualRadios, name: str, *arguments: str) -> str:
    """Run the package's own command against a radio and give what it printed."""
    command = [sys.executable, "-m", "meshtastic", "--host", f"127.0.0.1:{radios.port(name)}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_info(radios: VirtualRadios) -> None:
    shown = meshtastic(radios, "a", "--info")
    assert "Owner: Radio a (a)" in shown
    assert f'"myNodeNum": {A}' in shown
    assert '"firmwareVersion": "2.7.26.virtual"' in shown
    assert '"region": "EU_868"' in shown
    assert "Index 1: SECONDARY psk=secret" in shown
    assert f'"{node_name(B)}"' in shown


def test_nodes(radios: VirtualRadios) -> None:
    shown = meshtastic(radios, "a", "--nodes")
    for name, num in (("a", A), ("b", B), ("c", C)):
        assert f"Radio {name}" in shown
        assert node_name(num) in shown


def test_sendtext_reaches_the_other_radios_client(radios: VirtualRadios) -> None:
    with Client(radios.address("b")) as other:
        meshtastic(radios, "a", "--sendtext", "hello")
        got = other.wait_for(lambda m: m.packet.decoded.portnum == Port.TEXT_MESSAGE_APP).packet
    assert (sender(got), got.to, got.decoded.payload) == (A, BROADCAST, b"hello")


def test_sendtext_with_ack(radios: VirtualRadios) -> None:
    assert "Received an implicit ACK" in meshtastic(radios, "a", "--sendtext", "hello", "--ack")
    direct = meshtastic(radios, "a", "--sendtext", "hello", "--dest", node_name(B), "--ack")
    assert "ACK" in direct
    radios.unplug("b")
    radios.unplug("c")
    alone = meshtastic(radios, "a", "--sendtext", "hello", "--ack")
    assert "MAX_RETRANSMIT" in alone


def test_settings_can_be_changed_and_read_back(radios: VirtualRadios) -> None:
    meshtastic(radios, "a", "--set", "lora.hop_limit", "5")
    assert "lora.hop_limit: 5" in meshtastic(radios, "a", "--get", "lora.hop_limit")
    meshtastic(radios, "a", "--ch-set", "name", "other", "--ch-index", "1")
    meshtastic(radios, "a", "--ch-add", "third")
    shown = meshtastic(radios, "a", "--info")
    assert '"name": "other"' in shown
    assert '"name": "third"' in shown


def test_set_owner_reboots_the_radio_and_is_kept(radios: VirtualRadios, wait_until: WaitUntil) -> None:
    meshtastic(radios, "a", "--set-owner", "Somebody")
    wait_until(lambda: radios.counters("a")["reboots"] == 1, what="the reboot")
    wait_until(lambda: radios.counters("a")["up"], what="the radio back")
    assert "Owner: Somebody" in meshtastic(radios, "a", "--info")


def test_traceroute_shows_the_way_there_and_back(radios: VirtualRadios) -> None:
    radios.set_link("a", "c", audible=False)
    radios.set_link("a", "b", snr_db=7.5)
    shown = meshtastic(radios, "a", "--traceroute", node_name(C))
    a, b, c = (node_name(num) for num in (A, B, C))
    assert f"{a} --> {b} (7.5dB) --> {c} (6.0dB)" in shown
    assert f"{c} --> {b} (6.0dB) --> {a} (7.5dB)" in shown


def test_request_telemetry_is_answered_with_what_there_is(radios: VirtualRadios) -> None:
    shown = meshtastic(radios, "a", "--request-telemetry", "--dest", node_name(B))
    assert "Telemetry received:" in shown
    assert "Battery level: 90" in shown


def test_seturl_takes_over_another_radios_channels(radios: VirtualRadios) -> None:
    meshtastic(radios, "b", "--ch-set", "name", "elsewhere", "--ch-index", "1")
    url = re.search(r"Complete URL \(includes all channels\): (\S+)", meshtastic(radios, "b", "--info"))
    assert url is not None
    meshtastic(radios, "a", "--seturl", url[1])
    shown = meshtastic(radios, "a", "--info")
    assert '"name": "elsewhere"' in shown
    assert url[1] in shown


def test_reboot_takes_a_while_and_then_the_radio_is_back(radios: VirtualRadios, wait_until: WaitUntil) -> None:
    meshtastic(radios, "a", "--reboot")
    wait_until(lambda: radios.counters("a")["reboots"] == 1, what="the reboot")
    wait_until(lambda: radios.counters("a")["up"], what="the radio back")
    assert "Owner: Radio a" in meshtastic(radios, "a", "--info")


# --- radios hearing each other


def test_231_bytes_go_from_client_to_client_in_their_time_on_air(radios: VirtualRadios) -> None:
    with Client(radios.address("a")) as one, Client(radios.address("b")) as other:
        payload = bytes(range(231))
        started_s = time.monotonic()
        one.send_private(payload, packet_id=1)
        assert one.wait_for_status().res == 0
        got = other.wait_for_private()
        took_s = time.monotonic() - started_s
    assert (sender(got), got.channel, got.decoded.payload) == (A, 1, payload)
    assert took_s >= 2.156 / SPEED  # 2156 ms on the air, never less


def test_unicast_is_acked_by_its_addressee_and_not_shown_to_others(radios: VirtualRadios) -> None:
    with (
        Client(radios.address("a")) as a,
        Client(radios.address("b")) as b,
        Client(radios.address("c")) as c,
    ):
        a.send_private(b"for b", to=B, packet_id=5)
        assert b.wait_for_private().decoded.payload == b"for b"
        ack = a.wait_for(lambda m: m.packet.decoded.request_id == 5 and sender(m.packet) == B).packet
        assert (ack.decoded.portnum, ack.decoded.payload) == (Port.ROUTING_APP, b"\x18\x00")
        b.send_private(b"for all", packet_id=6)
        assert c.wait_for_private().decoded.payload == b"for all"


def test_hops_over_a_chain_of_three(radios: VirtualRadios) -> None:
    radios.set_link("a", "c", audible=False)
    with (
        Client(radios.address("a")) as a,
        Client(radios.address("b")) as b,
        Client(radios.address("c")) as c,
    ):
        a.send_private(b"one hop only", packet_id=1, hops=0)
        assert b.wait_for_private().decoded.payload == b"one hop only"
        a.send_private(b"relayed", packet_id=2, hops=1)
        got = c.wait_for_private()
    assert (got.decoded.payload, got.hop_start, got.hop_limit) == (b"relayed", 1, 0)
    assert radios.counters("b")["frames_relayed"] == 1


def test_a_lossy_link_loses_and_a_dead_one_carries_nothing(radios: VirtualRadios, wait_until: WaitUntil) -> None:
    radios.unplug("c")
    with Client(radios.address("a")) as one, Client(radios.address("b")) as other:
        radios.set_loss(1.0)
        one.send_private(b"lost", packet_id=1)
        wait_until(lambda: radios.air_counters().get("lost") == 1, what="the packet lost")
        radios.set_loss(0.0)
        one.send_private(b"heard", packet_id=2)
        assert other.wait_for_private().decoded.payload == b"heard"


# --- connections


def test_heartbeats_and_garbage(radios: VirtualRadios) -> None:
    with Client(radios.address("a")) as client:
        client.send_raw(b"\xc3" * 32 + b"console noise \x94\xc3\xff\xff" + encode_frame(b"\xff\xff\xff"))
        client.send(mesh_pb2.ToRadio(heartbeat=mesh_pb2.Heartbeat()))
        status = client.wait_for_status()
    assert (status.res, status.free, status.maxlen, status.mesh_packet_id) == (0, 16, 16, 0)
    assert radios.counters("a")["client_bad_messages"] == 1


def test_a_newcomer_evicts_the_client_that_was_there(radios: VirtualRadios) -> None:
    with Client(radios.address("a")) as first, Client(radios.address("a")) as second:
        assert first.is_closed()
        second.send(mesh_pb2.ToRadio(heartbeat=mesh_pb2.Heartbeat()))
        assert second.wait_for_status().maxlen == 16
    assert radios.counters("a")["clients_evicted"] == 1


def test_disconnect_closes_the_connection(radios: VirtualRadios) -> None:
    with Client(radios.address("a")) as client:
        client.send(mesh_pb2.ToRadio(disconnect=True))
        assert client.is_closed()


def test_the_last_words_of_a_client_that_slams_the_door_are_heard(radios: VirtualRadios, wait_until: WaitUntil) -> None:
    # More than the radio reads at once, and each part makes it send: it runs into the closed connection.
    question = encode_frame(mesh_pb2.ToRadio(want_config_id=8).SerializeToString())
    many_questions = (question + b"console noise" * 300) * 10
    for packet_id in range(1, 6):
        with Client(radios.address("a")) as client:
            client.send_raw(many_questions)
            client.send_private(b"last words", packet_id=packet_id, hops=0)
            client.reset_at_close()
        wait_until(
            lambda heard=packet_id: radios.counters("a").get("packets_from_client") == heard,
            what="the packet sent before the reset",
        )


def test_a_silent_client_is_closed() -> None:
    with VirtualRadios([spec("a", A)], idle_close_s=0.3) as radios, Client(radios.address("a")) as client:
        started_s = time.monotonic()
        assert client.is_closed()
        assert time.monotonic() - started_s >= 0.25


def test_an_unplugged_radio_refuses_and_comes_back_on_the_same_port(radios: VirtualRadios) -> None:
    with Client(radios.address("a")) as client:
        radios.unplug("a")
        assert client.is_closed()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(radios.address("a"), timeout=DEADLINE_S)
    assert not radios.counters("a")["up"]
    radios.plug("a")
    with Client(radios.address("a")) as client, Client(radios.address("b")) as other:
        client.send_private(b"back", packet_id=1)
        assert other.wait_for_private().decoded.payload == b"back"


def test_a_radio_with_its_own_battery_keeps_what_it_hears_meanwhile(
    radios: VirtualRadios, wait_until: WaitUntil
) -> None:
    radios.unplug("b", stays_on=True)
    with Client(radios.address("a")) as one:
        one.send_private(b"kept", packet_id=1)
        wait_until(lambda: radios.counters("b")["packets_kept_for_client"], what="the packet kept")
    radios.plug("b")
    with Client(radios.address("b")) as other:
        assert other.wait_for_private().decoded.payload == b"kept"


def test_a_reboot_closes_the_client_and_accepts_again(radios: VirtualRadios, wait_until: WaitUntil) -> None:
    with Client(radios.address("a")) as client:
        radios.reboot("a")
        assert client.is_closed()
    wait_until(lambda: radios.counters("a")["up"], what="the radio back")
    with Client(radios.address("a")):
        assert radios.counters("a")["reboots"] == 1


def test_a_client_that_does_not_read_holds_up_nobody_and_takes_no_memory(radios: VirtualRadios) -> None:
    with (
        Client(radios.address("a")) as deaf,
        Client(radios.address("b")) as one,
        Client(radios.address("c")) as other,
    ):
        stop = threading.Event()

        def ask_for_ever() -> None:
            with contextlib.suppress(OSError):
                while not stop.is_set():
                    deaf.send(mesh_pb2.ToRadio(want_config_id=1))

        asking = threading.Thread(target=ask_for_ever, daemon=True)
        asking.start()
        one.send_private(b"through", packet_id=1)
        assert other.wait_for_private().decoded.payload == b"through"
        stop.set()
        radios.unplug("a")
        asking.join(DEADLINE_S)
        assert not asking.is_alive()


def test_a_taken_port_is_said_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(SimulationError, match=f"'a' cannot listen on 127.0.0.1:{port}.*free one"),
            VirtualRadios([spec("a", A, port)]),
        ):
            pass


def test_nothing_is_left_open() -> None:
    radios = VirtualRadios([spec("a", A)], speed=SPEED)
    radios.stop()  # never started: nothing to close
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        with (
            VirtualRadios([spec("a", A)], speed=SPEED, control_port=0) as radios,
            Client(radios.address("a")),
        ):
            pass
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    with pytest.raises(SimulationError, match="not running"):
        radios.counters("a")


# --- as a process of its own


SERVE = """
import sys
from steunpunt.sim import RadioSpec, serve

def ready(radios):
    print(radios.port("a"), radios.control_address[1], flush=True)

serve([RadioSpec("a"), RadioSpec("b")], speed=20, control_port=0, seed=1, ready=ready)
print("ended", flush=True)
"""


@pytest.fixture
def served() -> Iterator[tuple[subprocess.Popen[str], int, int]]:
    with subprocess.Popen([sys.executable, "-c", SERVE], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], DEADLINE_S)[0], "it never got ready"
            port, control_port = map(int, process.stdout.readline().split())
            yield process, port, control_port
        finally:
            process.kill()


def test_serve_ends_at_sigterm(served: tuple[subprocess.Popen[str], int, int]) -> None:
    process, port, _ = served
    with Client(("127.0.0.1", port)):
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=DEADLINE_S)[0] == "ended\n"
        assert process.returncode == 0


def test_another_process_pulls_cables_and_reads_counters(
    served: tuple[subprocess.Popen[str], int, int],
) -> None:
    _, port, control_port = served
    figures = ask_control_port(control_port, {"do": "counters"})["radios"]
    assert (figures["a"]["port"], figures["a"]["plugged"], figures["b"]["up"]) == (port, True, True)
    with Client(("127.0.0.1", port)) as client:
        ask_control_port(control_port, {"do": "unplug", "radio": "a"})
        assert client.is_closed()
    assert not ask_control_port(control_port, {"do": "counters"})["radios"]["a"]["plugged"]
    for command in (
        {"do": "plug", "radio": "a"},
        {"do": "loss", "loss": 0.1},
        {"do": "link", "radio": "a", "other": "b", "loss": 1},
        {"do": "reboot", "radio": "b"},
    ):
        assert ask_control_port(control_port, command) == {}
    with Client(("127.0.0.1", port)):
        assert ask_control_port(control_port, {"do": "counters"})["radios"]["a"]["has_client"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"nonsense\n", "JSONDecodeError"),
        (b"[]\n", "one JSON object"),
        (b'{"do": "explode"}\n', "no command"),
        (b'{"do": "unplug"}\n', "KeyError"),
        (b'{"do": "unplug", "radio": "z"}\n', "there are a, b"),
        (b'{"do": "loss", "loss": 2}\n', "between 0 and 1"),
        (b'{"do": "loss", "loss": []}\n', "TypeError"),
        (b"\xff\xfe\n", "Error"),
    ],
)
def test_a_bad_command_is_refused_in_words(line: bytes, says: str) -> None:
    with VirtualRadios([RadioSpec("a"), RadioSpec("b")], control_port=0) as radios:
        assert radios.control_address is not None
        with socket.create_connection(radios.control_address, timeout=DEADLINE_S) as connection:
            connection.sendall(line)
            answer = json.loads(connection.makefile().readline())
    assert answer["ok"] is False
    assert says in answer["error"]
