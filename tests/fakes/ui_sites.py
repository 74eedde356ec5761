"""Sites for tests of the screens: the example configs, with the paths and names that a test wants."""

from pathlib import Path

import msgspec

from steunpunt.config import Config, load

NAME, PASSWORD = "Jansen", "brandweer-47"
"""Who logs in at the desk."""
EXAMPLES = Path(__file__).parents[2] / "config"
LONG_NAME = "Wijkcentrum en Gemeenschapshuis Sint-Servatius van Heer-Scharn en Wittevrouwenvl"
LONG_STATION = "Regionale Brandweerkazerne Maastricht-Randwijck en Omstreken van de Veiligheidsr"
LONG_ADDRESS = "Burgemeester Bauduinstraat 1234-bis, ingang achterzijde, 6229 XZ Maastricht-Zuid"


def kiosk_config(socket: Path, *, long_names: bool = False) -> Config:
    """The example kiosk with its node at ``socket``."""
    config = load(EXAMPLES / "kiosk.toml")
    change = msgspec.structs.replace
    if long_names:
        region = change(config.region, coordinator_name=LONG_STATION, fallback_address=LONG_ADDRESS)
        config = change(config, region=region, site=change(config.site, name=LONG_NAME))
    return change(config, control=change(config.control, socket=str(socket)))


def coordinator_config(socket: Path, passwords: Path) -> Config:
    """The example coordinator with its node at ``socket``."""
    config = load(EXAMPLES / "coordinator.toml")
    change = msgspec.structs.replace
    web = change(config.web, desk_passwords_file=str(passwords))
    return change(config, control=change(config.control, socket=str(socket)), web=web)
