"""How channels are called in topics and envelopes. Pure."""

from functools import lru_cache

from steunpunt.model import RadioPrepared

PKI = "PKI"
"""Channel of a packet that only its receiver can read."""
_PRESET_TITLES = {"LONG_MODERATE": "LongMod", "VERY_LONG_SLOW": "Invalid"}
"""Where the firmware calls an unnamed channel otherwise than its preset in camel case."""


def channel_title(radio: RadioPrepared, index: int) -> str:
    """Return a channel's name; an unnamed one is called after the radio's preset."""
    name = radio.channel_names[index] if index < len(radio.channel_names) else ""
    if name:
        return name
    return _preset_title(radio.preset)


@lru_cache(16)
def _preset_title(preset: str) -> str:
    camel = "".join(word.capitalize() for word in preset.split("_"))
    return _PRESET_TITLES.get(preset, camel) or "Custom"
