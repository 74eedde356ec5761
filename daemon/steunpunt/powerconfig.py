"""The section ``[power]`` of the config file: where power is read, and what is switched off when it runs short."""

import shlex
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import msgspec

from steunpunt.configparts import Command, FileName, HostName, Pin, Port, Section

Percent = Annotated[int, msgspec.Meta(ge=1, le=100)]
Seconds = Annotated[int, msgspec.Meta(ge=0, le=600)]
UpsName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,60}\Z")]
Watts = Annotated[float, msgspec.Meta(ge=0.1, le=1_000)]
WattHours = Annotated[float, msgspec.Meta(ge=1, le=100_000)]
Volts = Annotated[float, msgspec.Meta(ge=1, le=100)]
Minutes = Annotated[int, msgspec.Meta(ge=1, le=1_440)]
Action = Literal["dim", "screen", "browser", "hotspot", "heartbeat"]
_COMMANDS = ("shutdown_command", "cut_command", "call_off_command")


class Nut(Section, frozen=True, kw_only=True):
    """A UPS that Network UPS Tools reads: its server ``upsd``."""

    ups: UpsName = "ups"
    """As in ``ups.conf``."""
    host: HostName = "127.0.0.1"
    port: Port = 3493


class Hat(Section, frozen=True, kw_only=True):
    """A battery board: a gauge on I2C, a pin that tells of mains, or both."""

    gauge: Literal["max1704x", "ina219", "none"] = "none"
    i2c_bus: Annotated[int, msgspec.Meta(ge=0, le=20)] = 1
    i2c_address: Annotated[int, msgspec.Meta(ge=0x03, le=0x77)] | None = None
    """``None``: 0x36 for max1704x, 0x43 for ina219."""
    cells: Annotated[int, msgspec.Meta(ge=1, le=4)] = 1
    """Cells in series behind a max1704x, which tells the voltage of one."""
    shunt_mohm: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100
    """The resistor that an ina219 measures over, in thousandths of an ohm."""
    charging: Literal["positive", "negative"] = "positive"
    """Sign of an ina219's current while the battery is charged."""
    empty_v: Volts | None = None
    full_v: Volts | None = None
    """Voltages of the whole battery; with both the charge is told from the voltage, roughly."""
    mains_pin: Pin | None = None
    mains_level: Literal["high", "low"] = "high"
    """Level of that pin while mains is there. Boards differ: `steunpunt power test` finds out."""


class Shed(Section, frozen=True, kw_only=True):
    """One step of saving: what is switched off, and from what charge on."""

    action: Action
    below_percent: Percent = 100
    """100: as soon as mains is gone."""
    command: Command | None = None
    undo_command: Command | None = None
    percent: Percent = 30
    """Of full brightness; for ``dim``."""
    open_min: Minutes = 10
    every_min: Minutes = 60
    """The hotspot is open for so many minutes in so many."""


class Power(Section, frozen=True, kw_only=True):
    """What the site runs on."""

    source: Literal["nut", "sysfs", "hat"]
    poll_s: Annotated[int, msgspec.Meta(ge=1, le=60)] = 10
    capacity_wh: WattHours | None = None
    """What the battery gives when it is full and new, losses of the converter taken off."""
    draw_w: Watts | None = None
    """What the site takes, where nothing measures it."""
    low_percent: Percent = 30
    critical_percent: Percent = 10
    """Here the site shuts down; what is left is for that, and for ageing."""
    battery_after_s: Seconds = 10
    mains_after_s: Seconds = 60
    farewell_s: Seconds = 30
    """Between the last heartbeat and shutting down."""
    awake_s: Annotated[int, msgspec.Meta(ge=10, le=3_600)] = 120
    """How long a touch brings the screen back."""
    sysfs_path: FileName = "/sys/class/power_supply"
    backlight_path: FileName | None = None
    touch_path: FileName | None = None
    """The touch screen's event device; while the screen is dark a touch only wakes it."""
    command_s_max: Annotated[int, msgspec.Meta(ge=1, le=60)] = 20
    shutdown_command: Command = "systemctl poweroff"
    cut_command: Command | None = None
    """Tells the board or UPS to cut the power some time after this, and to give it again with mains."""
    call_off_command: Command | None = None
    """Undoes a shutdown that waits, such as ``shutdown -P +1``, when mains is back; not where the power is cut."""
    nut: Nut | None = None
    hat: Hat | None = None
    shed: tuple[Shed, ...] = ()
    """In this order; undone in the reverse one."""


