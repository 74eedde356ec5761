"""The site's state for integrators: a retained JSON without personal data, told when it changes. Pure.

Made from the answer to the control socket's ``status``. No ticket, no text and no person is in it.
"""

import json
from collections.abc import Callable
from typing import Any

from steunpunt.relay.airbudget import HOUR_MS, LEGAL_SHARE_MAX, SHARE_MAX

Body = dict[str, Any]
Sample = tuple[Body, float | None]
"""Labels and value of one line for Prometheus."""
GAP_MS = 10_000
"""Shortest time between two reports, in milliseconds."""
LOOK_MS = 60_000
"""Without any event the state is looked at this often: ages change by themselves."""
_MINUTES = (0, 1, 2, 5, 10, 15, 30, 45)
_HOUR, _DAY = 60, 24 * 60
MIB = 2**20
_LIMITS = {"legal": LEGAL_SHARE_MAX} | {lane.name.lower(): share for lane, share in SHARE_MAX.items()}


def coarse_minutes(age_s: int | None) -> int | None:
    """Return an age in minutes, rounded down in steps that grow with it, so that time alone makes few reports."""
    if age_s is None:
        return None
    minutes = age_s // 60
    if minutes < _HOUR:
        return max(step for step in _MINUTES if step <= max(minutes, 0))
    step = _HOUR if minutes < _DAY else _DAY
    return minutes // step * step


def public(status: Body, version: str) -> Body:
    """Return what everybody with the reader's password may know of the site."""
    links = status["links"]
    report: Body = {
        "site": {key: str(value) if key == "role" else value for key, value in status["site"].items()},
        "version": version,
        "links": {str(name): {"up": link["up"], "reason": link["reason"]} for name, link in links.items()},
        "region": {"fresh": status["region"]["fresh"]},
        "can_keep": status["can_keep"],
        "radio": status["radio"],
    }
    if "radios" in status:
        report["radios"] = {
            name: {"up": one["up"], "reason": one["reason"], "radio": one["radio"]}
            for name, one in status["radios"].items()
        }
    if "queue" in status:
        report["queue"] = status["queue"]
        report["oldest_min"] = coarse_minutes(status["oldest_s"])
        report["last_receipt_min"] = coarse_minutes(status["last_receipt_s"])
        report["buttons"] = {button["name"]: str(button["lamp"]) for button in status["buttons"]}
    if status.get("power"):
        report["power"] = _power(status["power"])
    return report


def _power(power: Body) -> Body:
    """Whole hours, so that time alone makes few reports; what is wrong is a technician's, in ``status``."""
    hours = power["hours_left"]
    told = {name: power[name] for name in ("state", "mains", "percent", "shed", "going_dark")}
    return told | {"hours_left": None if hours is None else int(hours), "problem": bool(power["problems"])}


class Reporter:
    """Decides when to report: at once after a change, but at most once in GAP_MS."""

    def __init__(self) -> None:
        self._told = b""
        self._told_ms: int | None = None
        self._look_ms = 0
        self._on = False

    def start(self) -> None:
        """The broker is there: report as soon as possible, whatever it kept of us."""
        self._on, self._told, self._told_ms, self._look_ms = True, b"", None, 0

    def stop(self) -> None:
        """The broker is gone: nobody reads."""
        self._on = False

    @property
    def due_ms(self) -> int | None:
        """When to call :meth:`look` although nothing happened; None for never."""
        return self._look_ms if self._on else None

    def happened(self, now_ms: int) -> None:
        """Note that something happened that the state may tell of."""
        self._look_ms = min(self._look_ms, max(now_ms, self._free_ms()))

    def look(self, now_ms: int, state: Callable[[], Body]) -> bytes | None:
        """Return the report when it is due and says something new."""
        if not self._on or now_ms < self._look_ms:
            return None
        report = json.dumps(state(), ensure_ascii=False, separators=(",", ":")).encode()
        self._look_ms = now_ms + LOOK_MS
        if report == self._told:
            return None
        self._told, self._told_ms = report, now_ms
        return report

    def _free_ms(self) -> int:
        return 0 if self._told_ms is None else self._told_ms + GAP_MS


