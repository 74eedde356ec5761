"""The survey at a running node: spends air within the site's budget, and none while the point is open."""

import json
import logging
from collections.abc import Callable
from typing import Any, Protocol

import sqlalchemy as sa
from google.protobuf.message import DecodeError
from msgspec import to_builtins

from steunpunt.config import Config
from steunpunt.control import Body
from steunpunt.ledger.store import Ledger
from steunpunt.model import (
    MAIN_RADIO,
    BellRung,
    Event,
    GuestSending,
    Lane,
    LinkName,
    PacketHeard,
    SendEnded,
    SendFrame,
    SendOutcome,
)
from steunpunt.node.pending import no
from steunpunt.protocol.airtime import LORA_HEADER_BYTES, time_on_air_ms
from steunpunt.protocol.signal import snr_min_db
from steunpunt.relay.survey import SNR_UNKNOWN, Survey, Trip
from steunpunt.wire import mesh_pb2, node_name, node_num, portnums_pb2, sender

_META = "survey"
_FIRST_ATTEMPT = -1_000_000_000
"""Below the attempts of integrators, which count down from -1."""
_BITFIELD_BYTES = 2
_PORT = portnums_pb2.PortNum.TRACEROUTE_APP
_log = logging.getLogger(__name__)


class Engine(Protocol):
    """What is asked of a kiosk's engine."""

    @property
    def region_radio(self) -> int | None:
        """The radio through which the region last spoke to us."""

    def guest_fits(self, connection: sa.Connection, radio: str, air_ms: float, now_ms: int, /) -> bool:
        """Return whether the airtime has room in its lowest lane."""


class Surveyor:
    """See the module. :meth:`heard` and :meth:`look` are the loop's; what is asked comes on any thread."""

    def __init__(self, config: Config, ledger: Ledger, engine: Engine, put: Callable[[Event], None]) -> None:
        self._config, self._ledger, self._engine, self._put = config, ledger, engine, put
        self._survey: Survey | None = None
        self._to = 0
        self._attempt = _FIRST_ATTEMPT
        self._packet_id: int | None = None
        self._last = _kept(ledger.get_meta(ledger.connection, _META))

    # --- being asked --------------------------------------------------------------------------------------------

    def begin(self, request: Body, point_state: str) -> Body:
        """Begin a survey to the fire station's radio, or return why not now."""
        if self._survey is not None:
            return no("survey_under_way", "a survey is under way; it takes some eleven minutes")
        if point_state == "OPEN":
            mend = "close it on the staff's page first: a survey takes air that citizens may need"
            return no("point_open", f"the point is open; {mend}")
        if not self._config.radios:
            return no("no_radio", "this site has no radio to survey")
        try:
            to = node_num(str(request["to"])) if request.get("to") else self._engine.region_radio
        except ValueError:
            return no("bad_request", "`to` is a radio's number, such as !a1b2c3d4")
        if to is None:
            mend = "name the fire station's radio with --to, or let a test request go by radio first"
            return no("unknown_radio", f"the region has not been heard by radio since the start; {mend}")
        self._to = to
        now_ms = self._ledger.clock.now_ms()
        self._survey = Survey(now_ms, self._air_ms())
        self._put(BellRung())  # the loop may sleep for long
        return {"ok": True, "to": node_name(to)}

    def status(self, now_ms: int) -> Body:
        """Return the survey under way, and the last result."""
        survey, last = self._survey, self._last
        going = None if survey is None else {"sent": survey.sent, "answered": len(survey.trips), "of": survey.probes}
        age = None if last is None else last | {"age_s": max(now_ms - last["at_ms"], 0) // 1000}
        return {"under_way": going, "last": age}

    # --- the loop -----------------------------------------------------------------------------------------------

    def due_ms(self) -> int | None:
        """Return when to look again; None: nothing is under way."""
        return None if self._survey is None else self._survey.due_ms()

    def heard(self, event: Event, now_ms: int) -> None:
        """Take what became of a probe, and its answer."""
        survey = self._survey
        if survey is None:
            return
        if isinstance(event, SendEnded) and event.attempt_id == self._attempt:
            self._packet_id = event.packet_id
            if event.outcome is SendOutcome.REFUSED:
                survey.refused(now_ms)
        elif isinstance(event, PacketHeard):
            trip = self._trip(event.packet, survey.took_ms(now_ms))
            if trip is not None:
                survey.answered(trip)

    def look(self, connection: sa.Connection, now_ms: int) -> None:
        """Send the next probe when it is time to; end the survey when it is over."""
        survey = self._survey
        if survey is None:
            return
        if survey.wants(now_ms):
            if self._engine.guest_fits(connection, MAIN_RADIO, survey.air_ms, now_ms):
                survey.asked(now_ms)
                self._put(self._probe(survey.air_ms))
            else:
                survey.no_room(now_ms)
        if survey.over(now_ms):
            self._end(survey, now_ms)

    def _end(self, survey: Survey, now_ms: int) -> None:
        sheet = survey.sheet(snr_min_db(self._config.radio.preset))
        self._survey = None
        self._last = to_builtins(sheet) | {"at_ms": now_ms, "to": node_name(self._to)}
        with self._ledger.transaction() as transaction:
            self._ledger.set_meta(transaction, _META, json.dumps(self._last).encode())
        _log.info("action=survey passed=%s sent=%d answered=%d", sheet.passed, sheet.sent, sheet.answered)

    # --- packets ------------------------------------------------------------------------------------------------

    def _packet(self) -> mesh_pb2.MeshPacket:
        data = mesh_pb2.Data(portnum=_PORT, want_response=True)
        return mesh_pb2.MeshPacket(to=self._to, hop_limit=self._config.radio.hop_limit, decoded=data)

    def _air_ms(self) -> float:
        size = LORA_HEADER_BYTES + self._packet().decoded.ByteSize() + _BITFIELD_BYTES
        return time_on_air_ms(self._config.radio.preset, size)

    def _probe(self, air_ms: float) -> GuestSending:
        self._attempt, self._packet_id = self._attempt - 1, None
        packet = self._packet().SerializeToString()
        frame = SendFrame(LinkName.MESH, self._attempt, b"", Lane.HOUSEKEEPING, packet=packet, radio=MAIN_RADIO)
        return GuestSending(frame, air_ms)

    def _trip(self, raw: bytes, took_ms: int) -> Trip | None:
        """Return what an answer tells; None for any other packet."""
        packet = mesh_pb2.MeshPacket.FromString(raw)
        answers = packet.decoded.request_id
        if packet.decoded.portnum != _PORT or not answers or sender(packet) != self._to:
            return None
        if self._packet_id is not None and answers != self._packet_id:
            return None
        try:
            route = mesh_pb2.RouteDiscovery.FromString(packet.decoded.payload)
        except DecodeError:
            return None
        out, back = _last_db(route.snr_towards), _last_db(route.snr_back)
        return Trip(len(route.route), len(route.route_back), out, back, took_ms)


def _last_db(quarters: Any) -> float | None:  # noqa: ANN401  protobuf's own list
    """Return the SNR at the end of a way, in dB; None where nobody wrote it down."""
    return None if not quarters or quarters[-1] == SNR_UNKNOWN else quarters[-1] / 4


def _kept(raw: bytes | None) -> Body | None:
    """Return the last result; one that cannot be read is none."""
    try:
        found = json.loads(raw or b"null")
    except ValueError:
        return None
    return found if isinstance(found, dict) and "at_ms" in found else None
