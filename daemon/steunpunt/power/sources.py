"""Which reader the config asks for."""

from pathlib import Path
from typing import Protocol

from steunpunt.power.i2c import HatReader, OpenLevel
from steunpunt.power.nut import NutReader
from steunpunt.power.sysfs import SysfsReader
from steunpunt.powerconfig import Hat, Nut, Power


class Source(Protocol):
    """Something that tells of mains and battery."""

    def read(self) -> dict[str, str]:
        """Return NUT's variables, within a few seconds; raises ReadingError."""

    def close(self) -> None:
        """Let go what is held; a later reading takes it again."""


def open_source(power: Power, open_level: OpenLevel) -> Source:
    """Return the reader of a config; nothing is opened before its first reading. ``open_level`` opens a pin."""
    if power.source == "nut":
        return NutReader(power.nut or Nut())
    if power.source == "sysfs":
        return SysfsReader(Path(power.sysfs_path))
    return HatReader(power.hat or Hat(), open_level)
