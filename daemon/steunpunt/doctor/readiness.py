"""Is this point ready for a crisis? What can rot in a cupboard for eleven months, each with when it was last proved.

Pure but for the information pages, which are read.
"""

from collections.abc import Iterator

from steunpunt.config import Config
from steunpunt.control import Body
from steunpunt.doctor.content import approval
from steunpunt.doctor.findings import Finding, On
from steunpunt.doctor.live import examine as examine_live
from steunpunt.doctor.live import last_test

HALF_YEAR_S, YEAR_S = 183 * 86_400, 366 * 86_400
_ALSO = ("clock", "disk", "ledger", "panel", "queue", "jobs", "program")
"""Of the doctor's parts those that belong to being ready, too."""


def examine(config: Config, status: Body) -> Iterator[Finding]:
    """Give the findings, in the order in which a technician goes about it."""
    yield last_test(status.get("test"))
    remembered = status.get("readiness") or {}
    yield battery_run(config, remembered.get("battery_run"))
    yield coverage(config, (status.get("survey") or {}).get("last"))
    yield key_holder(remembered.get("key_holder_s"))
    yield approval(config)
    yield firmware(config, status.get("radio"))
    yield from (found for found in examine_live(config, status) if found.part in _ALSO)
    if status.get("clock") is None:
        yield On("clock", "the system clock").warns("clock.unknown")


def battery_run(config: Config, run: Body | None) -> Finding:
    """Return when the battery last carried the point."""
    on = On("battery", "power")
    if config.power is None:
        return on.warns("power.none")
    if run is None:
        return on.warns("battery.never")
    told = {"run_ago": run["age_s"], "minutes": run["minutes"]}
    if run["age_s"] > HALF_YEAR_S:
        return on.warns("battery.old", **told)
    if run["from_percent"] is None or run["to_percent"] is None:
        return on.warns("battery.unmeasured", **told)
    return on.passes("battery.good", from_percent=run["from_percent"], to_percent=run["to_percent"], **told)


def coverage(config: Config, survey: Body | None) -> Finding:
    """Return what the last survey of the antenna found."""
    on = On("coverage", "radio")
    if not config.radios:
        return on.warns("radio.none")
    if survey is None:
        return on.warns("coverage.never")
    if not survey["passed"]:
        return on.fails("coverage.failed", survey_ago=survey["age_s"])
    if survey["age_s"] > YEAR_S:
        return on.warns("coverage.old", survey_ago=survey["age_s"])
    return on.passes("coverage.good", survey_ago=survey["age_s"])


def key_holder(confirmed_s: int | None) -> Finding:
    """Return when somebody last made sure that the key holder can be reached."""
    on = On("keyholder", "the key holder")
    if confirmed_s is None:
        return on.warns("keyholder.never")
    if confirmed_s > HALF_YEAR_S:
        return on.warns("keyholder.old", confirmed_ago=confirmed_s)
    return on.passes("keyholder.good", confirmed_ago=confirmed_s)


def firmware(config: Config, radio: Body | None) -> Finding:
    """Return whether the radio has the firmware that the region pinned."""
    on, pinned = On("firmware", "radio.firmware"), config.radio.firmware
    if not config.radios:
        return on.warns("radio.none")
    if radio is None:
        return on.warns("firmware.unknown")
    found = str(radio["firmware"])
    if pinned is None:
        return on.warns("firmware.unpinned", firmware=found)
    if found == pinned or found.startswith(f"{pinned}."):
        return on.passes("firmware.good", firmware=found)
    return on.fails("firmware.other", firmware=found, pinned=pinned)