def prometheus(status: Body, version: str) -> str:
    """Return the figures in Prometheus's text format; no personal data, and no name but those of links and buttons."""
    site, radio = status["site"], status["radio"] or {}
    info = {"version": version, "site": site["id"], "role": site["role"], "firmware": radio.get("firmware", "")}
    family = _family("info", "gauge", "What this site is", [(info, 1)])
    links: list[Sample] = [({"link": name}, link["up"]) for name, link in status["links"].items()]
    family += _family("link_up", "gauge", "Whether a link serves", links)
    since: list[Sample] = [({"link": name}, link["since_s"]) for name, link in status["links"].items()]
    family += _family("link_state_age_seconds", "gauge", "Since when a link is as it is", since)
    region = status["region"]
    family += _family("region_answers", "gauge", "Whether the coordinator's beacon is fresh", [({}, region["fresh"])])
    family += _family("region_beacon_age_seconds", "gauge", "Age of the last beacon", [({}, region["age_s"])])
    family += _family("ledger_can_keep", "gauge", "Whether the ledger takes writes", [({}, status["can_keep"])])
    if "queue" in status:
        family += _kiosk(status)
    damaged = bool(status["damaged_log"])
    family += _family("ledger_damaged", "gauge", "Whether the ledger was found damaged", [({}, damaged)])
    drift: list[Sample] = [({}, len(radio["drift"]) if "drift" in radio else None)]
    family += _family("radio_drift", "gauge", "Settings of the radio that differ from the config", drift)
    family += _power_family(status.get("power") or {})
    family += _figures(status.get("figures") or {})
    family += _box_family((status.get("box") or {}).get("printer") or {})
    family += _clock_family(status.get("clock") or {})
    family += _job_family(status.get("housekeeping") or {})
    if "pages" in status:
        serial: list[Sample] = [({}, status["pages"]["serial"] or 0)]
        family += _family("pages_serial", "gauge", "Number of the region's information pages; 0: none", serial)
    family += _several_radios(status.get("radios", {}))
    air: list[Sample] = [({}, status["downlink_air_ms"] / 1000)]
    family += _family("downlink_airtime_seconds", "gauge", "Air used for integrators in the last hour", air)
    events: list[Sample] = [({"event": name}, value) for name, value in sorted(status["counters"].items())]
    family += _family("events_total", "counter", "What happened since the node's start, by name", events)
    return "".join(f"{line}\n" for line in family)


def _several_radios(radios: Body) -> list[str]:
    serving: list[Sample] = [({"radio": name}, radio["up"]) for name, radio in radios.items()]
    air: list[Sample] = [({"radio": name}, radio["downlink_air_ms"] / 1000) for name, radio in radios.items()]
    lines = _family("radio_up", "gauge", "Whether one of several radios serves", serving)
    return lines + _family("radio_downlink_airtime_seconds", "gauge", "Air used for integrators, by radio", air)


def _box_family(printer: Body) -> list[str]:
    if not printer:
        return []
    lines = _family("printer_ready", "gauge", "Whether the slip printer can print", [({}, printer["ready"])])
    lines += _family("printer_paper_low", "gauge", "Whether its paper is nearly out", [({}, printer["paper_low"])])
    return lines + _family("slips_waiting", "gauge", "Slips that are not printed yet", [({}, printer["waiting"])])


def _clock_family(clock: Body) -> list[str]:
    if not clock:
        return []
    lines = _family("clock_source", "gauge", "Who says what time it is", [({"source": clock["source"]}, 1)])
    within: list[Sample] = [({}, clock["uncertainty_s"])]
    return lines + _family("clock_uncertainty_seconds", "gauge", "How far the wall clock may be off", within)


def _job_family(jobs: Body) -> list[str]:
    ok: list[Sample] = [({"job": name}, job["ok"]) for name, job in jobs.items()]
    missed: list[Sample] = [({"job": name}, job["missed"]) for name, job in jobs.items()]
    well: list[Sample] = [({"job": name}, job["well_s"]) for name, job in jobs.items()]
    lines = _family("job_ok", "gauge", "Whether a job of the housekeeping ended well", ok)
    lines += _family("job_missed", "gauge", "Whether it has not ended well within twice its interval", missed)
    return lines + _family("job_age_seconds", "gauge", "Since it last ended well", well)


