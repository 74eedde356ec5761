"""The mesh link: sealed packets over a Meshtastic radio.

One thread waits in a selector on the radio's descriptor, on the wake-up socket and on the session's next
timer, and never blocks in a write: bytes that the radio does not take within WRITE_S end the connection.
So there is no separate writer that could hang; what the session decides is in
:mod:`steunpunt.links.mesh_session`.
"""

import random
import secrets
import selectors
import time
from pathlib import Path

from steunpunt import keyfiles
from steunpunt.config import Radio
from steunpunt.links.base import STABLE_S, Backoff, Clock, Inbox, LinkThread
from steunpunt.links.mesh_queue import WAITING_MAX
from steunpunt.links.mesh_session import Session
from steunpunt.links.mesh_terms import Failure, Kind, Wanted
from steunpunt.links.mesh_transport import Transport, device_at, explain, open_transport, where
from steunpunt.model import MAIN_RADIO, KeyFileError, LinkName, RadioPrepared, SendFrame
from steunpunt.radiosettings import wanted_settings
from steunpunt.wire import node_num

RETRY_FIRST_S, RETRY_CAP_S = 0.1, 1.0
"""A refused connection on this machine is cheap; a radio that is back is found within two seconds."""
RETRY_MISCONFIGURED_S = 15.0
"""Between two looks at a radio that a person has to mend; meanwhile the radio is free for the tools."""
DEVICE_LOOK_S = 0.5
"""While the wrong radio is on a serial path, its path is looked at this often for another one."""
WRITE_S = 10.0
"""Longest time that bytes may wait for the radio to take them."""
NONE_PAUSE_S = 3600.0
_COMPLAINTS = ("nak_", "send_refused", "send_unknown", "packets_dropped", "frames_dropped")
"""Counters that a technician should read of in the log."""


