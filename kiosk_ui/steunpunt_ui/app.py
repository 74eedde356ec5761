"""Puts a site's web application together; its role decides which screens there are."""

import logging
from typing import TYPE_CHECKING

from flask import Flask, redirect
from werkzeug.wrappers import Response

from steunpunt.config import Config
from steunpunt.control import Client
from steunpunt.model import Role
from steunpunt_ui.context import Shared, share
from steunpunt_ui.errors import QuietFlask, add_error_pages
from steunpunt_ui.languages import DEFAULT_LANGUAGE, add_languages, language_asked
from steunpunt_ui.metrics import add_metrics
from steunpunt_ui.pages import add_page_words
from steunpunt_ui.portal import add_portal, is_phone
from steunpunt_ui.security import guard

if TYPE_CHECKING:
    from steunpunt_ui.desk.opening import DeskDoor


def create_app(config: Config, client: Client, desk: "DeskDoor | None" = None) -> Flask:
    """Return the application of one site: the citizen's screens at a kiosk, the desk at a coordinator.

    ``client`` asks the site's node. ``desk`` is the ledger as the desk sees it; when it is None, a
    coordinator opens the one of its config at the first page that needs it.
    """
    app = QuietFlask("steunpunt_ui")
    app.logger.setLevel(logging.WARNING)
    share(app, Shared(config, client))
    guard(app)
    add_languages(app)
    add_page_words(app, config)
    add_error_pages(app, config)
    add_metrics(app, client)
    if config.site.role is Role.COORDINATOR:
        _add_desk(app, config, desk)
    else:
        _add_citizen(app, config)
        if config.web.hotspot_address is not None:
            add_portal(app, config.web.hotspot_address)
    return app


def _add_citizen(app: Flask, config: Config) -> None:
    # A desk has no use for these pages.
    from steunpunt_ui.citizen import make_blueprint  # noqa: PLC0415
    from steunpunt_ui.citizen.drawn import add_drawn_pages  # noqa: PLC0415
    from steunpunt_ui.content.serving import add_library  # noqa: PLC0415
    from steunpunt_ui.look import add_look  # noqa: PLC0415
    from steunpunt_ui.manners import add_manners  # noqa: PLC0415
    from steunpunt_ui.speech.serving import add_speech  # noqa: PLC0415

    add_manners(app)
    add_library(app, config)
    add_speech(app, config)
    add_look(app, config)
    add_drawn_pages(app)
    app.register_blueprint(make_blueprint())
    if config.staff is not None:
        from steunpunt_ui.staff import add_staff  # noqa: PLC0415

        add_staff(app)
    # A phone says what its owner reads; the browser of the kiosk says only how it was packaged.
    app.add_url_rule("/", "start", lambda: _to(f"/{language_asked() if is_phone() else DEFAULT_LANGUAGE}/"))


def _add_desk(app: Flask, config: Config, desk: "DeskDoor | None") -> None:
    # A kiosk's web process must never load the ledger: it has no right to it and no memory for it.
    from steunpunt_ui.desk import add_desk  # noqa: PLC0415

    add_desk(app, config, desk)
    app.add_url_rule("/", "start", lambda: _to("/desk/"))


def _to(path: str) -> Response:
    return redirect(path)
