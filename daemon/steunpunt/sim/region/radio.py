"""A site's radio and the link to it: the node's transmit queue over the simulated mesh, without the client protocol.

What the firmware decides is kept: the duty cycle, the queue of 16, which packets a client gets, and how many are kept
for one that is away. What the protocol on the cable does is tested elsewhere (:mod:`steunpunt.sim.radio`).
"""

import random
from collections.abc import Callable

from steunpunt.links.mesh_queue import QUEUE_FULL_RES, TransmitQueue
from steunpunt.links.mesh_terms import hop_limit
from steunpunt.model import Event, FrameHeard, LinkName, SendEnded, SendFrame, SendOutcome, TextHeard
from steunpunt.protocol.airtime import LORA_HEADER_BYTES
from steunpunt.sim.air import Air, Frame
from steunpunt.sim.mesh import DUTY_CYCLE_MAX_PERCENT, PRIORITY_ACK, PRIORITY_DEFAULT, PRIORITY_RELIABLE, Mesh
from steunpunt.sim.region.weather import Weather
from steunpunt.sim.timeline import Timer
from steunpunt.wire import BROADCAST

KEPT_MAX = 32
"""Packets that the radio keeps for a node that is away."""
HOP_LIMIT = 3
SIGNATURE_BYTES = 66
"""What firmware 2.8 adds to a broadcast that has room for it."""
_DUTY_RES = 9
_PRIVATE_PORT = b"\x08\x80\x02\x12"
"""A Data message as it begins: portnum 256, then the payload's tag."""
_TEXT_PORT = b"\x08\x01\x12"
"""The same of a readable text: portnum TEXT_MESSAGE_APP."""
_REQUEST_ID = b"\x35"
_BITFIELD = b"\x48\x00"
_ROUTING_NONE = b"\x08\x05\x12\x02\x18\x00"
"""A Data message that acknowledges: portnum ROUTING_APP, and the payload that names no error."""
_LORA_BYTES_MAX = 255
_ONE_BYTE = 0x7F
_STATUS_MS = (5.0, 60.0)
_ASK_MS = 1_000.0


def data_message(payload: bytes, answers: int = 0) -> bytes:
    """Return the Data message around a PRIVATE_APP payload, as the firmware serialises it."""
    request_id = _REQUEST_ID + answers.to_bytes(4, "little") if answers else b""
    return _PRIVATE_PORT + _sized(payload) + request_id + _BITFIELD


def text_message(text: str) -> bytes:
    """Return the Data message of a readable text."""
    return _TEXT_PORT + _sized(text.encode()) + _BITFIELD


def _sized(payload: bytes) -> bytes:
    size = len(payload)
    length = bytes([size]) if size <= _ONE_BYTE else bytes([size & 0x7F | 0x80, size >> 7])
    return length + payload


def is_text(data: bytes) -> bool:
    """Return whether a Data message is a readable text."""
    return data.startswith(_TEXT_PORT)


def payload_of(data: bytes) -> bytes:
    """Undo :func:`data_message`, or :func:`text_message` but for its encoding."""
    start = len(_TEXT_PORT if is_text(data) else _PRIVATE_PORT) + 1
    size = data[start - 1]
    if size > _ONE_BYTE:
        size = size & 0x7F | data[start] << 7
        start += 1
    return data[start : start + size]


