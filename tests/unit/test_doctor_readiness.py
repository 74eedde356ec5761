"""Ready for a crisis: each thing that can rot in a cupboard, and that nothing unproved counts as ready."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from steunpunt import config
from steunpunt.doctor.findings import Verdict, worst
from steunpunt.doctor.readiness import HALF_YEAR_S, YEAR_S, examine
from steunpunt.powerconfig import Power
from tests.fakes.nodes import kiosk_config
from tests.unit.test_content_shelf import APPROVED
from tests.unit.test_content_shelf import write as write_page
from tests.unit.test_doctor_live import healthy

PASS, WARN, FAIL = Verdict
RUN = {"age_s": 86_400, "minutes": 15, "from_percent": 97, "to_percent": 94}


@pytest.fixture(name="site", scope="module")
def fixture_site(tmp_path_factory: pytest.TempPathFactory) -> config.Config:
    folder = tmp_path_factory.mktemp("site")
    made = kiosk_config(folder)
    write_page(folder / "pages", "nl/water", **APPROVED)
    radio = config.Radio(kind="tcp", firmware="2.7.26")
    return msgspec.structs.replace(
        made, radio=radio, power=Power(source="sysfs"), kiosk=config.Kiosk(content=str(folder / "pages"))
    )


def proved() -> dict[str, Any]:
    """A point at which everything was proved lately."""
    readiness = {"battery_run": RUN, "key_holder_s": 3_600}
    return healthy() | {"readiness": readiness, "survey": {"under_way": None, "last": {"passed": True, "age_s": 9_000}}}


def test_a_point_where_all_was_proved_is_ready(site: config.Config) -> None:
    found = list(examine(site, proved()))
    assert worst(found) is PASS, [one for one in found if one.verdict is not PASS]
    parts = {"test", "battery", "coverage", "keyholder", "content", "firmware", "clock", "disk", "queue"}
    assert {one.part for one in found} == parts


@pytest.mark.parametrize(
    ("part", "change", "verdict", "words"),
    [
        ("test", {"test": None}, WARN, "no test request"),
        ("battery", {"readiness": {"battery_run": None, "key_holder_s": 1}}, WARN, "never seen"),
        (
            "battery",
            {"readiness": {"battery_run": RUN | {"age_s": HALF_YEAR_S + 1}, "key_holder_s": 1}},
            WARN,
            "183 days",
        ),
        ("battery", {"readiness": {"battery_run": RUN | {"to_percent": None}}}, WARN, "charge not known"),
        ("coverage", {"survey": {"last": None}}, WARN, "never surveyed"),
        ("coverage", {"survey": {"last": {"passed": False, "age_s": 9}}}, FAIL, "failed"),
        ("coverage", {"survey": {"last": {"passed": True, "age_s": YEAR_S + 1}}}, WARN, "366 days ago"),
        ("keyholder", {"readiness": {"battery_run": RUN, "key_holder_s": None}}, WARN, "nobody confirmed"),
        ("keyholder", {"readiness": {"battery_run": RUN, "key_holder_s": HALF_YEAR_S + 1}}, WARN, "183 days ago"),
        ("firmware", {"radio": None}, WARN, "has not told"),
        ("firmware", {"radio": {"firmware": "2.7.2", "node": "!a", "preset": "p", "drift": []}}, FAIL, "pins 2.7.26"),
        ("clock", {"clock": None}, WARN, "does not tell"),
        ("disk", {"figures": {}}, WARN, "not known"),
    ],
)
def test_what_was_not_proved_is_not_ready(
    site: config.Config, part: str, change: dict[str, Any], verdict: Verdict, words: str
) -> None:
    (one,) = [found for found in examine(site, proved() | change) if found.part == part]
    assert (one.verdict, words in one.what) == (verdict, True), one
    assert one.mend


def test_a_demonstration_is_never_ready_for_a_crisis(site: config.Config, tmp_path: Path) -> None:
    write_page(tmp_path, "nl/water", **APPROVED)
    write_page(tmp_path, "nl/eten")
    shown = msgspec.structs.replace(site, kiosk=config.Kiosk(demo=True, content=str(tmp_path)))
    (one,) = [found for found in examine(shown, proved()) if found.part == "content"]
    assert (one.verdict, "1 of 2 information pages" in one.what, "demo = true" in one.mend) == (WARN, True, True), one


def test_nothing_is_taken_for_granted_of_a_node_that_tells_nothing_of_it(site: config.Config) -> None:
    status = proved()
    for name in ("readiness", "survey", "test", "clock", "figures"):
        del status[name]
    verdicts = {found.part: found.verdict for found in examine(site, status)}
    assert {part for part, verdict in verdicts.items() if verdict is PASS} == {"content", "firmware", "queue"}
