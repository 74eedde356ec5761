"""Whether information pages are approved."""

from steunpunt.config import Config
from steunpunt.doctor.findings import Finding, On
from steunpunt.model import Role
from steunpunt_ui.content.place import folder_of, words_of
from steunpunt_ui.content.shelf import EMPTY, Shelf, read


def shelf_of(config: Config) -> Shelf:
    """Return a kiosk's information pages; a coordinator has none."""
    return read(folder_of(config), words_of(config)) if config.site.role is Role.KIOSK else EMPTY


def approval(config: Config) -> Finding:
    """Return whether a citizen sees any."""
    pages = shelf_of(config).pages.values()
    approved = sum(page.front.approved for page in pages)
    on, count = On("content", "kiosk.content"), len(pages)
    if config.kiosk.demo and approved < count:
        return on.warns("content.demo", unapproved=count - approved, count=count)
    if approved:
        return on.passes("content.approved", approved=approved, count=count)
    return on.warns("content.unapproved", count=count)
