"""Where a site's information pages lie, and what its config says in them."""

from pathlib import Path

from steunpunt.config import Config

_HERE = Path(__file__).resolve()


def folder_of(config: Config) -> Path:
    """Return the folder of the config, else that of the pages which come along with the program."""
    if config.kiosk.content is not None:
        return Path(config.kiosk.content)
    packed = _HERE.parent / "pages"
    return packed if packed.is_dir() else _HERE.parents[3] / "config" / "content"


def words_of(config: Config) -> dict[str, str]:
    """Return what may stand in braces on a page; "" for what the config leaves open."""
    return {
        "point": config.site.name,
        "place": config.site.place,
        "region": config.region.name,
        "station": config.region.coordinator_name,
        "address": config.region.fallback_address,
        "broadcaster": config.kiosk.broadcaster or "",
    }
