"""Battery gauges on I2C: MAX1704x and INA219, told in NUT's variables. The only place that knows smbus2.

- **MAX17040/41/43/44/48/49** (Analog Devices, 19-6171): words, high byte first. VCELL 0x02, 78.125 uV a bit and cell
  (on the older ones twelve bits of 1.25 mV, left-aligned: the same scale); SOC 0x04, 1/256 %; VERSION 0x08, never 0 or
  0xFFFF.
- **INA219** (Texas Instruments, SBOS448G, 8.6): words, high byte first. Configuration 0x00, 0x399F after power-on, its
  lower three bits 111 for measuring all the time; shunt voltage 0x01, 10 uV a bit, signed; bus voltage 0x02, bits 15 to
  3, 4 mV a bit.

The chips tell nothing of mains: a pin does, or the sign of the INA219's current.
"""

import contextlib
from collections.abc import Callable
from typing import Protocol

from steunpunt.model import SteunpuntError
from steunpunt.power.reading import ReadingError
from steunpunt.powerconfig import Hat

MAX1704X_ADDRESS, INA219_ADDRESS = 0x36, 0x43
IDLE_A = 0.02
"""Below this a current has no direction; the smallest board draws five times that out of a battery."""
_VCELL, _SOC, _VERSION = 0x02, 0x04, 0x08
_VCELL_V, _SOC_PERCENT = 78.125e-6, 1 / 256
_CONFIGURATION, _SHUNT, _BUS = 0x00, 0x01, 0x02
_POWER_ON, _MEASURING = 0x399F, 0b111
_SHUNT_V, _BUS_V = 10e-6, 4e-3
_NOTHING = (0x0000, 0xFFFF)
"""What a bus without a chip, or with a broken one, is read as."""


class Bus(Protocol):
    """What of smbus2's SMBus is used."""

    def read_i2c_block_data(self, i2c_addr: int, register: int, length: int) -> list[int]:
        """Return so many bytes from a register on; OSError when nobody acknowledges."""

    def write_i2c_block_data(self, i2c_addr: int, register: int, data: list[int]) -> None:
        """Write these bytes; OSError when nobody acknowledges."""

    def close(self) -> None:
        """Let the bus go."""


class Level(Protocol):
    """A pin that tells of mains."""

    def high(self) -> bool:
        """Return its level; SteunpuntError when it cannot be read."""

    def close(self) -> None:
        """Let it go."""


OpenBus = Callable[[int], Bus]
OpenLevel = Callable[[int], Level]


def open_bus(number: int) -> Bus:
    """Return the I2C bus of this number; OSError when there is none."""
    from smbus2 import SMBus  # noqa: PLC0415  a site without a battery board need not load it

    bus: Bus = SMBus(number)
    return bus


class HatReader:
    """A battery board; bus and pin are opened at the first reading, and anew after any trouble."""

    def __init__(self, hat: Hat, open_level: OpenLevel, bus: OpenBus = open_bus) -> None:
        self._hat, self._open_level, self._open_bus = hat, open_level, bus
        self._bus: Bus | None = None
        self._level: Level | None = None
        default = MAX1704X_ADDRESS if hat.gauge == "max1704x" else INA219_ADDRESS
        self._address = default if hat.i2c_address is None else hat.i2c_address

    def read(self) -> dict[str, str]:
        """Return what gauge and pin say; raises ReadingError when one of them cannot be read."""
        try:
            told = self._gauge()
            if self._hat.mains_pin is not None:
                charging = " CHRG" if "CHRG" in told.get("ups.status", "").split() else ""
                told["ups.status"] = f"OL{charging}" if self._mains(self._hat.mains_pin) else "OB DISCHRG"
        except ReadingError:
            self.close()
            raise
        except SteunpuntError as error:
            self.close()
            raise ReadingError(f"mains pin: {error}") from error
        except OSError as error:
            self.close()
            where = f"{self._hat.gauge} at 0x{self._address:02x} on /dev/i2c-{self._hat.i2c_bus}"
            mend = f"is it plugged in, and does `i2cdetect -y {self._hat.i2c_bus}` show it?"
            raise ReadingError(f"{where}: no answer ({error.strerror or error}); {mend}") from error
        return told

    def close(self) -> None:
        """Let bus and pin go."""
        for held in (self._bus, self._level):
            if held is not None:
                with contextlib.suppress(OSError, SteunpuntError):
                    held.close()
        self._bus = self._level = None

    def _mains(self, pin: int) -> bool:
        if self._level is None:
            self._level = self._open_level(pin)
        return self._level.high() is (self._hat.mains_level == "high")

    def _gauge(self) -> dict[str, str]:
        if self._hat.gauge == "none":
            return {}
        if self._bus is None:
            self._bus = self._open_bus(self._hat.i2c_bus)
        return self._max1704x(self._bus) if self._hat.gauge == "max1704x" else self._ina219(self._bus)

    def _word(self, bus: Bus, register: int) -> int:
        high, low = bus.read_i2c_block_data(self._address, register, 2)
        return high << 8 | low

    def _max1704x(self, bus: Bus) -> dict[str, str]:
        if self._word(bus, _VERSION) in _NOTHING:
            raise ReadingError(f"0x{self._address:02x} is no MAX1704x; compare power.hat with the board's manual")
        volts = self._word(bus, _VCELL) * _VCELL_V * self._hat.cells
        charge = self._word(bus, _SOC) * _SOC_PERCENT
        return {"battery.voltage": f"{volts:.4f}", "battery.charge": f"{charge:.3f}"}

    def _ina219(self, bus: Bus) -> dict[str, str]:
        configuration = self._word(bus, _CONFIGURATION)
        if configuration in _NOTHING:
            raise ReadingError(f"0x{self._address:02x} is no INA219; compare power.hat with the board's manual")
        if configuration & _MEASURING != _MEASURING:  # another program put it to sleep: it would say the same for ever
            bus.write_i2c_block_data(self._address, _CONFIGURATION, list(_POWER_ON.to_bytes(2, "big")))
        shunt = self._word(bus, _SHUNT)
        shunt -= (shunt & 0x8000) << 1
        sign = 1 if self._hat.charging == "positive" else -1
        amps = sign * shunt * _SHUNT_V / (self._hat.shunt_mohm / 1000)
        volts = (self._word(bus, _BUS) >> 3) * _BUS_V
        told = {"battery.voltage": f"{volts:.3f}", "battery.current": f"{amps:.4f}", "ups.status": _direction(amps)}
        if self._hat.empty_v is not None and self._hat.full_v is not None:
            share = (volts - self._hat.empty_v) / (self._hat.full_v - self._hat.empty_v)
            told["battery.charge"] = f"{min(max(share * 100, 0.0), 100.0):.2f}"
        return told


def _direction(amps: float) -> str:
    if amps <= -IDLE_A:
        return "OB DISCHRG"
    return "OL CHRG" if amps >= IDLE_A else "OL"
