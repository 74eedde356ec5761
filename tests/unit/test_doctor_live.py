"""What the doctor makes of a node's own word: each thing that can be wrong, and that what is unknown is no pass."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from steunpunt import config
from steunpunt.doctor.findings import Finding, Verdict, worst
from steunpunt.doctor.live import examine
from steunpunt.fleet.told import lines_of
from steunpunt.powerconfig import Power
from steunpunt.protocol.signal import snr_min_db
from tests.fakes.fake_node import status_body
from tests.fakes.nodes import kiosk_config

PASS, WARN, FAIL = Verdict
DISK = {"free_mib": 9000, "free_percent": 60, "ledger_mib": 1.5, "read_only": False}
SNR = {"last_db": 3.0, "median_db": 3.5, "count": 12}
POWER = {"state": "mains", "percent": 97, "hours_left": 81.0, "problems": []}
TESTED = {"age_s": 86_400, "over": True, "passed": True, "steps_ms": {"received": 4_300}, "road": "mesh"}
BRIDGE = config.Bridge(host="broker.example", ca_file="a", certificate_file="b", key_file="c")


@pytest.fixture(name="site", scope="module")
def fixture_site(tmp_path_factory: pytest.TempPathFactory) -> config.Config:
    made = kiosk_config(tmp_path_factory.mktemp("site"))
    broker = config.Broker(enabled=True, bridge=BRIDGE)
    return msgspec.structs.replace(
        made, radio=config.Radio(kind="tcp"), broker=broker, power=Power(source="sysfs"), kiosk=config.Kiosk(demo=True)
    )


def healthy() -> dict[str, Any]:
    """What a node says when all is well."""
    radio = {"node": "!a1b2c3d4", "firmware": "2.7.26", "preset": "LONG_FAST", "drift": []}
    last = {"request": 40, "receipt": 39, "answer": 7_200}
    figures = {"age_s": 3, "air_ms": {"main": 36_000}, "snr": {"main": SNR}, "disk": DISK, "last_s": last}
    clock = {"source": "rtc", "uncertainty_s": 0.5}
    more = {"damaged_log": "", "panel_reason": "", "power": POWER, "clock": clock}
    return status_body() | more | {"radio": radio, "figures": figures, "test": TESTED}


def found(site: config.Config, status: dict[str, Any], part: str) -> list[Finding]:
    return [finding for finding in examine(site, status) if finding.part == part]


def test_a_site_that_is_well_passes_in_every_part(site: config.Config) -> None:
    findings = list(examine(site, healthy()))
    assert [finding for finding in findings if finding.verdict is not PASS] == []
    parts = {"radio", "broker", "bridge", "power", "clock", "disk", "queue", "airtime", "signal", "traffic", "test"}
    assert {finding.part for finding in findings} == parts


@pytest.mark.parametrize(("serial", "words"), [(None, "this device's own"), (7, "number 7 of the region")])
def test_which_pages_of_the_region_are_here_is_told(site: config.Config, serial: int | None, words: str) -> None:
    status = healthy() | {"pages": {"serial": serial}, "power": None}
    (finding,) = found(site, status, "content")
    assert (finding.verdict, words in finding.what) == (PASS, True)
    assert (None, f"information pages: {words}") in lines_of(site, status)


@pytest.mark.parametrize(
    ("part", "change", "verdict", "words"),
    [
        ("radio", {"links": {"mesh": {"up": False, "reason": "gone"}, "broker": {"up": True}}}, FAIL, "down: gone"),
        ("radio", {"radio": None}, WARN, "has not told who it is"),
        ("broker", {"links": {"mesh": {"up": True}, "broker": {"up": False, "reason": "no"}}}, FAIL, "down: no"),
        ("bridge", {"region": {"fresh": False, "age_s": None}}, WARN, "last beacon never"),
        ("power", {"power": POWER | {"problems": ["upsd: refused"]}}, FAIL, "upsd: refused"),
        ("power", {"power": POWER | {"state": "unknown", "percent": None}}, FAIL, "not known"),
        ("power", {"power": POWER | {"state": "battery"}}, WARN, "battery 97 %, about 81 h left"),
        ("power", {"power": POWER | {"state": "critical", "percent": 9}}, FAIL, "critical, battery 9 %"),
        ("power", {"power": POWER | {"percent": None}}, WARN, "charge not known"),
        ("power", {"power": None}, WARN, "nothing tells"),
        ("power", {"power": {}}, WARN, "not read yet"),
        ("clock", {"clock": {"source": "none"}}, WARN, "time is not known"),
        ("ledger", {"can_keep": False}, FAIL, "cannot keep anything"),
        ("ledger", {"damaged_log": "/x"}, FAIL, "was damaged"),
        ("ledger", {"ledger_behind": True}, FAIL, "older copy"),
        ("queue", {"queue": 2, "oldest_s": 901}, FAIL, "2 without receipt, the oldest asked 15 min ago"),
        ("queue", {"queue": 2, "oldest_s": 5}, PASS, "2 without receipt"),
        ("test", {"test": None}, WARN, "no test request was ever sent"),
        ("test", {"test": TESTED | {"age_s": 36 * 86_400}}, WARN, "36 days ago"),
        ("test", {"test": TESTED | {"passed": False}}, FAIL, "earned no receipt"),
        ("test", {"test": TESTED | {"over": False}}, WARN, "under way"),
        ("test", {}, PASS, "24 h ago, in 4.3 s, over mesh"),
        ("panel", {"panel_reason": "no gpio"}, FAIL, "no gpio"),
        ("program", {"counters": {"events_failed": 2}}, WARN, "2 events_failed"),
    ],
)
def test_what_the_status_tells(
    site: config.Config, part: str, change: dict[str, Any], verdict: Verdict, words: str
) -> None:
    findings = found(site, healthy() | change, part)
    (one,) = [finding for finding in findings if finding.verdict is verdict and words in finding.what]
    assert worst(findings) is verdict
    assert one.where
    assert bool(one.mend) is (verdict is not PASS)


@pytest.mark.parametrize(
    ("part", "change", "verdict", "words"),
    [
        ("disk", {"disk": None}, WARN, "not known how much"),
        ("disk", {"disk": DISK | {"free_mib": 199}}, WARN, "199 MiB free"),
        ("disk", {"disk": DISK | {"free_mib": 49}}, FAIL, "49 MiB free"),
        ("disk", {"disk": DISK | {"read_only": True}}, FAIL, "read-only"),
        ("airtime", {"air_ms": {"main": 109_000}}, WARN, "3.03 % of the last hour"),
        ("airtime", {"air_ms": {"main": 253_000}}, FAIL, "only life threats still go"),
        ("signal", {"snr": {}}, WARN, "no packet of this region heard"),
        ("signal", {"snr": {"main": SNR | {"median_db": -12.6}}}, WARN, "near the limit"),
        ("signal", {"snr": {"main": SNR | {"median_db": -12.4}}}, PASS, "SNR -12.4 dB"),
        ("traffic", {"last_s": {"request": None, "receipt": None, "answer": None}}, WARN, "last receipt never"),
        ("traffic", {"last_s": {"request": 9, "receipt": 36 * 86_400}}, WARN, "last receipt 36 days ago"),
        ("traffic", {"last_s": {}}, WARN, "not known"),
    ],
)
def test_what_the_figures_tell(
    site: config.Config, part: str, change: dict[str, Any], verdict: Verdict, words: str
) -> None:
    status = healthy()
    status["figures"] |= change
    (one,) = found(site, status, part)
    assert (one.verdict, words in one.what) == (verdict, True), one


def test_a_drifted_radio_is_a_warning_with_its_command(site: config.Config) -> None:
    status = healthy()
    status["radio"] = status["radio"] | {"drift": ["hop limit: is 7, config says 3"]}
    (drift,) = [finding for finding in found(site, status, "radio") if finding.verdict is WARN]
    assert drift.mend == "stop the node, then steunpunt radio apply"


def test_a_node_that_tells_no_figures_yet_passes_none_of_them(site: config.Config) -> None:
    status = healthy() | {"figures": {"age_s": None, "air_ms": {}, "snr": {}, "disk": None, "last_s": {}}}
    for part in ("disk", "airtime", "signal", "traffic"):
        assert [finding.verdict for finding in found(site, status, part)] == [WARN]


def test_each_of_several_radios_is_looked_at(site: config.Config) -> None:
    hill = config.ExtraRadio(name="hill", kind="tcp", port=4404)
    two = msgspec.structs.replace(site, extra_radio=(hill,))
    up = {"up": True, "reason": "", "radio": healthy()["radio"]}
    status = healthy() | {"radios": {"main": up, "hill": up | {"up": False, "reason": "no answer"}}}
    verdicts = {finding.part: finding.verdict for finding in examine(two, status) if finding.part.startswith("radio ")}
    assert verdicts == {"radio main": PASS, "radio hill": FAIL}
    (down,) = found(two, status, "radio hill")
    assert down.mend.endswith("--radio hill")


@pytest.mark.parametrize(("preset", "least_db"), [("LONG_FAST", -17.5), ("SHORT_FAST", -7.5), ("LONG_SLOW", -20.0)])
def test_the_limit_of_the_signal_is_the_datasheets(preset: str, least_db: float) -> None:
    assert snr_min_db(preset) == least_db


def test_the_gravest_verdict_counts(tmp_path: Path) -> None:
    good, bad = Finding("a", PASS, "queue.empty"), Finding("b", FAIL, "disk.read_only", str(tmp_path))
    assert [worst([]), worst([good]), worst([bad, good])] == [PASS, PASS, FAIL]
