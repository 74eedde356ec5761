"""An estimate of what a site takes in a day, by power state: other people's figures for the parts, times how long on.

Nothing here was measured by us. Parts in watts, in the middle of what makers and users tell: a Pi Zero 2 W 0.4 to 0.6,
a Pi 4 about 2.9, a Pi 5 about 3 with nothing to do, a 7 inch screen 65 to 505 mA at 5 V by its backlight, an nRF52
radio 10 to 15 mA and an ESP32 radio 40 to 80 mA at 3.7 V. A wifi hotspot without guests is taken as 0.5 W.
"""

from dataclasses import dataclass

BATTERY_WH = 500.0
"""The battery of the last column, with CRITICAL_PERCENT of it kept."""
CRITICAL_PERCENT = 10
CONVERTER = 0.85
"""What is left after the converter to 5 V."""
HOURS = 24
SCREEN_BRIGHT_W, SCREEN_DIM_W, HOTSPOT_W, BROWSER_W = 2.5, 0.9, 0.5, 0.6


@dataclass(frozen=True, slots=True)
class Board:
    """A computer with its radio, in watts."""

    name: str
    computer_w: float
    radio_w: float
    screen: bool


@dataclass(frozen=True, slots=True)
class State:
    """What is on in a power state, as config/kiosk.toml's steps of saving have it: shares of the time."""

    name: str
    screen_w: float
    screen_share: float
    hotspot_share: float
    browser: bool


BOARDS = (
    Board("Pi Zero 2 W, nRF52, no screen", 0.5, 0.05, screen=False),
    Board("Pi 4, ESP32, 7 inch screen", 2.9, 0.22, screen=True),
    Board("Pi 5, nRF52, 7 inch screen", 3.0, 0.05, screen=True),
)
STATES = (
    State("mains", SCREEN_BRIGHT_W, 1.0, 1.0, browser=True),
    State("battery, above 80 %: dimmed", SCREEN_DIM_W, 1.0, 1.0, browser=True),
    State("below 80 %: dark, awake 10 % of the time", SCREEN_DIM_W, 0.1, 1.0, browser=True),
    State("below 60 %: hotspot 10 min of 60", SCREEN_DIM_W, 0.1, 1 / 6, browser=True),
    State("below 25 %: browser stopped", SCREEN_DIM_W, 0.1, 1 / 6, browser=False),
)


def watts(board: Board, state: State) -> float:
    """Return the mean draw from the battery, in watts."""
    load = board.computer_w + board.radio_w + HOTSPOT_W * state.hotspot_share
    if board.screen:
        load += state.screen_w * state.screen_share + (BROWSER_W if state.browser else 0.0)
    return load / CONVERTER


def lines() -> list[str]:
    """Return the table."""
    usable_wh = BATTERY_WH * (100 - CRITICAL_PERCENT) / 100
    head = f"{'an estimate, nothing measured':<42} {'W':>6} {'Wh a day':>9} {f'h on {BATTERY_WH:g} Wh':>12}"
    table = [head]
    for board in BOARDS:
        table.append(board.name)
        for state in STATES:
            power_w = watts(board, state)
            table.append(f"  {state.name:<40} {power_w:6.2f} {power_w * HOURS:9.1f} {usable_wh / power_w:12.0f}")
    return table
