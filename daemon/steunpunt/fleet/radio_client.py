"""Reading and writing a radio's settings, for a technician: one connection at a time, and an end to every wait.

The decisions are in :mod:`steunpunt.radiosettings`; here are the bytes, the waiting and the reading back. Nothing
is believed that the radio only acknowledged: firmware ignores some values without a word, so after the reboot
the whole handshake is read again and compared.
"""

import secrets
import selectors
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from steunpunt.config import Radio
from steunpunt.links.mesh_transport import Transport, explain, open_transport, where
from steunpunt.model import SteunpuntError
from steunpunt.radiosettings import (
    Difference,
    RadioState,
    WantedSettings,
    admin_messages,
    differences,
    firmware_problem,
    untold_parts,
)
from steunpunt.wire import (
    FrameReader,
    admin_pb2,
    encode_frame,
    mesh_pb2,
    node_name,
    node_num,
    portnums_pb2,
)

WAKE = b"\xc3" * 32
"""Wakes a sleeping serial console; harmless on TCP."""
CONFIG_ONLY = 69420
"""The handshake that leaves out the other nodes."""
HANDSHAKE_TRIES = 3
AGAIN_S = 0.25
"""Between two attempts to reach a radio that reboots."""

_ADMIN = portnums_pb2.PortNum.ADMIN_APP
_ROUTING = portnums_pb2.PortNum.ROUTING_APP
Begin = Callable[[list[Difference]], None]


@dataclass(frozen=True, slots=True)
class Limits:
    """Longest waits, in seconds."""

    handshake_s: float = 15.0
    """For all HANDSHAKE_TRIES together; one takes 1 s."""
    answer_s: float = 10.0
    reboot_s: float = 30.0
    """From the commit until the radio goes; firmware 2.7 takes 7 s."""
    back_s: float = 90.0
    """From there until it has told its settings again: an ESP32 on USB takes its time."""


class RadioError(SteunpuntError, OSError):
    """The radio cannot be reached, refuses, or is not what the config says."""


class _LostError(RadioError):
    """The connection ended."""


class _SilentError(RadioError):
    """The radio said nothing in time."""


def read(radio: Radio, limits: Limits | None = None) -> RadioState:
    """Return what the radio says of itself.

    Raises RadioError when it cannot be reached, bears another number than ``radio.node``, or has a firmware that
    is refused.
    """
    limits = limits or Limits()
    with _opened(radio) as line:
        return _checked(radio, line.handshake(limits.handshake_s))


def plan(radio: Radio, wanted: WantedSettings, limits: Limits | None = None) -> list[Difference]:
    """Return what :func:`apply` would change, and write nothing; raises as :func:`apply` would before it writes."""
    state = read(radio, limits)
    admin_messages(state, wanted)
    return differences(state, wanted)


def apply(
    radio: Radio, wanted: WantedSettings, *, begin: Begin = lambda _: None, limits: Limits | None = None
) -> list[Difference]:
    """Bring the radio to what is wanted and return what that changed; nothing is written when nothing differs.

    ``begin`` is told the differences before the first is written. Raises RadioError also when the radio goes in
    the middle, does not reboot, does not come back, or afterwards still differs; RadioSettingsError when a person
    has to choose first.
    """
    limits = limits or Limits()
    with _opened(radio) as line:
        state = _checked(radio, line.handshake(limits.handshake_s))
        messages, found = admin_messages(state, wanted), differences(state, wanted)
        if not messages:
            return []
        begin(found)
        _write(line, messages, limits)
    left = differences(_read_back(radio, limits), wanted)
    if left:
        lines = "; ".join(map(str, left))
        raise RadioError(f"the radio at {line.place} took the settings and does not hold them: {lines}")
    return found


def _checked(radio: Radio, state: RadioState) -> RadioState:
    """Refuse another radio, an old one, and one that was not heard out."""
    name = node_name(state.node_num or 0)
    if radio.node is not None and node_num(radio.node) != state.node_num:
        raise RadioError(
            f"the radio at {where(radio)} is {name}, not {radio.node}; plug in that one or mend radio.node"
        )
    problem = firmware_problem(state.firmware)
    if problem:
        raise RadioError(f"radio {name} is refused: {problem}")
    return state


def _write(line: "_Line", messages: list[admin_pb2.AdminMessage], limits: Limits) -> None:
    try:
        for message in messages[:-1]:
            line.administer(message, limits.answer_s)
    except (_LostError, _SilentError) as error:
        mend = "before the settings were committed; take the radio's power away and give it back, then apply again"
        raise RadioError(f"{error} This was {mend}") from error
    if line.commit(messages[-1], limits.reboot_s):
        return
    raise RadioError(
        f"the radio at {line.place} did not reboot within {limits.reboot_s:g} s after the settings were committed, so "
        "they may not be kept; take its power away and give it back, then look with `steunpunt radio plan`"
    )


def _read_back(radio: Radio, limits: Limits) -> RadioState:
    """Reach the radio again after its reboot, until ``limits.back_s``; the last error says why it could not be."""
    until = time.monotonic() + limits.back_s
    while True:
        try:
            return read(radio, limits)
        except RadioError as error:
            if time.monotonic() >= until:
                mend = "the settings were committed; look with `steunpunt radio plan` when it is back"
                raise RadioError(f"not back {limits.back_s:g} s after its reboot: {error} ({mend})") from error
        time.sleep(AGAIN_S)


