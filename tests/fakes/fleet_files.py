"""A region's files for tests: one region file, and a short file per site."""

from pathlib import Path

REGION_TOML = """\
[region]
name = "Zuid-Limburg"
fallback_address = "Weg 1, Maastricht"

[firmware]
version = "2.7.26"

[[coordinator]]
id = 1
name = "Kazerne Noord"
hosts = ["kazerne.example.org"]

[every.radio]
kind = "serial"
path = "/dev/serial/by-path/platform-usb-0:1:1.0"

[kiosks.kiosk]
broadcaster = "L1, 95.3 FM"
"""


def site_toml(number: int, name: str = "", more: str = "") -> str:
    """Return a site's short file."""
    return f"""\
[site]
id = {number}
name = "{name or f"Punt {number}"}"
place = "Kerkplein {number}, Maastricht"
{more}"""


def fleet_files(folder: Path, kiosks: int = 2, region: str = REGION_TOML) -> Path:
    """Write a region with coordinator 1 and so many kiosks from 47 on; return the region file."""
    (folder / "sites").mkdir(parents=True)
    path = folder / "region.toml"
    path.write_text(region, "utf-8")
    (folder / "sites" / "1.toml").write_text(site_toml(1, "Kazerne Noord"), "utf-8")
    for number in range(47, 47 + kiosks):
        (folder / "sites" / f"{number}.toml").write_text(
            site_toml(number, more=f'[radio]\nnode = "!a1b2{number:04x}"\n'), "utf-8"
        )
    return path
