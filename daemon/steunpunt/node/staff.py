"""What a kiosk's control socket takes from its staff, and the board of numbers that all may see."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from steunpunt.config import Config
from steunpunt.control import Body
from steunpunt.engine import pointstate
from steunpunt.ledger import boardrows
from steunpunt.ledger.store import Ledger
from steunpunt.model import Asked, Event, KeyFileError, PointState, TicketState, ticket_number
from steunpunt.node.offers import take_offer
from steunpunt.node.pending import WAIT_S_MAX, Pending, no
from steunpunt.node.staffdoor import Road, StaffDoor, TooManyTries, WrongPin

_log = logging.getLogger(__name__)


class StaffRequests(Struct, frozen=True):
    """A kiosk's own operations for staff. ``door`` None: this site has no ``[staff]`` in its config."""

    door: StaffDoor | None
    site: int
    reader: Ledger
    put: Callable[[Event], None]
    lock: threading.Lock
    """Held while the reader's connection is used."""
    over_wifi: bool = False

    def handlers(self) -> dict[str, Callable[[Body], Body]]:
        """Return what may be asked here."""
        return {
            "staff_login": self._login,
            "staff_check": self._check,
            "staff_logout": self._logout,
            "set_point_state": self._set_state,
            "board": self._board,
        }

    def _login(self, request: Body) -> Body:
        if self.door is None:
            return no("no_staff", "this site has no [staff] in its config")
        road = Road.SCREEN if request.get("road") == Road.SCREEN else Road.WIFI
        if road is Road.WIFI and not self.over_wifi:
            return no("not_here", "staff log in at the point's own screen; see staff.over_wifi in the config")
        try:
            session = self.door.enter(str(request.get("pin", "")), road)
        except TooManyTries as error:
            return no("too_many", str(error), wait_s=int(error.wait_s) + 1)
        except WrongPin as error:
            _log.warning("action=staff_pin_wrong road=%s", road)
            return no("wrong_pin", str(error))
        except KeyFileError as error:
            _log.error("action=staff_pin_file reason=%r", str(error))
            return no("pin_file", "the file of the PIN cannot be used; see the node's log")
        _log.info("action=staff_in road=%s", road)
        return {"ok": True, "session": session}

    def _check(self, request: Body) -> Body:
        """Say whether a session holds, and what staff see first: the point's state, who set it, and when."""
        if not self._is_in(request):
            return _OUT
        now_ms = self.reader.clock.now_ms()
        with self.lock:
            now = pointstate.standing(self.reader, self.reader.connection)
        age_s = None if now.since_ms is None else max(now_ms - now.since_ms, 0) // 1000
        at_least = now.since_ms is not None and now.since_ms < self.reader.clock.certain_ms
        return {"ok": True, "state": now.state.name, "by": now.by.value, "age_s": age_s, "age_at_least": at_least}

    def _logout(self, request: Body) -> Body:
        if self.door is not None:
            self.door.leave(str(request.get("session", "")))
        return {"ok": True}

    def _set_state(self, request: Body) -> Body:
        if not self._is_in(request):
            return _OUT
        state = PointState.__members__.get(str(request.get("state", "")))
        if state is None:
            return no("bad_request", f"state is one of {', '.join(PointState.__members__)}")
        pending = Pending()
        self.put(Asked(pointstate.StateSet(state), pending))
        return pending.wait(WAIT_S_MAX)

    def _is_in(self, request: Body) -> bool:
        acts = request.get("acts") is not False
        return self.door is not None and self.door.is_in(str(request.get("session", "")), acts=acts)

    def _board(self, _request: Body) -> Body:
        """Return the numbers of this point and how far each is; nothing of what is in them, nor of what kind."""
        now_ms = self.reader.clock.now_ms()
        with self.lock:
            lines, more = boardrows.board(self.reader.connection, now_ms)
        shown = [
            {
                "number": ticket_number(self.site, line.counter),
                "state": TicketState(line.state).name,
                "age_s": max(now_ms - line.state_ms, 0) // 1000,
            }
            for line in lines
        ]
        return {"ok": True, "lines": shown, "more": more}


def hall_handlers(
    config: Config, reader: Ledger, put: Callable[[Event], None], lock: threading.Lock
) -> dict[str, Callable[[Body], Body]]:
    """Return what a point's hall asks beside help: its staff, the board, and neighbours who offer help."""
    staff = config.staff
    door = None if staff is None else StaffDoor(Path(staff.pin_file))
    over_wifi = staff is not None and staff.over_wifi
    staffs = StaffRequests(door, config.site.id, reader, put, lock, over_wifi).handlers()
    return {**staffs, "offer": lambda request: take_offer(request, put)}


_OUT: Body = no("logged_out", "log in with the PIN")
