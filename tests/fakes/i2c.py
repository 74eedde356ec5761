"""An I2C bus with chips as tables of registers: what nobody acknowledges is EREMOTEIO, as the kernel says it."""

import errno
import os

Registers = dict[int, int]


class FakeBus:
    """Chips by address, each with its words by register."""

    def __init__(self, chips: dict[int, Registers]) -> None:
        self.chips = chips
        self.opened: list[int] = []
        self.closed = 0

    def open(self, number: int) -> "FakeBus":
        self.opened.append(number)
        return self

    def _chip(self, address: int) -> Registers:
        if address not in self.chips:
            raise OSError(errno.EREMOTEIO, os.strerror(errno.EREMOTEIO))
        return self.chips[address]

    def read_i2c_block_data(self, i2c_addr: int, register: int, length: int) -> list[int]:
        return list(self._chip(i2c_addr)[register].to_bytes(length, "big"))

    def write_i2c_block_data(self, i2c_addr: int, register: int, data: list[int]) -> None:
        self._chip(i2c_addr)[register] = int.from_bytes(bytes(data), "big")

    def close(self) -> None:
        self.closed += 1


def max1704x(volts: float, percent: float) -> Registers:
    """Registers of a MAX17048 that shows this; volts of one cell."""
    return {0x02: round(volts / 78.125e-6), 0x04: round(percent * 256), 0x08: 0x0011}


def ina219(volts: float, amps: float, shunt_mohm: int = 100, configuration: int = 0x399F) -> Registers:
    """Registers of an INA219 that shows this."""
    shunt = round(amps * shunt_mohm / 1000 / 10e-6) & 0xFFFF
    return {0x00: configuration, 0x01: shunt, 0x02: round(volts / 4e-3) << 3 | 0b010}
