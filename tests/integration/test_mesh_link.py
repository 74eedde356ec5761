"""The mesh link against virtual radios over TCP and serial, and against radios that misbehave."""

import os
import pty
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from steunpunt import keyfiles
from steunpunt.config import Radio
from steunpunt.links.mesh import MeshLink
from steunpunt.model import (
    Event,
    FrameHeard,
    LinkChanged,
    LinkName,
    PacketHeard,
    RadioPrepared,
    SendEnded,
    SendFrame,
    SendOutcome,
)
from steunpunt.radiosettings import fingerprint
from steunpunt.sim import RadioSpec, VirtualRadios
from steunpunt.wire import FrameReader, channel_pb2, encode_frame, mesh_pb2, portnums_pb2

KEY = bytes(range(16))
CHANNELS = (("", b"\x01"), ("serial", KEY))
BACK_S = 2.0
"""How soon the link must serve again once the radio does."""
Wait = Callable[..., None]


class Post:
    """An inbox that the test reads."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def changes(self) -> list[LinkChanged]:
        return [event for event in self.events if isinstance(event, LinkChanged)]

    @property
    def up(self) -> bool:
        return bool(self.changes()) and self.changes()[-1].up

    @property
    def reason(self) -> str:
        return self.changes()[-1].reason if self.changes() else ""

    @property
    def drift(self) -> tuple[str, ...] | None:
        prepared = [event for event in self.events if isinstance(event, RadioPrepared)]
        return prepared[-1].drift if prepared else None

    def frames(self) -> list[bytes]:
        return [event.payload for event in self.events if isinstance(event, FrameHeard)]

    def outcomes(self) -> dict[int, SendOutcome]:
        ended = [event for event in self.events if isinstance(event, SendEnded)]
        found = {event.attempt_id: event.outcome for event in ended}
        assert len(found) == len(ended), "a send ended twice"
        return found


@contextmanager
def linked(config: Radio) -> Iterator[tuple[MeshLink, Post]]:
    post = Post()
    link = MeshLink(config, post)
    link.start()
    try:
        yield link, post
    finally:
        link.stop(5)
        assert not link.running


def tcp(port: int, **more: str) -> Radio:
    return Radio(kind="tcp", port=port, node=more.get("node"), channel=more.get("channel", "serial"))


def frame(attempt: int, payload: bytes = b"sealed") -> SendFrame:
    return SendFrame(LinkName.MESH, attempt, payload)


@pytest.fixture
def radios() -> Iterator[VirtualRadios]:
    specs = [
        RadioSpec("kiosk", node_num=0xA1, channels=CHANNELS),
        RadioSpec("desk", node_num=0xD1, channels=CHANNELS),
        RadioSpec("bare", node_num=0xB1),
    ]
    with VirtualRadios(specs, speed=50, seed=1) as made:
        yield made


# --- virtual radios


def test_a_frame_goes_across_and_other_packets_reach_the_bridge(radios: VirtualRadios, wait_until: Wait) -> None:
    with linked(tcp(radios.port("kiosk"))) as (kiosk, here), linked(tcp(radios.port("desk"))) as (_, there):
        wait_until(lambda: here.up and there.up, what="both links up")
        kiosk.send(frame(1, b"a sealed packet"))
        wait_until(there.frames, what="the frame at the desk")
        assert there.frames() == [b"a sealed packet"]
        heard = next(event for event in there.events if isinstance(event, FrameHeard))
        assert (heard.sender, heard.carrier, heard.confirm) == (0xA1, None, None)
        assert here.outcomes() == {1: SendOutcome.TAKEN}
        assert here.changes()[0].node_num == 0xA1
        assert [type(event) for event in here.events[:2]] == [LinkChanged, RadioPrepared]
        prepared = here.events[1]
        assert isinstance(prepared, RadioPrepared)
        assert (prepared.channel_names, prepared.preset) == (("", "serial"), "LONG_FAST")
        # The desk's radio broadcasts its NodeInfo by itself; PRIVATE_APP packets never come this way.
        wait_until(lambda: any(isinstance(event, PacketHeard) for event in here.events), what="another packet")
        assert not any(isinstance(e, PacketHeard) and b"a sealed packet" in e.packet for e in there.events)


def test_an_old_firmware_keeps_the_link_down(wait_until: Wait) -> None:
    old = RadioSpec("old", channels=CHANNELS, firmware="2.5.9.936260f")
    with VirtualRadios([old], speed=50) as radios, linked(tcp(radios.port("old"))) as (_, here):
        wait_until(lambda: "put 2.6.12 or newer on it" in here.reason, 5, "the reason")
        assert not here.up


def test_a_key_that_differs_or_cannot_be_read_is_drift(tmp_path: Path, wait_until: Wait) -> None:
    path = tmp_path / "channel.key"
    spec = RadioSpec("kiosk", channels=CHANNELS)
    with VirtualRadios([spec], speed=50) as radios:
        config = Radio(kind="tcp", port=radios.port("kiosk"), channel_key_file=str(path))
        with linked(config) as (_, here):
            wait_until(lambda: here.drift is not None, what="the radio")
            (line,) = here.drift or ()
            assert line.startswith(f"channel key: not compared, {path}: cannot be read")
            keyfiles.write(path, {"channel_key": keyfiles.encoded(bytes(32))})
            radios.reboot("kiosk")
            wait_until(lambda: here.drift != (line,), what="the mended file is read without a restart")
            assert here.drift == (f"channel key: is {fingerprint(KEY)}, config says {fingerprint(bytes(32))}",)
            assert here.up


def test_unplugged_and_plugged_in_again(radios: VirtualRadios, wait_until: Wait) -> None:
    with linked(tcp(radios.port("kiosk"))) as (kiosk, here), linked(tcp(radios.port("desk"))) as (_, there):
        wait_until(lambda: here.up and there.up)
        radios.unplug("kiosk")
        wait_until(lambda: not here.up, BACK_S, "the loss is noticed")
        kiosk.send(frame(1))
        assert here.outcomes() == {1: SendOutcome.REFUSED}
        wait_until(lambda: "connection refused" in here.reason, 5, "the reason names the refusal")
        assert "is meshtasticd running, is the cable in?" in here.reason
        changes = len(here.changes())
        wait_until(lambda: kiosk.counters()["connects_failed"] >= 4, 10)
        assert len(here.changes()) == changes, "the same reason is told once"
        radios.plug("kiosk")
        wait_until(lambda: here.up, BACK_S, "the link is back")
        kiosk.send(frame(2, b"after"))
        wait_until(there.frames)
        assert there.frames() == [b"after"]


def test_a_reboot_of_the_radio(radios: VirtualRadios, wait_until: Wait) -> None:
    with linked(tcp(radios.port("kiosk"))) as (_, here):
        wait_until(lambda: here.up)
        radios.reboot("kiosk")
        wait_until(lambda: [change.up for change in here.changes()] == [True, False, True], 5, "down and up")


def test_a_missing_channel_and_the_wrong_node_are_said(radios: VirtualRadios, wait_until: Wait) -> None:
    port = radios.port("bare")
    with linked(tcp(port)) as (_, post):
        wait_until(lambda: post.reason)
        assert post.reason == (
            f'radio !000000b1 has no channel "serial"; run `meshtastic --host 127.0.0.1:{port} --ch-add serial` '
            "and give it the region's key"
        )
    with linked(tcp(radios.port("kiosk"), node="!000000d1")) as (_, post):
        wait_until(lambda: post.reason)
        assert (post.up, "is !000000a1, not !000000d1" in post.reason) == (False, True)
    with linked(tcp(radios.port("kiosk"), node="!000000a1")) as (_, post):
        wait_until(lambda: post.up)


def test_a_burst_goes_out_one_by_one_and_none_is_lost(radios: VirtualRadios, wait_until: Wait) -> None:
    with linked(tcp(radios.port("kiosk"))) as (kiosk, here), linked(tcp(radios.port("desk"))) as (_, there):
        wait_until(lambda: here.up and there.up)
        for attempt in range(20):
            kiosk.send(frame(attempt, b"%02d" % attempt))
        wait_until(lambda: len(here.outcomes()) == 20, 40, "an end for each send")
        assert set(here.outcomes().values()) == {SendOutcome.TAKEN}
        wait_until(lambda: len(there.frames()) == 20, 10, "each frame at the desk")


def test_without_a_radio_the_link_says_so_and_refuses(wait_until: Wait) -> None:
    with linked(Radio(kind="none")) as (link, post):
        wait_until(lambda: post.reason)
        assert "no radio" in post.reason
        link.send(frame(1))
        assert post.outcomes() == {1: SendOutcome.REFUSED}


# --- serial


@contextmanager
def serial_cable(port: int, path: Path) -> Iterator[None]:
    """A serial device at ``path`` whose other end is a virtual radio; leaving pulls the cable."""
    master, slave = pty.openpty()
    path.symlink_to(os.ttyname(slave))
    radio = socket.create_connection(("127.0.0.1", port))
    stop_reader, stop_writer = os.pipe()

    def carry() -> None:
        with selectors.DefaultSelector() as selector:
            for end in (master, radio.fileno(), stop_reader):
                selector.register(end, selectors.EVENT_READ)
            while True:
                ready = {key.fd for key, _ in selector.select()}
                if stop_reader in ready:
                    return
                if master in ready:
                    radio.sendall(os.read(master, 4096))
                if radio.fileno() in ready:
                    os.write(master, radio.recv(4096))

    carrier = threading.Thread(target=carry)
    carrier.start()
    try:
        yield
    finally:
        os.write(stop_writer, b"x")
        carrier.join()
        path.unlink()
        radio.close()
        for descriptor in (slave, master, stop_reader, stop_writer):
            os.close(descriptor)


def test_a_serial_radio_is_pulled_out_and_comes_back_under_another_name(
    radios: VirtualRadios, wait_until: Wait, tmp_path: Path
) -> None:
    path = tmp_path / "by-path"
    with linked(Radio(kind="serial", path=str(path))) as (link, post):
        wait_until(lambda: post.reason)
        assert post.reason == f"no radio at {path} (no such file); is the cable in?"
        with serial_cable(radios.port("kiosk"), path):
            wait_until(lambda: post.up, BACK_S, "the serial link is up")
            link.send(frame(1))
            wait_until(lambda: post.outcomes() == {1: SendOutcome.TAKEN})
            with linked(Radio(kind="serial", path=str(path))) as (_, second):
                wait_until(lambda: second.reason)
                assert second.reason == f"another program holds {path}; stop that one"
        wait_until(lambda: not post.up, BACK_S, "the pulled cable is noticed")
        with serial_cable(radios.port("kiosk"), path):
            wait_until(lambda: post.up, BACK_S, "the serial link is back")


# --- radios that misbehave


class Fake:
    """A TCP server that is a radio up to the point that a test cares about; one client at a time."""

    def __init__(self, behave: Callable[["Fake", socket.socket], None]) -> None:
        self._behave = behave
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.clients = 0
        self._current: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.clients += 1
            self._current = client
            with client:
                try:
                    self._behave(self, client)
                except OSError:
                    continue

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self._current is not None:
            with suppress(OSError):
                self._current.shutdown(socket.SHUT_RDWR)
        self._thread.join()


def asked(client: socket.socket, reader: FrameReader) -> Iterator[mesh_pb2.ToRadio]:
    """Yield what the client says until it hangs up."""
    while data := client.recv(4096):
        for payload in reader.feed(data):
            yield mesh_pb2.ToRadio.FromString(payload)


def handshake(config_id: int) -> bytes:
    channel = mesh_pb2.FromRadio()
    channel.channel.index, channel.channel.settings.name = 1, "serial"
    channel.channel.role = channel_pb2.Channel.Role.SECONDARY
    messages = [
        mesh_pb2.FromRadio(my_info=mesh_pb2.MyNodeInfo(my_node_num=7)),
        channel,
        mesh_pb2.FromRadio(config_complete_id=config_id),
    ]
    return b"".join(encode_frame(message.SerializeToString()) for message in messages)


def ours(payload: bytes) -> bytes:
    message = mesh_pb2.FromRadio()
    message.packet.decoded.portnum = portnums_pb2.PortNum.PRIVATE_APP
    message.packet.decoded.payload = payload
    setattr(message.packet, "from", 8)
    message.packet.id = 3
    return encode_frame(message.SerializeToString())


def greeted(client: socket.socket, before: bytes = b"") -> Iterator[mesh_pb2.ToRadio]:
    """Answer the handshake and yield everything else."""
    for message in asked(client, FrameReader()):
        if message.want_config_id:
            client.sendall(before + handshake(message.want_config_id))
        else:
            yield message


@contextmanager
def fake(behave: Callable[[Fake, socket.socket], None]) -> Iterator[Fake]:
    server = Fake(behave)
    try:
        yield server
    finally:
        server.close()


def test_garbage_and_console_log_between_frames(wait_until: Wait) -> None:
    noise = b"INFO  | boot\r\n\x94\x94\xc3\xff\xff" + bytes(range(256)) + b"\x94\xc3\x00\x02\xff\xff"

    def behave(_: Fake, client: socket.socket) -> None:
        for _message in greeted(client, noise):
            client.sendall(noise + ours(b"one") + noise + ours(b"two") + b"\x94\xc3\x01\x80 half " + ours(b"three"))

    with fake(behave) as server, linked(tcp(server.port)) as (link, post):
        wait_until(lambda: post.up)
        link.send(frame(1))
        wait_until(lambda: len(post.frames()) == 3, 5, "all three frames, in spite of the noise")
        assert post.frames() == [b"one", b"two", b"three"]


@pytest.mark.parametrize("reset", [False, True], ids=["FIN", "RST"])
def test_a_connection_that_ends_leaves_unknown_and_refused(wait_until: Wait, *, reset: bool) -> None:
    def behave(server: Fake, client: socket.socket) -> None:
        for message in greeted(client):
            if message.HasField("packet") and server.clients == 1:
                if reset:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return

    with fake(behave) as server, linked(tcp(server.port)) as (link, post):
        wait_until(lambda: post.up)
        for attempt in (1, 2, 3):
            link.send(frame(attempt))
        wait_until(lambda: len(post.outcomes()) == 3)
        assert post.outcomes() == {1: SendOutcome.UNKNOWN, 2: SendOutcome.REFUSED, 3: SendOutcome.REFUSED}
        down = next(index for index, event in enumerate(post.events) if event == post.changes()[1])
        assert not any(isinstance(event, SendEnded) for event in post.events[:down]), "first down, then the sends"
        wait_until(lambda: post.up, BACK_S, "the next session is up")
        assert server.clients == 2


def test_half_a_frame_then_gone_in_the_handshake(wait_until: Wait) -> None:
    def behave(server: Fake, client: socket.socket) -> None:
        for message in asked(client, FrameReader()):
            if message.want_config_id:
                whole = handshake(message.want_config_id)
                client.sendall(whole if server.clients == 3 else whole[:-5])
                if server.clients < 3:
                    return

    with fake(behave) as server, linked(tcp(server.port)) as (_, post):
        wait_until(lambda: post.up, 5, "the third attempt succeeds")
        assert server.clients == 3


def test_a_radio_that_fell_silent_is_found_by_the_heartbeat(wait_until: Wait) -> None:
    """The clock is turned: 70 s of silence pass in a moment."""

    def behave(_: Fake, client: socket.socket) -> None:
        for _message in greeted(client):
            pass

    ahead = [0.0]
    post = Post()
    with fake(behave) as server:
        link = MeshLink(tcp(server.port), post, clock=lambda: time.monotonic() + ahead[0])
        link.start()
        wait_until(lambda: post.up)
        ahead[0] = 61
        link.waker.wake()
        wait_until(lambda: link.counters().get("heartbeats") == 1, what="the heartbeat")
        ahead[0] = 72
        link.waker.wake()
        wait_until(lambda: server.clients == 2, 5, "a new connection")
        assert any("is silent for 10 s" in change.reason for change in post.changes())
        link.stop(5)


def test_no_queue_status_is_unknown_and_a_second_client_is_not_fought(wait_until: Wait) -> None:
    """A radio that throws us out at once, as for a phone: the retries slow down to the cap."""

    def behave(_: Fake, client: socket.socket) -> None:
        for _message in greeted(client):
            return

    with fake(behave) as server, linked(tcp(server.port)) as (link, post):
        started = time.monotonic()
        for attempt in range(1, 6):
            wait_until(lambda: post.up)
            link.send(frame(attempt))
            wait_until(lambda: not post.up)
        assert set(post.outcomes().values()) <= {SendOutcome.UNKNOWN, SendOutcome.REFUSED}
        wait_until(lambda: len(post.outcomes()) == 5)
        # Four waits that double from at least 0.05 s: a fight for the radio would take no time at all.
        assert time.monotonic() - started >= 0.05 + 0.1 + 0.2 + 0.4


def test_a_thousand_reconnects_leave_nothing_behind(wait_until: Wait) -> None:
    def behave(_: Fake, client: socket.socket) -> None:
        for message in asked(client, FrameReader()):
            if message.want_config_id:
                client.sendall(handshake(message.want_config_id))
                return

    class Hurried(MeshLink):
        def pause(self, seconds: float) -> None:
            super().pause(min(seconds, 0.0))

    post = Post()
    with fake(behave) as server:
        link = Hurried(tcp(server.port), post)
        link.start()
        wait_until(lambda: server.clients > 100, 30)
        before, threads = open_descriptors(), threading.active_count()
        wait_until(lambda: server.clients > 1100, 60)
        # Connections come and go while we look; a thousand of them leave more than three only by a leak.
        wait_until(lambda: open_descriptors() <= before + 3, 5, "as few descriptors as before")
        assert threading.active_count() == threads
        link.stop(5)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
