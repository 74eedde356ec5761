"""The simulated air: who hears what, and what is lost.

Pure: time comes from the timeline, chance from the random generator handed in.
A transmission takes its exact time on air and is heard, or not, when it ends:
not by whoever was transmitting meanwhile (half duplex), not where two overlap
without one being ``CAPTURE_DB`` stronger, and not where the link's loss takes it.
"""

import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from steunpunt.protocol.airtime import LORA_HEADER_BYTES, PKI_BYTES, modem, time_on_air_ms
from steunpunt.sim.timeline import Timeline

CAPTURE_DB = 6.0
"""How much stronger a packet must be to survive another one on top of it, in dB."""

SNR_DB = 6.0
"""Signal above noise on a link that nothing else is said about, in dB."""

_NOISE_DBM = -105.0


@dataclass(frozen=True, slots=True)
class Frame:
    """One packet as it is on the air.

    ``data`` is the serialised Data message in the clear; ``lock`` stands for its
    encryption: what a radio must hold to read it (a channel's key, or, with ``pki``,
    the name of the one node it is for).
    """

    sender: int
    to: int
    id: int
    channel_hash: int
    lock: bytes
    data: bytes
    hop_limit: int
    hop_start: int
    want_ack: bool
    relay_node: int
    pki: bool = False
    signature_bytes: int = 0
    """What firmware 2.8 adds to a broadcast."""
    next_hop: int = 0
    """Last byte of the one radio that should relay it; 0: whoever hears it."""
    answers: int = 0
    """Id of the packet that it answers, where those who relay it can read that."""

    @property
    def hops_used(self) -> int:
        """How many radios relayed it."""
        return self.hop_start - self.hop_limit

    @property
    def lora_bytes(self) -> int:
        """Bytes on the air, the 16-byte header included."""
        return LORA_HEADER_BYTES + len(self.data) + (PKI_BYTES if self.pki else 0) + self.signature_bytes


@dataclass(frozen=True, slots=True)
class Link:
    """How one radio hears another: share of packets lost (0 to 1), SNR in dB, or not at all."""

    loss: float = 0.0
    snr_db: float = SNR_DB
    audible: bool = True


class Listener(Protocol):
    """A radio that is switched on."""

    def hear(self, frame: Frame, snr_db: float, rssi_dbm: int) -> None:
        """Take a packet that came through."""


@dataclass(eq=False, slots=True)
class _Transmission:
    sender: int
    frame: Frame
    start_ms: float
    end_ms: float
    broken_off: bool = False


