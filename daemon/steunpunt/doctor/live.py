"""What a running node's own word says of its site, as findings. Pure."""

from collections.abc import Iterator

from steunpunt.config import Config
from steunpunt.control import Body
from steunpunt.doctor.findings import Finding, On
from steunpunt.model import MAIN_RADIO, Lane, LinkName, Role
from steunpunt.protocol.airtime import PRESETS
from steunpunt.relay.airbudget import HOUR_MS, LEGAL_SHARE_MAX, SHARE_MAX

QUEUE_OLD_S_MAX = 900
"""A request that has no receipt for so long needs a person."""
RECEIPT_OLD_S_MAX = 35 * 86_400
"""The monthly self-test brings a receipt at least so often."""
DISK_FREE_MIB_MIN, DISK_LOW_MIB = 50, 200
SNR_MARGIN_DB = 5.0
"""So near its limit a radio loses packets when a lorry stands in the way."""
DEFECTS = ("events_failed", "effects_failed", "bridge_failed", "report_failed")
_HERE = "the node"


def examine(config: Config, status: Body) -> Iterator[Finding]:
    """Give the findings of everything that the node tells of; ``status`` is the control socket's answer."""
    yield from _radios(config, status)
    yield from _broker(config, status)
    yield from _power(config, status)
    yield from _clock(status)
    figures = status.get("figures") or {}
    yield from _ledger(config, status, figures)
    if "queue" in status:
        yield _queue(status)
    yield from _air(config, figures)
    yield from _signal(config, figures)
    yield from _last(config, figures)
    yield from _panel(status)
    yield from _defects(status)


def snr_min_db(preset: str) -> float:
    """Return the ratio below which a preset's packets are lost, in dB: Semtech's datasheet of the SX1276, table 13."""
    return -7.5 - 2.5 * (PRESETS[preset].spreading_factor - 7)


# --- roads --------------------------------------------------------------------------------------------------------


def _radios(config: Config, status: Body) -> Iterator[Finding]:
    if not config.radios:
        yield On("radio", "radio.kind").warns("this site has no radio", "without internet nothing leaves this site")
        return
    several = status.get("radios", {})
    for name in config.radios:
        view = several.get(name, status["links"][LinkName.MESH])
        known = several[name]["radio"] if name in several else status["radio"]
        yield from _radio(name, view, known, several=len(config.radios) > 1)


def _radio(name: str, view: Body, known: Body | None, *, several: bool) -> Iterator[Finding]:
    option = "" if name == MAIN_RADIO else f" --radio {name}"
    on = On(f"radio {name}" if several else "radio", "radio" if name == MAIN_RADIO else f"extra_radio {name}")
    if not view["up"]:
        yield on.fails(f"down: {view['reason']}", "look at its cable and power; then steunpunt radio show" + option)
        return
    if known is None:
        yield on.warns("it serves, but has not told who it is", "wait a minute and ask again")
        return
    yield on.passes(f"{known['node']} answers, firmware {known['firmware']}, {known['preset']}")
    for line in known["drift"]:
        yield on.warns(f"not set as the config says: {line}", f"stop the node, then steunpunt radio apply{option}")


def _broker(config: Config, status: Body) -> Iterator[Finding]:
    if not config.broker.enabled:
        return
    link, on = status["links"][LinkName.BROKER], On("broker", f"{config.broker.host}:{config.broker.port}")
    if not link["up"]:
        yield on.fails(f"down: {link['reason']}", "sudo systemctl status mosquitto")
        return
    yield on.passes("the local broker serves")
    if config.site.role is Role.KIOSK and config.broker.bridge is not None:
        yield _region(config.broker.bridge.host, config.broker.bridge.port, status["region"])


def _region(host: str, port: int, region: Body) -> Finding:
    on = On("bridge", f"{host}:{port}")
    if region["fresh"]:
        return on.passes(f"the region answers, last beacon {region['age_s']} s ago")
    heard = "no beacon since the node's start" if region["age_s"] is None else f"last beacon {region['age_s']} s ago"
    return on.warns(f"the region does not answer over internet: {heard}", "is there internet? requests go by radio")


# --- the device ---------------------------------------------------------------------------------------------------


def _power(config: Config, status: Body) -> Iterator[Finding]:
    on, power = On("power", "power"), status.get("power")
    if config.power is None or power is None:
        yield on.warns("nothing tells of mains and battery", "add [power] to the config; see docs/power.md")
    elif not power:
        yield on.warns("not read yet", "wait a minute and ask again")
    else:
        yield from (on.fails(problem, "steunpunt power show, with the node stopped") for problem in power["problems"])
        yield _charge(on, power)


def _charge(on: On, power: Body) -> Finding:
    percent, hours = power["percent"], power["hours_left"]
    told = [power["state"]] + ([] if percent is None else [f"battery {percent} %"])
    what = ", ".join(told + ([] if hours is None else [f"about {hours:g} h left"]))
    match power["state"]:
        case "unknown":
            return on.fails("not known how it stands with mains and battery", "steunpunt power test")
        case "low" | "critical":
            return on.fails(what, "bring power, or carry the radio and this device to where there is some")
        case "battery":
            return on.warns(what, "on its battery: is the plug in, is there mains?")
    if percent is None:
        return on.warns(f"{what}, charge not known", "add a gauge, or let the UPS tell battery.charge")
    return on.passes(what)


