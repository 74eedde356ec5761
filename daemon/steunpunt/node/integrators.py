"""The node's side for integrators: radio to broker, broker to radio, the site's status, Home Assistant."""

import json
import logging
import secrets
from collections import Counter, deque
from collections.abc import Callable
from functools import partial

from msgspec import Struct

from steunpunt import __version__
from steunpunt.bridge import own
from steunpunt.bridge.downlink import Charge, Downlink
from steunpunt.bridge.homeassistant import discovery, discovery_topic
from steunpunt.bridge.report import Body, Reporter, public
from steunpunt.bridge.requests import NotSent, Wanted
from steunpunt.bridge.uplink import Translator
from steunpunt.config import Config
from steunpunt.links.base import RareLog
from steunpunt.links.topics import Topics
from steunpunt.model import (
    MAIN_RADIO,
    DownlinkHeard,
    GuestSending,
    Lane,
    LinkName,
    PacketHeard,
    RadioPrepared,
    SendEnded,
    SendFrame,
    SendOutcome,
)

ERRORS_MAX, ERRORS_MS = 10, 10_000
"""At most so many error messages in so many milliseconds: a program gone mad reads no more anyway."""
HELD_MAX = 800
"""Messages of the uplink kept over an outage of the broker, the oldest given up first; the firmware kept 16."""
_OF_ONE_RADIO = ("wrong_from", "no_radio")
"""Refusals that another of the site's radios may not share."""
TOPIC_CHARS_MAX = 200
"""What an error message repeats of the topic."""
Publish = Callable[..., None]
_log = logging.getLogger(__name__)


class _Flight(Struct, frozen=True):
    """A packet of an integrator on its way into the radio."""

    topic: str
    kind: str
    charge: Charge
    radio: str
    packet: bytes