@contextmanager
def _opened(radio: Radio) -> Iterator["_Line"]:
    try:
        transport = open_transport(radio)
    except OSError as error:
        raise RadioError(explain(radio, error)) from error
    line = _Line(transport, where(radio))
    try:
        yield line
    finally:
        line.close()


class _Line:
    """One connection to a radio, for one thread that waits."""

    def __init__(self, transport: Transport, place: str) -> None:
        self.place = place
        self._transport = transport
        self._heard: deque[mesh_pb2.FromRadio] = deque()
        self._reader = FrameReader(accepts=self._parse)
        self._num = 0

    def _parse(self, payload: bytes) -> bool:
        """Say whether bytes are a message: console log can look like the head of a frame."""
        try:
            self._heard.append(mesh_pb2.FromRadio.FromString(payload))
        except DecodeError:
            return False
        return True

    # --- what is asked

    def handshake(self, limit_s: float) -> RadioState:
        """Ask the radio for all its settings; asks again when the line lost some of them."""
        for _ in range(HANDSHAKE_TRIES):
            state = RadioState()
            try:
                self._hear_out(state, time.monotonic() + limit_s / HANDSHAKE_TRIES)
            except _SilentError:
                self._reader.reset()  # half a frame may be console log
            if state.node_num is not None and not untold_parts(state):
                self._num = state.node_num
                return state
        raise _SilentError(f"the radio at {self.place} does not tell all its settings; restart the radio.")

    def _hear_out(self, state: RadioState, until: float) -> None:
        self._send(WAKE + _frame(mesh_pb2.ToRadio(want_config_id=CONFIG_ONLY)), until)
        while (message := self._hear(until)).config_complete_id != CONFIG_ONLY:
            state.take(message)

    def administer(self, message: admin_pb2.AdminMessage, limit_s: float) -> None:
        """Give the radio one admin message and wait for its word on it."""
        until = time.monotonic() + limit_s
        packet_id = self._give(message, until)
        while (error := _verdict(self._hear(until), packet_id)) is None:
            pass
        if error != mesh_pb2.Routing.NONE:
            what, why = message.WhichOneof("payload_variant"), _error_name(error)
            raise RadioError(f"the radio at {self.place} refuses {what} ({why}); is it managed by another tool?")

    def commit(self, message: admin_pb2.AdminMessage, limit_s: float) -> bool:
        """Commit, and say whether the radio then rebooted: it hangs up, or says so on a serial line."""
        until = time.monotonic() + limit_s
        try:
            self._give(message, until)
            while not self._hear(until).rebooted:
                pass
        except _LostError:
            return True
        except _SilentError:
            return False
        return True

    def close(self) -> None:
        """Say goodbye as far as the radio takes it, and hang up."""
        try:
            self._transport.write(_frame(mesh_pb2.ToRadio(disconnect=True)))
        except OSError:
            pass  # it went first
        finally:
            self._transport.close()

    def _give(self, message: admin_pb2.AdminMessage, until: float) -> int:
        """Send an admin message to the radio itself; return the packet's id."""
        packet_id = secrets.randbelow(0xFFFFFFFF) + 1
        data = mesh_pb2.Data(portnum=_ADMIN, payload=message.SerializeToString())
        packet = mesh_pb2.MeshPacket(to=self._num, id=packet_id, want_ack=True, decoded=data)
        self._send(_frame(mesh_pb2.ToRadio(packet=packet)), until)
        return packet_id

    # --- bytes

    def _send(self, data: bytes, until: float) -> None:
        while data:
            try:
                data = data[self._transport.write(data) :]
            except OSError as error:
                raise self._lost(error.strerror or "error") from error
            if data:
                self._wait(selectors.EVENT_WRITE, until)

    def _hear(self, until: float) -> mesh_pb2.FromRadio:
        """Return the next message; raises _LostError or, at ``until``, _SilentError."""
        while not self._heard:
            self._wait(selectors.EVENT_READ, until)
            try:
                data = self._transport.read()
            except OSError as error:
                raise self._lost(error.strerror or "error") from error
            if data == b"":
                raise self._lost("closed by the radio")
            self._reader.feed(data or b"")
        return self._heard.popleft()

    def _wait(self, events: int, until: float) -> None:
        left = until - time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(self._transport, events)
            if left > 0 and selector.select(left):
                return
        raise _SilentError(f"the radio at {self.place} does not answer in time; restart the radio.")

    def _lost(self, why: str) -> _LostError:
        return _LostError(f"lost the radio at {self.place} ({why.lower()}); is the cable in, or did a phone take it?")


def _frame(message: mesh_pb2.ToRadio) -> bytes:
    return encode_frame(message.SerializeToString())


def _verdict(message: mesh_pb2.FromRadio, packet_id: int) -> int | None:
    """Return the routing error that this message tells of our packet (0 is none), or None if it tells nothing."""
    if message.HasField("queueStatus") and message.queueStatus.mesh_packet_id == packet_id:
        return message.queueStatus.res or None
    data = message.packet.decoded
    if not message.HasField("packet") or data.portnum != _ROUTING or data.request_id != packet_id:
        return None
    try:
        return int(mesh_pb2.Routing.FromString(data.payload).error_reason)
    except DecodeError:
        return None


def _error_name(error: int) -> str:
    found = mesh_pb2.Routing.Error.DESCRIPTOR.values_by_number.get(error)
    return f"error {error}" if found is None else str(found.name)