def _clock(status: Body) -> Iterator[Finding]:
    clock = status.get("clock")
    if clock is None:
        return
    on, source = On("clock", "the system clock"), str(clock.get("source", "none"))
    if source == "none":
        yield on.warns("the time is not known; screens say so", "fit an RTC, or let it reach an NTP server once")
        return
    uncertain = clock.get("uncertainty_s")
    yield on.passes(f"source {source}" + ("" if uncertain is None else f", within {uncertain:g} s"))


def _ledger(config: Config, status: Body, figures: Body) -> Iterator[Finding]:
    on, disk = On("ledger", config.ledger.path), figures.get("disk")
    if not status["can_keep"]:
        yield on.fails("it cannot keep anything", "free the disk or replace the card")
    if status["damaged_log"]:
        mend = f"keep {status['damaged_log']}, replace the card"
        yield on.fails("it was damaged; requests may be missing", mend)
    if status.get("ledger_behind"):
        yield on.fails("it is an older copy than the points know of", "see docs/operation.md, Backup")
    if disk is None:
        yield On("disk", config.ledger.path).warns("not known how much is free", "wait a minute and ask again")
        return
    yield _disk(config, disk)


def _disk(config: Config, disk: Body) -> Finding:
    on = On("disk", config.ledger.path)
    what = f"{disk['free_mib']} MiB free ({disk['free_percent']} %), the ledger has {disk['ledger_mib']:g} MiB"
    if disk["read_only"]:
        return on.fails("it is read-only", "is the card worn out? replace it")
    if disk["free_mib"] < DISK_FREE_MIB_MIN:
        return on.fails(what, "free the disk: nothing can be kept soon")
    if disk["free_mib"] < DISK_LOW_MIB:
        return on.warns(what, "free the disk")
    return on.passes(what)


# --- the work -----------------------------------------------------------------------------------------------------


def _queue(status: Body) -> Finding:
    on, count, oldest_s = On("queue", _HERE), status["queue"], status["oldest_s"]
    if not count:
        return on.passes("nothing waits for a receipt")
    what = f"{count} without receipt, the oldest for {oldest_s} s"
    if oldest_s is not None and oldest_s > QUEUE_OLD_S_MAX:
        return on.fails(what, "no road to the region: mend radio or internet, or carry them on paper")
    return on.passes(what)


def _air(config: Config, figures: Body) -> Iterator[Finding]:
    used = figures.get("air_ms") or {}
    for name in config.radios:
        on = On("airtime", f"radio {name}")
        yield _share(on, used[name] / HOUR_MS) if name in used else on.warns("not known yet", "ask again in a minute")


def _share(on: On, share: float) -> Finding:
    what = f"{100 * share:.2f} % of the last hour, of {100 * LEGAL_SHARE_MAX:.0f} % that the law allows"
    if share > SHARE_MAX[Lane.OTHER]:
        return on.fails(f"{what}; only life threats still go", "wait: the hour rolls on. Who sends so much?")
    if share > SHARE_MAX[Lane.HOUSEKEEPING]:
        return on.warns(f"{what}; signs of life wait", "this is right under load; else see who sends so much")
    return on.passes(what)


def _signal(config: Config, figures: Body) -> Iterator[Finding]:
    heard = figures.get("snr") or {}
    for name, radio in config.radios.items():
        on, snr = On("signal", f"radio {name}"), heard.get(name)
        if snr is None:
            yield on.warns("no packet of this region heard since the start", "steunpunt test-request; then the antenna")
            continue
        what = f"SNR {snr['median_db']:g} dB, the median of {snr['count']} packets"
        if snr["median_db"] < snr_min_db(radio.preset) + SNR_MARGIN_DB:
            yield on.warns(f"{what}: near the limit", "hang the antenna higher and outside, or take a better one")
        else:
            yield on.passes(what)


def _last(config: Config, figures: Body) -> Iterator[Finding]:
    last, on = figures.get("last_s") or {}, On("traffic", _HERE)
    words = {
        "request": "last request",
        "receipt": "last receipt",
        "answer": "last answer",
        "act": "last act at the desk",
    }
    told = [f"{words[name]} {_ago(age_s)}" for name, age_s in last.items()]
    if not told:
        yield on.warns("not known when a request last went", "wait a minute and ask again")
        return
    receipt_s = last.get("receipt")
    if config.site.role is Role.KIOSK and (receipt_s is None or receipt_s > RECEIPT_OLD_S_MAX):
        yield on.warns(", ".join(told), "prove the road: steunpunt test-request")
        return
    yield on.passes(", ".join(told))


def _ago(age_s: int | None) -> str:
    if age_s is None:
        return "never"
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if age_s >= 2 * size:
            return f"{age_s // size} {unit} ago"
    return f"{age_s} s ago"


def _panel(status: Body) -> Iterator[Finding]:
    if status["panel_reason"]:
        yield On("panel", "panel").fails(status["panel_reason"], "correct [panel], then restart the node")


def _defects(status: Body) -> Iterator[Finding]:
    counters = status.get("counters", {})
    found = [f"{counters[name]} {name}" for name in DEFECTS if counters.get(name)]
    if found:
        mend = "send the makers what steunpunt doctor --save makes"
        yield On("program", _HERE).warns(f"defects since its start: {', '.join(found)}", mend)
