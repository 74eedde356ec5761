"""``steunpunt screen`` and ``steunpunt speak``: what the point's own screen shows, and what is read aloud."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from steunpunt.config import load
from steunpunt.terminal import log_to_stderr, one_line_errors

if TYPE_CHECKING:
    from steunpunt.screen.relay import Away

CONFIG = click.argument("config", type=click.Path(path_type=Path))


@click.command()
@CONFIG
def screen(config: Path) -> None:
    """Show a kiosk's pages on the screen of this device, in Chromium.

    CONFIG is the site's TOML file. Run it inside a compositor (`cage -d -- steunpunt screen FILE`) or on a desktop.
    While the web process is away it shows a page that says so. It ends with code 1 when the browser is gone.
    """
    with one_line_errors():
        log_to_stderr()
        loaded = load(config)
        from steunpunt.screen.command import run
        from steunpunt_ui.starting import starting_page

        def page(away: "Away") -> str:
            form = away.request.body if away.request.method == "POST" else None
            return starting_page(away.request.path, form, loaded.region.fallback_address, sent=away.sent)

        sys.exit(run(loaded, page))
