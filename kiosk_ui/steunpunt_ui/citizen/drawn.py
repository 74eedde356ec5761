"""Pages that need not be drawn again: the same for everybody who asks while the same is to be seen on them.

What a page shows is asked of the node each time and is the page's key, whole; kept is only how that looks. So a page is
as fresh as one that is drawn for this reader, and nothing that is anybody's own is ever in here.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

from flask import Flask, current_app

PAGES_MAX: Final = 64
"""Eight languages, phones and the screen, and some changes of a point's state. The one used longest ago goes first."""
PAGE_CHARS_MAX: Final = 64 * 1024
"""A longer page is not kept: all together are 16 MB at most, and 0.7 MB with pages as they are."""
KEPT_S_MAX: Final = 10.0
_KEY: Final = "steunpunt_drawn"


class DrawnPages:
    """Pages by what they show. Any thread; two that miss at once draw the same page twice."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s, self._lock = monotonic_s, threading.Lock()
        self._pages: OrderedDict[Hashable, tuple[float, str]] = OrderedDict()

    def page(self, shows: Hashable, draw: Callable[[], str]) -> str:
        """Return the page that shows this; drawn now, unless it was within KEPT_S_MAX."""
        now_s = self._monotonic_s()
        with self._lock:
            drawn_s, page = self._pages.get(shows, (0.0, ""))
            if page and now_s - drawn_s < KEPT_S_MAX:
                self._pages.move_to_end(shows)
                return page
        page = draw()
        if len(page) <= PAGE_CHARS_MAX:
            with self._lock:
                self._pages[shows] = now_s, page
                self._pages.move_to_end(shows)
                while len(self._pages) > PAGES_MAX:
                    self._pages.popitem(last=False)
        return page


def add_drawn_pages(app: Flask) -> None:
    """Give the application a place for its pages."""
    app.extensions[_KEY] = DrawnPages()


def drawn_pages() -> DrawnPages:
    """Return the pages of the application that serves this request."""
    found = current_app.extensions[_KEY]
    assert isinstance(found, DrawnPages)  # noqa: S101  put there by add_drawn_pages and by nothing else
    return found
