"""Each finding of the doctor has its words in Dutch, with the same values; the plots have their limit lines."""

import re
from pathlib import Path
from typing import Any

import pytest

from steunpunt.doctor import live
from steunpunt.doctor.words import WORDS
from steunpunt_ui.technician import dutch, plots
from tests.fakes.nodes import kiosk_config
from tests.unit.test_doctor_live import healthy

DOCTOR = Path(live.__file__).parent


def values_in(words: tuple[str, str]) -> set[str]:
    return set(re.findall(r"{(\w+)}", " ".join(words)))


@pytest.mark.parametrize("code", sorted(WORDS))
def test_a_finding_says_the_same_in_both_languages(code: str) -> None:
    english, nederlands = WORDS[code], dutch.WORDS[code]
    assert values_in(english) == values_in(nederlands)
    assert bool(english[1]) is bool(nederlands[1])


def test_no_word_is_left_over_and_none_is_missing() -> None:
    assert set(WORDS) == set(dutch.WORDS)
    sources = "".join(path.read_text("utf-8") for path in DOCTOR.glob("*.py") if path.name != "words.py")
    assert [code for code in WORDS if f'"{code}"' not in sources] == []
    made = set(re.findall(r'(?:passes|warns|fails)\(\s*"([a-z._]+)"', sources))
    assert len(made) > 30
    assert made - set(WORDS) == set()
    parts = set(re.findall(r'On\(f?"(\w+)', sources)) | set(re.findall(r'_listens\(\s*"(\w+)"', sources))
    assert parts - set(dutch.PARTS) == set()


def test_ages_and_numbers_are_put_into_dutch() -> None:
    told = {"test_ago": 7_200, "seconds": "4.3", "road": "mesh+broker"}
    assert dutch.words_of("test.passed", told, lambda age: f"{age} s geleden")[0] == (
        "een test kwam 7200 s geleden aan, in 4,3 s, over radio en internet"
    )
    power = {"percent": 97, "hours": 81.5}
    assert dutch.words_of("power.mains", power, str)[0] == "van het net, accu 97 %, nog ongeveer 81,5 uur"
    assert dutch.words_of("power.mains", {"percent": None, "hours": None}, str)[0] == "van het net"
    assert "laatste baken nooit" in dutch.words_of("bridge.silent", {"beacon_ago": None}, str)[0]
    assert dutch.part_words("radio hill") == "Radio hill"


def test_everything_a_well_site_says_can_be_said_in_dutch(tmp_path: Path) -> None:
    for finding in live.examine(kiosk_config(tmp_path), healthy()):
        assert dutch.words_of(finding.code, finding.values, str)[0]


def point(age_s: int, **known: Any) -> dict[str, Any]:
    nothing = {"percent": None, "hours_left": None, "draw_w": None, "queue": None, "air_ms": None, "snr_db": None}
    return nothing | {"age_s": age_s} | known


def test_a_plot_is_drawn_from_two_points_on_and_has_its_limits(tmp_path: Path) -> None:
    site = kiosk_config(tmp_path)
    trend = [
        point(7_200, percent=90, air_ms=36_000, queue=1),
        point(3_600, percent=88),
        point(0, air_ms=40_000, queue=0),
    ]
    found = plots.plots_of(site, trend)
    assert [plot.key for plot in found] == ["battery", "airtime", "signal", "queue"]
    assert [plot.drawn for plot in found] == [True, True, False, True]
    assert {plot.hours for plot in found} == {(-2.0, -1.0, 0.0)}
    values = [(90, 88, None), (36.0, None, 40.0), (None, None, None), (1, None, 0)]
    assert [plot.values for plot in found] == values
    limits = [[30, 10], [360, 252, 108], [-17.5], []]
    assert [[limit.value for limit in plot.limits] for plot in found] == limits
    for few in (trend[:1], []):
        assert not any(plot.drawn for plot in plots.plots_of(site, few))


def test_the_table_has_the_newest_first_and_not_too_many() -> None:
    rows = plots.rows_of([point(age) for age in range(432, 0, -1)])
    assert len(rows) <= plots.TABLE_ROWS_MAX
    assert rows[0]["age_s"] == 1
