"""What can be seen of the demo's region, in plain Dutch words: read just now, or "geen antwoord".

Cables and power are the demo's own doing and so known; everything else is asked of who knows it: a node over its
control socket, the radios over theirs.
"""

import contextlib
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from steunpunt.control import Body, Client, ControlError, Refused
from steunpunt.demo.paper import Paper
from steunpunt.demo.processes import DemoError
from steunpunt.demo.region import COORDINATOR, KIOSKS, PARTS, Region, Site
from steunpunt.demo.siteconfig import SLIPS
from steunpunt.model import LampMode

READ_S_MAX = 1.5
"""How long a node or the radios may take to answer, in seconds."""
KEPT_S = 0.4
"""A reading is shared by all who ask within this time, in seconds."""
BUTTON, TAKE = "help", "take"
"""Names of a kiosk's button and of the kazernebox's."""
SLIPS_SHOWN = 3
SLIP_BYTES_MAX = 1024 * 1024
"""Read at once of what the printer printed."""
MINUTE_S = 60

GOOD, BAD, OFF, UNKNOWN, PLAIN = "good", "bad", "off", "unknown", "plain"
MEND, DISABLED = "mend", "disabled"
"""Looks of buttons: one that makes whole what is broken, and one that can do nothing now."""
_PART_WORDS = {"broker": "de broker", "node": "de node", "web": "het scherm"}
_LAMP_WORDS = {LampMode.OFF: "uit", LampMode.BLINKING: "knippert", LampMode.STEADY: "brandt"}


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing on the page: its words, how it looks, and for a button what it does."""

    text: str
    look: str = PLAIN
    do: str = ""


NO_ANSWER = Mark("geen antwoord", UNKNOWN)
Marks = dict[str, Mark]


class Sight:
    """Reads the region; many readers share one reading."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self._lock = threading.Lock()
        self._kept: tuple[float, Marks] | None = None
        self._paper, self._paper_read = Paper(), 0

    def read(self) -> Marks:
        """Return all marks by name (``kiosk-a.lamp``), at most KEPT_S old."""
        with self._lock:
            if self._kept is None or time.monotonic() - self._kept[0] > KEPT_S:
                marks = self._read()
                self._kept = (time.monotonic(), marks)
            return self._kept[1]

    def forget(self) -> None:
        """Read anew next time: something was done."""
        with self._lock:
            self._kept = None

    def press(self, name: str) -> None:
        """Press a site's button; raises ControlError, or Refused by the node."""
        with contextlib.closing(Client(self._region.sites[name].socket, READ_S_MAX)) as client:
            client.call("panel", action="press", name=BUTTON if name in KIOSKS else TAKE)

    def _read(self) -> Marks:
        radios: Mapping[str, Body] = {}
        with contextlib.suppress(DemoError):
            radios = self._region.radio_counters(timeout_s=READ_S_MAX)
        marks: Marks = _air_marks(radios)
        for name, site in self._region.sites.items():
            status = self._ask(name, "status")
            found = _site_marks(site, status, radios.get(name))
            if name in KIOSKS:
                found |= self._kiosk_marks(name, status)
            else:
                found |= self._box_marks(name)
            marks |= {f"{name}.{key}": mark for key, mark in found.items()}
        return marks

    def _kiosk_marks(self, site: str, status: Body | None) -> Marks:
        intact = self._region.cables[site].intact
        panel = self._ask(site, "panel", action="read", name=BUTTON)
        return {
            "internet": Mark("kabel heel", GOOD) if intact else Mark("kabel doorgeknipt", BAD),
            "internet.do": Mark("Knip de kabel door", PLAIN, "cut")
            if intact
            else Mark("Herstel de kabel", MEND, "restore"),
            "press.do": Mark("Druk op de knop", PLAIN if panel else DISABLED, "press"),
            **_panel_marks(panel),
            **_queue_marks(status),
        }

    def _box_marks(self, site: str) -> Marks:
        """Return the kazernebox: lamp, buzzer, button, and the slips that came out, the newest first."""
        panel = self._ask(site, "panel", action="read", name=TAKE)
        slips = self._slips()
        shown = [*reversed(slips[-SLIPS_SHOWN:]), *[""] * SLIPS_SHOWN][:SLIPS_SHOWN]
        count = "nog geen bon" if not slips else "1 bon" if len(slips) == 1 else f"{len(slips)} bonnen"
        return {
            "press.do": Mark("Ik pak dit op", PLAIN if panel else DISABLED, "press"),
            **_panel_marks(panel),
            "slips": Mark(count),
            **{f"slip{index}": Mark(text) for index, text in enumerate(shown)},
        }

    def _slips(self) -> list[str]:
        """Return the text of each slip so far; reads on from where it was."""
        with contextlib.suppress(OSError), (self._region.sites[COORDINATOR].folder / SLIPS).open("rb") as printed:
            printed.seek(self._paper_read)
            got = printed.read(SLIP_BYTES_MAX)
            self._paper_read += len(got)
            self._paper.feed(got)
        return ["\n".join(line.text for line in slip) for slip in self._paper.slips]

    def _ask(self, site: str, op: str, **fields: str) -> Body | None:
        with contextlib.closing(Client(self._region.sites[site].socket, READ_S_MAX)) as client:
            try:
                return client.call(op, **fields)
            except (ControlError, Refused):
                return None