class SiteRadio:
    """One radio on the mesh; ``to_client`` takes what its client gets."""

    def __init__(self, num: int, air: Air, rng: random.Random, *, signs: bool = False) -> None:
        """``signs``: broadcasts carry firmware 2.8's signature where they have room for it."""
        self.num = num
        self.on = False
        self.to_client: Callable[[Frame, float], None] = lambda _frame, _snr: None
        self.on_transmit: Callable[[], None] = lambda: None
        self.mesh = Mesh(num, air, rng, self)
        self.timeline = air.timeline
        self._rng = rng
        self._signs = signs

    def switch(self, *, on: bool) -> None:
        """Give it power or take it away."""
        if on and not self.on:
            self.mesh.start()
        if self.on and not on:
            self.mesh.stop()
        self.on = on

    def send(
        self,
        payload: bytes,
        to: int = BROADCAST,
        *,
        want_ack: bool = False,
        answers: int = 0,
        hop_limit: int = HOP_LIMIT,
    ) -> tuple[int, int]:
        """Queue a packet of our own; returns the firmware's (res, free places)."""
        data = data_message(payload, answers)
        frame = self.frame(data, to, want_ack=want_ack, answers=answers, hop_limit=hop_limit)
        return self._queue(frame, reliable=want_ack)

    def _queue(self, frame: Frame, *, reliable: bool) -> tuple[int, int]:
        if self.mesh.sent_percent() > DUTY_CYCLE_MAX_PERCENT:
            return _DUTY_RES, self.mesh.free
        priority = PRIORITY_RELIABLE if reliable else PRIORITY_DEFAULT
        accepted = self.mesh.send(frame, priority, reliable=reliable)
        return (0, self.mesh.free) if accepted else (QUEUE_FULL_RES, 0)

    def say(self, text: str) -> tuple[int, int]:
        """Queue a readable text to all, as a person with a handheld or our fall-back does; returns (res, free)."""
        return self._queue(self.frame(text_message(text), BROADCAST, want_ack=True), reliable=True)

    def frame(
        self, data: bytes, to: int, *, want_ack: bool = False, answers: int = 0, hop_limit: int = HOP_LIMIT
    ) -> Frame:
        """Return the packet as it goes on the air, under a fresh id."""
        signature = 0
        if self._signs and to == BROADCAST and LORA_HEADER_BYTES + len(data) + SIGNATURE_BYTES <= _LORA_BYTES_MAX:
            signature = SIGNATURE_BYTES
        return Frame(
            sender=self.num,
            to=to,
            id=self._rng.randrange(1, 1 << 32),
            channel_hash=0,
            lock=b"",
            data=data,
            hop_limit=hop_limit,
            hop_start=hop_limit,
            want_ack=want_ack and to != BROADCAST,
            relay_node=self.num & 0xFF,
            signature_bytes=signature,
            answers=answers,
        )

    # --- what the mesh tells: Host

    def heard(self, frame: Frame, snr_db: float, _rssi_dbm: int) -> None:
        """Hand over what a client gets: broadcasts and packets for itself."""
        if frame.to in (BROADCAST, self.num) and frame.data.startswith((_PRIVATE_PORT, _TEXT_PORT)):
            self.to_client(frame, snr_db)

    def onward(self, frame: Frame, _snr_db: float) -> Frame:
        """Relay it as it is."""
        return frame

    def heard_again(self, frame: Frame) -> None:
        """Nothing to repeat: our port sends no acks of its own."""

    def arrived_by_route(self, frame: Frame) -> None:
        """Tell the last hop, and no further, that it arrived."""
        data = _ROUTING_NONE + _REQUEST_ID + frame.id.to_bytes(4, "little") + _BITFIELD
        self.mesh.send(self.frame(data, frame.sender, answers=frame.id, hop_limit=0), PRIORITY_ACK)

    def relayed_by_others(self, frame: Frame) -> None:
        """The implicit ack is nobody's receipt."""

    def gave_up(self, frame: Frame) -> None:
        """The node's own retries know better."""

    def sending(self, _frame: Frame) -> None:
        """Say that a packet goes on the air now."""
        self.on_transmit()


