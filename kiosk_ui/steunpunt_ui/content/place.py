"""Where a site's information pages lie, and what its config says in them."""

import logging
from pathlib import Path

from steunpunt import pagestore
from steunpunt.config import Config
from steunpunt_ui.content.shelf import Mark, mark_of

_log = logging.getLogger(__name__)
_HERE = Path(__file__).resolve()


def folder_of(config: Config) -> Path:
    """Return the folder of the pages that the region sent, if they are whole; else :func:`own_folder`."""
    store = config.housekeeping.pages_folder
    held = None if store is None else pagestore.current(Path(store))
    return own_folder(config) if held is None else held.folder


def own_folder(config: Config) -> Path:
    """Return the folder of the config, else that of the pages which come along with the program."""
    if config.kiosk.content is not None:
        return Path(config.kiosk.content)
    packed = _HERE.parent / "pages"
    return packed if packed.is_dir() else _HERE.parents[3] / "config" / "content"


class Place:
    """Where a site's pages are now, as :func:`folder_of`; looks into those of the region only when they changed."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._seen: tuple[Path, Mark] | None = None
        self._whole = False

    def __call__(self) -> Path:
        """Return the folder."""
        store = self._config.housekeeping.pages_folder
        linked = None if store is None else pagestore.current_folder(Path(store))
        if linked is None:
            return own_folder(self._config)
        seen = (linked, mark_of(linked))
        if seen != self._seen:
            self._seen, self._whole = seen, folder_of(self._config) == linked
            if not self._whole:
                _log.error("action=pages_damaged folder=%s; the pages that came with the device are shown", linked)
        return linked if self._whole else own_folder(self._config)


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
