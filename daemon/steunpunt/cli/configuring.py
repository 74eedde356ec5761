"""``steunpunt config …``: about the config files themselves."""

from typing import TYPE_CHECKING, cast

import click

if TYPE_CHECKING:
    from steunpunt.fleet.schema import Kind


@click.group()
def config() -> None:
    """What editors want to know of config files."""


@config.command("schema")
@click.option(
    "--for",
    "kind",
    type=click.Choice(["site", "region", "fleet-site"]),
    default="site",
    show_default=True,
    help="A site's whole config, a region file, or a site's short file beside a region file.",
)
def config_schema(kind: str) -> None:
    """Print the JSON schema of a config file, for editors.

    With a line `#:schema ./site.schema.json` on top of a TOML file, taplo and VS Code complete its keys.
    """
    from steunpunt.fleet.schema import schema_text

    click.echo(schema_text(cast("Kind", kind)), nl=False)