class MeshRoad:
    """The node's link to its radio: one packet outstanding, the rest waits by lane."""

    def __init__(self, radio: SiteRadio, weather: Weather, rng: random.Random, emit: Callable[[Event], None]) -> None:
        """``emit`` takes SendEnded and FrameHeard events for the node."""
        self.radio = radio
        self.plugged = True
        self._weather = weather
        self._rng = rng
        self._emit = emit
        self._timeline = radio.timeline
        self._queue = TransmitQueue()
        self._timer: Timer | None = None
        self._away: list[tuple[Frame, float]] = []
        self._present = False
        radio.to_client = self._to_client

    @property
    def up(self) -> bool:
        """Whether the node reaches its radio."""
        return self.plugged and self.radio.on

    # --- the node comes and goes

    def arrive(self) -> None:
        """The node is there: it gets what the radio kept."""
        self._present = True
        kept, self._away = self._away, []
        for frame, snr_db in kept:
            self._hand_over(frame, snr_db)

    def leave(self) -> None:
        """The node is gone, or the cable is out: what waited here is forgotten with it."""
        self._present = False
        self._queue = TransmitQueue()
        if self._timer is not None:
            self._timer.cancel()

    def close(self) -> None:
        """The cable is out while the node runs: everything under way ends."""
        ended, present = self._queue.close(), self._present
        self.leave()
        self._present = present
        for event in ended:
            self._emit(event)

    def _to_client(self, frame: Frame, snr_db: float) -> None:
        if self._present and self.plugged:
            self._hand_over(frame, snr_db)
        elif len(self._away) < KEPT_MAX:
            self._away.append((frame, snr_db))

    def _hand_over(self, frame: Frame, snr_db: float) -> None:
        """Give the node a packet: late, twice or not at all where the weather says so."""
        weather, rng = self._weather, self._rng
        if rng.random() < weather.lost_on_cable:
            return
        payload = payload_of(frame.data)
        if is_text(frame.data):
            self._emit(TextHeard(payload.decode("utf-8", "replace"), frame.sender))
            return
        heard = FrameHeard(
            LinkName.MESH, payload, sender=frame.sender, packet_id=frame.id, snr_db=snr_db, hops=frame.hops_used
        )
        self._emit(heard)
        if rng.random() < weather.doubled:
            self._timeline.schedule(rng.uniform(0, weather.delay_ms_max), lambda: self._emit(heard))

    # --- sending

    def send(self, effect: SendFrame) -> None:
        """Take a packet for the radio; it ends in one SendEnded, unless the node is gone by then."""
        if not self.up:
            self._emit(SendEnded(LinkName.MESH, effect.attempt_id, SendOutcome.REFUSED, "no radio"))
            return
        for ended in self._queue.offer(effect):
            self._emit(ended)
        self._pump()

    def _pump(self) -> None:
        now_s = self._timeline.now_ms / 1000
        ended = self._queue.expire(now_s)
        if ended is not None:
            self._emit(ended)
        effect = self._queue.next_frame(now_s)
        if effect is not None:
            self._give_to_radio(effect, now_s)
        self._wait(now_s)

    def _give_to_radio(self, effect: SendFrame, now_s: float) -> None:
        handle = self._rng.randrange(1, 1 << 32)
        self._queue.sent(effect, handle, now_s)
        if self._rng.random() < self._weather.refused:  # the cable ate the packet, or only the word on it
            if self._rng.random() < 0.5:  # noqa: PLR2004  one or the other
                self._transmit(effect)
            return
        res, free = self._transmit(effect)
        queue = self._queue
        self._timeline.schedule(self._rng.uniform(*_STATUS_MS), lambda: self._status(queue, handle, res, free))

    def _transmit(self, effect: SendFrame) -> tuple[int, int]:
        if effect.text:
            return self.radio.say(effect.text)
        to = BROADCAST if effect.destination is None else effect.destination
        hops, answers = hop_limit(effect, HOP_LIMIT), effect.answers or 0
        return self.radio.send(effect.payload, to, want_ack=effect.want_ack, answers=answers, hop_limit=hops)

    def _status(self, queue: TransmitQueue, handle: int, res: int, free: int) -> None:
        if queue is not self._queue:
            return
        ended = queue.status(handle, res, free, self._timeline.now_ms / 1000)
        if ended is not None:
            self._emit(ended)
        self._pump()

    def _wait(self, now_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._queue.must_ask:
            self._timer = self._timeline.schedule(_ASK_MS, self._ask)
            return
        at_s = self._queue.timer()
        if at_s != float("inf"):
            self._timer = self._timeline.schedule(max(at_s - now_s, 0.001) * 1000, self._pump)

    def _ask(self) -> None:
        self._queue.status(0, 0, self.radio.mesh.free, self._timeline.now_ms / 1000)
        self._pump()
