"""Virtual radios in real time: one thread, one TCP port per radio.

The only place, with ``door`` and ``control_port``, that knows a clock or a socket.
"""

import contextlib
import logging
import random
import selectors
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Self, TypeVar

from steunpunt.sim.air import SNR_DB, Air, Link
from steunpunt.sim.control_port import ControlPort
from steunpunt.sim.door import Door
from steunpunt.sim.faults import TIMES_MAX, Fault
from steunpunt.sim.radio import VirtualRadio
from steunpunt.sim.settings import user
from steunpunt.sim.spec import RadioSpec, SimulationError
from steunpunt.sim.timeline import Timeline
from steunpunt.wire import mesh_pb2

log = logging.getLogger(__name__)

IDLE_CLOSE_S = 900.0
"""A client that says nothing for this many real seconds is disconnected."""

COMMAND_WAIT_MAX_S = 10.0
"""How long a caller waits for the radios' thread."""

FAULT_S_MAX = 86_400.0
"""Longest time that a fault is asked for, in seconds."""

_LOOP_WAIT_MAX_S = 30.0
_FAILURE_LOOK_S = 5.0
_ResultT = TypeVar("_ResultT")


class VirtualRadios:
    """A set of radios that hear each other, served over TCP on 127.0.0.1.

    A context manager; the constructor does nothing yet. All methods may be called
    from any thread. ``speed`` divides time on air and the firmware's delays. With
    ``met_before`` the radios know each other's names and keys from the start, as
    radios do that have been on the same mesh; without it they learn them by NodeInfo.
    """

    def __init__(  # noqa: PLR0913 - all but the radios have defaults and names
        self,
        specs: Sequence[RadioSpec],
        *,
        preset: str = "LONG_FAST",
        loss: float = 0.0,
        speed: float = 1.0,
        control_port: int | None = None,
        seed: int | None = None,
        met_before: bool = True,
        idle_close_s: float = IDLE_CLOSE_S,
    ) -> None:
        """Raises SimulationError for radios, a preset, a loss or a speed that cannot be."""
        _check(specs, loss, speed)
        rng = random.Random(seed)
        try:
            self.air = Air(Timeline(), rng, preset=preset, loss=loss)
        except ValueError as error:
            raise SimulationError(str(error)) from error
        self._speed = speed
        self._idle_close_s = idle_close_s
        self._control_port = control_port
        self._control: ControlPort | None = None
        self._radios = {spec.name: VirtualRadio(spec, self.air, rng) for spec in specs}
        if met_before:
            _introduce(list(self._radios.values()))
        self._doors: dict[str, Door] = {}
        self._selector: selectors.BaseSelector
        self._wake_reader: socket.socket
        self._wake_writer: socket.socket
        self._commands: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self._started = False
        self._stopping = False
        self._failure: BaseException | None = None
        self._zero_s = 0.0
        self._thread = threading.Thread(target=self._run, name="virtual radios", daemon=True)

    # --- life

    def start(self) -> None:
        """Switch all radios on and listen. Raises SimulationError if a port is taken."""
        self._started = True
        self._zero_s = time.monotonic()
        self._selector = selectors.DefaultSelector()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.settimeout(0)
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        try:
            for name, radio in self._radios.items():
                radio.start()
                self._doors[name] = Door(radio, self._selector)
                self._doors[name].sync()
            with self._lock:  # whoever asks the control port from now on waits until the thread runs
                if self._control_port is not None:
                    self._control = ControlPort(self, self._control_port)
                    self._control.start()
                self._thread.start()
        except BaseException:
            self._release()
            raise

    def stop(self) -> None:
        """Close everything; harmless when it never started."""
        if not self._started:
            return
        with self._lock:
            self._stopping = True
        self._wake()
        if self._thread.is_alive():
            self._thread.join(COMMAND_WAIT_MAX_S)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self._failure is not None and kind is None:
            raise self._failure

    @property
    def failure(self) -> BaseException | None:
        """What ended the radios' thread, if something did."""
        return self._failure

    # --- what a test or a demo does to the radios

    @property
    def names(self) -> list[str]:
        """All radios, in the order in which they were given."""
        return list(self._radios)

    @property
    def control_address(self) -> tuple[str, int] | None:
        """Where the control port listens, if there is one."""
        return self._control.address if self._control is not None else None

    def port(self, name: str) -> int:
        """TCP port of a radio; it stays the same through unplugging and reboots."""
        return self._door(name).port

    def address(self, name: str) -> tuple[str, int]:
        """Host and TCP port of a radio."""
        return "127.0.0.1", self.port(name)

    def unplug(self, name: str, *, stays_on: bool = False) -> None:
        """Pull the cable: the client is closed and new ones are refused.

        The cable is also the power, so the radio leaves the air and loses its queues,
        unless it ``stays_on`` (a radio with a battery of its own).
        """
        door = self._door(name)

        def pull() -> None:
            door.plugged = False
            door.sync()
            if not stays_on:
                door.radio.stop()

        self._call(pull)

    def plug(self, name: str) -> None:
        """Put the cable back: the radio starts, if it was off, and accepts clients."""
        door = self._door(name)

        def push() -> None:
            door.plugged = True
            if not door.radio.is_up:
                door.radio.start()
            door.sync()

        self._call(push)

    def reboot(self, name: str) -> None:
        """Let a radio reboot now; it accepts clients again 50 simulated ms later."""
        radio = self._door(name).radio
        self._call(radio.reboot)

    def fault(self, name: str, what: Fault, *, seconds: float | None = None, times: int = 1, code: int = 0) -> None:
        """Let something go wrong with a radio now; see :class:`~steunpunt.sim.faults.Fault`.

        A fault that lasts ends after ``seconds`` of real time, or at :meth:`mend`. ``code`` is a
        QueueStatus.res or a routing error. SimulationError for a number that makes no sense.
        """
        _check_fault(what, seconds, times, code)
        door = self._door(name)
        if what is Fault.EVICT:
            _come_and_go(self.address(name))
            return

        def go_wrong() -> None:
            door.radio.faults.begin(what, times, code)
            if what is Fault.FIN:
                door.drop_client()
            elif what is Fault.RST:
                door.reset_client()
            if seconds is not None:
                self.air.timeline.schedule(seconds * 1000 * self._speed, lambda: door.radio.faults.end(what))

        self._call(go_wrong)

    def mend(self, name: str) -> None:
        """End all faults of a radio."""
        self._call(self._door(name).radio.faults.mend)

    def set_loss(self, loss: float) -> None:
        """Lose this share (0 to 1) of packets on every link; forgets ``set_link``."""
        _check_loss(loss)
        self._call(lambda: self.air.set_usual_link(Link(loss=loss)))

    def set_link(
        self,
        one: str,
        other: str,
        *,
        loss: float = 0.0,
        snr_db: float = SNR_DB,
        audible: bool = True,
    ) -> None:
        """Say how two radios hear each other, in both directions."""
        _check_loss(loss)
        a, b = self._door(one).radio.num, self._door(other).radio.num
        link = Link(loss, snr_db, audible)

        def both_ways() -> None:
            self.air.set_link(a, b, link)
            self.air.set_link(b, a, link)

        self._call(both_ways)

    def counters(self, name: str) -> dict[str, int | float | bool]:
        """What a radio sent, heard, refused and dropped so far."""
        door = self._door(name)
        return self._call(lambda: _figures(door))

    def air_counters(self) -> dict[str, int]:
        """What became of the packets on the air, one count per listener."""
        return self._call(lambda: dict(self.air.counters))

    # --- the thread

    def _door(self, name: str) -> Door:
        try:
            return self._doors[name]
        except KeyError:
            known = ", ".join(self._radios)
            raise SimulationError(f"no virtual radio is called {name!r}; there are {known}") from None

    def _call(self, action: Callable[[], _ResultT]) -> _ResultT:
        """Run something in the radios' thread and wait for its result."""
        future: Future[_ResultT] = Future()

        def run() -> None:
            try:
                future.set_result(action())
            except Exception as error:  # noqa: BLE001 - it is raised again where the caller waits
                future.set_exception(error)

        with self._lock:
            if self._stopping or not self._thread.is_alive():
                raise SimulationError("the virtual radios are not running; start them first")
            self._commands.append(run)
        self._wake()
        return future.result(COMMAND_WAIT_MAX_S)

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._wake_writer.send(b".")

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._turn()
        except BaseException as error:
            self._failure = error
            log.exception("the virtual radios stopped")
        finally:
            with self._lock:
                self._stopping = True
            self._obey()
            self._release()

    def _turn(self) -> None:
        now_s = time.monotonic()
        self.air.advance((now_s - self._zero_s) * 1000 * self._speed)
        for door in self._doors.values():
            door.sync()
            door.pump()
            if door.has_client and now_s - door.heard_s >= self._idle_close_s:
                door.drop_client()
        for key, _ in self._selector.select(self._wait_s(now_s)):
            if isinstance(key.data, Door) and isinstance(key.fileobj, socket.socket):
                key.data.ready(key.fileobj, now_s)
        with contextlib.suppress(BlockingIOError):
            self._wake_reader.recv(4096)
        self._obey()

    def _obey(self) -> None:
        with self._lock:
            commands, self._commands = self._commands, []
        for command in commands:
            command()

    def _wait_s(self, now_s: float) -> float:
        wait_s = _LOOP_WAIT_MAX_S
        due_ms = self.air.next_event_ms()
        if due_ms is not None:
            wait_s = min(wait_s, self._zero_s + due_ms / 1000 / self._speed - now_s)
        for door in self._doors.values():
            if door.has_client:
                wait_s = min(wait_s, door.heard_s + self._idle_close_s - now_s)
        return max(wait_s, 0.0)

    def _release(self) -> None:
        if self._control is not None:
            self._control.stop()
        for door in self._doors.values():
            door.close()
        self._selector.close()
        self._wake_reader.close()
        self._wake_writer.close()


