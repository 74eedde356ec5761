"""Mesh links on virtual radios: the link itself, an inbox that the test reads, and a serial cable to pull."""

import os
import pty
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from steunpunt.config import Radio
from steunpunt.links.mesh import MeshLink
from steunpunt.model import Event, FrameHeard, LinkChanged, LinkName, SendEnded, SendFrame, SendOutcome
from steunpunt.sim import RadioSpec, VirtualRadios
from steunpunt.values import replace

KEY = bytes(range(16))
CHANNELS = (("", b"\x01"), ("serial", KEY))
BACK_S = 3.0
"""How soon the link must serve again once the radio does: two seconds, and one for a busy machine."""


class Post:
    """An inbox that the test reads; each event has the moment at which it came."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.stamps: list[float] = []

    def __call__(self, event: Event) -> None:
        self.stamps.append(time.monotonic())
        self.events.append(event)

    def changes(self) -> list[LinkChanged]:
        return [event for event in self.events if isinstance(event, LinkChanged)]

    @property
    def up(self) -> bool:
        return bool(self.changes()) and self.changes()[-1].up

    @property
    def up_at(self) -> float:
        """When the link last came up, on the monotonic clock."""
        ups = [s for s, e in zip(self.stamps, self.events, strict=False) if isinstance(e, LinkChanged) and e.up]
        return ups[-1]

    @property
    def reason(self) -> str:
        return self.changes()[-1].reason if self.changes() else ""

    def frames(self) -> list[bytes]:
        return [event.payload for event in self.events if isinstance(event, FrameHeard)]

    def ends(self) -> dict[int, SendEnded]:
        ended = [event for event in self.events if isinstance(event, SendEnded)]
        found = {event.attempt_id: event for event in ended}
        assert len(found) == len(ended), "a send ended twice"
        return found

    def outcomes(self) -> dict[int, SendOutcome]:
        return {attempt: event.outcome for attempt, event in self.ends().items()}


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


def two_radios(speed: float = 50, *, quiet: bool = False) -> VirtualRadios:
    """Make a kiosk's and a desk's radio with our channel, and a bare one without.

    ``quiet``: none broadcasts by itself, which could collide on the air with the one packet that a test waits for.
    """
    specs = [
        RadioSpec("kiosk", node_num=0xA1, channels=CHANNELS),
        RadioSpec("desk", node_num=0xD1, channels=CHANNELS),
        RadioSpec("bare", node_num=0xB1),
    ]
    if quiet:
        specs = [replace(spec, nodeinfo_interval_s=0, telemetry_interval_s=0) for spec in specs]
    return VirtualRadios(specs, speed=speed, seed=1)


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
