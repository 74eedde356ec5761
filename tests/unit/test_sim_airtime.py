"""Time on air against the figures that were worked out for the firmware."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.protocol.airtime import (
    DATA_BYTES_MAX,
    LORA_HEADER_BYTES,
    PRESETS,
    modem,
    private_app_lora_bytes,
    time_on_air_ms,
)
from steunpunt.wire import mesh_pb2, portnums_pb2

PAYLOADS = (20, 50, 100, 200)


@pytest.mark.parametrize(
    ("preset", "expected_ms"),
    [
        ("SHORT_FAST", (48, 71, 107, 181)),
        ("MEDIUM_FAST", (160, 232, 345, 570)),
        ("LONG_FAST", (559, 805, 1174, 1911)),
        ("LONG_MODERATE", (1774, 2691, 4133, 7016)),
        ("LONG_SLOW", (3285, 4858, 7479, 12722)),
    ],
)
def test_the_table_of_the_reference(preset: str, expected_ms: tuple[int, ...]) -> None:
    assert tuple(round(time_on_air_ms(preset, private_app_lora_bytes(size))) for size in PAYLOADS) == expected_ms


def test_an_empty_packet_costs_preamble_header_and_crc() -> None:
    # 12 bits fewer than one block's worth at SF 7: (0 - 28 + 44) / 28 -> one block of 5 symbols.
    assert time_on_air_ms("SHORT_FAST", 0) == pytest.approx(0.512 * (28.25 + 5))


@given(st.sampled_from(sorted(PRESETS)), st.integers(min_value=0, max_value=254))
def test_more_bytes_never_take_less_time(preset: str, size: int) -> None:
    assert time_on_air_ms(preset, size) <= time_on_air_ms(preset, size + 1)


@given(st.binary(min_size=1, max_size=231))
def test_the_size_of_a_private_packet_is_that_of_its_real_message(payload: bytes) -> None:
    data = mesh_pb2.Data(portnum=portnums_pb2.PortNum.PRIVATE_APP, payload=payload, bitfield=0)
    assert private_app_lora_bytes(len(payload)) == LORA_HEADER_BYTES + data.ByteSize()
    assert data.ByteSize() <= DATA_BYTES_MAX


@pytest.mark.parametrize("size", [-1, 256])
def test_a_size_that_no_packet_has_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="0 to 255 bytes"):
        time_on_air_ms("LONG_FAST", size)


def test_an_unknown_preset_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"'LongFast'.*LONG_FAST"):
        modem("LongFast")
