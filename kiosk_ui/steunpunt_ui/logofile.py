"""The file of the logo: is it there, and small enough?"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from steunpunt.config import Config

LOGO_KIB_MAX: Final = 20
"""Every phone loads it over the point's wifi."""


def logo_problems(config: Config) -> Iterator[str]:
    """Give what is wrong with the logo's file, with its key and the mend."""
    if config.screen.logo is None:
        return
    path = Path(config.screen.logo)
    try:
        size = path.stat().st_size
    except OSError as error:
        yield f"key `screen.logo`: {path} cannot be read ({error.strerror}); copy it there or correct the path"
        return
    if size > LOGO_KIB_MAX * 1024:
        yield f"key `screen.logo`: {path} has {size // 1024} KiB; make it at most {LOGO_KIB_MAX}: every phone loads it"
