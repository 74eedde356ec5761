"""What a running node's own word says of its site, as findings. Pure."""

from collections.abc import Iterator

from steunpunt.config import Config
from steunpunt.control import Body
from steunpunt.doctor.findings import Finding, On, Value, Verdict
from steunpunt.model import MAIN_RADIO, Lane, LinkName, Role
from steunpunt.protocol.signal import snr_min_db
from steunpunt.relay.airbudget import HOUR_MS, LEGAL_SHARE_MAX, SHARE_MAX

QUEUE_OLD_S_MAX = 900
"""A request that has no receipt for so long needs a person."""
PROOF_OLD_S_MAX = 35 * 86_400
"""A test request once a month brings a receipt at least so often."""
DISK_FREE_MIB_MIN, DISK_LOW_MIB = 50, 200
SNR_MARGIN_DB = 5.0
"""So near its limit a radio loses packets when a lorry stands in the way."""
DEFECTS = ("events_failed", "effects_failed", "bridge_failed", "report_failed")
_NODE = "the node"


def examine(config: Config, status: Body) -> Iterator[Finding]:
    """Give the findings of everything that the node tells of; ``status`` is the control socket's answer."""
    figures = status.get("figures") or {}
    yield from _radios(config, status)
    yield from _broker(config, status)
    yield from _power(config, status)
    yield from _clock(status)
    yield from _ledger(config, status)
    yield _disk(config, figures.get("disk"))
    if "queue" in status:
        yield _queue(status)
    yield from _air(config, figures)
    yield from _signal(config, figures)
    yield _traffic(config, figures)
    if "test" in status:
        yield last_test(status["test"])
    yield from _jobs(status)
    yield from _pages(status)
    yield from _panel(status)
    yield from _defects(status)


# --- roads --------------------------------------------------------------------------------------------------------


def _radios(config: Config, status: Body) -> Iterator[Finding]:
    if not config.radios:
        yield On("radio", "radio.kind").warns("radio.none")
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
        yield on.fails("radio.down", reason=view["reason"], option=option)
        return
    if known is None:
        yield on.warns("radio.unknown")
        return
    yield on.passes("radio.answers", node=known["node"], firmware=known["firmware"], preset=known["preset"])
    for line in known["drift"]:
        yield on.warns("radio.drift", setting=line, option=option)


def _broker(config: Config, status: Body) -> Iterator[Finding]:
    if not config.broker.enabled:
        return
    link, on = status["links"][LinkName.BROKER], On("broker", f"{config.broker.host}:{config.broker.port}")
    if not link["up"]:
        yield on.fails("broker.down", reason=link["reason"])
        return
    yield on.passes("broker.serves")
    bridge, region = config.broker.bridge, status["region"]
    if config.site.role is Role.KIOSK and bridge is not None:
        on = On("bridge", f"{bridge.host}:{bridge.port}")
        fresh, age_s = region["fresh"], region["age_s"]
        answers, silent = on.passes("bridge.answers", beacon_ago=age_s), on.warns("bridge.silent", beacon_ago=age_s)
        yield answers if fresh else silent


# --- the device ---------------------------------------------------------------------------------------------------


def _power(config: Config, status: Body) -> Iterator[Finding]:
    on, power = On("power", "power"), status.get("power")
    if config.power is None or power is None:
        yield on.warns("power.none")
    elif not power:
        yield on.warns("power.unread")
    else:
        yield from (on.fails("power.problem", reason=problem) for problem in power["problems"])
        yield _charge(on, power)


def _charge(on: On, power: Body) -> Finding:
    percent, hours = power["percent"], power["hours_left"]
    match power["state"]:
        case "unknown":
            return on.fails("power.unknown")
        case "low" | "critical":
            return on.fails("power.short", state=power["state"], percent=percent, hours=hours)
        case "battery":
            return on.warns("power.battery", percent=percent, hours=hours)
    return on.warns("power.no_charge") if percent is None else on.passes("power.mains", percent=percent, hours=hours)


def _clock(status: Body) -> Iterator[Finding]:
    clock = status.get("clock")
    if clock is None:
        return
    on, source = On("clock", "the system clock"), str(clock.get("source", "none"))
    known = on.passes("clock.known", source=source, within=clock.get("uncertainty_s"))
    yield on.warns("clock.none") if source == "none" else known


def _ledger(config: Config, status: Body) -> Iterator[Finding]:
    on = On("ledger", config.ledger.path)
    if not status["can_keep"]:
        yield on.fails("ledger.cannot_keep")
    if status["damaged_log"]:
        yield on.fails("ledger.damaged", kept=status["damaged_log"])
    if status.get("ledger_behind"):
        yield on.fails("ledger.behind")


def _disk(config: Config, disk: Body | None) -> Finding:
    on = On("disk", config.ledger.path)
    return on.warns("disk.unknown") if disk is None else room(on, disk["free_mib"], read_only=disk["read_only"])


