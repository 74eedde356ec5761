"""``steunpunt keys …``: making, revoking and changing keys."""

import getpass
import sys
from pathlib import Path

import click

from steunpunt.terminal import one_line_errors


@click.group()
def keys() -> None:
    """Make the keys of a region and its sites.

    In this order: the region once, then its coordinator, then each site; and a password for each person at the
    desk. Secrets are readable by their owner only, ledger.key and the desk's passwords also by their group. No key
    is overwritten; what changes later is revoked or rotated, and imported at each coordinator.
    """


@keys.command("region")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", required=True, help='The region, such as "Zuid-Limburg".')
def keys_region(file: Path, name: str) -> None:
    """Make a new region's keys in FILE.

    Who has this file can make any site and read every request: keep it on a stick in an envelope, offline.
    """
    with one_line_errors():
        from steunpunt import keymaking

        keymaking.make_region(file, name)
    click.echo(f"written: {file} (secret of the whole region: store it offline)")


@keys.command("coordinator")
@click.argument("region_file", type=click.Path(path_type=Path))
@click.option("--id", "number", default=1, show_default=True, help="The coordinator's number, 1 to 15.")
@click.option(
    "--host",
    "hosts",
    multiple=True,
    required=True,
    help="Name or address sites reach its broker by; repeat it.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the files.")
def keys_coordinator(region_file: Path, number: int, hosts: tuple[str, ...], out: Path) -> None:
    """Make a coordinator's keys from the region's file.

    Make the coordinator before the sites: REGION_FILE learns of it, and a site's keys list the coordinators.
    """
    with one_line_errors():
        from steunpunt import keymaking

        for path in keymaking.make_coordinator(region_file, number, out, list(hosts)):
            click.echo(f"written: {path}")


@keys.command("site")
@click.argument("region_file", type=click.Path(path_type=Path))
@click.option("--id", "number", required=True, type=int, help="The site's id, 16 to 65535.")
@click.option("--generation", type=int, help="Issue of the site's keys.  [default: the first that was not revoked]")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the files.")
def keys_site(region_file: Path, number: int, generation: int | None, out: Path) -> None:
    """Make a kiosk's keys from the region's file.

    Writes site.keys, and the certificate of its broker's bridge to the region: site.pem, site-key.pem, region-ca.pem.
    """
    with one_line_errors():
        from steunpunt import keymaking

        for path in keymaking.make_site(region_file, number, out, generation):
            click.echo(f"written: {path}")


@keys.command("revoke")
@click.argument("region_file", type=click.Path(path_type=Path))
@click.option("--id", "number", required=True, type=int, help="The site whose card was stolen or lost.")
@click.option("--generation", type=int, help="The last issue to revoke.  [default: the present one]")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File for the notice, such as 47.notice.")
def keys_revoke(region_file: Path, number: int, generation: int | None, out: Path) -> None:
    """Revoke a site's card, and all older ones of that site.

    Writes a notice, signed by the region's offline root: import it at each coordinator. It is not secret. What the
    revoked card seals is then set apart for the desk. `steunpunt keys site` makes the new card.
    """
    with one_line_errors():
        from steunpunt import keychanges

        unknown = keychanges.has_card(region_file, number) is False
        revoked = keychanges.revoke(region_file, number, generation, out)
    if unknown:
        told = f"steunpunt: warning: {region_file} never made a card for site {number}; is the number right?"
        click.echo(told, err=True)
    click.echo(f"written: {out} (site {number} up to generation {revoked} is revoked: import it at each coordinator)")


@keys.command("rotate")
@click.argument("region_file", type=click.Path(path_type=Path))
@click.option("--coordinator", type=int, help="Change this coordinator's news key.  [default: the region's key]")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the files.")
def keys_rotate(region_file: Path, coordinator: int | None, out: Path) -> None:
    """Change the region's key or a coordinator's.

    For when a coordinator was stolen. Writes a .change file, secret, for the coordinators that go on with the new key,
    and a .notice file, public, for the others. Sites trust the new key by the offline root's signature.
    """
    with one_line_errors():
        from steunpunt import keychanges

        for path in keychanges.rotate(region_file, coordinator or 0, out):
            click.echo(f"written: {path}")


