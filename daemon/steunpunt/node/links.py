"""The links of a site: one per radio and one to the broker; and what each radio said of itself."""

import logging
import os
import time
from pathlib import Path

from steunpunt.config import Config
from steunpunt.control import Body
from steunpunt.links.base import Inbox
from steunpunt.links.broker import BrokerLink
from steunpunt.links.mesh import MeshLink
from steunpunt.model import (
    MAIN_RADIO,
    LinkChanged,
    LinkName,
    RadioPrepared,
    SendEnded,
    SendFrame,
    SendOutcome,
)
from steunpunt.wire import node_name

RESTART_REQUEST = "restart-broker"
"""File in systemd's RuntimeDirectory of the node; a unit of ours restarts mosquitto when it appears."""
_log = logging.getLogger(__name__)


def mend_command(radio: str) -> str:
    """Return what a technician types to bring a radio to its config."""
    return "steunpunt radio apply" + ("" if radio == MAIN_RADIO else f" --radio {radio}")


class SiteLinks:
    """Gives each frame to its link. The constructor does nothing; :meth:`start` acts."""

    def __init__(self, radios: dict[str, MeshLink], broker: BrokerLink | None, inbox: Inbox) -> None:
        """``radios``: by their names in the config; none, or ``broker`` None, where the site does without."""
        self._radios, self._broker, self._inbox = radios, broker, inbox

    @classmethod
    def of(cls, config: Config, inbox: Inbox) -> "SiteLinks":
        """Return the links that a config asks for."""
        radios = {name: MeshLink(radio, inbox, name=name) for name, radio in config.radios.items()}
        site, broker, runtime = config.site, None, os.environ.get("RUNTIME_DIRECTORY")
        if config.broker.enabled:
            request = None if runtime is None else Path(runtime.partition(":")[0]) / RESTART_REQUEST
            several = bool(config.other_coordinator)
            broker = BrokerLink(
                config.broker,
                site.id,
                site.role,
                inbox,
                overhears=several,
                pages=config.housekeeping.pages_folder is not None,
                restart_request=request,
            )
        return cls(radios, broker, inbox)

    def tell_absent(self) -> None:
        """Say of the links that this site does without that they are down."""
        absent = [] if self._radios else [LinkName.MESH]
        absent += [] if self._broker else [LinkName.BROKER]
        for link in absent:
            self._inbox(LinkChanged(link, up=False, reason="not configured at this site"))

    def start(self) -> None:
        """Start each link's thread."""
        for link in self._all().values():
            link.start()

    def stop(self, deadline_s: float) -> None:
        """Stop each link, each within ``deadline_s`` seconds."""
        for link in self._all().values():
            link.stop(deadline_s)

    def send(self, frame: SendFrame) -> None:
        """Give a frame to its link; where there is none, it ends as refused."""
        link = self._broker if frame.link is LinkName.BROKER else self._radios.get(frame.radio)
        if link is None:
            refused = SendEnded(frame.link, frame.attempt_id, SendOutcome.REFUSED, "not configured", radio=frame.radio)
            self._inbox(refused)
        else:
            link.send(frame)

    def trust_clock(self, wall_less_boot_s: float | None) -> None:
        """Let the radios know the time: by how much the wall clock is ahead of the boot clock; None: not known."""
        ahead_s = None
        if wall_less_boot_s is not None:  # the links count by a clock that stands still in suspend
            ahead_s = wall_less_boot_s + time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
        for radio in self._radios.values():
            radio.trust(ahead_s)

    def confirm(self, handle: int) -> None:
        """Send the broker's PUBACK."""
        if self._broker is not None:
            self._broker.confirm(handle)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish for integrators, as :meth:`BrokerLink.publish`."""
        if self._broker is not None:
            self._broker.publish(topic, payload, retain=retain)

    def counters(self) -> dict[str, int]:
        """Return what the links counted, each name with its link's in front."""
        return {f"{link}_{key}": count for link, one in self._all().items() for key, count in one.counters().items()}

    def _all(self) -> dict[str, MeshLink | BrokerLink]:
        """Return every link by what its counters are called after; ``mesh`` is the radio in ``[radio]``."""
        found: dict[str, MeshLink | BrokerLink] = {
            LinkName.MESH if name == MAIN_RADIO else f"{LinkName.MESH}_{name}": radio
            for name, radio in self._radios.items()
        }
        return found if self._broker is None else found | {LinkName.BROKER: self._broker}


class KnownRadios:
    """What the site's radios said of themselves at their last handshake."""

    def __init__(self) -> None:
        self._prepared: dict[str, RadioPrepared] = {}

    def take(self, radio: RadioPrepared) -> None:
        """Keep it; log what differs from the config when that changes, not at each connection."""
        known = self._prepared.get(radio.radio)
        before = set() if known is None else set(known.drift)
        for line in radio.drift:
            if line not in before:
                _log.warning("action=radio_drift %s; mend it with `%s`", line, mend_command(radio.radio))
        if before and not radio.drift:
            _log.info("action=radio_as_configured radio=%s", radio.radio)
        self._prepared[radio.radio] = radio

    def status(self, name: str = MAIN_RADIO) -> Body | None:
        """Return one radio's own word, None when it has not been reached yet."""
        radio = self._prepared.get(name)
        if radio is None:
            return None
        return {
            "node": node_name(radio.node_num),
            "firmware": radio.firmware,
            "preset": radio.preset,
            "drift": list(radio.drift),
        }
