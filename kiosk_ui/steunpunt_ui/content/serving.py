"""The information pages of the application that serves a request, and the rule of which it may show."""

import time
from typing import Any

from flask import Flask, current_app

from steunpunt.config import Config
from steunpunt.model import PointState
from steunpunt_ui.content.place import Place, words_of
from steunpunt_ui.content.shelf import Library, Shelf
from steunpunt_ui.context import config

_KEY = "steunpunt_library"


def add_library(app: Flask, config: Config) -> None:
    """Give the application its library; nothing is read before a page asks for it."""
    app.extensions[_KEY] = Library(Place(config), words_of(config), time.monotonic)


def shelf() -> Shelf:
    """Return the pages as they are now."""
    found = current_app.extensions[_KEY]
    assert isinstance(found, Library)  # noqa: S101  put there by add_library and by nothing else
    return found.shelf()


def unapproved_too(status: dict[str, Any] | None) -> bool:
    """Whether pages that no authority has approved are shown: in a demonstration and in an exercise alone.

    ``status`` is what the node says of itself; None when it does not answer, and then nobody knows of an exercise.
    """
    return config().kiosk.demo or (status or {}).get("point_state") == PointState.EXERCISE.name


def has_pages(status: dict[str, Any] | None) -> bool:
    """Whether there is anything to read at this point now."""
    return shelf().has_any(unapproved_too=unapproved_too(status))