class Integrators:
    """See the module. ``publish(topic, payload, retain=…)`` is the broker link's; the node's loop alone calls here."""

    def __init__(
        self, config: Config, publish: Publish, clock_s: Callable[[], float], wall_s: Callable[[], int] = lambda: 0
    ) -> None:
        """``wall_s()``: Unix seconds, 0 while the time is not known."""
        self._config, self._publish, self._clock_s, self._wall_s = config, publish, clock_s, wall_s
        self._radios: dict[str, RadioPrepared] = {}
        self._said_s: dict[str, float] = {}
        """When it was last said who each radio is, by its name in the config."""
        self._topics = Topics(config.site.id, config.site.role)
        self._translator = Translator(config.broker.mesh_root)
        self._downlinks = _downlinks_of(config)
        self._down_counts: Counter[str] = Counter()
        self._broker_up = False
        self._held: deque[tuple[str, bytes]] = deque(maxlen=HELD_MAX)
        self._flights: dict[int, _Flight] = {}
        self._last_attempt = 0
        self._errors_ms: deque[int] = deque(maxlen=ERRORS_MAX)
        self._rare_log = RareLog(clock_s)
        self.reporter = Reporter()

    # --- radio to broker ----------------------------------------------------------------------------------------

    def prepared(self, radio: RadioPrepared) -> None:
        """Learn the radio."""
        self._translator.prepared(radio)
        before, self._radios[radio.radio] = self._radios.get(radio.radio), radio
        if before is None or (before.node_num, before.owner) != (radio.node_num, radio.owner):
            self._say_who(radio)
        if radio.radio in self._downlinks:
            self._downlinks[radio.radio].prepared(radio)

    def _say_who(self, radio: RadioPrepared) -> None:
        """Publish who a radio is: it hands its own NodeInfo to nobody, and programs take its name from there."""
        self._said_s[radio.radio] = self._clock_s()
        settings = self._config.radios.get(radio.radio, self._config.radio)
        self._uplink(own.node_info(radio, _draw_id(), settings.hop_limit, self._wall_s()), radio.node_num)

    def packet(self, event: PacketHeard) -> None:
        """Publish what the radio heard; our own packets never appear."""
        self._uplink(event.packet, event.gateway)

    def _uplink(self, packet: bytes, gateway: int) -> None:
        for topic, payload in self._translator.translate(packet, gateway) if packet else ():
            if self._broker_up:
                self._publish(topic, payload)
            else:
                self._translator.counts["held_dropped"] += len(self._held) == HELD_MAX
                self._held.append((topic, payload))

    # --- broker to radio ----------------------------------------------------------------------------------------

    def downlink(
        self,
        event: DownlinkHeard,
        now_ms: int,
        *,
        ours_waits: Callable[[], bool],
        site_has_room: Callable[[str, float], bool],
    ) -> GuestSending | None:
        """Return what to send for an integrator, for the engine to charge, or publish why not.

        ``ours_waits`` says whether something of ours waits for the mesh or is on its way there; ``site_has_room``,
        whether a radio's airtime has room for so many milliseconds.
        """
        if not self._downlinks:
            return None
        try:
            radio, wanted = self._read(event)
            if wanted is None:
                return None
            room = partial(site_has_room, radio)
            charge = self._downlinks[radio].charge(wanted, now_ms, ours_waits=ours_waits(), site_has_room=room)
        except NotSent as refusal:
            self._refused(event.topic, refusal, now_ms)
            return None
        return self._frame(radio, event.topic, wanted, charge)

    def _read(self, event: DownlinkHeard) -> tuple[str, Wanted | None]:
        """Return what is asked for, and of which radio: the first that may speak as ``from`` says."""
        refusals = []
        for radio, downlink in self._downlinks.items():
            try:
                return radio, downlink.read(event.topic, event.payload)
            except NotSent as refusal:
                if refusal.code not in _OF_ONE_RADIO:
                    raise
                refusals.append(refusal)
        raise refusals[0]

    def _frame(self, radio: str, topic: str, wanted: Wanted, charge: Charge) -> GuestSending:
        self._last_attempt -= 1  # the engine's own attempts count upwards
        self._down_counts["sent"] += 1
        attempt, air_ms = self._last_attempt, round(charge.air_ms)
        _log.info("action=downlink_send attempt=%d kind=%s air_ms=%d", attempt, wanted.kind, air_ms)
        packet = wanted.packet.SerializeToString()
        self._flights[attempt] = _Flight(topic, wanted.kind, charge, radio, packet)
        frame = SendFrame(LinkName.MESH, attempt, b"", Lane.HOUSEKEEPING, packet=packet, radio=radio)
        return GuestSending(frame, charge.air_ms)

    def ended(self, event: SendEnded, now_ms: int) -> None:
        """Take the end of an attempt, if it is one of these."""
        flight = self._flights.pop(event.attempt_id, None)
        if flight is None:
            return
        _log.info("action=downlink_ended attempt=%d outcome=%s", event.attempt_id, event.outcome)
        if event.outcome is SendOutcome.TAKEN:
            self._echo(flight, event)
            return
        if event.outcome is SendOutcome.REFUSED:
            self._downlinks[flight.radio].give_back(flight.charge)
        refusal = NotSent(f"radio_{event.outcome}", f"{flight.kind}: the radio did not take it ({event.detail})")
        self._refused(flight.topic, refusal, now_ms)

    def _echo(self, flight: _Flight, event: SendEnded) -> None:
        """Publish what was sent for an integrator, as the firmware did: others see it, and who asked knows its id."""
        radio = self._radios.get(flight.radio)
        if radio is not None and event.packet_id:
            self._uplink(own.sent(flight.packet, radio.node_num, event.packet_id, self._wall_s()), radio.node_num)

    def _refused(self, topic: str, refusal: NotSent, now_ms: int) -> None:
        """Count, log at most once a minute, and tell the integrator; never what was in the message."""
        self._down_counts[f"refused_{refusal.code}"] += 1
        self._rare_log.warn(refusal.code, "action=downlink_refused code=%s reason=%r", refusal.code, str(refusal))
        if len(self._errors_ms) == ERRORS_MAX and now_ms - self._errors_ms[0] < ERRORS_MS:
            self._down_counts["errors_held_back"] += 1
            return
        self._errors_ms.append(now_ms)
        body: Body = {"error": refusal.code, "message": str(refusal), "topic": topic[:TOPIC_CHARS_MAX]}
        if refusal.retry_after_s is not None:
            body["retry_after_s"] = refusal.retry_after_s
        self._publish(self._topics.error, json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"))

    # --- the site's own state -----------------------------------------------------------------------------------

    def broker_down(self) -> None:
        """Hold back what the radio hears until the broker is there again."""
        self._broker_up = False
        self.reporter.stop()

    def broker_up(self) -> None:
        """Say again what a broker without memory would not know: discovery and status; then what was held back."""
        self._broker_up = True
        home = self._config.broker.homeassistant
        if home is not None:
            topics = self._topics
            payload = discovery(self._config, __version__, topics.availability, topics.status)
            self._publish(discovery_topic(home.discovery_prefix, topics.site_id), payload, retain=True)
        self.reporter.start()
        while self._held:
            self._publish(*self._held.popleft())

    def look(self, now_ms: int, status: Callable[[], Body]) -> None:
        """Publish the site's state when it is due and new, and now and then who its radios are."""
        for radio in self._radios.values():
            if self._clock_s() - self._said_s[radio.radio] >= own.NODE_INFO_S:
                self._say_who(radio)
        report = self.reporter.look(now_ms, lambda: public(status(), __version__))
        if report is not None:
            self._publish(self._topics.status, report, retain=True)

    # --- figures ------------------------------------------------------------------------------------------------

    def air_ms(self, now_ms: int, radio: str | None = None) -> float:
        """Return the air used for integrators in the last hour, by one radio or by all."""
        asked = [downlink for name, downlink in self._downlinks.items() if radio in (None, name)]
        return sum(downlink.used_ms(now_ms) for downlink in asked)

    def counters(self) -> dict[str, int]:
        """Return what was counted, by name."""
        down = Counter(self._down_counts)
        for downlink in self._downlinks.values():
            down.update(downlink.counts)
        up = {f"uplink_{name}": value for name, value in dict(self._translator.counts).items()}
        return up | {f"downlink_{name}": value for name, value in down.items()}


def _downlinks_of(config: Config) -> dict[str, Downlink]:
    """Return a judge for each radio by its name, none where the config lets nobody send."""
    allowed, root = config.broker.downlink, config.broker.mesh_root
    if allowed is None:
        return {}
    air_s, siblings = allowed.airtime_s_per_hour_max, set[str]()
    radios = config.radios or {MAIN_RADIO: config.radio}  # without a radio each request is told so
    return {name: Downlink(root, one.channel, one.hop_limit, air_s, siblings) for name, one in radios.items()}


def _draw_id() -> int:
    """Draw the id of a packet, never 0."""
    return secrets.randbelow(0xFFFFFFFF) + 1
