"""Colours that can be read, no help from outside, and little to load."""

import re
from pathlib import Path

import pytest

import steunpunt_ui

ROOT = Path(steunpunt_ui.__file__).parent
SCRIPT_BYTES_MAX = 2048
CONTRAST_MIN = 7.0
CITIZEN_PAIRS = [
    ("ink", "page"),
    ("ink", "panel"),
    ("on-deep", "deep"),
    ("on-tile", "tile"),
    ("on-help", "help"),
    ("on-warn", "warn"),
    ("on-calm", "calm"),
]
DESK_PAIRS = [
    ("ink", "page"),
    ("ink", "panel"),
    ("quiet", "panel"),
    ("on-deep", "deep"),
    ("on-alarm", "alarm"),
    ("alarm-ink", "panel"),
    ("on-urgent", "urgent"),
    ("on-other", "other"),
    ("ink", "note"),
]


def themes(sheet: str) -> dict[str, dict[str, str]]:
    css = (ROOT / "static" / sheet).read_text("utf-8")
    day_css, night_css = css.split("@media (prefers-color-scheme: dark)")
    day = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", day_css))
    night_css = night_css.split("\n}\n")[0]
    return {"day": day, "night": day | dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", night_css))}


def luminance(colour: str) -> float:
    """Relative luminance by WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_black_on_white_is_twenty_one_to_one() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("theme", ["day", "night"])
@pytest.mark.parametrize(("sheet", "pairs"), [("citizen.css", CITIZEN_PAIRS), ("desk.css", DESK_PAIRS)])
def test_every_pair_of_colours_can_be_read(sheet: str, pairs: list[tuple[str, str]], theme: str) -> None:
    colours = themes(sheet)[theme]
    poor = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in pairs}
    assert {pair: ratio for pair, ratio in poor.items() if ratio < CONTRAST_MIN} == {}


def test_nothing_comes_from_outside() -> None:
    sources = [path for kind in ("html", "css", "js") for path in ROOT.rglob(f"*.{kind}")]
    assert len(sources) > 15
    outside = [
        (path.name, found) for path in sources for found in re.findall(r"(?:https?:)?//\w[^\s\"']*", _code(path))
    ]
    assert outside == []


def _code(path: Path) -> str:
    """A source without the lines that are only a comment, and without the remark on top that says who made it."""
    text = re.sub(r"\A/\*!.*?\*/", "", path.read_text("utf-8"), flags=re.DOTALL)
    return "\n".join(line for line in text.splitlines() if not line.startswith("//"))


def test_the_citizens_script_is_small() -> None:
    assert (ROOT / "static" / "citizen.js").stat().st_size <= SCRIPT_BYTES_MAX
    assert (ROOT / "static" / "keys.js").stat().st_size <= SCRIPT_BYTES_MAX


def test_pages_carry_no_inline_script_or_style() -> None:
    for path in ROOT.rglob("*.html"):
        html = path.read_text("utf-8")
        assert not re.search(r"\son\w+=|\sstyle=|<style|<script(?! src=)", html), path.name
