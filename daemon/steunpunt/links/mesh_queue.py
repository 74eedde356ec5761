"""What waits for the radio, by lane, and when the radio may have the next packet. Pure.

The firmware keeps 16 packets and says after each one, with a QueueStatus, how many places are free.
A full queue drops silently, and the radio remembers only its last two statuses: so one packet is
outstanding at a time, and the next one goes when its status came and enough places are free.
"""

from collections import deque

from msgspec import Struct

from steunpunt.model import Lane, LinkName, SendEnded, SendFrame, SendOutcome

WAITING_MAX = 64
"""Packets that wait here for the radio; beyond that the lowest lane gives way."""
STATUS_S = 5.0
"""Longest wait for the QueueStatus of a packet, in seconds; without one it counts as unknown."""
GAP_S = 0.3
"""Pause after a status before the next packet: less and the radio's queue overflowed."""
FREE_MIN = 9
"""Free places (of 16) that the radio must have before it gets another packet of ours."""
ASK_S = 1.0
"""While packets wait and the last word was "too full", the radio is asked this often."""
QUEUE_FULL_RES = 32


class Outstanding(Struct, frozen=True):
    """The packet that the radio has to answer for."""

    effect: SendFrame
    packet_id: int
    deadline: float


class TransmitQueue:
    """Lanes and flow control of one connection to a radio."""

    def __init__(self) -> None:
        self._lanes: dict[Lane, deque[SendFrame]] = {lane: deque() for lane in Lane}
        self._outstanding: Outstanding | None = None
        self._not_before = 0.0
        self._room = True
        """Whether the radio, by its last word, has room for another packet."""

    def __len__(self) -> int:
        return sum(len(lane) for lane in self._lanes.values())

    def offer(self, effect: SendFrame) -> list[SendEnded]:
        """Queue a frame; return what had to give way for it, which may be the frame itself."""
        self._lanes[effect.lane].append(effect)
        if len(self) <= WAITING_MAX:
            return []
        lowest = max(lane for lane in Lane if self._lanes[lane])
        return [_ended(self._lanes[lowest].pop(), SendOutcome.REFUSED, "the radio's queue here is full")]

    def next_frame(self, now: float) -> SendFrame | None:
        """Return the frame that may go now, if any; the caller must say :meth:`sent`."""
        if self._outstanding is not None or not self._room or now < self._not_before:
            return None
        return next((lane.popleft() for _, lane in sorted(self._lanes.items()) if lane), None)

    def sent(self, effect: SendFrame, packet_id: int, now: float) -> None:
        """Note that a frame was written to the radio."""
        self._outstanding = Outstanding(effect, packet_id, now + STATUS_S)

    def status(self, packet_id: int, res: int, free: int, now: float) -> SendEnded | None:
        """Take a QueueStatus; return what it says of the outstanding packet."""
        self._room = free >= FREE_MIN
        waiting = self._outstanding
        if waiting is None or packet_id != waiting.packet_id:
            return None
        self._outstanding = None
        self._not_before = now + GAP_S
        if res == 0:
            return _ended(waiting.effect, SendOutcome.TAKEN, "", packet_id)
        return _ended(waiting.effect, SendOutcome.REFUSED, f"res {res} ({res_name(res)})", packet_id)

    @property
    def must_ask(self) -> bool:
        """Frames wait for room in the radio, which never tells of room by itself."""
        return bool(len(self)) and not self._room and self._outstanding is None

    def timer(self) -> float:
        """Return when :meth:`expire` or :meth:`next_frame` has something to do; infinity for never."""
        if self._outstanding is not None:
            return self._outstanding.deadline
        return self._not_before if len(self) and self._room else float("inf")

    def expire(self, now: float) -> SendEnded | None:
        """Return the outstanding packet as unknown when its status did not come in time."""
        waiting = self._outstanding
        if waiting is None or now < waiting.deadline:
            return None
        self._outstanding = None
        self._room = False
        detail = f"no QueueStatus within {STATUS_S:g} s"
        return _ended(waiting.effect, SendOutcome.UNKNOWN, detail, waiting.packet_id)

    def close(self) -> list[SendEnded]:
        """End everything: the outstanding packet as unknown, what waited as refused."""
        ended = []
        if self._outstanding is not None:
            waiting, self._outstanding = self._outstanding, None
            detail = "the connection broke before the QueueStatus"
            ended.append(_ended(waiting.effect, SendOutcome.UNKNOWN, detail, waiting.packet_id))
        for _, lane in sorted(self._lanes.items()):
            ended += [_ended(effect, SendOutcome.REFUSED, "link down") for effect in lane]
            lane.clear()
        return ended


_RES_NAMES = {
    6: "NO_CHANNEL",
    7: "TOO_LARGE",
    9: "DUTY_CYCLE_LIMIT",
    QUEUE_FULL_RES: "radio's queue full",
    34: "transmitter off: the radio has no region, or lora.tx_enabled is off",
    39: "PKI_SEND_FAIL_PUBLIC_KEY",
}


def res_name(res: int) -> str:
    """Return what a QueueStatus's res means, as far as the firmware was seen to use it."""
    return _RES_NAMES.get(res, "see the firmware's ErrorCode")


def _ended(effect: SendFrame, outcome: SendOutcome, detail: str, packet_id: int | None = None) -> SendEnded:
    return SendEnded(LinkName.MESH, effect.attempt_id, outcome, detail, packet_id, effect.radio)
