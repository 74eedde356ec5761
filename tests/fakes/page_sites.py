"""A region's keys, a folder of pages, and what a node does with an archive of them, turned by hand."""

import random
from collections.abc import Callable
from pathlib import Path

import msgspec

from steunpunt import pagestore
from steunpunt.config import Broker, Config, Keys
from steunpunt.fleet.pagepacking import pack
from steunpunt.jobconfig import Housekeeping
from steunpunt.jobfacts import PagesHeard
from steunpunt.keymaking import make_coordinator, make_region, make_site
from steunpunt.model import Role
from steunpunt.node.pages import Pages
from tests.fakes.brokers import site_config

HEAD = (
    "---\ntitle: Water\nsummary: Drinken\nicon: water\norder: 20\n"
    "approved_by: GGD\napproved_on: 2026-03-31\nlanguage_reviewed: 2026-03-31\n---\n\n"
)


def write_pages(folder: Path, **pages: str) -> Path:
    """Write approved pages in Dutch, by their names."""
    (folder / "nl").mkdir(parents=True, exist_ok=True)
    for name, words in pages.items():
        (folder / "nl" / f"{name}.md").write_text(f"{HEAD}{words}\n", "utf-8")
    return folder


class PagesRegion:
    """The safe with the region's keys, and archives made there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = folder / "region.keys"
        folder.mkdir(exist_ok=True)
        make_region(self.keys, "Zuid")
        make_coordinator(self.keys, 1, folder / "1", ["localhost"])
        make_site(self.keys, 47, folder / "47")

    def pack(self, pictures: int = 0, **pages: str) -> bytes:
        """Return the next archive, of these pages alone, and of so many pictures of 190 KiB."""
        out = self.folder / "next.pages"
        content = self.folder / f"content-{len(list(self.folder.iterdir()))}"
        (content / "images").mkdir(parents=True)
        for number in range(pictures):
            (content / "images" / f"p{number}.png").write_bytes(random.Random(number).randbytes(190 * 1024))
        pack(self.keys, write_pages(content, **pages), out)
        return out.read_bytes()

    def config(self, site: int, store: Path, stick: Path | None = None) -> Config:
        """Return the config of the coordinator (1) or of the point."""
        desk = site == 1
        config = site_config(Role.COORDINATOR if desk else Role.KIOSK, site, Broker(port=1))
        keeping = Housekeeping(pages_folder=str(store), pages_stick=None if stick is None else str(stick))
        keys = Keys(file=str(self.folder / str(site) / ("coordinator.keys" if desk else "site.keys")))
        return msgspec.structs.replace(config, keys=keys, housekeeping=keeping)


class PagesSite:
    """A site's part of the node that is about pages; the test is loop and housekeeping."""

    def __init__(self, config: Config, publish: Callable[..., None] | None = None) -> None:
        self.config, self.store = config, Path(config.housekeeping.pages_folder or "")
        self.published: list[bytes] = []
        self.woken = 0
        self.pages = Pages(config, self._wake, publish or self._publish)

    def _publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        assert (topic, retain) == ("steunpunt/v1/pages", True)
        self.published.append(payload)

    def _wake(self, _event: PagesHeard) -> None:
        self.woken += 1

    def hear(self, data: bytes) -> str:
        """Hear an archive over the broker and have the job run; returns what it says is wrong."""
        self.pages.heard(PagesHeard(data), 0)
        return self.pages.job(lambda: False) if self.pages.wanted else "nothing to do"

    def job(self) -> str:
        return self.pages.job(lambda: False)

    def shown(self) -> str:
        """Return the words on the page about water, "" when the region's pages do not count."""
        held = pagestore.current(self.store)
        return "" if held is None else (held.folder / "nl/water.md").read_text("utf-8").removeprefix(HEAD).strip()
