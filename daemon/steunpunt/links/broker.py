"""The broker link: sealed packets over the local mosquitto. The only importer of paho.

One thread drives paho through its external-loop calls and a selector, so that an idle link wakes only
for MQTT's own keepalive. Every connection gets a fresh paho client under the same client id:

- the broker keeps the session (subscriptions and what it could not deliver) because the id is the same;
- paho itself has nothing left to send again. What was published without a PUBACK ends as UNKNOWN and the
  relay decides, because only the relay knows whether it meanwhile went another road;
- a confirmation that comes after its connection died finds no message, and the broker sends that again.

A message's PUBACK is sent when the engine confirms it, after the commit.
"""

import contextlib
import itertools
import logging
import random
import selectors
import socket
import time
from collections.abc import Callable
from pathlib import Path

import paho.mqtt.client as paho
from msgspec import Struct
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from steunpunt.config import Broker
from steunpunt.jobfacts import PagesHeard
from steunpunt.links.base import STABLE_S, Backoff, Clock, Inbox, LinkThread
from steunpunt.links.broker_hang import HangWatch
from steunpunt.links.topics import PAGES, BridgeStates, DownlinkTopics, Topics, bridge_of, carrier_of
from steunpunt.model import (
    BridgeChanged,
    DownlinkHeard,
    FrameHeard,
    LinkName,
    Role,
    SendEnded,
    SendFrame,
    SendOutcome,
)
from steunpunt.protocol.pagearchive import ARCHIVE_BYTES_MAX

KEEPALIVE_S = 30
KEEPALIVE_MARGIN_S = 0.1
"""Looks this much later than paho's own clock says, so that one look always suffices."""
CONNECT_S = 5.0
"""Longest wait for the TCP connection, and again for CONNACK and SUBACK together."""
PUBACK_S = 10.0
"""A broker that takes longer over one PUBACK is taken for hanging."""
PAYLOAD_BYTES_MAX = 512
DOWNLINK_BYTES_MAX = 4096
"""Longest message of an integrator that is looked at: a text of 232 bytes, even if all of it is escaped."""
GATEWAYS_MAX = 64
COMMANDS_MAX = 1024
UNACKED_MAX = 256
"""QoS 1 messages on their way to the broker at one time."""
RETRY_FIRST_S, RETRY_CAP_S = 0.2, 1.5
_log = logging.getLogger(__name__)
_PASSWORD_REFUSALS = ("Bad user name or password", "Not authorized")


class _Publish(Struct, frozen=True):
    topic: str
    payload: bytes
    retain: bool


class _Confirm(Struct, frozen=True):
    handle: int


class _ConnectionEndedError(Exception):
    """The connection is of no more use; the text is the reason for the technician."""

    def __init__(self, reason: str, *, hung: bool = False) -> None:
        """``hung``: the broker took the connection and did not answer on it."""
        super().__init__(reason)
        self.hung = hung