class MeshLink(LinkThread):
    """The road over LoRa, through one radio. TAKEN means the radio queued the packet, nothing more."""

    link = LinkName.MESH
    commands_max = WAITING_MAX

    def __init__(
        self,
        config: Radio,
        inbox: Inbox,
        *,
        name: str = MAIN_RADIO,
        clock: Clock = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        super().__init__(inbox, clock, name)
        self._config = config
        self._backoff = Backoff(RETRY_FIRST_S, RETRY_CAP_S, rng or random.Random())  # noqa: S311  jitter
        self._transport: Transport | None = None
        self.wall_less_clock_s: float | None = None

    def trust(self, wall_less_clock_s: float | None) -> None:
        """Take by how much the wall clock is ahead of this link's, in seconds; None: it cannot be believed.

        From any thread. The radio's own clock is set by it.
        """
        came_or_went = (self.wall_less_clock_s is None) is not (wall_less_clock_s is None)
        self.wall_less_clock_s = wall_less_clock_s
        if came_or_went:  # else the session sees it when it wakes by itself
            self.waker.wake()

    def run(self) -> None:
        """Serve one session after the other until told to stop."""
        if self._config.kind == "none":
            self.report(up=False, reason="this site has no radio (radio.kind is none)")
            while not self.stopping:
                self.pause(NONE_PAUSE_S)
            return
        try:
            while not self.stopping:
                failure = self._serve_one()
                if failure.kind is Kind.MISCONFIGURED:
                    self._wait_for_a_person()
                else:
                    self.pause(self._backoff.next_s())
        finally:
            self._hang_up()

    def _wait_for_a_person(self) -> None:
        """Wait before the next look at a radio that is not as it should be, unless another one is plugged in."""
        until, device = self.clock() + RETRY_MISCONFIGURED_S, device_at(self._config)
        while not self.stopping and self.clock() < until and device_at(self._config) == device:
            self.pause(RETRY_MISCONFIGURED_S if device is None else DEVICE_LOOK_S)

    def _serve_one(self) -> Failure:
        """Serve one session to its end and say why it ended."""
        try:
            self._transport = self._transport or open_transport(self._config)
        except OSError as error:
            self.count("connects_failed")
            failure = Failure(Kind.LOST, explain(self._config, error))
            self.report(up=False, reason=failure.reason)
            return failure
        self.count("connects")
        session = Session(self._wanted(), _draw_id(), _draw_id, self.clock())
        session.trust(self.wall_less_clock_s, self.clock())
        started = self.clock()
        failure = _Service(self, self._transport, session).serve()
        if self.clock() - started >= STABLE_S:
            self._backoff.reset()
        # A serial port outlives the radio's reboot; opening it anew could reset the board once more.
        if failure.kind is not Kind.REBOOTED or self._config.kind == "tcp":
            self._hang_up()
        return failure

    def _hang_up(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def _wanted(self) -> Wanted:
        config, place = self._config, where(self._config)
        tool = f"meshtastic --{'port' if config.kind == 'serial' else 'host'} {place} --ch-add {config.channel}"
        mend = f"`{tool}` and give it the region's key"
        if config.channel_key_file is not None:
            mend = "`steunpunt radio apply` with this site's config, while the node is stopped"
        key, not_compared = _read_key(config.channel_key_file)
        return Wanted(
            where=place,
            channel=config.channel,
            hop_limit=config.hop_limit,
            emergency_channel=config.emergency_channel,
            node=None if config.node is None else node_num(config.node),
            mend_channel=mend,
            radio=self.radio,
            settings=wanted_settings(config, key),
            not_compared=not_compared,
        )


class _Service:
    """One session on one transport; only the link's thread touches it."""

    def __init__(self, link: MeshLink, transport: Transport, session: Session) -> None:
        self._link, self._transport, self._session = link, transport, session
        self._unsent = b""
        self._write_by = float("inf")
        self._selector = selectors.DefaultSelector()

    def serve(self) -> Failure:
        """Move bytes, commands and events until the session fails or the link is told to stop."""
        session = self._session
        with self._selector as selector:
            selector.register(self._link.waker, selectors.EVENT_READ)
            selector.register(self._transport, selectors.EVENT_READ)
            self._after_turn()
            while session.failure is None and not self._link.stopping:
                self._turn()
                self._after_turn()
            self._finish()
        return session.failure or Failure(Kind.LOST, "stopped")

    def _turn(self) -> None:
        session, clock = self._session, self._link.clock
        left = min(session.next_timer(), self._write_by) - clock()
        for key, mask in self._selector.select(max(0.0, left)):
            if key.fileobj is self._link.waker:
                self._link.waker.drain()
            elif mask & selectors.EVENT_READ:
                self._read()
        now = clock()
        session.trust(self._link.wall_less_clock_s, now)
        for command in self._link.take():
            if isinstance(command, SendFrame):
                session.send(command, now)
        if now >= self._write_by:
            session.close(Kind.LOST, f"the radio takes no bytes for {WRITE_S:g} s; restart the radio")
        session.handle_timer(now)

    def _read(self) -> None:
        try:
            data = self._transport.read()
        except OSError as error:
            self._lost((error.strerror or "error").lower())
            return
        if data:
            self._session.receive(data, self._link.clock())
        elif data is not None:
            self._lost("closed by the radio")

    def _lost(self, why: str) -> None:
        place = self._session.where
        reason = f"lost the radio at {place} ({why}); is the cable in, or did a phone or the CLI take it?"
        self._session.close(Kind.LOST, reason)

    def _after_turn(self) -> None:
        if self._session.failure is None:
            self._write()
        if self._session.failure is None:
            self._emit()

    def _write(self) -> None:
        """Write what there is; watch for room only while bytes are left."""
        self._unsent += self._session.take_output()
        try:
            written = self._transport.write(self._unsent) if self._unsent else 0
        except OSError as error:
            self._lost((error.strerror or "error").lower())
            return
        self._unsent = self._unsent[written:]
        if not self._unsent:
            self._write_by = float("inf")
        elif written or self._write_by == float("inf"):
            self._write_by = self._link.clock() + WRITE_S
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
        if self._selector.get_key(self._transport).events != wanted:
            self._selector.modify(self._transport, wanted)

    def _emit(self) -> None:
        for event in self._session.take_events():
            if isinstance(event, RadioPrepared) and self._session.failure is None:
                reason = f"radio at {self._session.where}, firmware {event.firmware or 'unknown'}"
                self._link.report(up=True, reason=reason, node_num=event.node_num)
            self._link.emit(event)
        for name, amount in self._session.take_counts().items():
            (self._link.complain if name.startswith(_COMPLAINTS) else self._link.count)(name, amount)

    def _finish(self) -> None:
        """Say goodbye if we go; then that the link is down; then what became of the sends."""
        session = self._session
        if session.failure is None:
            session.goodbye()
            self._write()
            session.close(Kind.LOST, "stopped")
        if session.failure is not None:
            self._link.report(up=False, reason=session.failure.reason)
        self._emit()


def _read_key(path: str | None) -> tuple[bytes | None, tuple[str, ...]]:
    """Read the channel's key anew at each connection: a technician who mends the file need not restart."""
    if path is None:
        return None, ()
    try:
        return keyfiles.read_channel_key(Path(path)), ()
    except KeyFileError as error:
        return None, (f"channel key: not compared, {error}",)


def _draw_id() -> int:
    """Draw a packet id that is not 0 and that no earlier session of ours can have used but by chance."""
    return secrets.randbelow(0xFFFFFFFF) + 1
