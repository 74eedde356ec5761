"""One radio's side of the mesh: transmit queue, managed flooding, retries.

As firmware 2.7.26 does it: a queue of 16 in order of priority; a random wait before
each transmission, longer where the packet was heard well, so that far radios relay
first; a relay is cancelled when someone else is heard relaying; a packet that wants
an ack goes out three times at most, until any rebroadcast of it or an answer is heard;
a unicast whose next hop is known (:mod:`steunpunt.sim.nexthop`) is relayed by that one
alone, each hop repeats it once, then for everybody. Router roles are absent: every radio is a CLIENT.
"""

import random
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from steunpunt.sim.air import Air, Frame
from steunpunt.sim.nexthop import ANYBODY, Heard, Routes
from steunpunt.sim.timeline import Timer
from steunpunt.values import replace
from steunpunt.wire import BROADCAST

TX_QUEUE_MAX = 16
"""Packets waiting for the transmitter."""

SEEN_MAX = 200
"""Packets remembered as (sender, id); there is no time window."""

TRANSMISSIONS_MAX = 3
"""How often a packet that wants an ack goes out at most."""

HOP_TRANSMISSIONS_MAX = 2
"""How often one hop sends a packet for a known next hop at most, when it wants no ack or is another's."""

DUTY_CYCLE_MAX_PERCENT = 10.0
"""EU_868: share of an hour that a radio may transmit. Beyond it, packets to relay are dropped without a word."""

PRIORITY_DEFAULT = 64
PRIORITY_RELIABLE = 70
PRIORITY_ACK = 120

_CW_MIN, _CW_MAX = 3, 8
_SNR_MIN_DB, _SNR_MAX_DB = -20.0, 10.0
_CAD_SYMBOLS = 2.5
_TURNAROUND_MS = 7.6
_PROCESSING_MS = 4500.0
_HOUR_MS = 3_600_000.0
_MINUTE_MS = 60_000.0

PacketKey = tuple[int, int]


class Host(Protocol):
    """What the mesh tells the radio it belongs to."""

    def heard(self, frame: Frame, snr_db: float, rssi_dbm: int) -> None:
        """A packet came in for the first time."""

    def onward(self, frame: Frame, snr_db: float) -> Frame:
        """What to make of a packet before it is relayed."""

    def heard_again(self, frame: Frame) -> None:
        """The sender itself repeats a packet for this radio: the ack was lost."""

    def arrived_by_route(self, frame: Frame) -> None:
        """A packet for this radio came straight to it: the last hop must hear so, though no ack is wanted."""

    def relayed_by_others(self, frame: Frame) -> None:
        """Somebody rebroadcast our packet: the implicit ack."""

    def gave_up(self, frame: Frame) -> None:
        """Three transmissions and no sign of anyone (MAX_RETRANSMIT)."""

    def sending(self, frame: Frame) -> None:
        """A packet left the queue and goes on the air now."""


@dataclass(slots=True)
class _Queued:
    frame: Frame
    priority: int
    heard_snr_db: float | None
    """How well the packet to relay was heard; None for a packet of our own."""


@dataclass(slots=True)
class _Pending:
    frame: Frame
    priority: int
    sends_left: int
    timer: Timer


