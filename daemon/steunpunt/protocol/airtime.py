"""How long a LoRa transmission occupies the air, by the exact formula.

The formula is Semtech's (AN1200.13, "LoRa Modem Designer's Guide") as the
Meshtastic firmware applies it: preamble of 16 symbols, explicit header, CRC on.
``Ts = 2^SF / BW``; ``DE`` (low data rate optimisation) is 1 when Ts is 16 ms or more::

    Ts * [16 + 4.25 + 8 + max(ceil((8L - 4SF + 44) / (4(SF - 2DE))) * CR, 0)]
"""

from typing import NamedTuple

LORA_HEADER_BYTES = 16
"""Meshtastic's own header in front of every encrypted Data message on the air."""

DATA_BYTES_MAX = 239
"""Longest serialised Data message that fits in one LoRa packet (255 - 16)."""

PKI_BYTES = 12
"""What public-key encryption adds to a unicast packet (8 tag, 4 nonce)."""

_PREAMBLE_SYMBOLS = 16
_SYNC_SYMBOLS = 4.25
_FIRST_SYMBOLS = 8
_LOW_DATA_RATE_FROM_MS = 16.0
_CRC_AND_HEADER_BITS = 44  # 28 + 16 bits of payload CRC, explicit header
_LORA_BYTES_MAX = 255

_PRIVATE_PORT_BYTES = 3  # field tag, and 256 as a two-byte varint
_BITFIELD_BYTES = 2
_ONE_BYTE_LENGTH_MAX = 127


class Modem(NamedTuple):
    """Spreading factor, bandwidth in kHz and coding rate (5 means 4/5)."""

    spreading_factor: int
    bandwidth_khz: float
    coding_rate: int

    @property
    def symbol_ms(self) -> float:
        """Length of one symbol in milliseconds."""
        return float(2**self.spreading_factor) / self.bandwidth_khz


PRESETS: dict[str, Modem] = {
    "SHORT_TURBO": Modem(7, 500, 5),
    "SHORT_FAST": Modem(7, 250, 5),
    "SHORT_SLOW": Modem(8, 250, 5),
    "MEDIUM_FAST": Modem(9, 250, 5),
    "MEDIUM_SLOW": Modem(10, 250, 5),
    "LONG_TURBO": Modem(11, 500, 8),
    "LONG_FAST": Modem(11, 250, 5),
    "LONG_MODERATE": Modem(11, 125, 8),
    "LONG_SLOW": Modem(12, 125, 8),
}
"""The modem presets by the firmware's names. The 500 kHz ones do not fit in EU_868."""


def modem(preset: str) -> Modem:
    """Look up a preset; ValueError names the ones there are."""
    try:
        return PRESETS[preset]
    except KeyError:
        raise ValueError(f"{preset!r} is not a modem preset; write one of {', '.join(PRESETS)}") from None


def time_on_air_ms(preset: str, lora_bytes: int) -> float:
    """Milliseconds on air of one packet of ``lora_bytes``, Meshtastic's 16-byte header included.

    ``lora_bytes`` is 0 to 255; ValueError outside it or for an unknown preset.
    Source: Semtech AN1200.13, see the module's docstring.
    """
    if not 0 <= lora_bytes <= _LORA_BYTES_MAX:
        raise ValueError(f"a LoRa packet has 0 to {_LORA_BYTES_MAX} bytes, not {lora_bytes}")
    radio = modem(preset)
    low_rate = 1 if radio.symbol_ms >= _LOW_DATA_RATE_FROM_MS else 0
    bits = 8 * lora_bytes - 4 * radio.spreading_factor + _CRC_AND_HEADER_BITS
    per_block = 4 * (radio.spreading_factor - 2 * low_rate)
    blocks = max(-(-bits // per_block), 0)
    symbols = _PREAMBLE_SYMBOLS + _SYNC_SYMBOLS + _FIRST_SYMBOLS + blocks * radio.coding_rate
    return radio.symbol_ms * symbols


def private_app_lora_bytes(payload_bytes: int) -> int:
    """Bytes on the air of a PRIVATE_APP payload: header, port, length, payload and bitfield.

    The firmware adds the two-byte bitfield to every packet that it originates.
    """
    length_bytes = 2 if payload_bytes <= _ONE_BYTE_LENGTH_MAX else 3
    return LORA_HEADER_BYTES + _PRIVATE_PORT_BYTES + length_bytes + payload_bytes + _BITFIELD_BYTES