def _power_family(power: Body) -> list[str]:
    if not power:
        return []
    lines = _family("power_state", "gauge", "How the site stands with its power", [({"state": power["state"]}, 1)])
    lines += _family("power_mains", "gauge", "Whether mains is there", [({}, power["mains"])])
    lines += _family("battery_charge_percent", "gauge", "Charge of the battery", [({}, power["percent"])])
    lines += _family("battery_hours_left", "gauge", "Hours until the site shuts down", [({}, power["hours_left"])])
    lines += _family("power_draw_watts", "gauge", "Measured on the battery, mean", [({}, power["draw_w"])])
    shed: list[Sample] = [({"step": step}, 1) for step in power["shed"]]
    lines += _family("power_saving", "gauge", "A step of saving that is in force", shed)
    return lines + _family("power_problems", "gauge", "What is wrong with power", [({}, len(power["problems"]))])


def _figures(figures: Body) -> list[str]:
    """Return what the node measures now and then; nothing before it did so."""
    if not figures:
        return []
    used: list[Sample] = [({"radio": name}, ms / 1000) for name, ms in figures["air_ms"].items()]
    lines = _family("airtime_used_seconds", "gauge", "Air used in the last hour, by radio", used)
    if used:
        limits: list[Sample] = [({"lane": name}, share * HOUR_MS / 1000) for name, share in _LIMITS.items()]
        lines += _family("airtime_limit_seconds", "gauge", "Air of an hour up to which a lane may send", limits)
    heard: list[Sample] = [({"radio": name}, one["median_db"]) for name, one in figures["snr"].items()]
    lines += _family("signal_snr_decibels", "gauge", "Median of the last packets of this region", heard)
    lines += _disk(figures["disk"] or {})
    ages: list[Sample] = [({"what": name}, age_s) for name, age_s in figures["last_s"].items()]
    lines += _family("last_age_seconds", "gauge", "Since the last request, receipt, answer, or act at the desk", ages)
    return lines + _family("figures_age_seconds", "gauge", "Age of these figures", [({}, figures["age_s"])])


def _disk(disk: Body) -> list[str]:
    free, size = disk.get("free_mib"), disk.get("ledger_mib")
    free_bytes, size_bytes = (None if mib is None else mib * MIB for mib in (free, size))
    lines = _family("disk_free_bytes", "gauge", "Free for the ledger", [({}, free_bytes)])
    lines += _family("ledger_bytes", "gauge", "Size of the ledger", [({}, size_bytes)])
    return lines + _family("disk_read_only", "gauge", "Whether nothing can be written", [({}, disk.get("read_only"))])


def _kiosk(status: Body) -> list[str]:
    lines = _family("queue_messages", "gauge", "Messages without receipt", [({}, status["queue"])])
    lines += _family("oldest_waiting_seconds", "gauge", "Age of the oldest of them", [({}, status["oldest_s"])])
    receipt: list[Sample] = [({}, status["last_receipt_s"])]
    lines += _family("last_receipt_age_seconds", "gauge", "Age of the last receipt", receipt)
    lamps: list[Sample] = [({"button": button["name"], "mode": button["lamp"]}, 1) for button in status["buttons"]]
    return lines + _family("button_lamp", "gauge", "The mode that a button's lamp is in", lamps)


def _family(name: str, kind: str, help_text: str, samples: list[Sample]) -> list[str]:
    """Return one metric's lines; a value that is not known is left out."""
    known = [(labels, value) for labels, value in samples if value is not None]
    full = f"steunpunt_{name}"
    head = [f"# HELP {full} {help_text}.", f"# TYPE {full} {kind}"]
    return head + [f"{full}{_labels(labels)} {float(value):.15g}" for labels, value in known] if known else []


def _labels(labels: Body) -> str:
    pairs = [f'{key}="{_escaped(str(value))}"' for key, value in labels.items()]
    return f"{{{','.join(pairs)}}}" if pairs else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