class Air:
    """One frequency, one preset, and the radios on it; by default all hear all."""

    def __init__(self, timeline: Timeline, rng: random.Random, *, preset: str, loss: float = 0.0) -> None:
        """ValueError for an unknown preset; ``loss`` is the share of packets lost on every link."""
        self.modem = modem(preset)
        self.preset = preset
        self.timeline = timeline
        self.counters: Counter[str] = Counter()
        self.taken_ms: Counter[int] = Counter()
        """For how many milliseconds, rounded up, each radio has sent itself or had another in earshot sending."""
        self.look: Callable[[Frame], object] = lambda _frame: None
        """Sees each transmission as it begins."""
        self._rng = rng
        self._usual = Link(loss=loss)
        self._links: dict[tuple[int, int], Link] = {}
        self._listeners: dict[int, Listener] = {}
        self._transmissions: list[_Transmission] = []
        self._in_earshot: dict[int, list[tuple[int, Listener, Link]]] = {}
        """Who hears whom, worked out at the first need after a change."""

    def next_event_ms(self) -> float | None:
        """When something happens next, in simulated milliseconds."""
        return self.timeline.next_event_ms()

    def advance(self, now_ms: float) -> None:
        """Let everything happen that is due by ``now_ms``."""
        self.timeline.advance(now_ms)

    def join(self, num: int, listener: Listener) -> None:
        """Switch a radio on."""
        self._listeners[num] = listener
        self._in_earshot.clear()

    def leave(self, num: int) -> None:
        """Switch a radio off; what it was transmitting breaks off."""
        self._listeners.pop(num, None)
        self._in_earshot.clear()
        for transmission in self._transmissions:
            if transmission.sender == num and transmission.end_ms > self.timeline.now_ms:
                transmission.broken_off = True

    def set_usual_link(self, link: Link) -> None:
        """Say how radios hear each other where ``set_link`` said nothing; forgets those."""
        self._usual = link
        self._links.clear()
        self._in_earshot.clear()

    def set_link(self, sender: int, receiver: int, link: Link) -> None:
        """Say how ``receiver`` hears ``sender``, in this direction only."""
        self._links[sender, receiver] = link
        self._in_earshot.clear()

    def link(self, sender: int, receiver: int) -> Link:
        """Tell how ``receiver`` hears ``sender``."""
        return self._links.get((sender, receiver), self._usual)

    def time_on_air_ms(self, frame: Frame) -> float:
        """How long this packet takes."""
        return time_on_air_ms(self.preset, frame.lora_bytes)

    def busy(self, num: int) -> bool:
        """Whether this radio's channel activity detection finds a transmission going on."""
        now_ms = self.timeline.now_ms
        return any(
            t.start_ms < now_ms < t.end_ms and not t.broken_off and self.link(t.sender, num).audible
            for t in self._transmissions
            if t.sender != num
        )

    def transmit(self, num: int, frame: Frame, done: Callable[[], None]) -> float:
        """Put a packet on the air now and call ``done`` at its end; returns its milliseconds."""
        now_ms = self.timeline.now_ms
        airtime_ms = self.time_on_air_ms(frame)
        transmission = _Transmission(num, frame, now_ms, now_ms + airtime_ms)
        self._transmissions.append(transmission)
        self.counters["transmissions"] += 1
        self.look(frame)
        self.taken_ms.update(
            dict.fromkeys([num, *(other for other, _, _ in self._hearers(num))], math.ceil(airtime_ms))
        )
        self.timeline.schedule(airtime_ms, lambda: self._end(transmission, done))
        return airtime_ms

    def _end(self, transmission: _Transmission, done: Callable[[], None]) -> None:
        if not transmission.broken_off:
            rivals = [t for t in self._transmissions if t is not transmission and _overlap(t, transmission)]
            for num, listener, link in list(self._hearers(transmission.sender)):
                fate = self._fate(rivals, num, link)
                self.counters[fate] += 1
                if fate == "heard":
                    listener.hear(transmission.frame, link.snr_db, round(_NOISE_DBM + link.snr_db))
            done()
        self._forget_old()

    def _hearers(self, sender: int) -> list[tuple[int, Listener, Link]]:
        found = self._in_earshot.get(sender)
        if found is None:
            others = (
                (num, listener, self.link(sender, num)) for num, listener in self._listeners.items() if num != sender
            )
            found = self._in_earshot[sender] = [other for other in others if other[2].audible]
        return found

    def _fate(self, rivals: list[_Transmission], num: int, link: Link) -> str:
        for other in rivals:
            if other.sender == num:
                return "deaf"
            rival = self.link(other.sender, num)
            if rival.audible and rival.snr_db > link.snr_db - CAPTURE_DB:
                return "collided"
        return "lost" if self._rng.random() < link.loss else "heard"

    def _forget_old(self) -> None:
        """Keep only what may still overlap with something that has not ended."""
        now_ms = self.timeline.now_ms
        oldest_ms = min((t.start_ms for t in self._transmissions if t.end_ms > now_ms), default=now_ms)
        self._transmissions = [t for t in self._transmissions if t.end_ms >= oldest_ms]


def _overlap(one: _Transmission, other: _Transmission) -> bool:
    return one.start_ms < other.end_ms and other.start_ms < one.end_ms