class BrokerLink(LinkThread):
    """The road over MQTT, of one site.

    A kiosk publishes ``up/<carrier>`` and hears ``down/<own id>`` and ``down/all``; a coordinator hears
    ``up/+`` and publishes ``down/<carrier>`` and ``down/all``. TAKEN means PUBACK, which says nothing of
    the region: for that there are :class:`~steunpunt.model.BridgeChanged` and the coordinator's beacon.
    """

    link = LinkName.BROKER
    commands_max = COMMANDS_MAX

    def __init__(  # noqa: PLR0913  all but the first four have names and defaults
        self,
        config: Broker,
        site_id: int,
        role: Role,
        inbox: Inbox,
        *,
        overhears: bool = False,
        pages: bool = False,
        restart_request: Path | None = None,
        clock: Clock = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        """``restart_request``: the file that asks for a restart of a broker here that hangs."""
        super().__init__(inbox, clock)
        self.config = config
        self.hang_watch = HangWatch(config.host, restart_request, clock)
        self.topics = Topics(site_id, role, overhears, pages)
        self.downlink = DownlinkTopics(config.mesh_root)
        self._gateways: set[str] = set()
        """Last topic levels of our own uplink: with downlink on, the broker sends it back to us."""
        self.where = f"{config.host}:{config.port}"
        self.handles = itertools.count(1)
        self._bridges = BridgeStates()
        self._backoff = Backoff(RETRY_FIRST_S, RETRY_CAP_S, rng or random.Random())  # noqa: S311  jitter

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish at QoS 0 for integrators; dropped and counted while the link is down or full."""
        if self.config.downlink is not None and self.downlink.is_uplink(topic) and len(self._gateways) < GATEWAYS_MAX:
            self._gateways.add(topic.rpartition("/")[2])
        if self.offer(_Publish(topic, payload, retain)):
            self.count("publish_dropped")

    def confirm(self, handle: int) -> None:
        """Send the PUBACK of the message that came with this handle; stale handles are ignored.

        Taken also before the link is up: a broker that kept messages sends them before its SUBACK.
        """
        self.offer(_Confirm(handle), always=True)

    def heard_aside(self, topic: str, payload: bytes) -> str | None:
        """Take what is meant for us and no packet; return the counter's name, None for all else."""
        if (bridge := bridge_of(topic)) is not None:
            if self._bridges.take(bridge, up=payload == b"1"):
                self.emit(BridgeChanged(self._bridges.up))
            return "bridge_states"
        if topic != PAGES or not self.topics.pages:
            return None
        if len(payload) > ARCHIVE_BYTES_MAX:
            return "dropped_size"
        if payload:  # an empty one is what this broker was told to forget
            self.emit(PagesHeard(payload))
        return "pages_heard"

    def is_echo(self, topic: str) -> bool:
        """Say whether an envelope's topic is one that this link publishes on."""
        return self.downlink.is_uplink(topic) and topic.rpartition("/")[2] in self._gateways

    def run(self) -> None:
        """Serve one connection after the other until told to stop."""
        while not self.stopping:
            started = self.clock()
            self._serve_one()
            if self._bridges.forget():
                self.emit(BridgeChanged(up=False))
            if self.clock() - started >= STABLE_S:
                self._backoff.reset()
            self.pause(self._backoff.next_s())

    def _serve_one(self) -> None:
        """Serve one connection to its end and say why it ended."""
        connection = _Connection(self)
        reason, hung = "stopped", False
        try:
            connection.open(self._password())
            while not self.stopping:
                connection.turn()
        except _ConnectionEndedError as error:
            reason, hung = str(error), error.hung
        finally:
            # First that the link is down, then what became of the sends: the relay must not choose it again.
            self.report(up=False, reason=reason)
            connection.close(polite=self.stopping)
        if self.hang_watch.ended(hung=hung):
            self.count("restarts_asked")

    def _password(self) -> str | None:
        """Read the password anew at each attempt: a technician who mends the file need not restart."""
        if self.config.password_file is None:
            return None
        try:
            return Path(self.config.password_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise _ConnectionEndedError(
                f"broker.password_file {self.config.password_file} cannot be read ({_why(error)}); "
                "write the broker's password there, readable by this user"
            ) from error


class _Connection:
    """One paho client and its socket, from CONNECT to the end; only the link's thread touches it."""

    def __init__(self, link: BrokerLink) -> None:
        self._link = link
        self._clock = link.clock
        self._client: paho.Client | None = None
        self._selector = selectors.DefaultSelector()
        self._selector.register(link.waker, selectors.EVENT_READ)
        self._fd = -1
        self._failure = ""
        self._hung = False
        self._ready = False
        self._sent: dict[int, tuple[int, float]] = {}
        """Message id -> (attempt, deadline), oldest first."""
        self._unconfirmed: dict[int, int] = {}
        """Handle -> message id; bounded by the broker's window and by MQTT's 65535 ids."""
        self._waiting: list[object] = []
        self._ready_by = self._last_in = self._last_out = 0.0

    def open(self, password: str | None) -> None:
        """Connect and send CONNECT; raises _ConnectionEndedError with the reason."""
        link = self._link
        client = self._new_client(password)
        try:
            client.connect(link.config.host, link.config.port, KEEPALIVE_S)
        except OSError as error:
            raise _ConnectionEndedError(
                f"no broker answers at {link.where} ({_why(error)}); is mosquitto running?",
                hung=isinstance(error, TimeoutError),
            ) from error
        sock = client.socket()
        if sock is None:
            raise _ConnectionEndedError(f"the broker at {link.where} hung up; is that port mosquitto's?")
        if isinstance(sock, socket.socket):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client, self._fd = client, sock.fileno()
        self._selector.register(self._fd, selectors.EVENT_READ)
        self._last_in = self._last_out = self._clock()
        self._ready_by = self._last_in + CONNECT_S

    def _new_client(self, password: str | None) -> paho.Client:
        link = self._link
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            link.topics.client_id,
            clean_session=False,
            protocol=MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.suppress_exceptions = True
        client.connect_timeout = CONNECT_S
        client.max_queued_messages_set(UNACKED_MAX)
        client.max_inflight_messages_set(UNACKED_MAX)
        client.will_set(link.topics.availability, b"offline", qos=1, retain=True)
        if password is not None:
            client.username_pw_set(link.config.username, password)
        client.on_connect = self._guarded(self._on_connect)
        client.on_subscribe = self._guarded(self._on_subscribe)
        client.on_disconnect = self._guarded(self._on_disconnect)
        client.on_publish = self._guarded(self._on_publish)
        client.on_message = self._guarded(self._on_message)
        return client

    def _guarded(self, callback: Callable[..., None]) -> Callable[..., None]:
        """Let an error in a callback end the connection, visibly: paho would swallow it or die of it."""

        def run(*arguments: object) -> None:
            try:
                callback(*arguments)
            except Exception as error:  # noqa: BLE001  whatever it is, the next connection starts afresh
                _log.exception("a callback of the broker link failed")
                self._link.count("internal_errors")
                self._fail(f"internal error in the broker link ({type(error).__name__}); see the log")

        return run

    def turn(self) -> None:
        """Wait for bytes, a command or a timer, and deal with it; raises _ConnectionEndedError at the end."""
        client = self._client
        if client is None or client.socket() is None:
            raise _ConnectionEndedError(self._failure or f"the broker at {self._link.where} hung up", hung=self._hung)
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.want_write() else 0)
        if self._selector.get_key(self._fd).events != events:
            self._selector.modify(self._fd, events)
        for key, mask in self._selector.select(max(0.0, self._next_timer() - self._clock())):
            if key.fileobj is self._link.waker:
                self._link.waker.drain()
            else:
                self._move_bytes(client, mask)
        self._timers(client)
        if not self._failure:
            self._perform(client)
        if self._failure:
            raise _ConnectionEndedError(self._failure, hung=self._hung)

    def _move_bytes(self, client: paho.Client, mask: int) -> None:
        if mask & selectors.EVENT_READ:
            client.loop_read()
            self._last_in = self._clock()
        if mask & selectors.EVENT_WRITE:
            client.loop_write()
            self._last_out = self._clock()

    def _keepalive_due(self) -> float:
        return min(self._last_in, self._last_out) + KEEPALIVE_S + KEEPALIVE_MARGIN_S

    def _oldest_puback_due(self) -> float:
        return next(iter(self._sent.values()))[1] if self._sent else float("inf")

    def _next_timer(self) -> float:
        ready_by = float("inf") if self._ready else self._ready_by
        return min(self._keepalive_due(), self._oldest_puback_due(), ready_by)

    def _timers(self, client: paho.Client) -> None:
        now, where = self._clock(), self._link.where
        if now >= self._keepalive_due():
            if client.loop_misc() is not MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._fail(f"the broker at {where} is silent; restart mosquitto", hung=True)
            self._last_in = self._last_out = now
        if not self._ready and now >= self._ready_by:
            self._fail(f"the broker at {where} accepts but does not answer; is that port mosquitto's?", hung=True)
        if now >= self._oldest_puback_due():
            self._fail(f"the broker at {where} took over {PUBACK_S:g} s for one PUBACK; is its disk full?")

    def _perform(self, client: paho.Client) -> None:
        """Carry out what waits, as long as the socket takes it."""
        self._waiting += self._link.take()
        done = 0
        for command in self._waiting:
            if client.want_write() or self._failure:
                break
            done += 1
            self._perform_one(client, command)
        del self._waiting[:done]

    def _perform_one(self, client: paho.Client, command: object) -> None:
        if isinstance(command, SendFrame):
            self._publish_frame(client, command)
        elif isinstance(command, _Confirm):
            mid = self._unconfirmed.pop(command.handle, None)
            if mid is None:
                self._link.count("confirm_stale")
            else:
                client.ack(mid, 1)
        elif isinstance(command, _Publish):
            try:
                client.publish(command.topic, command.payload, qos=0, retain=command.retain)
            except ValueError:  # a wildcard or an empty topic: the caller's mistake, not the link's end
                self._link.count("publish_refused")
        self._last_out = self._clock()

    def _publish_frame(self, client: paho.Client, effect: SendFrame) -> None:
        if not 0 < len(effect.payload) <= PAYLOAD_BYTES_MAX:
            detail = f"payload of {len(effect.payload)} bytes; 1 to {PAYLOAD_BYTES_MAX} fit"
            self._end(effect.attempt_id, SendOutcome.REFUSED, detail)
            return
        info = client.publish(self._link.topics.outgoing(effect.carrier), effect.payload, qos=1)
        if info.rc is MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._link.count("frames_sent")
            self._sent[info.mid] = (effect.attempt_id, self._clock() + PUBACK_S)
        elif info.rc is MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
            self._end(effect.attempt_id, SendOutcome.REFUSED, f"{UNACKED_MAX} messages wait for their PUBACK")
        else:
            self._end(effect.attempt_id, SendOutcome.UNKNOWN, "the connection broke while sending")

    def _end(self, attempt_id: int, outcome: SendOutcome, detail: str = "") -> None:
        self._link.count(f"send_{outcome}")
        self._link.emit(SendEnded(LinkName.BROKER, attempt_id, outcome, detail))

    def close(self, *, polite: bool) -> None:
        """End the connection and say UNKNOWN for what has no PUBACK.

        Only a ``polite`` close sends DISCONNECT; otherwise the broker has to publish the last will.
        """
        self._selector.close()
        client, self._client = self._client, None
        if client is not None:
            self._hang_up(client, polite=polite)
        for attempt_id, _ in self._sent.values():
            self._end(attempt_id, SendOutcome.UNKNOWN, "the connection broke before the PUBACK")
        self._sent.clear()
        for command in self._waiting:
            self._link.refuse(command)
        self._waiting.clear()

    def _hang_up(self, client: paho.Client, *, polite: bool) -> None:
        client.on_disconnect = None
        sock = client.socket()
        if sock is None:
            return
        if polite and self._ready:
            client.publish(self._link.topics.availability, b"offline", qos=0, retain=True)
            client.disconnect()
        with contextlib.suppress(OSError):
            sock.close()

    def _fail(self, reason: str, *, hung: bool = False) -> None:
        if not self._failure:
            self._failure, self._hung = reason, hung

    def _on_connect(
        self, client: paho.Client, _data: object, _flags: object, code: ReasonCode, _props: Properties | None
    ) -> None:
        where, user = self._link.where, self._link.config.username
        if not code.is_failure:
            self._subscribe(client)
        elif code.getName() in _PASSWORD_REFUSALS:
            self._fail(
                f"the broker at {where} refuses the password of user {user}; "
                "compare broker.password_file with the broker's password_file"
            )
        else:
            self._fail(f"the broker at {where} refuses the connection ({code.getName()}); look in its log")

    def _subscribe(self, client: paho.Client) -> None:
        """Ask for the site's topics. Integrators' messages at QoS 0: what nobody hears now is not sent later."""
        downlink = [self._link.downlink.json, self._link.downlink.envelopes]
        wanted = self._link.topics.subscriptions()
        if self._link.config.downlink is not None:
            wanted += [(each, 0) for each in downlink]
        else:
            client.unsubscribe(downlink)  # the session may be older than the config
        client.subscribe(wanted)

    def _on_subscribe(
        self, client: paho.Client, _d: object, _mid: int, codes: list[ReasonCode], _props: Properties | None
    ) -> None:
        where, user = self._link.where, self._link.config.username
        if any(code.is_failure for code in codes):
            self._fail(f"the broker at {where} refuses user {user} a subscription; compare its acl file")
        elif not self._ready:
            self._ready = True
            self._link.hang_watch.answered()
            client.publish(self._link.topics.availability, b"online", qos=0, retain=True)
            self._link.report(up=True, reason=f"connected to the broker at {where}")

    def _on_disconnect(
        self, _client: paho.Client, _data: object, _flags: object, code: ReasonCode, _props: Properties | None
    ) -> None:
        self._fail(
            f"the broker at {self._link.where} closed the connection ({code.getName()}); "
            "is mosquitto running, and only one node with this site.id?"
        )

    def _on_publish(
        self, _client: paho.Client, _data: object, mid: int, _code: ReasonCode, _props: Properties | None
    ) -> None:
        attempt = self._sent.pop(mid, None)
        if attempt is not None:
            self._end(attempt[0], SendOutcome.TAKEN)

    def _on_message(self, client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        """Hand a packet over, or drop and acknowledge it: what we refuse must not come again."""
        refusal = self._refusal_of(message)
        if refusal is not None:
            (self._link.complain if refusal.startswith("dropped_") else self._link.count)(refusal)
            if message.qos:
                client.ack(message.mid, message.qos)
            return
        if self._is_downlink(message.topic):
            self._link.count("downlink_heard")
            self._link.emit(DownlinkHeard(message.topic, bytes(message.payload)))
            return
        handle = None
        if message.qos:
            handle = next(self._link.handles)
            self._unconfirmed[handle] = message.mid
        self._link.count("frames_heard")
        carrier = carrier_of(message.topic)
        self._link.emit(FrameHeard(LinkName.BROKER, bytes(message.payload), carrier=carrier, confirm=handle))

    def _refusal_of(self, message: paho.MQTTMessage) -> str | None:
        """Return the counter's name when the message is not a packet for the engine."""
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return "dropped_topic"
        if (aside := self._link.heard_aside(topic, bytes(message.payload))) is not None:
            return aside
        downlink = self._is_downlink(topic)
        if downlink and self._link.is_echo(topic):
            return "uplink_echoes"
        if not downlink and not self._link.topics.is_ours(topic):
            return "dropped_topic"
        if message.retain:  # ours are never retained: it would come again at every connection
            return "dropped_retained"
        bytes_max = DOWNLINK_BYTES_MAX if downlink else PAYLOAD_BYTES_MAX
        return None if 0 < len(message.payload) <= bytes_max else "dropped_size"

    def _is_downlink(self, topic: str) -> bool:
        return self._link.config.downlink is not None and self._link.downlink.matches(topic)


def _why(error: OSError | UnicodeDecodeError) -> str:
    """Say in a few words what the system said."""
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8 text"
    return (error.strerror or str(error) or type(error).__name__).lower()