def room(on: On, free_mib: int, *, read_only: bool) -> Finding:
    """Return the finding of a disk with so much free."""
    if read_only:
        return on.fails("disk.read_only")
    if free_mib < DISK_FREE_MIB_MIN:
        return on.fails("disk.full", free_mib=free_mib)
    return (
        on.warns("disk.low", free_mib=free_mib)
        if free_mib < DISK_LOW_MIB
        else on.passes("disk.free", free_mib=free_mib)
    )


# --- the work -----------------------------------------------------------------------------------------------------


def _queue(status: Body) -> Finding:
    on, count, oldest_s = On("queue", _NODE), status["queue"], status["oldest_s"]
    if not count:
        return on.passes("queue.empty")
    if oldest_s is not None and oldest_s > QUEUE_OLD_S_MAX:
        return on.fails("queue.old", count=count, oldest_ago=oldest_s)
    return on.passes("queue.waits", count=count, oldest_ago=oldest_s)


def _air(config: Config, figures: Body) -> Iterator[Finding]:
    used = figures.get("air_ms") or {}
    for name in config.radios:
        on = On("airtime", f"radio {name}")
        yield _share(on, used[name] / HOUR_MS) if name in used else on.warns("airtime.unknown")


def _share(on: On, share: float) -> Finding:
    verdict, code = Verdict.PASS, "airtime.good"
    if share > SHARE_MAX[Lane.OTHER]:
        verdict, code = Verdict.FAIL, "airtime.full"
    elif share > SHARE_MAX[Lane.HOUSEKEEPING]:
        verdict, code = Verdict.WARN, "airtime.busy"
    values: dict[str, Value] = {
        "used": f"{100 * share:.2f}",
        "legal": round(100 * LEGAL_SHARE_MAX),
    }
    return Finding(on.part, verdict, code, on.where, values)


def _signal(config: Config, figures: Body) -> Iterator[Finding]:
    heard = figures.get("snr") or {}
    for name, radio in config.radios.items():
        on, snr = On("signal", f"radio {name}"), heard.get(name)
        if snr is None:
            yield on.warns("signal.unknown")
            continue
        weak = snr["median_db"] < snr_min_db(radio.preset) + SNR_MARGIN_DB
        make, code = (on.warns, "signal.weak") if weak else (on.passes, "signal.good")
        yield make(code, snr_db=f"{snr['median_db']:g}", count=snr["count"])


def _traffic(config: Config, figures: Body) -> Finding:
    last, on = figures.get("last_s") or {}, On("traffic", _NODE)
    if not last:
        return on.warns("traffic.unknown")
    request_s, receipt_s, answer_s = (last.get(name) for name in ("request", "receipt", "answer"))
    if config.site.role is Role.COORDINATOR:
        return on.passes("traffic.desk", request_ago=request_s, act_ago=last.get("act"))
    unproved = receipt_s is None or receipt_s > PROOF_OLD_S_MAX
    make, code = (on.warns, "traffic.unproved") if unproved else (on.passes, "traffic.kiosk")
    return make(code, request_ago=request_s, receipt_ago=receipt_s, answer_ago=answer_s)


def last_test(test: Body | None) -> Finding:
    """Return the finding of the last test request."""
    on = On("test", _NODE)
    if test is None:
        return on.warns("test.none")
    if not test["over"]:
        return on.warns("test.under_way", test_ago=test["age_s"])
    if not test["passed"]:
        return on.fails("test.failed", test_ago=test["age_s"])
    if test["age_s"] > PROOF_OLD_S_MAX:
        return on.warns("test.old", test_ago=test["age_s"])
    seconds = test["steps_ms"].get("received", 0) / 1000
    return on.passes("test.passed", test_ago=test["age_s"], seconds=f"{seconds:.1f}", road=test["road"])


def _jobs(status: Body) -> Iterator[Finding]:
    """Give each job of the housekeeping that is not well; one line when all are."""
    jobs = status.get("housekeeping") or {}
    wrong = {name: job for name, job in jobs.items() if job["ok"] is False or job["missed"]}
    for name, job in wrong.items():
        on = On("jobs", name)
        failed = job["ok"] is False
        yield on.fails("jobs.failed", job=name, detail=job["detail"]) if failed else on.warns("jobs.missed", job=name)
    if jobs and not wrong:
        yield On("jobs", _NODE).passes("jobs.good", count=len(jobs))


def _pages(status: Body) -> Iterator[Finding]:
    """Give which pages of the region are here, where they may come."""
    if "pages" in status:
        on, serial = On("content", "housekeeping.pages_folder"), status["pages"]["serial"]
        yield on.passes("content.own") if serial is None else on.passes("content.region", serial=serial)


def _panel(status: Body) -> Iterator[Finding]:
    if status["panel_reason"]:
        yield On("panel", "panel").fails("panel.down", reason=status["panel_reason"])


def _defects(status: Body) -> Iterator[Finding]:
    counters = status.get("counters", {})
    found = ", ".join(f"{counters[name]} {name}" for name in DEFECTS if counters.get(name))
    if found:
        yield On("program", _NODE).warns("node.defects", found=found)
