"""Battery boards: chips as their datasheets describe them, and a pin on gpiozero's own mock pins."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory

from steunpunt.model import SteunpuntError
from steunpunt.panel import InputPin, PanelError
from steunpunt.power.i2c import HatReader, open_bus
from steunpunt.power.reading import ReadingError, reading_of
from steunpunt.powerconfig import Hat
from tests.fakes.i2c import FakeBus, ina219, max1704x

X728 = Hat(gauge="max1704x", mains_pin=6, mains_level="low")
WAVESHARE = Hat(gauge="ina219", empty_v=6.0, full_v=8.4)


@pytest.fixture
def pins() -> Iterator[MockFactory]:
    factory = MockFactory(revision="a02082")
    yield factory
    factory.reset()


def opener(pins: MockFactory) -> Callable[[int], InputPin]:
    return lambda pin: InputPin(pin, pins=lambda _: pins)


def no_pin(_pin: int) -> InputPin:
    raise PanelError("no pins here; use a Raspberry Pi")


def test_a_lithium_gauge_and_a_pin_of_either_polarity(pins: MockFactory) -> None:
    bus = FakeBus({0x36: max1704x(3.9125, 63.5)})
    with closing(HatReader(X728, opener(pins), bus.open)) as reader:
        pins.pin(6).drive_low()
        assert reader.read() == {"battery.voltage": "3.9125", "battery.charge": "63.500", "ups.status": "OL"}
        pins.pin(6).drive_high()
        assert reader.read()["ups.status"] == "OB DISCHRG"
    x1200 = Hat(gauge="none", mains_pin=6)
    with closing(HatReader(x1200, opener(pins), bus.open)) as reader:
        reader.read()  # takes the pin
        pins.pin(6).drive_high()
        assert reader.read() == {"ups.status": "OL"}
        pins.pin(6).drive_low()
        assert reader.read() == {"ups.status": "OB DISCHRG"}
    assert bus.opened == [1], "no gauge, no bus"


def test_the_older_gauge_and_two_cells(pins: MockFactory) -> None:
    older = max1704x(0, 50) | {0x02: round(3.75 / 1.25e-3) << 4, 0x08: 0x0003}
    hat = Hat(gauge="max1704x", mains_pin=6, cells=2, i2c_address=0x36, i2c_bus=3)
    bus = FakeBus({0x36: older})
    with closing(HatReader(hat, opener(pins), bus.open)) as reader:
        assert reader.read()["battery.voltage"] == "7.5000"
    assert bus.opened == [3]


@pytest.mark.parametrize(
    ("volts", "amps", "status", "charge"),
    [
        (7.2, -0.85, "OB DISCHRG", 50.0),
        (8.4, 0.5, "OL CHRG", 100.0),
        (8.5, 0.004, "OL", 100.0),
        (5.0, -1, "OB DISCHRG", 0),
    ],
)
def test_a_current_with_its_sign(volts: float, amps: float, status: str, charge: float, pins: MockFactory) -> None:
    with closing(HatReader(WAVESHARE, opener(pins), FakeBus({0x43: ina219(volts, amps)}).open)) as reader:
        told = reader.read()
    assert told["ups.status"] == status
    assert float(told["battery.charge"]) == pytest.approx(charge)
    reading = reading_of(told)
    assert reading.volts == pytest.approx(volts)
    assert reading.watts == pytest.approx(volts * abs(amps))


def test_the_other_sign_another_resistor_and_no_voltages(pins: MockFactory) -> None:
    hat = Hat(gauge="ina219", i2c_address=0x40, charging="negative", shunt_mohm=10)
    bus = FakeBus({0x40: ina219(12.0, 0.75, shunt_mohm=10)})
    with closing(HatReader(hat, opener(pins), bus.open)) as reader:
        told = reader.read()
    assert (told["battery.current"], told["ups.status"]) == ("-0.7500", "OB DISCHRG")
    assert "battery.charge" not in told


def test_a_chip_that_another_program_put_to_sleep_is_woken(pins: MockFactory) -> None:
    bus = FakeBus({0x43: ina219(7.2, -0.5, configuration=0x3998)})
    with closing(HatReader(WAVESHARE, opener(pins), bus.open)) as reader:
        reader.read()
    assert bus.chips[0x43][0x00] == 0x399F


@pytest.mark.parametrize(
    ("hat", "chips", "says"),
    [
        (X728, {}, "max1704x at 0x36 on /dev/i2c-1: no answer (Remote I/O error); is it plugged in"),
        (WAVESHARE, {0x36: max1704x(4, 50)}, "ina219 at 0x43 on /dev/i2c-1: no answer"),
        (X728, {0x36: {0x02: 0xFFFF, 0x04: 0xFFFF, 0x08: 0xFFFF}}, "0x36 is no MAX1704x"),
        (X728, {0x36: {0x02: 0, 0x04: 0, 0x08: 0}}, "0x36 is no MAX1704x"),
        (WAVESHARE, {0x43: {0x00: 0, 0x01: 0, 0x02: 0}}, "0x43 is no INA219"),
    ],
)
def test_a_chip_that_is_not_there_is_one_line(
    hat: Hat, chips: dict[int, dict[int, int]], says: str, pins: MockFactory
) -> None:
    bus = FakeBus(chips)
    reader = HatReader(hat, opener(pins), bus.open)
    with pytest.raises(ReadingError) as caught:
        reader.read()
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert bus.closed == 1, "the next reading opens it anew"


def test_a_chip_that_comes_back_is_read_again(pins: MockFactory) -> None:
    bus = FakeBus({})
    with closing(HatReader(X728, opener(pins), bus.open)) as reader:
        for _ in range(3):
            with pytest.raises(ReadingError):
                reader.read()
        bus.chips[0x36] = max1704x(4.0, 80)
        assert reader.read()["battery.charge"] == "80.000"


def test_pins_that_are_not_there(pins: MockFactory) -> None:
    reader = HatReader(X728, no_pin, FakeBus({0x36: max1704x(4, 80)}).open)
    with pytest.raises(ReadingError, match="mains pin: no pins here; use a Raspberry Pi"):
        reader.read()
    held = InputPin(6, pins=lambda _: pins)
    with pytest.raises(PanelError, match="pin 6 cannot be taken"):
        InputPin(6, pins=lambda _: pins)
    held.close()
    assert issubclass(PanelError, SteunpuntError)


def test_smbus2_itself_says_when_there_is_no_bus(pins: MockFactory) -> None:
    hat = Hat(gauge="ina219", i2c_bus=19)
    with pytest.raises(ReadingError, match=r"ina219 at 0x43 on /dev/i2c-19: no answer \(No such file or directory\)"):
        HatReader(hat, opener(pins)).read()


def test_smbus2_has_what_we_use() -> None:
    smbus2: Any = pytest.importorskip("smbus2")
    for name in ("read_i2c_block_data", "write_i2c_block_data", "close"):
        assert callable(getattr(smbus2.SMBus, name))
    with pytest.raises(FileNotFoundError):
        open_bus(19)


@pytest.mark.parametrize("status", ["OL", "OB"])
def test_absurd_registers_are_not_known(status: str, pins: MockFactory) -> None:
    wild = {0x02: 0xFFFE, 0x04: 0xFF00, 0x08: 0x0011}
    pins.pin(6).drive_high() if status == "OB" else pins.pin(6).drive_low()
    with closing(HatReader(X728, opener(pins), FakeBus({0x36: wild}).open)) as reader:
        reading = reading_of(reader.read())
    assert reading.charge is None
    assert reading.mains is (status == "OL")
    assert reading.problems
