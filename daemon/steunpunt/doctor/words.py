"""What each finding says in English, and the mend: "" only where nothing has to be done. Pure.

A value that ends with ``_ago`` is an age in seconds; ``percent``, ``hours`` and ``within`` are left out where they are
None.
"""

from collections.abc import Callable, Mapping
from typing import Any

_AGAIN = "wait a minute and ask again"
_PLUG = "is the plug in, is there mains?"
_CARD = "is the card worn out? replace it"

WORDS: dict[str, tuple[str, str]] = {
    "config.good": ("{role} {id}, {name}", ""),
    "config.wrong": ("{reason}", "correct the file, then ask again"),
    "files.good": ("keys, passwords and certificates are this site's and fit together", ""),
    "files.wrong": ("{reason}", "{mend}"),
    "content.approved": ("{approved} of {count} information pages are approved", ""),
    "content.unapproved": (
        "none of {count} information pages is approved, so none is shown but in an exercise",
        "let an authority approve them; see docs/content.md",
    ),
    "content.own": ("the information pages are this device's own; the region sent none yet", ""),
    "content.region": ("the information pages are number {serial} of the region", ""),
    "content.demo": (
        "a demonstration: {unapproved} of {count} information pages are shown though nobody approved them",
        "before people may ask for real help take `demo = true` out of [kiosk]",
    ),
    # the node
    "node.answers": ("it runs and answers", ""),
    "node.dead": (
        "it does not run",
        "sudo systemctl start steunpunt-node; why it ended: journalctl -u steunpunt-node -n 50",
    ),
    "node.silent": ("it runs, but does not answer ({reason})", "sudo systemctl restart steunpunt-node"),
    "node.forbidden": (
        "this user may not ask it",
        "ask as root, or type: sudo usermod -aG steunpunt-control $USER",
    ),
    "node.defects": ("defects since its start: {found}", "send the makers what steunpunt doctor --save makes"),
    # roads
    "radio.none": ("this site has no radio", "without internet nothing leaves this site"),
    "radio.down": ("down: {reason}", "look at its cable and power; then steunpunt radio show{option}"),
    "radio.unknown": ("it serves, but has not told who it is", _AGAIN),
    "radio.answers": ("{node} answers, firmware {firmware}, {preset}", ""),
    "radio.drift": (
        "not set as the config says: {setting}",
        "stop the node, then steunpunt radio apply{option}",
    ),
    "radio.no_device": (
        "the device is not there ({reason})",
        "plug it in, or write the path that ls -l /dev/serial/by-path/ shows",
    ),
    "radio.not_a_device": ("this is no device", "write the path that ls -l /dev/serial/by-path/ shows"),
    "radio.forbidden": ("the device is there, but this user may not use it", "ask as root"),
    "radio.device": (
        "the device is there; whether a radio answers is not known",
        "steunpunt radio show{option}",
    ),
    "broker.down": ("down: {reason}", "sudo systemctl status mosquitto"),
    "broker.serves": ("the local broker serves", ""),
    "bridge.answers": ("the region answers, last beacon {beacon_ago}", ""),
    "bridge.silent": (
        "the region does not answer over internet, last beacon {beacon_ago}",
        "is there internet? requests go by radio",
    ),
    "listens.yes": ("something listens there", ""),
    "listens.no": ("nothing listens there ({reason})", "{mend}"),
    # the device
    "power.none": ("nothing tells of mains and battery", "add [power] to the config; see docs/power.md"),
    "power.unread": ("not read yet", _AGAIN),
    "power.problem": ("{reason}", "steunpunt power show, with the node stopped"),
    "power.unknown": ("not known how it stands with mains and battery", "steunpunt power test"),
    "power.short": (
        "{state}{percent}{hours}",
        "bring power, or carry the radio and this device to where there is some",
    ),
    "power.battery": ("on its battery{percent}{hours}", _PLUG),
    "power.no_charge": (
        "mains, charge not known",
        "add a gauge, or let the UPS tell battery.charge",
    ),
    "power.mains": ("mains{percent}{hours}", ""),
    "clock.none": ("the time is not known; screens say so", "fit an RTC, or let it reach an NTP server once"),
    "clock.known": ("source {source}{within}", ""),
    "ledger.cannot_keep": ("it cannot keep anything", "free the disk or replace the card"),
    "ledger.damaged": ("it was damaged; requests may be missing", "keep {kept}, replace the card"),
    "ledger.behind": ("it is an older copy than the points know of", "see docs/operation.md, Backup"),
    "disk.unknown": ("not known how much is free", _AGAIN),
    "disk.forbidden": ("cannot be looked at ({reason})", "ask as root"),
    "disk.no_folder": (
        "the ledger's folder is not there",
        "the node makes it when it starts; if it ran here before, correct ledger.path",
    ),
    "disk.read_only": ("it is read-only", _CARD),
    "disk.full": ("{free_mib} MiB free", "free the disk: nothing can be kept soon"),
    "disk.low": ("{free_mib} MiB free", "free the disk"),
    "disk.free": ("{free_mib} MiB free", ""),
    "panel.down": ("{reason}", "correct [panel], then restart the node"),
    # the work
    "queue.empty": ("nothing waits for a receipt", ""),
    "queue.waits": ("{count} without receipt, the oldest asked {oldest_ago}", ""),
    "queue.old": (
        "{count} without receipt, the oldest asked {oldest_ago}",
        "no road to the region: mend radio or internet, or carry them on paper",
    ),
    "airtime.unknown": ("not known yet", _AGAIN),
    "airtime.good": ("{used} % of the last hour, of {legal} % that the law allows", ""),
    "airtime.busy": (
        "{used} % of the last hour, of {legal} % that the law allows; signs of life wait",
        "this is right under load; else see who sends so much",
    ),
    "airtime.full": (
        "{used} % of the last hour, of {legal} % that the law allows; only life threats still go",
        "wait: the hour rolls on. Who sends so much?",
    ),
    "signal.unknown": (
        "no packet of this region heard since the start",
        "steunpunt test-request; then the antenna",
    ),
    "signal.good": ("SNR {snr_db} dB, the median of {count} packets", ""),
    "signal.weak": (
        "SNR {snr_db} dB, the median of {count} packets: near the limit",
        "hang the antenna higher and outside, or take a better one",
    ),
    "traffic.unknown": ("not known when a request last went", _AGAIN),
    "traffic.kiosk": ("last request {request_ago}, last receipt {receipt_ago}, last answer {answer_ago}", ""),
    "traffic.unproved": (
        "last request {request_ago}, last receipt {receipt_ago}, last answer {answer_ago}",
        "prove the road: steunpunt test-request",
    ),
    "traffic.desk": ("last case {request_ago}, last act at the desk {act_ago}", ""),
    "jobs.good": ("none of {count} failed or was missed", ""),
    "jobs.failed": ("{job} failed: {detail}", "see docs/operation.md, and the log"),
    "jobs.missed": ("{job} has not ended well for twice its time", "does the node run long enough? see its log"),
    # ready for a crisis
    "battery.never": (
        "never seen on its battery for ten minutes",
        "pull the plug for a quarter of an hour, while the node runs",
    ),
    "battery.old": (
        "last on its battery {run_ago}, for {minutes} min",
        "twice a year: pull the plug for a quarter of an hour",
    ),
    "battery.unmeasured": (
        "on its battery {run_ago}, for {minutes} min, charge not known",
        "add a gauge, or let the UPS tell battery.charge",
    ),
    "battery.good": (
        "on its battery {run_ago}, for {minutes} min, from {from_percent} to {to_percent} %",
        "",
    ),
    "coverage.never": ("the antenna was never surveyed", "close the point, then steunpunt survey"),
    "coverage.old": ("the antenna was last surveyed {survey_ago}", "once a year: steunpunt survey"),
    "coverage.failed": ("the survey {survey_ago} failed", "a better place for the antenna, then steunpunt survey"),
    "coverage.good": ("the survey {survey_ago} passed", ""),
    "keyholder.never": (
        "nobody confirmed that the key holder can be reached",
        "ring the key holder, then steunpunt ready --confirm-key-holder",
    ),
    "keyholder.old": (
        "last confirmed {confirmed_ago}",
        "twice a year: ring the key holder, then steunpunt ready --confirm-key-holder",
    ),
    "keyholder.good": ("confirmed {confirmed_ago}", ""),
    "firmware.unknown": ("the radio has not told its firmware yet", _AGAIN),
    "firmware.unpinned": (
        "{firmware}, and the config pins none",
        "write radio.firmware, or [firmware] in the region file",
    ),
    "firmware.other": ("{firmware}, but the config pins {pinned}", "put {pinned} on the radio; see docs/operation.md"),
    "firmware.good": ("{firmware}, as the config says", ""),
    "clock.unknown": ("the node does not tell how it knows the time", "timedatectl"),
    "test.none": ("no test request was ever sent", "steunpunt test-request"),
    "test.old": ("the last test request was {test_ago}", "once a month: steunpunt test-request"),
    "test.failed": ("the last test request, {test_ago}, earned no receipt", "mend what fails above, then test again"),
    "test.under_way": ("a test request is under way, sent {test_ago}", _AGAIN),
    "test.passed": ("a test request came through {test_ago}, in {seconds} s, over {road}", ""),
}


def ago(age_s: int | None) -> str:
    """Return an age in words; None: never."""
    if age_s is None:
        return "never"
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if age_s >= 2 * size:
            return f"{age_s // size} {unit} ago"
    return f"{age_s} s ago"


_SHOWN: dict[str, Callable[[Any], str]] = {
    "percent": lambda value: f", battery {value} %",
    "hours": lambda value: f", about {value:g} h left",
    "within": lambda value: f", within {value:g} s",
}


def shown(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a finding's values as its words show them."""
    return {name: _shown(name, value) for name, value in values.items()}


def _shown(name: str, value: Any) -> Any:  # noqa: ANN401  whatever a finding tells
    if name.endswith("_ago"):
        return ago(value)
    if name in _SHOWN:
        return "" if value is None else _SHOWN[name](value)
    return value
