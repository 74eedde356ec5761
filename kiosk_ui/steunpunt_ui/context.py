"""What every view may use: the site's config and the way to its node."""

from dataclasses import dataclass

from flask import Flask, current_app

from steunpunt.config import Config
from steunpunt.control import Client

_KEY = "steunpunt"


@dataclass(frozen=True, slots=True)
class Shared:
    """One per application."""

    config: Config
    client: Client


def share(app: Flask, shared: Shared) -> None:
    """Put the shared things where :func:`shared` finds them."""
    app.extensions[_KEY] = shared


def config() -> Config:
    """Return the config of the site that serves this request."""
    return _shared().config


def client() -> Client:
    """Return the way to the node of the site that serves this request."""
    return _shared().client


def _shared() -> Shared:
    found = current_app.extensions[_KEY]
    assert isinstance(found, Shared)  # noqa: S101  put there by create_app and by nothing else
    return found
