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
    """Show a kiosk's pages on this device's screen.

    In Chromium.

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


@click.command()
@CONFIG
@click.option("--language", "only", multiple=True, metavar="CODE", help="Make this language; repeat for more.")
def speak(config: Path, *, only: tuple[str, ...]) -> None:
    """Make what a kiosk's pages read aloud.

    Into the folder screen.audio.

    CONFIG is the site's TOML file. It needs espeak-ng and lame, here and not on the device; run again, it makes only
    what is new. A language without a voice is left out, and its pages offer nothing to hear.
    """
    with one_line_errors():
        loaded = load(config)
        from steunpunt.model import ConfigError
        from steunpunt_ui.languages import LANGUAGES
        from steunpunt_ui.speech.making import make, spoken_here, voices
        from steunpunt_ui.speech.texts import texts_of

        if loaded.screen.audio is None:
            raise ConfigError(
                f'{config}: there is no screen.audio; write audio = "/var/lib/steunpunt-audio" in [screen]'
            )
        for unknown in set(only) - set(LANGUAGES):
            raise ConfigError(f"--language {unknown}: the screens speak {', '.join(LANGUAGES)}; write one of these")
        known = voices()
        for language in only or LANGUAGES:
            if not spoken_here(language, known):
                click.echo(f"{language}: espeak-ng has no voice for it here; left out")
                continue
            made = make(Path(loaded.screen.audio), language, texts_of(loaded, language))
            click.echo(f"{language}: {made.sentences} sentences, {made.new} new, {made.bytes / 1e6:.1f} MB")
