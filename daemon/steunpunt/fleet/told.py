"""What ``steunpunt status`` prints of a node's answer, and what of it is down. Pure."""

from collections.abc import Iterator

from steunpunt.config import Config
from steunpunt.control import Body
from steunpunt.model import LinkName, Role

Line = tuple[bool | None, str]
"""Whether it is up, None for what is neither up nor down; and the words."""


def lines_of(config: Config, status: Body) -> list[Line]:
    """Return the lines, the links first."""
    return [
        *_mesh_lines(config, status),
        *_broker_lines(config, status),
        *_power_lines(status),
        *_box_lines(status),
        *_job_lines(status),
        *_page_lines(status),
        *_clock_lines(status),
        *_keeping_lines(status),
    ]


def _mesh_lines(config: Config, status: Body) -> Iterator[Line]:
    """Give the mesh as one line, or with several radios a line for each: one that is down needs a technician."""
    if config.extra_radio and "radios" in status:
        for name, radio in status["radios"].items():
            yield from _link_lines(f"{LinkName.MESH} {name}", radio, radio["radio"], here=True)
    else:
        link, radio = status["links"][LinkName.MESH], status["radio"]
        yield from _link_lines(LinkName.MESH, link, radio, here=bool(config.radios))


def _link_lines(title: str, link: Body, radio: Body | None, *, here: bool) -> Iterator[Line]:
    yield (bool(link["up"]) if here else None), f"{title}: {link['reason']}"
    if radio is not None:
        yield from ((None, f"drift: {line}") for line in radio["drift"])


def _broker_lines(config: Config, status: Body) -> Iterator[Line]:
    link = status["links"][LinkName.BROKER]
    yield from _link_lines(LinkName.BROKER, link, None, here=config.broker.enabled)
    if config.site.role is Role.KIOSK and config.broker.enabled and config.broker.bridge is not None:
        region = status["region"]
        heard = "no beacon yet" if region["age_s"] is None else f"last beacon {region['age_s']} s ago"
        yield bool(region["fresh"]), f"region over the broker: {heard}"


def _power_lines(status: Body) -> Iterator[Line]:
    power = status.get("power")
    if power is None:
        return
    if not power:
        yield None, "power: not read yet"
        return
    percent, hours = power["percent"], power["hours_left"]
    told = [] if percent is None else [f"battery {percent} %" + ("" if power["measured"] else " by our own count")]
    told += [] if hours is None else [f"about {hours:g} h left"]
    told += [f"saving: {', '.join(power['shed'])}"] if power["shed"] else []
    told += ["goes dark now"] if power["going_dark"] else []
    state = "not known" if power["state"] == "unknown" else power["state"]
    yield (None if power["problems"] else power["state"] != "unknown"), ", ".join([f"power: {state}", *told])
    yield from ((False, f"power: {problem}") for problem in power["problems"])


def _box_lines(status: Body) -> Iterator[Line]:
    box = status.get("box")
    if box is None:
        return
    yield None, f"box: lamp {box['lamp']}, {box['life_threats']} life threats open or not passed on"
    printer = box["printer"]
    if printer is not None:
        low = ", paper low" if printer["paper_low"] else ""
        reason = "" if printer["ready"] else f": {printer['reason'] or 'not found yet'}"
        yield bool(printer["ready"]), f"slip printer{reason}, {printer['waiting']} slips waiting{low}"


def _job_lines(status: Body) -> Iterator[Line]:
    for name, job in status.get("housekeeping", {}).items():
        well = "never yet" if job["well_s"] is None else f"last {job['well_s'] // 3600} h ago"
        detail = f": {job['detail']}" if job["detail"] else ""
        title = "new information pages" if name == "pages" else f"{name} of the ledger"
        if job["ok"] is False or job["missed"]:
            yield False, f"{title} {'failed' if job['ok'] is False else 'is overdue'}, well {well}{detail}"
        else:
            yield None, f"{title}: {well}"


def _page_lines(status: Body) -> Iterator[Line]:
    if "pages" in status:
        serial = status["pages"]["serial"]
        whose = "this device's own" if serial is None else f"number {serial} of the region"
        yield None, f"information pages: {whose}"


def _clock_lines(status: Body) -> Iterator[Line]:
    clock = status.get("clock")
    if clock is None:
        return
    within = "" if clock["uncertainty_s"] is None else f", within {clock['uncertainty_s']:g} s"
    yield None, "clock: time not known" if clock["source"] == "none" else f"clock: by {clock['source']}{within}"


def _keeping_lines(status: Body) -> Iterator[Line]:
    if "queue" in status:
        oldest = f", the oldest {status['oldest_s']} s old" if status["queue"] else ""
        yield None, f"queue: {status['queue']} without receipt{oldest}"
        for button in status["buttons"]:
            yield None, f"button {button['name']}: lamp {button['lamp']}, ticket {button['number'] or '-'}"
    if status["panel_reason"]:
        yield False, status["panel_reason"]
    if not status["can_keep"]:
        yield False, "ledger: cannot keep anything; free the disk or replace the card"
    if status["damaged_log"]:
        yield False, f"ledger: was damaged, requests may be missing; keep {status['damaged_log']}, replace the card"