def power_problems(power: Power, pins_taken: Sequence[int]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong between the section's keys, each with the key it is about."""
    if power.critical_percent >= power.low_percent:
        mend = f"write less than {power.low_percent}"
        yield "power.critical_percent", f"power.critical_percent is not below power.low_percent; {mend}"
    for key in _COMMANDS:
        yield from _command_problems(f"power.{key}", getattr(power, key))
    if power.source == "hat":
        yield from _hat_problems(power.hat or Hat(), pins_taken)
    yield from _shed_problems(power)


def _hat_problems(hat: Hat, pins_taken: Sequence[int]) -> Iterator[tuple[str, str]]:
    if hat.gauge == "none" and hat.mains_pin is None:
        yield "power.source", "power.source is hat, but [power.hat] has no gauge and no mains_pin; add one of them"
    if hat.gauge == "max1704x" and hat.mains_pin is None:
        mend = "add mains_pin"
        yield "power.hat.gauge", f"power.hat.gauge: a max1704x tells the battery, but nothing tells of mains; {mend}"
    if (hat.empty_v is None) is not (hat.full_v is None):
        yield "power.hat.empty_v", "power.hat.empty_v and full_v belong together; add the missing one"
    if hat.empty_v is not None and hat.full_v is not None and hat.empty_v >= hat.full_v:
        yield "power.hat.empty_v", "power.hat.empty_v is not below full_v; correct it"
    if hat.mains_pin is not None and hat.mains_pin in pins_taken:
        yield "power.hat.mains_pin", f"power.hat.mains_pin: pin {hat.mains_pin} is the panel's; choose another one"


def _shed_problems(power: Power) -> Iterator[tuple[str, str]]:
    above = 100
    for index, shed in enumerate(power.shed):
        key = f"power.shed[{index}]"
        if shed.action in [other.action for other in power.shed[:index]]:
            yield f"{key}.action", f"power.shed: {shed.action} is listed twice; delete one"
        if shed.below_percent > above:
            mend = "sections go from the highest below_percent to the lowest; move it"
            yield f"{key}.below_percent", f"power.shed: {shed.action} comes after one with a lower percentage; {mend}"
        if shed.below_percent <= power.critical_percent:
            mend = f"write more than {power.critical_percent}, where the site shuts down"
            yield f"{key}.below_percent", f"power.shed: {shed.action} would never come; {mend}"
        yield from _step_problems(key, shed, power)
        above = min(above, shed.below_percent)


def _step_problems(key: str, shed: Shed, power: Power) -> Iterator[tuple[str, str]]:
    yield from _command_problems(f"{key}.command", shed.command)
    yield from _command_problems(f"{key}.undo_command", shed.undo_command)
    both, none = shed.command and shed.undo_command, not shed.command and not shed.undo_command
    if shed.action == "heartbeat":
        if not none:
            yield f"{key}.command", "power.shed: heartbeat is the node's own; delete command and undo_command"
    elif not both and not (none and shed.action in ("dim", "screen") and power.backlight_path):
        mend = "add command and undo_command"
        mend += " or power.backlight_path" if shed.action in ("dim", "screen") else ""
        yield f"{key}.action", f"power.shed: nothing says how {shed.action} is done and undone; {mend}"
    if shed.action == "screen" and power.touch_path is None:
        mend = "add power.touch_path"
        yield f"{key}.action", f"power.shed: a dark screen must come back when it is touched; {mend}"
    if shed.action == "hotspot" and shed.open_min >= shed.every_min:
        yield f"{key}.open_min", "power.shed: open_min is not below every_min; write less"


def _command_problems(key: str, command: str | None) -> Iterator[tuple[str, str]]:
    if command is None:
        return
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    if not words:
        yield key, f"{key.partition('[')[0]}: a command has no word in it, or a quote that is not closed; correct it"
