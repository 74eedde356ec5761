"""What integrators may send into the mesh: at most so much, never before anything of ours. Pure.

The pauses are the firmware's own towards its clients: what came sooner it dropped or refused, some of it in silence.
Time on air is counted for this radio's own transmissions, over a rolling hour, and given back when the radio refuses.
"""

from collections import Counter, deque
from collections.abc import Callable

from msgspec import Struct

from steunpunt.bridge.requests import Gateway, NotSent, Wanted, read_envelope, read_json
from steunpunt.model import RadioPrepared
from steunpunt.protocol.airtime import DATA_BYTES_MAX, LORA_HEADER_BYTES, PKI_BYTES, PRESETS, time_on_air_ms
from steunpunt.wire import BROADCAST, mesh_pb2, node_name

HOUR_MS = 3_600_000
BITFIELD_BYTES = 2
"""What the firmware adds to every packet that it originates."""
PAUSES_S = {"text": 2, "traceroute": 30}
PAUSE_OTHERS_S = 10
"""Position, waypoint, telemetry and detection: the firmware drops what comes sooner and reports success."""
OURS_WAIT_S = 60
"""When to ask again while something of ours waits for the mesh, or the site's own airtime has no room."""
CHARGES_MAX = 2_000


class Charge(Struct, frozen=True):
    """The air that one packet takes: given back with :meth:`Downlink.give_back`."""

    at_ms: int
    air_ms: float


class Downlink:
    """Judges what integrators publish for one radio. ``counts`` tells what became of it; no content is kept."""

    def __init__(
        self,
        mesh_root: str,
        own_channel: str,
        hop_limit: int,
        airtime_s_per_hour_max: int,
        siblings: set[str] | None = None,
    ) -> None:
        """``siblings``: names of the site's radios that were reached, shared by their downlinks."""
        self._siblings = set() if siblings is None else siblings
        self._json_topic = f"{mesh_root}/2/json/"
        self._own_channel, self._hop_limit = own_channel, hop_limit
        self._air_ms_max = airtime_s_per_hour_max * 1000
        self._gateway: Gateway | None = None
        self._charges: deque[Charge] = deque()
        self._last_ms: dict[str, int] = {}
        self.counts: Counter[str] = Counter()

    def prepared(self, radio: RadioPrepared) -> None:
        """Learn the radio that would send."""
        self._siblings.add(node_name(radio.node_num))
        self._gateway = Gateway(radio, self._own_channel, self._hop_limit, self._siblings)

    def read(self, topic: str, payload: bytes) -> Wanted | None:
        """Return what is asked for; None when it is our own uplink. Raises NotSent."""
        if self._gateway is None:
            raise NotSent("no_radio", "the radio has not been reached yet")
        read = read_json if topic.startswith(self._json_topic) else read_envelope
        wanted = read(payload, self._gateway)
        if wanted is None:
            self.counts["echoes"] += 1
        return wanted

    def charge(
        self, wanted: Wanted, now_ms: int, *, ours_waits: bool, site_has_room: Callable[[float], bool]
    ) -> Charge:
        """Take a packet's time on air from the hour's budget; raises NotSent when it may not go now.

        ``ours_waits`` says that something of the site's own waits for the mesh or is on its way there;
        ``site_has_room``, whether the site's whole airtime has room for so many milliseconds in its lowest lane.
        """
        if ours_waits:
            message = f"the site's own messages need the mesh; ask again in {OURS_WAIT_S} s"
            raise NotSent("help_first", message, OURS_WAIT_S)
        charge = Charge(now_ms, self._air_ms(wanted.packet))
        pause_ms = PAUSES_S.get(wanted.kind, PAUSE_OTHERS_S) * 1000
        left_ms = self._last_ms.get(wanted.kind, -pause_ms) + pause_ms - now_ms
        if left_ms > 0:
            wait_s = -(-left_ms // 1000)
            message = f"one {wanted.kind} in {pause_ms // 1000} s; ask again in {wait_s} s"
            raise NotSent("too_fast", message, wait_s)
        while self._charges and self._charges[0].at_ms <= now_ms - HOUR_MS:
            self._charges.popleft()
        if self.used_ms(now_ms) + charge.air_ms > self._air_ms_max or len(self._charges) >= CHARGES_MAX:
            raise self._spent(charge.air_ms, now_ms)
        if not site_has_room(charge.air_ms):
            message = f"this site has been on the air much in the last hour; ask again in {OURS_WAIT_S} s"
            raise NotSent("site_airtime_spent", message, OURS_WAIT_S)
        self._last_ms[wanted.kind] = now_ms
        self._charges.append(charge)
        return charge

    def give_back(self, charge: Charge) -> None:
        """Forget a charge: the radio did not take the packet."""
        if charge in self._charges:
            self._charges.remove(charge)

    def used_ms(self, now_ms: int) -> float:
        """Return the milliseconds of air used for integrators in the last hour."""
        charges = tuple(self._charges)  # figures are asked for on other threads
        return sum(charge.air_ms for charge in charges if charge.at_ms > now_ms - HOUR_MS)

    def _air_ms(self, packet: mesh_pb2.MeshPacket) -> float:
        preset = self._gateway.radio.preset if self._gateway is not None else ""
        if preset not in PRESETS:
            raise NotSent("airtime_unknown", "the radio has no known preset, so its time on air cannot be limited")
        pki = PKI_BYTES if packet.to != BROADCAST and packet.channel == 0 else 0
        size = packet.decoded.ByteSize() + BITFIELD_BYTES + pki
        if size > DATA_BYTES_MAX:
            over = size - DATA_BYTES_MAX
            bytes_max = len(packet.decoded.payload) - over
            raise NotSent("too_long", f"{over} bytes too long; at most {bytes_max} fit a packet to this destination")
        return time_on_air_ms(preset, LORA_HEADER_BYTES + size)

    def _spent(self, air_ms: float, now_ms: int) -> NotSent:
        """Say when enough of the hour's budget is free again."""
        free_ms, ready_ms = self._air_ms_max - self.used_ms(now_ms), now_ms
        for charge in self._charges:
            if free_ms >= air_ms:
                break
            free_ms, ready_ms = free_ms + charge.air_ms, charge.at_ms + HOUR_MS
        wait_s = -(-(ready_ms - now_ms) // 1000) or HOUR_MS // 1000
        limit = f"{self._air_ms_max / 1000:g} s of air in an hour"
        return NotSent("airtime_spent", f"the {limit} for integrators are spent; ask again in {wait_s} s", wait_s)