def serve(  # noqa: PLR0913 - all but the radios have defaults and names
    radios: Sequence[RadioSpec],
    *,
    preset: str = "LONG_FAST",
    loss: float = 0.0,
    speed: float = 1.0,
    control_port: int | None = None,
    seed: int | None = None,
    ready: Callable[[VirtualRadios], None] | None = None,
) -> None:
    """Serve virtual radios until SIGTERM or SIGINT; call it from the main thread.

    ``ready`` is called once all ports listen. Raises SimulationError for a taken port
    or radios that cannot be.
    """
    ends = {signal.SIGTERM, signal.SIGINT}
    # Blocked and waited for, not handled: a handler may interrupt any lock that it would need itself.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    try:
        served = VirtualRadios(radios, preset=preset, loss=loss, speed=speed, control_port=control_port, seed=seed)
        with served:
            if ready is not None:
                ready(served)
            while served.failure is None and signal.sigtimedwait(ends, _FAILURE_LOOK_S) is None:
                pass
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _check(specs: Sequence[RadioSpec], loss: float, speed: float) -> None:
    names, nums = [spec.name for spec in specs], [spec.node_num for spec in specs]
    if not specs:
        raise SimulationError("there is no virtual radio to serve; give at least one")
    if len(set(names)) < len(names) or len(set(nums)) < len(nums):
        raise SimulationError("two virtual radios have the same name or node number; give each its own")
    if not speed > 0:
        raise SimulationError(f"a speed of {speed} makes no sense; write 1 for real time or more")
    _check_loss(loss)


