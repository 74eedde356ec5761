"""The section ``[housekeeping]`` of the config file: checks and copies of the ledger, and where new pages go."""

from collections.abc import Iterator
from typing import Annotated

import msgspec

from steunpunt.configparts import FileName, Section

Hours = Annotated[int, msgspec.Meta(ge=1, le=720)]


class Housekeeping(Section, frozen=True, kw_only=True):
    """What a site does now and then without being asked."""

    check_hours: Hours = 24
    """Between two checks of the whole ledger by SQLite."""
    copy_folder: FileName | None = None
    """Folder on a second medium, such as a USB stick, for copies of a coordinator's ledger; ``None``: no copies."""
    copy_hours: Hours = 6
    copies: Annotated[int, msgspec.Meta(ge=1, le=100)] = 4
    """Copies that are kept there; the oldest goes first."""
    pages_folder: FileName | None = None
    """Folder for the information pages that the region sends; they go before ``kiosk.content``. ``None``: none come."""
    pages_stick: FileName | None = None
    """Folder on a second medium in which an archive of pages is looked for once a day; ``None``: nowhere."""


def housekeeping_problems(section: Housekeeping, *, coordinator: bool) -> Iterator[tuple[str, str]]:
    """Yield what is wrong between the section's keys, each with the key it is about."""
    if section.copy_folder is not None and not coordinator:
        mend = "a copy put back would give numbers a second time; delete it"
        yield "housekeeping.copy_folder", f"housekeeping.copy_folder: a kiosk's ledger is not copied; {mend}"
    if section.pages_stick is not None and section.pages_folder is None:
        mend = 'add pages_folder = "/var/lib/steunpunt-pages"'
        yield "housekeeping.pages_stick", f"housekeeping.pages_stick: its pages have nowhere to go; {mend}"
