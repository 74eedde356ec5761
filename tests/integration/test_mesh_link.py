"""The mesh link against virtual radios over TCP, and against radios that misbehave."""

import json
import logging
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from steunpunt.bridge.uplink import Translator
from steunpunt.config import Radio
from steunpunt.links.mesh import MeshLink
from steunpunt.model import FrameHeard, LinkChanged, PacketHeard, RadioPrepared, RadioUsed, SendEnded, SendOutcome
from steunpunt.sim import VirtualRadios
from steunpunt.wire import FrameReader, channel_pb2, encode_frame, mesh_pb2, portnums_pb2
from tests.fakes.mesh_links import BACK_S, Post, frame, linked, tcp, two_radios

Wait = Callable[..., None]


@pytest.fixture
def radios() -> Iterator[VirtualRadios]:
    with two_radios() as made:
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


def test_what_the_bridge_tells_has_the_time_once_the_radio_was_told_it(wait_until: Wait) -> None:
    with two_radios() as radios, linked(tcp(radios.port("kiosk"))) as (kiosk, here):
        wait_until(lambda: here.up)
        bridge = Translator("msh/EU_868")

        def stamps() -> list[int]:
            heard = [event for event in here.events if isinstance(event, PacketHeard)]
            told = [message for one in heard for message in bridge.translate(one.packet, one.gateway)]
            return [json.loads(payload)["timestamp"] for topic, payload in told if "/2/json/" in topic]

        wait_until(stamps, what="a packet of the other radio")
        assert set(stamps()) == {0}
        kiosk.trust(time.time() - time.monotonic())
        # The radios' time runs 50 times as fast.
        wait_until(lambda: any(0 < stamp - time.time() + 5 < 5_000 for stamp in stamps()), what="a stamp")
        assert kiosk.counters()["clock_told"] == 1


def test_the_radio_tells_how_much_it_was_on_the_air(radios: VirtualRadios, wait_until: Wait) -> None:
    with linked(tcp(radios.port("kiosk"))) as (_, here):
        wait_until(lambda: any(isinstance(event, RadioUsed) for event in here.events), what="its telemetry")
        used = next(event for event in here.events if isinstance(event, RadioUsed))
        assert 0 <= used.share < 0.1


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


def test_ten_thousand_reconnects_leave_nothing_behind(wait_until: Wait, caplog: pytest.LogCaptureFixture) -> None:
    """Threads and descriptors stay as many, memory grows by less than 100 bytes per connection."""
    caplog.set_level(logging.ERROR, "steunpunt.links.base")  # what pytest keeps of our log is no leak of ours

    def behave(_: Fake, client: socket.socket) -> None:
        for message in asked(client, FrameReader()):
            if message.want_config_id:
                client.sendall(handshake(message.want_config_id))
                return

    class Hurried(MeshLink):
        def pause(self, seconds: float) -> None:
            super().pause(min(seconds, 0.0))

    ups = Counter[bool]()
    with fake(behave) as server:
        link = Hurried(tcp(server.port), lambda event: ups.update([isinstance(event, RadioPrepared)]))
        link.start()
        wait_until(lambda: server.clients > 1_000, 60)
        before, threads, memory = open_descriptors(), threading.active_count(), resident_kib()
        started = time.monotonic()
        wait_until(lambda: server.clients > 11_000, 100)
        grown = resident_kib() - memory
        print(f"10,000 reconnects in {time.monotonic() - started:.1f} s: {ups[True]} sessions, memory {grown:+d} KiB")
        # Connections come and go while we look; ten thousand of them leave more than three only by a leak.
        wait_until(lambda: open_descriptors() <= before + 3, 5, "as few descriptors as before")
        assert threading.active_count() == threads
        assert grown < 1_000
        assert ups[True] >= 10_000
        link.stop(5)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def resident_kib() -> int:
    return int(psutil.Process().memory_info().rss // 1024)
