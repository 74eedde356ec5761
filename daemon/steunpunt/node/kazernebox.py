"""What a coordinator's config says of its kazernebox, and what is told of it. A kiosk does not load this."""

from steunpunt.config import Config
from steunpunt.control import Body
from steunpunt.engine.box import BoxSettings, BoxView

NOT_LOOKED = "De bonprinter is nog niet gevonden."


def box_settings(config: Config) -> BoxSettings:
    """Return what a coordinator has of a kazernebox, by its config."""
    buttons = tuple(button.name for button in config.panel.button) if config.panel else ()
    points = {point.id: f"{point.name}, {point.place}" for point in config.point}
    if config.printer is None:
        return BoxSettings(buttons, points=points)
    return BoxSettings(buttons, True, config.printer.taken_by, config.printer.width_chars, points)  # noqa: FBT003


def box_status(config: Config, view: BoxView) -> Body | None:
    """Return what ``status`` says of a coordinator's kazernebox; None where there is none."""
    if config.panel is None and config.printer is None:
        return None
    printer = None
    if config.printer is not None:
        printer = {"ready": view.printer_ready, "reason": view.printer_reason, "paper_low": view.paper_low}
        printer["waiting"] = view.waiting
    return {"lamp": view.lamp, "life_threats": view.dangers, "printer": printer}


def box_troubles(box: Body | None) -> list[str]:
    """Return what the desk must be told of the box, in Dutch as the screens show it."""
    printer = (box or {}).get("printer")
    if printer is None:
        return []
    if not printer["ready"]:
        waiting = printer["waiting"]
        left = f" Er {'wacht 1 bon' if waiting == 1 else f'wachten {waiting} bonnen'}." if waiting else ""
        return [f"{printer['reason'] or NOT_LOOKED}{left}"]
    return ["Het papier van de bonprinter is bijna op. Leg een nieuwe rol klaar."] if printer["paper_low"] else []
