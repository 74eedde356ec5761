"""The node's one loop: take events, commit what follows from them, then act."""

import logging
import os
import random
import secrets
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path

from steunpunt import __version__, keyfiles
from steunpunt.boxfacts import PrintSlip
from steunpunt.bridge.report import prometheus
from steunpunt.config import Config
from steunpunt.control import Body, Server, notify_systemd
from steunpunt.engine.accepting import form_key
from steunpunt.engine.calls import BUZZ_S
from steunpunt.engine.common import Entropy, LinkView, Neighbours
from steunpunt.engine.kiosk import KioskEngine, KioskSettings
from steunpunt.jobfacts import JobEnded, PagesHeard
from steunpunt.ledger import incarnation
from steunpunt.ledger.belonging import check_ledger_key, check_owner
from steunpunt.ledger.store import Ledger, prepare
from steunpunt.ledger.wal import damaged_log_of
from steunpunt.model import (
    SENDING_LINKS,
    BellRung,
    ButtonPressed,
    ConfirmFrame,
    DownlinkHeard,
    Effect,
    Event,
    FrameHeard,
    GuestSending,
    LedgerError,
    LinkChanged,
    LinkName,
    PacketHeard,
    RadioPrepared,
    ReplyTo,
    Role,
    SendEnded,
    SendFrame,
    SendOutcome,
    SetLamp,
    SoundBuzzer,
    SteunpuntError,
)
from steunpunt.node.box import SiteBox
from steunpunt.node.housekeeping import Housekeeping, job_troubles
from steunpunt.node.inbox import AWAITED, Inbox, droppable
from steunpunt.node.integrators import Integrators
from steunpunt.node.links import KnownRadios, SiteLinks
from steunpunt.node.pending import Pending, no
from steunpunt.node.power import SitePower
from steunpunt.node.requests import KioskRequests
from steunpunt.node.staff import hall_handlers
from steunpunt.node.stocking import Stocker
from steunpunt.node.stopping import on_stop_signals
from steunpunt.node.technician import Technician
from steunpunt.protocol.keys import CoordinatorKeys
from steunpunt.relay.outbox import BEACON_FRESH_MS_MAX
from steunpunt.wallclock import ClockWatch

STOP_S_MAX = 3.0
KEEP_AGAIN_S = 2.0
"""How long to wait before trying a ledger that refused once more."""
UNKEPT_MAX = 1_000
DESK_POLL_S = 30.0
"""A coordinator looks for the desk's acts at least this often; the bell only makes it faster."""

_log = logging.getLogger(__name__)


def system_entropy() -> Entropy:
    """Return the machine's own randomness."""
    return Entropy(secrets.token_bytes, random.random)


def neighbours_of(config: Config) -> Neighbours:
    """Return who else coordinates in the region, by a coordinator's config."""
    addressed = {point.id: point.coordinator for point in config.point if point.coordinator is not None}
    return Neighbours(config.site.id, frozenset(other.id for other in config.other_coordinator), addressed)


