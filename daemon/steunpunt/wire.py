"""The Meshtastic client protocol's bytes: protobuf modules and stream framing.

The only importer of the ``meshtastic`` package. Its ``__init__`` pulls in
``requests`` and the interface classes (about 100 ms and 10 MiB on a Pi); we need
only the generated protobuf modules, so those are loaded under a bare package
object and every trace of that is taken out of ``sys.modules`` again. A later,
real ``import meshtastic`` in the same process works and yields the same message
classes, because protobuf keeps one descriptor pool.

Frame, in both directions: ``94 C3 len_hi len_lo`` and then a ToRadio or FromRadio
message of at most 512 bytes. Any other byte on the stream is console log.
"""

import contextlib
import importlib.machinery
import sys
import types
from collections.abc import Callable, Iterator
from importlib.util import find_spec

from steunpunt.model import SteunpuntError


@contextlib.contextmanager
def _without_package_init() -> Iterator[None]:
    """Let ``meshtastic.protobuf`` be imported without running ``meshtastic/__init__``."""
    if "meshtastic" in sys.modules:
        yield
        return
    spec = find_spec("meshtastic")
    if spec is None or spec.submodule_search_locations is None:
        yield  # the import itself then says which module is missing
        return
    bare = types.ModuleType("meshtastic")
    bare.__path__ = list(spec.submodule_search_locations)
    bare.__spec__ = importlib.machinery.ModuleSpec("meshtastic", None, is_package=True)
    sys.modules["meshtastic"] = bare
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "meshtastic"]:
            del sys.modules[name]


with _without_package_init():
    from meshtastic.protobuf import (
        admin_pb2,
        channel_pb2,
        config_pb2,
        mesh_pb2,
        module_config_pb2,
        mqtt_pb2,
        paxcount_pb2,
        portnums_pb2,
        remote_hardware_pb2,
        telemetry_pb2,
    )

__all__ = [
    "BROADCAST",
    "FRAME_BYTES_MAX",
    "HOP_LIMIT_MAX",
    "START",
    "FrameReader",
    "FrameTooLongError",
    "admin_pb2",
    "channel_pb2",
    "config_pb2",
    "encode_frame",
    "mesh_pb2",
    "module_config_pb2",
    "mqtt_pb2",
    "node_name",
    "node_num",
    "paxcount_pb2",
    "portnums_pb2",
    "remote_hardware_pb2",
    "sender",
    "set_sender",
    "telemetry_pb2",
]

START = b"\x94\xc3"
"""The two bytes that open a frame."""

FRAME_BYTES_MAX = 512
"""Longest message in one frame, in bytes (the firmware's MAX_TO_FROM_RADIO_SIZE)."""

BROADCAST = 0xFFFFFFFF
"""The node number that means every node."""
HOP_LIMIT_MAX = 7
"""Three bits of a packet's header."""

_HEADER_BYTES = 4


class FrameTooLongError(SteunpuntError, ValueError):
    """A message does not fit in one frame of the client protocol."""


def encode_frame(message_bytes: bytes) -> bytes:
    """Put the frame header before one serialised message.

    Raises FrameTooLongError above 512 bytes: the firmware would drop it silently.
    """
    size = len(message_bytes)
    if size > FRAME_BYTES_MAX:
        raise FrameTooLongError(
            f"a message of {size} bytes does not fit in a Meshtastic frame of at most "
            f"{FRAME_BYTES_MAX}; send less payload"
        )
    return START + size.to_bytes(2, "big") + message_bytes


def node_name(num: int) -> str:
    """Write a node number as Meshtastic does: ``!abcd1234``."""
    return f"!{num:08x}"


def node_num(name: str) -> int:
    """Read ``!abcd1234`` back to a node number; ValueError for anything else."""
    if len(name) != 9 or name[0] != "!":  # noqa: PLR2004 - "!" and eight hex digits
        raise ValueError(f"{name!r} is not a node name; write it like !abcd1234")
    return int.from_bytes(bytes.fromhex(name[1:]), "big")


def sender(packet: mesh_pb2.MeshPacket) -> int:
    """Give a packet's ``from``, which is a keyword in Python."""
    return int(getattr(packet, "from"))


def set_sender(packet: mesh_pb2.MeshPacket, num: int) -> None:
    """Set a packet's ``from``, which is a keyword in Python."""
    setattr(packet, "from", num)


class FrameReader:
    """Cuts a byte stream into frame payloads; does no I/O.

    Between two calls it holds at most one incomplete frame (515 bytes). Bytes
    outside frames are the radio's console log: counted in ``dropped_bytes`` and
    forgotten. A start whose length is above 512, or whose payload ``accepts``
    refuses, was not a start: reading goes on one byte further, so a true frame
    that begins inside a false one is still found.
    """

    def __init__(self, accepts: Callable[[bytes], bool] | None = None) -> None:
        """``accepts`` says whether a payload can be a message at all (default: yes)."""
        self._accepts = accepts
        self._buffer = bytearray()
        self.dropped_bytes = 0
        self.frames = 0

    @property
    def pending_bytes(self) -> int:
        """How many bytes wait for the rest of their frame."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes as they come; return the payloads that are complete now."""
        self._buffer += data
        payloads: list[bytes] = []
        while (payload := self._next_payload()) is not None:
            payloads.append(payload)
        self.frames += len(payloads)
        return payloads

    def reset(self) -> None:
        """Forget an incomplete frame: for a stream that fell silent in the middle."""
        self._drop(len(self._buffer))

    def _next_payload(self) -> bytes | None:
        buffer = self._buffer
        while self._seek_start() and len(buffer) >= _HEADER_BYTES:
            end = _HEADER_BYTES + int.from_bytes(buffer[2:4], "big")
            if end > _HEADER_BYTES + FRAME_BYTES_MAX:
                self._drop(1)
                continue
            if len(buffer) < end:
                return None
            payload = bytes(buffer[_HEADER_BYTES:end])
            if self._accepts is None or self._accepts(payload):
                del buffer[:end]
                return payload
            self._drop(1)
        return None

    def _seek_start(self) -> bool:
        """Drop everything before the next start; False when there is none yet."""
        start = self._buffer.find(START)
        if start < 0:
            half = self._buffer.endswith(START[:1])
            self._drop(len(self._buffer) - half)
            return False
        self._drop(start)
        return True

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self.dropped_bytes += count