@keys.command("import")
@click.argument("keys_file", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path))
def keys_import(keys_file: Path, file: Path) -> None:
    """Take a notice or a changed key into a site's keys.

    KEYS_FILE is a coordinator's coordinator.keys or a kiosk's site.keys, FILE what `revoke` or `rotate` wrote; a kiosk
    takes notices only. Doing it twice is doing it once. Restart the site's node afterwards.
    """
    with one_line_errors():
        from steunpunt import keychanges

        lines = keychanges.take_in(keys_file, file)
    for line in lines or ["nothing new"]:
        click.echo(f"{keys_file}: {line}")


@keys.command("seal")
@click.argument("config_file", type=click.Path(path_type=Path))
@click.option(
    "--with-key",
    type=click.Choice(["auto", "host", "tpm2", "host+tpm2"]),
    default="auto",
    show_default=True,
    help="What seals: this device's TPM, a key of its own system, or both.",
)
def keys_seal(config_file: Path, with_key: str) -> None:
    """Seal a device's keys, so that only its units can read them.

    By systemd's credentials, for the keys and the ledger's key that CONFIG_FILE names. The open files are deleted once
    the sealed ones were read back. As root; restart node and web afterwards. Without a TPM the key that seals lies on
    the same card: that stops other users of the device, not a thief.
    """
    with one_line_errors():
        from steunpunt import credentials

        for path in credentials.seal(_own_keys(config_file), with_key):
            click.echo(f"sealed: {path}")


@keys.command("unseal")
@click.argument("config_file", type=click.Path(path_type=Path))
def keys_unseal(config_file: Path) -> None:
    """Put a device's sealed keys back into files.

    To import a notice, to look at them, or to move them to another device. As root; then
    type `systemd-tmpfiles --create`, which gives them their owners.
    """
    with one_line_errors():
        from steunpunt import credentials

        for path in credentials.unseal(_own_keys(config_file)):
            click.echo(f"written: {path}")


def _own_keys(config_file: Path) -> list[Path]:
    from steunpunt.config import load

    config = load(config_file)
    return [Path(name) for name in (config.keys.file, config.ledger.key_file) if name is not None]


@keys.command("desk-password")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Who logs in, such as a duty officer's function or name.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
def keys_desk_password(file: Path, name: str, *, password_stdin: bool) -> None:
    """Give a person a password for the desk.

    FILE is what web.desk_passwords_file names; it is made when it is not there. A person who is in it already gets
    a new password.
    """
    with one_line_errors():
        from steunpunt_ui.desk.passwords import PasswordError, set_password

        password = sys.stdin.readline().rstrip("\n") if password_stdin else getpass.getpass("Password: ")
        if not password_stdin and getpass.getpass("Once more: ") != password:
            raise PasswordError("the two passwords differ; type the command again")
        set_password(file, name, password)
    click.echo(f"written: {file}")


@keys.command("staff-pin")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--pin-stdin", is_flag=True, help="Read the PIN from standard input instead of asking.")
def keys_staff_pin(file: Path, *, pin_stdin: bool) -> None:
    """Set the PIN of a point's staff: 6 to 12 digits.

    FILE is what staff.pin_file names in the kiosk's config. Only a hash is kept; who forgot the PIN sets a new one. It
    counts from the next log-in on, without a restart.
    """
    with one_line_errors():
        from steunpunt import keyfiles
        from steunpunt.model import KeyFileError

        pin = sys.stdin.readline().rstrip("\n") if pin_stdin else getpass.getpass("PIN: ")
        if not pin_stdin and getpass.getpass("Once more: ") != pin:
            raise KeyFileError("the two PINs differ; type the command again")
        keyfiles.write_staff_pin(file, pin)
    click.echo(f"written: {file}")