class Node:
    """One site's node. The constructor does nothing; :meth:`run` serves until it is told to stop."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._inbox = Inbox()
        self._stopping = threading.Event()
        self._unkept: list[Event] = []
        self._can_keep = True
        self._turned_ms = 0
        self._seen: tuple[int, bool] | None = None
        """Rows written and whether the region answered, when the site's report was last asked for."""
        self._counts: Counter[str] = Counter()
        self._radios = KnownRadios()
        self._clock = ClockWatch()
        self._integrators = Integrators(config, self._publish, time.monotonic, self._clock.wall_s)
        self._power = SitePower(config, self._inbox.put)
        self._technician = Technician(config, self._inbox.put, self._publish)
        self._box = SiteBox(config, self._inbox.put, self._clock)
        self._housekeeping = Housekeeping(config, self._inbox.put, self._technician.self_test, self._technician.pages)
        self._incarnation: incarnation.Keeper | None = None
        self._watchdog_s = int(os.environ.get("WATCHDOG_USEC", "0")) / 2e6 or None

    # --- start and stop -----------------------------------------------------------------------------------------

    def run(self) -> None:
        """Start everything, serve, stop. Raises SteunpuntError when it cannot start."""
        on_stop_signals(self.stop)
        self._open()
        try:
            self._start()
            notify_systemd("READY=1")
            _log.info("action=started site=%d role=%s", self._config.site.id, self._config.site.role)
            self._loop()
        finally:
            notify_systemd("STOPPING=1")
            self._close()

    def stop(self) -> None:
        """Ask the loop to end; from any thread."""
        self._stopping.set()
        self._inbox.put(None)

    def _open(self) -> None:
        config = self._config
        path = Path(config.ledger.path)
        entropy = system_entropy()
        keys_path = Path(config.keys.file)
        coordinator = config.site.role is Role.COORDINATOR
        keys = keyfiles.read_coordinator(keys_path) if coordinator else keyfiles.read_site(keys_path)
        prepare(path)
        self._damaged_log = str(damaged_log_of(path)) if damaged_log_of(path).exists() else ""
        self._ledger = Ledger(path).open()
        check_owner(self._ledger, config.site.role, config.site.id)
        with self._ledger.transaction() as connection:
            self._ledger.touch(connection)
            self._housekeeping.begin(connection, self._ledger.clock.now_ms())
        self._reader = Ledger(path, readonly=True).open()
        if isinstance(keys, CoordinatorKeys):
            # A kiosk need not load these.
            from steunpunt.engine.coordinator import CoordinatorEngine  # noqa: PLC0415
            from steunpunt.node.kazernebox import box_settings  # noqa: PLC0415
            from steunpunt.node.papers import PaperRequests  # noqa: PLC0415

            self._check_identity("coordinator_id", keys.coordinator, keys_path)
            ledger_key = keyfiles.read_ledger_key(Path(config.ledger.key_file or ""))
            check_ledger_key(self._ledger, ledger_key, config.ledger.key_file or "")
            self._incarnation = incarnation.Keeper(self._ledger, path.with_suffix(".incarnation"))
            number, neighbours = self._incarnation.begin(), neighbours_of(config)
            self._engine: KioskEngine | CoordinatorEngine = CoordinatorEngine(
                self._ledger, keys, ledger_key, number, entropy, neighbours, self._incarnation
            )
            self._engine.use_box(box_settings(config))
            self._requests: KioskRequests | None = None
            self._handlers = PaperRequests(self._inbox.put).handlers()
            return
        self._check_identity("site", keys.site, keys_path)
        buttons = {button.name: button.cancel_s for button in config.panel.button} if config.panel else {}
        key = form_key(self._ledger, entropy)
        settings = KioskSettings(config.region.sites, config.site.name, config.relay.fallback_min)
        engine = KioskEngine(self._ledger, keys, config.region.coordinator, buttons, key, entropy, settings)
        self._engine = engine
        self._requests = KioskRequests(config, keys, engine, self._reader, key, secrets.token_bytes, self._inbox.put)
        self._handlers = self._requests.handlers()
        self._handlers |= hall_handlers(config, self._reader, self._inbox.put, self._requests.lock)

    def _check_identity(self, key: str, found: int, path: Path) -> None:
        if found != self._config.site.id:
            site = self._config.site.id
            raise SteunpuntError(f"{path}: `{key}` is {found}, but site.id is {site}; use this site's own keys")

    def _start(self) -> None:
        config = self._config
        self._technician.open(self._ledger, self._requests)
        self._links = SiteLinks.of(config, self._inbox.put)
        self._links.tell_absent()
        self._power.start()
        self._server = Server(Path(config.control.socket), self._asked)
        self._server.start()
        self._links.start()
        self._box.start()  # after the links: loading gpiozero takes as long as radio and broker need to answer
        self._clock.tell(lambda: self._links.trust_clock(self._clock.wall_less_boot_s()))
        self._clock.start()
        if isinstance(self._engine, KioskEngine):
            Stocker(self._engine.stock, self._stopping).start()

    def _close(self) -> None:
        """Stopping is the same as crashing, only more polite to radio and broker."""
        if hasattr(self, "_server"):
            self._server.stop()
        if hasattr(self, "_links"):
            self._links.stop(STOP_S_MAX)
        self._power.stop(STOP_S_MAX)
        self._box.stop(STOP_S_MAX)
        self._housekeeping.stop()
        self._clock.stop(STOP_S_MAX)
        self._reader.close()
        self._ledger.close()
        self._technician.close()

    # --- the loop -----------------------------------------------------------------------------------------------

    def _loop(self) -> None:
        while not self._stopping.is_set():
            events = self._inbox.take(self._timeout_s())
            ours = [mine for event in events if (mine := self._bridge(event)) is not None]
            if ours or not events or self._due():  # what is only for integrators needs no transaction
                self._turn(ours)
            self._report()
            self._mark_incarnation()
            self._housekeeping.look(self._ledger.clock.now_ms())
            if self._watchdog_s is not None:
                notify_systemd("WATCHDOG=1")

    def _mark_incarnation(self) -> None:
        if self._incarnation is None or not self._can_keep:
            return
        try:
            self._incarnation.mark_due(self._ledger.clock.now_ms())
        except LedgerError as error:
            self._can_keep = False  # proved again by the next turn that commits
            _log.error("action=cannot_mark reason=%r", str(error))

    def _due(self) -> bool:
        """Return whether the engine, the desk or a ledger that refused waits for a turn by now."""
        due_ms, now_ms = self._engine.next_due_ms(), self._ledger.clock.now_ms()
        long_ago = now_ms - self._turned_ms >= DESK_POLL_S * 1000
        return not self._can_keep or long_ago or (due_ms is not None and due_ms <= now_ms)

    def _timeout_s(self) -> float | None:
        """Return how long the loop may sleep: until the engine's next timer, the watchdog, or for ever."""
        waits = [self._watchdog_s]
        if not self._can_keep:  # nothing due can be done earlier either
            return min(KEEP_AGAIN_S, self._watchdog_s or KEEP_AGAIN_S)
        if not isinstance(self._engine, KioskEngine):
            waits.append(DESK_POLL_S)
        dues_ms = [self._engine.next_due_ms(), self._integrators.reporter.due_ms]
        dues_ms += [self._housekeeping.due_ms(), self._technician.due_ms]
        now_ms = self._ledger.clock.now_ms()
        waits += [max(due_ms - now_ms, 0) / 1000 for due_ms in dues_ms if due_ms is not None]
        return min((wait for wait in waits if wait is not None), default=None)

    def _turn(self, events: list[Event]) -> None:
        """One transaction for the events at hand; its effects only after the commit."""
        batch = [*self._unkept, *events]
        self._unkept.clear()
        try:
            effects = self._commit(batch)
        except LedgerError as error:
            self._not_kept(batch, error)
            self._buzz(events)
            return
        except Exception:  # noqa: BLE001  a poisoned event must not stop the point; see _poisoned
            if len(batch) > 1:
                for event in batch:
                    self._turn([event])
                return
            self._poisoned(batch)
            return
        if not self._can_keep:
            _log.info("action=keeping_again")
        self._can_keep = True
        self._note_changes()
        for effect in effects:
            self._perform_safely(effect)

    def _note_changes(self) -> None:
        """Have the report looked at when a turn wrote anything or the region came or went: a look costs as much."""
        now_ms = self._ledger.clock.now_ms()
        seen = (self._ledger.changes(), self._engine.links.roads(now_ms).region_answers)
        if seen != self._seen:
            self._seen = seen
            self._integrators.reporter.happened(now_ms)

    def _commit(self, events: list[Event]) -> list[Effect]:
        now_ms = self._turned_ms = self._ledger.clock.now_ms()
        try:
            with self._ledger.transaction() as connection:
                if not self._can_keep:
                    self._ledger.touch(connection)
                self._housekeeping.take(connection, [e for e in events if isinstance(e, JobEnded)], now_ms)
                effects = self._engine.turn(connection, events, now_ms)
        except BaseException:
            self._engine.rolled_back()
            raise
        self._engine.committed()
        return effects

    def _not_kept(self, events: list[Event], error: LedgerError) -> None:
        """The disk refused: forms are refused visibly, the rest is taken again when it keeps."""
        if self._can_keep:
            _log.error("action=cannot_keep reason=%r", str(error))
        self._can_keep = False
        self._counts["cannot_keep"] += 1
        for event in events:
            if isinstance(event, AWAITED):
                if event.reply is not None:
                    self._perform(ReplyTo(event.reply, no("cannot_keep", "this device cannot keep anything now")))
            elif isinstance(event, GuestSending):
                self._guest_not_sent(event)
            elif isinstance(event, BellRung) or (droppable(event) and len(self._unkept) >= UNKEPT_MAX):
                self._counts["unkept_dropped"] += 1
            else:
                self._unkept.append(event)

    def _buzz(self, events: list[Event]) -> None:
        """A press that cannot be kept is at least heard by the people here."""
        for event in events:
            if isinstance(event, ButtonPressed):
                self._perform_safely(SoundBuzzer(event.name, BUZZ_S))

    def _poisoned(self, events: list[Event]) -> None:
        """Drop, count and log an event that breaks the engine: a defect of ours, which must not stop the others."""
        _log.exception("action=event_failed event=%s", type(events[0]).__name__ if events else "timer")
        self._counts["events_failed"] += 1
        for event in events:
            if isinstance(event, AWAITED) and event.reply is not None:
                self._perform(ReplyTo(event.reply, no("internal", "the node could not do this; see its log")))
            elif isinstance(event, FrameHeard) and event.confirm is not None:
                self._perform(ConfirmFrame(event.confirm))
            elif isinstance(event, GuestSending):
                self._guest_not_sent(event)
        if not events:
            time.sleep(KEEP_AGAIN_S)  # a failing timer must not spin

    # --- acting -------------------------------------------------------------------------------------------------

    def _perform_safely(self, effect: Effect) -> None:
        """A link or a lamp that fails must not stop the node, nor leave an attempt under way for ever."""
        try:
            self._perform(effect)
        except Exception:  # noqa: BLE001  logged and counted; see above
            _log.exception("action=effect_failed effect=%s", type(effect).__name__)
            self._counts["effects_failed"] += 1
            if isinstance(effect, SendFrame):
                why = "the link failed"
                ended = SendEnded(effect.link, effect.attempt_id, SendOutcome.UNKNOWN, why, radio=effect.radio)
                self._inbox.put(ended)

    def _perform(self, effect: Effect) -> None:
        match effect:
            case SendFrame():
                self._links.send(effect)
            case ConfirmFrame(handle):
                self._links.confirm(handle)
            case ReplyTo(reply, body):
                if isinstance(reply, Pending):
                    reply.answer(body)
            case SetLamp() | SoundBuzzer() | PrintSlip():
                self._box.perform(effect)

    def _bridge(self, event: Event) -> Event | None:
        """Do what an event means to integrators; return what is left of it for the engine."""
        try:
            return self._for_integrators(event)
        except Exception:  # noqa: BLE001  anything may come off the air; one packet must not stop the node
            _log.exception("action=bridge_failed event=%s", type(event).__name__)
            self._counts["bridge_failed"] += 1
            return None if isinstance(event, PacketHeard | DownlinkHeard) else event

    def _for_integrators(self, event: Event) -> Event | None:
        now_ms = self._ledger.clock.now_ms()
        match event:
            case PagesHeard():
                self._technician.heard(event)
                return None
            case PacketHeard():
                self._technician.heard(event)
                self._integrators.packet(event)
                return None
            case DownlinkHeard():
                waits, room = partial(self._ours_waits, now_ms), partial(self._guest_fits, now_ms)
                return self._integrators.downlink(event, now_ms, ours_waits=waits, site_has_room=room)
            case SendEnded():
                self._integrators.ended(event, now_ms)
            case RadioPrepared():
                self._radios.take(event)
                self._integrators.prepared(event)
            case LinkChanged(LinkName.BROKER, up=up):
                if up:
                    self._integrators.broker_up()
                else:
                    self._integrators.broker_down()
            case _:
                pass
        self._power.heard(event)
        self._technician.heard(event)
        # Packets are beacons and PUBACKs, mostly: the turn tells whether one of them counts.
        if not isinstance(event, FrameHeard | SendEnded):
            self._integrators.reporter.happened(now_ms)
        return event

    def _ours_waits(self, now_ms: int) -> bool:
        return self._engine.wants_mesh(self._ledger.connection, now_ms)

    def _guest_fits(self, now_ms: int, radio: str, air_ms: float) -> bool:
        return self._engine.guest_fits(self._ledger.connection, radio, air_ms, now_ms)

    def _guest_not_sent(self, event: GuestSending) -> None:
        """Tell an integrator that its packet was given up before the radio had it."""
        frame, why = event.frame, "this device cannot keep anything now"
        self._bridge(SendEnded(frame.link, frame.attempt_id, SendOutcome.REFUSED, why, radio=frame.radio))

    def _report(self) -> None:
        """Look at the figures, tell integrators the site's state; what goes wrong there must not stop the node."""
        try:
            self._technician.look(self._engine, self._ledger, lambda: self._status({}), self._power.status)
            self._integrators.look(self._ledger.clock.now_ms(), lambda: self._status({}))
        except Exception:  # noqa: BLE001  see above
            _log.exception("action=report_failed")
            self._counts["report_failed"] += 1

    def _publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self._links.publish(topic, payload, retain=retain)

    # --- being asked --------------------------------------------------------------------------------------------

    def _asked(self, request: Body) -> Body:
        """Answer the control socket; runs on the connection's thread."""
        op = str(request.get("op", ""))
        own = {"status": self._status, "metrics": self._metrics, "bell": self._bell, "panel": self._box.asked}
        handlers = {**own, **self._technician.handlers(), **self._handlers}
        if op not in handlers:
            return no("unknown_op", f"{op[:40]!r} cannot be asked here; known: {', '.join(sorted(handlers))}")
        return handlers[op](request)

    def _bell(self, _request: Body) -> Body:
        self._inbox.put(BellRung())
        return {"ok": True}

    def _metrics(self, request: Body) -> Body:
        return {"ok": True, "text": prometheus(self._status(request), __version__)}

    def _status(self, _request: Body) -> Body:
        config, engine, now_ms = self._config, self._engine, self._ledger.clock.now_ms()
        site = {name: getattr(config.site, name) for name in ("id", "name", "place", "role")}
        beacon_ms = engine.links.beacon_ms
        body: Body = {
            "ok": True,
            "site": site,
            "coordinator_name": config.region.coordinator_name,
            "fallback_address": config.region.fallback_address,
            "links": {link: self._link_status(link, now_ms) for link in SENDING_LINKS},
            "region": {
                "fresh": engine.links.roads(now_ms).region_answers,
                "age_s": None if beacon_ms is None else (now_ms - beacon_ms) // 1000,
                "fresh_s_max": BEACON_FRESH_MS_MAX // 1000,
            },
            "active_min": engine.region.active_min(now_ms) if isinstance(engine, KioskEngine) else None,
            "can_keep": self._can_keep,
            "damaged_log": self._damaged_log,
            "radio": self._radios.status(),
            "panel_reason": self._box.troubles(),
            "power": self._power.status(),
            "housekeeping": self._housekeeping.status(now_ms),
            "clock": self._clock.status(),
            "downlink_air_ms": round(self._integrators.air_ms(now_ms)),
            "counters": self._counters(),
        }
        body |= self._technician.status(now_ms)
        if not isinstance(engine, KioskEngine):
            from steunpunt.node.kazernebox import box_status, box_troubles  # noqa: PLC0415  loaded at its start

            body["ledger_behind"] = engine.ledger_behind
            body["box"] = box_status(config, engine.box.view)
            body["troubles"] = box_troubles(body["box"]) + job_troubles(body["housekeeping"])
        if config.extra_radio:
            body["radios"] = {name: self._radio_status(name, now_ms) for name in config.radios}
        if self._requests is not None:
            body |= self._requests.figures(now_ms) | {"buttons": self._requests.buttons(now_ms)}
        return body

    def _link_status(self, link: LinkName, now_ms: int) -> Body:
        return self._engine.links.view(link).status(now_ms)

    def _radio_status(self, name: str, now_ms: int) -> Body:
        """Return how one of several radios is: as its link, and what it said of itself."""
        view = self._engine.links.radios.get(name, LinkView())
        air_ms = round(self._integrators.air_ms(now_ms, name))
        return view.status(now_ms) | {"radio": self._radios.status(name), "downlink_air_ms": air_ms}

    def _counters(self) -> dict[str, int]:
        counters = dict(self._engine.counts) | dict(self._counts) | {"inbox_dropped": self._inbox.dropped}
        counters |= self._integrators.counters()
        return counters | self._links.counters()
