"""The section ``[panel]`` of the config file: buttons with their lamps, and the buzzer."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

from steunpunt.configparts import Pin, Section, SlugName

TimeOfDay = Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d\Z")]
LampPercent = Annotated[int, msgspec.Meta(ge=1, le=100)]


class Button(Section, frozen=True, kw_only=True):
    """One button with its lamp: at a kiosk a help button, at a coordinator the kazernebox's."""

    name: SlugName
    button_pin: Pin
    lamp_pin: Pin
    cancel_s: Annotated[int, msgspec.Meta(ge=0, le=300)] = 30
    """Seconds in which staff here can cancel before the request leaves."""
    hold_s: Annotated[int, msgspec.Meta(ge=0, le=10)] = 3
    """Seconds of holding it down that say "a life is in danger", which leaves at once; 0: holding says nothing."""


class Panel(Section, frozen=True, kw_only=True):
    """Buttons, lamps and the buzzer."""

    pins: Literal["gpio", "mock"] = "gpio"
    buzzer_pin: Pin | None = None
    lamp_percent: LampPercent = 100
    """Brightness of the lamps by day."""
    night_percent: LampPercent | None = None
    """Brightness by night, while the time is known; ``None``: as by day."""
    night_from: TimeOfDay = "22:00"
    night_until: TimeOfDay = "07:00"
    button: tuple[Button, ...] = ()

    @property
    def dims(self) -> bool:
        """Whether a lamp is ever less than fully lit."""
        return self.lamp_percent < 100 or (self.night_percent or 100) < 100  # noqa: PLR2004  percent


def minutes_of(time_of_day: str) -> int:
    """Return the minutes since midnight of ``22:00``."""
    hours, minutes = re.split(":", time_of_day)
    return int(hours) * 60 + int(minutes)


def is_night(panel: Panel, minutes: int | None) -> bool:
    """Return whether lamps burn as by night at so many minutes after midnight; None: the time is not known."""
    if minutes is None:
        return False
    begin, end = minutes_of(panel.night_from), minutes_of(panel.night_until)
    return begin <= minutes < end if begin <= end else not end <= minutes < begin


def panel_problems(panel: Panel) -> Iterator[tuple[str, str]]:
    """Yield what is wrong between the section's keys, each with the key it is about."""
    names = [button.name for button in panel.button]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield f"panel.button[{index}].name", f"panel.button: two buttons are named {name}; rename one"
    pins = pins_of(panel)
    for pin in sorted({pin for pin in pins if pins.count(pin) > 1}):
        yield "panel", f"panel: pin {pin} is used twice; each button, lamp and buzzer needs its own"


def pins_of(panel: Panel | None) -> list[int]:
    """Return the pins that a panel takes."""
    if panel is None:
        return []
    pins = [pin for button in panel.button for pin in (button.button_pin, button.lamp_pin)]
    return pins if panel.buzzer_pin is None else [*pins, panel.buzzer_pin]
