"""A site's sheet: an A4 page in Dutch for who builds the site up, with labels to cut out and the code of its bundle."""

import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from steunpunt import __version__
from steunpunt.config import Config
from steunpunt.fleet.regionfile import Firmware
from steunpunt.model import Role

if TYPE_CHECKING:
    from jinja2 import Template

HOTSPOT_NAME = "Noodsteunpunt"


@dataclass(frozen=True, slots=True)
class SheetFacts:
    """What a sheet tells."""

    config: Config
    generation: int
    code: str
    bundle: str
    firmware: Firmware | None
    staff_pin: str = ""
    """Of the point's staff; "": there is none, or it is set on the device."""


def sheet_text(facts: SheetFacts) -> str:
    """Return the sheet as one page of HTML that needs nothing else."""
    config = facts.config
    label = f"Steunpunt {config.site.id}, {config.site.name}, {config.site.place}; {config.region.name}"
    return _template().render(
        facts=facts,
        site=config.site,
        region=config.region,
        kiosk=config.site.role is Role.KIOSK,
        radios=config.radios,
        band=config.radio.region,
        buttons=config.panel.button if config.panel is not None else (),
        power=config.power,
        staff=config.staff,
        bridge=config.broker.bridge,
        listener=config.broker.region_listener,
        hotspot=config.web.hotspot_address,
        label_code=_qr(label),
        hotspot_code=_qr(f"WIFI:T:nopass;S:{HOTSPOT_NAME};;") if config.web.hotspot_address else "",
        version=__version__,
    )


def _qr(text: str) -> str:
    import segno  # noqa: PLC0415  only who prints sheets needs it

    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="svg", xmldecl=False, svgns=False, omitsize=True, border=4)
    return out.getvalue().decode()


@cache
def _template() -> "Template":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415  the same

    folder = Path(__file__).parent / "templates"
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("sheet.html")