def _site_marks(site: Site, status: Body | None, radio: Body | None) -> Marks:
    """Return what every site has: power, its node's word, the radio and the links."""
    plug = site.radio_plugged
    return {
        "house": Mark("", OFF if not site.power else GOOD if status else UNKNOWN),
        "power": _power(site),
        "power.do": Mark("Haal de stroom weg", PLAIN, "power_off")
        if site.power
        else Mark("Geef stroom", MEND, "power_on"),
        "node": Mark("antwoordt", GOOD) if status else NO_ANSWER,
        "radio": _radio(site, radio),
        "radio.do": Mark("Trek de radio los", PLAIN, "unplug") if plug else Mark("Sluit de radio aan", MEND, "plug"),
        "mesh": _link(status, "mesh"),
        "broker": _link(status, "broker"),
    }


def _power(site: Site) -> Mark:
    if not site.power:
        return Mark("uit", OFF)
    ended = [part for part in PARTS if part in site.processes and site.processes[part].poll() is not None]
    if ended:
        return Mark("aan, maar gestopt: " + ", ".join(_PART_WORDS[part] for part in ended), BAD)
    return Mark("aan", GOOD)


def _radio(site: Site, radio: Body | None) -> Mark:
    if radio is None:
        return NO_ANSWER
    if radio["up"] and radio["plugged"]:
        return Mark("aan", GOOD)
    return Mark("zonder stroom", OFF) if site.radio_plugged else Mark("losgetrokken", BAD)


def _link(status: Body | None, link: str) -> Mark:
    if status is None:
        return NO_ANSWER
    view = status["links"][link]
    return Mark(f"werkt al {_age(view['since_s'])}", GOOD) if view["up"] else Mark("werkt niet", BAD)


def _panel_marks(panel: Body | None) -> Marks:
    if panel is None:
        return {"lamp": NO_ANSWER, "buzzer": NO_ANSWER}
    lamp = LampMode(panel["lamp"])
    return {
        "lamp": Mark(_LAMP_WORDS[lamp], lamp.value),
        "buzzer": Mark("zoemt", GOOD) if panel["buzzer"] else Mark("stil", PLAIN),
    }


def _queue_marks(status: Body | None) -> Marks:
    if status is None:
        return dict.fromkeys(("region", "queue", "call"), NO_ANSWER)
    waiting = status["queue"]
    age = _age(status["oldest_s"] or 0)
    messages = "1 bericht" if waiting == 1 else f"{waiting} berichten"
    return {
        "region": _region(status["region"]),
        "queue": Mark(f"{messages} zonder bevestiging, {age}", BAD) if waiting else Mark("leeg", PLAIN),
        "call": _call(status["buttons"]),
    }


def _region(region: Body) -> Mark:
    if region["fresh"]:
        return Mark(f"antwoordt, {_age(region['age_s'])} geleden", GOOD)
    if region["age_s"] is None:
        return Mark("nog niets gehoord", BAD)
    return Mark(f"zwijgt, laatst {_age(region['age_s'])} geleden", BAD)


def _call(buttons: list[Body]) -> Mark:
    button = next((button for button in buttons if button["name"] == BUTTON), None)
    if button is None or not (button["number"] or button["pending_s"] is not None):
        return Mark("geen oproep", PLAIN)
    times = f", {button['pressed_count']} keer gedrukt" if button["pressed_count"] > 1 else ""
    if button["number"]:
        return Mark(f"hulpvraag {button['number']}{times}", GOOD)
    return Mark(f"vraagt over {button['pending_s']} s om hulp{times}", BAD)


def _air_marks(radios: Mapping[str, Body]) -> Marks:
    """Return which pairs of radios are both on the air."""
    pairs = [(name, COORDINATOR) for name in KIOSKS] + [tuple(KIOSKS)]
    marks = {}
    for one, other in pairs:
        both = [radios[name] for name in (one, other) if name in radios]
        up = all(radio["up"] for radio in both)
        marks[f"air.{one}.{other}"] = Mark("", UNKNOWN if len(both) < len((one, other)) else GOOD if up else OFF)
    return marks


def _age(seconds: float) -> str:
    return f"{int(seconds)} s" if seconds < 2 * MINUTE_S else f"{int(seconds // MINUTE_S)} min"