def _check_loss(loss: float) -> None:
    if not 0 <= loss <= 1:
        raise SimulationError(f"a loss of {loss} makes no sense; write a share between 0 and 1")


def _check_fault(what: Fault, seconds: float | None, times: int, code: int) -> None:
    if not 0 < times <= TIMES_MAX or not 0 <= (seconds or 0) <= FAULT_S_MAX:
        raise SimulationError(
            f"a fault {times} times or for {seconds} s makes no sense; write 1 to {TIMES_MAX} and 0 to {FAULT_S_MAX:g}"
        )
    if what in (Fault.RES, Fault.NAK) and (not code or code not in mesh_pb2.Routing.Error.values()):
        raise SimulationError(f"{code} is no routing error of the firmware; write one, such as 9 for its duty cycle")


def _come_and_go(address: tuple[str, int]) -> None:
    try:
        socket.create_connection(address, COMMAND_WAIT_MAX_S).close()
    except OSError as error:
        raise SimulationError(f"no second client gets in at {address[0]}:{address[1]} ({error.strerror})") from error


def _introduce(radios: list[VirtualRadio]) -> None:
    for radio in radios:
        for other in radios:
            if other is not radio:
                radio.settings.node(other.num).user.CopyFrom(user(other.spec))


def _figures(door: Door) -> dict[str, int | float | bool]:
    figures = {**door.radio.figures(), **door.counters}
    return {**figures, "plugged": door.plugged, "has_client": door.has_client}
