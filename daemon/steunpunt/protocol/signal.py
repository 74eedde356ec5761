"""How weak a signal may be. Pure."""

from steunpunt.protocol.airtime import modem


def snr_min_db(preset: str) -> float:
    """Return the ratio below which a preset's packets are lost, in dB; ValueError for an unknown preset.

    Semtech's datasheet of the SX1276, table 13: -7.5 dB at spreading factor 7, and 2.5 dB less for each further one.
    """
    return -7.5 - 2.5 * (modem(preset).spreading_factor - 7)