class Mesh:
    """Sends, relays and repeats packets for one radio; silent until ``start``."""

    def __init__(
        self, num: int, air: Air, rng: random.Random, host: Host, transmits: Callable[[], bool] = lambda: True
    ) -> None:
        """``transmits``: whether the settings let the transmitter be used."""
        self.num = num
        self._transmits = transmits
        self.counters: Counter[str] = Counter()
        self._air = air
        self._rng = rng
        self._host = host
        self._queue: list[_Queued] = []
        self._timer: Timer | None = None
        self._sending = False
        self._routes = Routes(num)
        self._seen: OrderedDict[PacketKey, Heard] = OrderedDict()
        self._pending: dict[PacketKey, _Pending] = {}
        self._sent_hour = _Log(_HOUR_MS)
        self._sent_minute = _Log(_MINUTE_MS)
        self._heard_minute = _Log(_MINUTE_MS)

    # --- the radio's own doings

    def start(self) -> None:
        """Switch on."""
        self._air.join(self.num, self)

    def stop(self) -> None:
        """Switch off; everything in memory is gone, the airtime of the last hour is not."""
        self._air.leave(self.num)
        for pending in self._pending.values():
            pending.timer.cancel()
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._sending = None, False
        self._queue.clear()
        self._pending.clear()
        self._seen.clear()

    @property
    def free(self) -> int:
        """Places left in the transmit queue."""
        return TX_QUEUE_MAX - len(self._queue)

    def send(self, frame: Frame, priority: int, *, reliable: bool = False) -> bool:
        """Queue a packet of our own; False if the queue refused it.

        A ``reliable`` packet that was refused is still sent by its retries, as in the firmware.
        """
        if frame.to != BROADCAST:
            frame = replace(frame, next_hop=self._routes.towards(frame.to))
        self._remember(frame)
        if reliable:
            self._await(frame, priority, TRANSMISSIONS_MAX)
        elif frame.next_hop != ANYBODY and frame.hop_limit:
            self._await(frame, priority, HOP_TRANSMISSIONS_MAX)
        self._put_off_retries(self._air.time_on_air_ms(frame), but=frame)
        return self._enqueue(_Queued(frame, priority, None))

    def answered(self, packet_id: int) -> None:
        """An ack or NAK for our packet came in: no more retries."""
        self._forget_pending((self.num, packet_id))

    def sent_percent(self) -> float:
        """Share of the last hour that this radio transmitted, in percent (air_util_tx)."""
        return 100 * self._sent_hour.sum_ms(self._air.timeline.now_ms) / _HOUR_MS

    def channel_percent(self) -> float:
        """Share of the last minute with traffic, own and heard, in percent."""
        now_ms = self._air.timeline.now_ms
        return min(100.0, 100 * (self._sent_minute.sum_ms(now_ms) + self._heard_minute.sum_ms(now_ms)) / _MINUTE_MS)

    # --- the air

    def hear(self, frame: Frame, snr_db: float, rssi_dbm: int) -> None:
        """Take a packet from the air."""
        airtime_ms = self._air.time_on_air_ms(frame)
        self._heard_minute.add(self._air.timeline.now_ms, airtime_ms)
        self.counters["frames_heard"] += 1
        if frame.sender == self.num:
            self._hear_own(frame)
        self._put_off_retries(airtime_ms)
        before = self._seen.get((frame.sender, frame.id))
        if before is not None:
            self._seen.move_to_end((frame.sender, frame.id))
            self._hear_duplicate(frame, before, snr_db)
            return
        self._remember(frame)
        if frame.answers:
            self._hear_answer(frame)
        self._relay(frame, snr_db)
        if frame.to == self.num and frame.next_hop == self._routes.own and frame.hop_limit and not frame.want_ack:
            self._host.arrived_by_route(frame)
        self._host.heard(frame, snr_db, rssi_dbm)

    def _hear_answer(self, frame: Frame) -> None:
        asked = (frame.to, frame.answers)
        self._routes.learn(frame, self._seen.get(asked))
        if frame.to != self.num:
            self._forget_pending(asked)
            self._cancel_relay(*asked)

    def _hear_own(self, frame: Frame) -> None:
        if (frame.sender, frame.id) in self._pending:
            self._forget_pending((frame.sender, frame.id))
            self._host.relayed_by_others(frame)

    def _hear_duplicate(self, frame: Frame, before: Heard, snr_db: float) -> None:
        self.counters["duplicates"] += 1
        before.relayed(self._routes.own, frame)
        if frame.sender == self.num:
            return
        self._forget_pending((frame.sender, frame.id))
        if frame.hop_limit != frame.hop_start:
            if before.next_hop != self._routes.own:
                self._cancel_relay(frame.sender, frame.id)
        elif frame.to == self.num:
            self._host.heard_again(frame)
        elif not any(queued.frame.id == frame.id for queued in self._queue):
            self._relay(frame, snr_db)

    def _relay(self, frame: Frame, snr_db: float) -> None:
        if frame.to == self.num or frame.hop_limit == 0 or frame.next_hop not in (ANYBODY, self._routes.own):
            return
        if self.sent_percent() > DUTY_CYCLE_MAX_PERCENT:
            self.counters["relays_over_duty"] += 1
            return
        next_hop = ANYBODY if frame.next_hop == ANYBODY else self._routes.towards(frame.to)
        onward = replace(
            self._host.onward(frame, snr_db),
            hop_limit=frame.hop_limit - 1,
            relay_node=self._routes.own,
            next_hop=next_hop,
        )
        self._seen[frame.sender, frame.id].sent(self._routes.own, onward.hop_limit)
        priority = PRIORITY_RELIABLE if frame.want_ack else PRIORITY_DEFAULT
        if next_hop != ANYBODY and onward.hop_limit:
            self._await(onward, priority, HOP_TRANSMISSIONS_MAX)
        self._enqueue(_Queued(onward, priority, snr_db))

    def _cancel_relay(self, sender: int, packet_id: int) -> None:
        before = len(self._queue)
        self._queue = [q for q in self._queue if (q.frame.sender, q.frame.id) != (sender, packet_id)]
        if len(self._queue) < before:
            self.counters["relays_cancelled"] += 1
            if (sender, packet_id) in self._seen:
                self._seen[sender, packet_id].not_sent(self._routes.own)

    # --- the transmit queue

    def _enqueue(self, item: _Queued) -> bool:
        if not self._transmits():
            self.counters["transmitter_off"] += 1
            return False
        if not self.free and self._queue[-1].priority >= item.priority:
            self.counters["queue_refused"] += 1
            return False
        if not self.free:
            self._queue.pop()
            self.counters["queue_evicted"] += 1
        place = next((i for i, q in enumerate(self._queue) if q.priority < item.priority), len(self._queue))
        self._queue.insert(place, item)
        if place == 0:
            self._wait_before_sending()
        return True

    def _wait_before_sending(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._queue and not self._sending:
            delay_ms = self._delay_ms(self._queue[0].heard_snr_db)
            self._timer = self._air.timeline.schedule(delay_ms, self._transmit_first)

    def _transmit_first(self) -> None:
        if not self._queue:
            return
        if self._air.busy(self.num):
            self._wait_before_sending()
            return
        item = self._queue.pop(0)
        self._sending = True
        self._host.sending(item.frame)
        airtime_ms = self._air.transmit(self.num, item.frame, self._transmitted)
        self._sent_hour.add(self._air.timeline.now_ms, airtime_ms)
        self._sent_minute.add(self._air.timeline.now_ms, airtime_ms)
        self.counters["frames_sent"] += 1
        self.counters["frames_relayed"] += item.frame.sender != self.num
        self.counters["airtime_ms"] += round(airtime_ms)

    def _transmitted(self) -> None:
        self._sending = False
        self._wait_before_sending()

    # --- retries

    def _await(self, frame: Frame, priority: int, transmissions_max: int) -> None:
        """Send it again until a sign is heard that somebody has it."""
        self._forget_pending((frame.sender, frame.id))
        timer = self._air.timeline.schedule(self._retry_ms(frame), lambda: self._retry(frame))
        self._pending[frame.sender, frame.id] = _Pending(frame, priority, transmissions_max - 1, timer)

    def _retry(self, frame: Frame) -> None:
        pending = self._pending[frame.sender, frame.id]
        if pending.sends_left == 0:
            self._forget_pending((frame.sender, frame.id))
            if frame.sender == self.num:
                self.counters["gave_up"] += 1
                self._host.gave_up(frame)
            return
        if pending.sends_left == 1 and frame.to != BROADCAST:  # the last time anybody may pass it on
            self._routes.forget(frame.to)
            frame = replace(frame, next_hop=ANYBODY)
        pending.frame, pending.sends_left = frame, pending.sends_left - 1
        pending.timer = self._air.timeline.schedule(self._retry_ms(frame), _bind(self._retry, frame))
        self._enqueue(_Queued(frame, pending.priority, None))

    def _put_off_retries(self, airtime_ms: float, but: Frame | None = None) -> None:
        """While the air was taken no sign could come: wait that much longer."""
        timeline = self._air.timeline
        for pending in self._pending.values():
            if pending.frame is not but and pending.timer.waits:
                pending.timer.cancel()
                wait_ms = pending.timer.at_ms + airtime_ms - timeline.now_ms
                pending.timer = timeline.schedule(wait_ms, _bind(self._retry, pending.frame))

    def _forget_pending(self, key: PacketKey) -> None:
        pending = self._pending.pop(key, None)
        if pending is None:
            return
        pending.timer.cancel()
        if pending.sends_left < TRANSMISSIONS_MAX - 1:
            self._queue = [q for q in self._queue if (q.frame.sender, q.frame.id) != key]

    def _remember(self, frame: Frame) -> None:
        heard = self._seen[frame.sender, frame.id] = Heard(frame.next_hop)
        if frame.relay_node == self._routes.own:
            heard.sent(self._routes.own, frame.hop_limit)
        self._seen.move_to_end((frame.sender, frame.id))
        if len(self._seen) > SEEN_MAX:
            self._seen.popitem(last=False)

    # --- the firmware's waits

    @property
    def _slot_ms(self) -> float:
        return _CAD_SYMBOLS * self._air.modem.symbol_ms + _TURNAROUND_MS

    def _delay_ms(self, heard_snr_db: float | None) -> float:
        if heard_snr_db is None:
            return self._rng.randrange(1 << self._window()) * self._slot_ms
        share = (heard_snr_db - _SNR_MIN_DB) / (_SNR_MAX_DB - _SNR_MIN_DB)
        window = _CW_MIN + round(min(max(share, 0.0), 1.0) * (_CW_MAX - _CW_MIN))
        return (2 * _CW_MAX + self._rng.randrange(1 << window)) * self._slot_ms

    def _window(self) -> int:
        return _CW_MIN + round(self.channel_percent() / 100 * (_CW_MAX - _CW_MIN))

    def _retry_ms(self, frame: Frame) -> float:
        slots = (1 << self._window()) + 2 * _CW_MAX + (1 << (_CW_MAX + _CW_MIN) // 2)
        return 2 * self._air.time_on_air_ms(frame) + slots * self._slot_ms + _PROCESSING_MS


class _Log:
    """Times on air within a window that moves along."""

    __slots__ = ("_entries", "_sum_ms", "_window_ms")

    def __init__(self, window_ms: float) -> None:
        self._window_ms = window_ms
        self._entries: deque[tuple[float, float]] = deque()
        self._sum_ms = 0.0

    def add(self, now_ms: float, airtime_ms: float) -> None:
        self._entries.append((now_ms, airtime_ms))
        self._sum_ms += airtime_ms
        self.sum_ms(now_ms)

    def sum_ms(self, now_ms: float) -> float:
        entries, since_ms = self._entries, now_ms - self._window_ms
        while entries and entries[0][0] <= since_ms:
            self._sum_ms -= entries.popleft()[1]
        if not entries:
            self._sum_ms = 0.0  # no rounding is carried over
        return self._sum_ms


def _bind(action: Callable[[Frame], None], frame: Frame) -> Callable[[], None]:
    return lambda: action(frame)
