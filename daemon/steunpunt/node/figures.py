"""What the node measures for the technician: airtime, signal, disk, when something last went, and how it went on.

Looked at in the loop, when it turns anyway: no figure costs the site a wake-up. What ``status`` tells is older, then,
the longer nothing happens; ``age_s`` says how old. The trend is in memory alone and begins anew at each start.
"""

import os
import statistics
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa
from msgspec import Struct

from steunpunt.config import Config
from steunpunt.control import Body
from steunpunt.ledger.lastfacts import last_at_coordinator, last_at_kiosk
from steunpunt.model import MAIN_RADIO, Event, FrameHeard, LinkName, Role

LOOK_MS = 60_000
"""Shortest time between two looks, in milliseconds."""
TREND_MS = 600_000
TREND_MAX = 432
"""Three days of points, ten minutes apart."""
SNR_KEPT_MAX = 60
"""Packets of this region by which a radio's signal is judged."""
MIB = 2**20


class Engine(Protocol):
    """What is asked of either role's engine."""

    def air_used_ms(self, connection: sa.Connection, radio: str, now_ms: int, /) -> float:
        """Return how many milliseconds of a radio's rolling hour count as used."""


class Point(Struct, frozen=True):
    """One point of the trend; None: was not known."""

    at_ms: int
    percent: int | None
    hours_left: float | None
    draw_w: float | None
    queue: int | None
    air_ms: int | None
    """The busiest radio's."""
    snr_db: float | None


@dataclass(slots=True)
class Figures:
    """See the module. The loop calls :meth:`heard` and :meth:`look`; :meth:`status` and :meth:`trend`, any thread."""

    config: Config
    _snr: dict[str, deque[float]] = field(default_factory=dict)
    _found: Body = field(default_factory=dict)
    _found_ms: int | None = None
    _trend: deque[Point] = field(default_factory=lambda: deque(maxlen=TREND_MAX))

    def heard(self, event: Event) -> None:
        """Note how well a radio heard a packet of this region."""
        if isinstance(event, FrameHeard) and event.link is LinkName.MESH and event.snr_db is not None:
            self._snr.setdefault(event.radio, deque(maxlen=SNR_KEPT_MAX)).append(event.snr_db)

    def look(self, engine: Engine, connection: sa.Connection, now_ms: int, status: Callable[[], Body]) -> bool:
        """Look at everything when it is time to, and return whether it was; ``status`` is the control socket's."""
        if self._found_ms is not None and now_ms - self._found_ms < LOOK_MS:
            return False
        at_kiosk = self.config.site.role is Role.KIOSK
        last_ms = last_at_kiosk(connection) if at_kiosk else last_at_coordinator(connection)
        found: Body = {
            "air": {name: round(engine.air_used_ms(connection, name, now_ms)) for name in self.config.radios},
            "snr": {name: _snr_body(kept) for name, kept in self._snr.items()},
            "disk": _disk(Path(self.config.ledger.path)),
            "last_ms": last_ms,
        }
        self._found, self._found_ms = found, now_ms
        if not self._trend or now_ms - self._trend[-1].at_ms >= TREND_MS:
            self._trend.append(_point(found, status(), now_ms))
        return True

    def status(self, now_ms: int) -> Body:
        """Return what was found at the last look, for ``status``; ``age_s`` None: there was none yet."""
        found, found_ms = self._found, self._found_ms
        last = found.get("last_ms", {})
        return {
            "age_s": None if found_ms is None else (now_ms - found_ms) // 1000,
            "air_ms": found.get("air", {}),
            "snr": found.get("snr", {}),
            "disk": found.get("disk"),
            "last_s": {name: None if at is None else max(now_ms - at, 0) // 1000 for name, at in last.items()},
        }

    def trend(self, now_ms: int) -> list[Body]:
        """Return the points, the oldest first, each with its age."""
        return [
            {
                "age_s": (now_ms - point.at_ms) // 1000,
                "percent": point.percent,
                "hours_left": point.hours_left,
                "draw_w": point.draw_w,
                "queue": point.queue,
                "air_ms": point.air_ms,
                "snr_db": point.snr_db,
            }
            for point in list(self._trend)
        ]


def _snr_body(kept: deque[float]) -> Body:
    return {"last_db": round(kept[-1], 2), "median_db": round(statistics.median(kept), 2), "count": len(kept)}


def _disk(path: Path) -> Body | None:
    """Return what is free for the ledger, as a plain user may use it; None: the disk does not answer."""
    try:
        found = os.statvfs(path.parent)
        size = path.stat().st_size
    except OSError:
        return None
    return {
        "free_mib": found.f_bavail * found.f_frsize // MIB,
        "free_percent": round(100 * found.f_bavail / found.f_blocks) if found.f_blocks else 0,
        "ledger_mib": round(size / MIB, 1),
        "read_only": bool(found.f_flag & os.ST_RDONLY),
    }


def _point(found: Body, status: Body, now_ms: int) -> Point:
    power = status.get("power") or {}
    snr = found["snr"].get(MAIN_RADIO)
    return Point(
        now_ms,
        power.get("percent"),
        power.get("hours_left"),
        power.get("draw_w"),
        status.get("queue"),
        max(found["air"].values(), default=None),
        None if snr is None else snr["last_db"],
    )
