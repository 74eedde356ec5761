"""Does and undoes the steps of saving, and the end: commands and files, each bounded, each failure kept and shown.

Works by the difference between what should be and what was done, so that a step that failed is tried again and a node
that starts puts right whatever an earlier one left.
"""

import logging
from collections.abc import Callable
from pathlib import Path

from steunpunt.power.policy import Decision
from steunpunt.power.touch import Touch
from steunpunt.powerconfig import Power, Shed

AGAIN_MS = 60_000
"""A step that failed is tried again after so long."""
END_AGAIN_MS = 120_000
"""So is the shutdown, if we are still here."""
_BL_ON, _BL_OFF = "0", "4"
"""Of ``bl_power``: FB_BLANK_UNBLANK and FB_BLANK_POWERDOWN (Documentation/ABI/stable/sysfs-class-backlight)."""
Run = Callable[[str, float], str]
_log = logging.getLogger(__name__)


class Shedder:
    """See the module. Only the power thread calls here."""

    def __init__(self, power: Power, run: Run, touch: Touch) -> None:
        self._power, self._run, self._touch = power, run, touch
        self._done: dict[str, bool | None] = {shed.action: None for shed in power.shed}
        self._try_ms: dict[str, int] = {}
        self._end_ms: int | None = None
        self._called_off = False
        self._bright: int | None = None
        self.failures: dict[str, str] = {}
        """By action: why it could not be done or undone, last time."""

    def apply(self, decision: Decision, now_ms: int) -> None:
        """Bring about what should be: undo from the last step to the first, then do from the first on."""
        wanted = {shed.action for shed in decision.shed}
        for shed in reversed(self._power.shed):
            if shed.action not in wanted and self._done[shed.action] is not False:
                self._step(shed, now_ms, on=False)
        for shed in self._power.shed:
            if shed.action in wanted and self._done[shed.action] is not True:
                self._step(shed, now_ms, on=True)
        if decision.shut_down:
            self._end(decision, now_ms)
        else:
            self._end_ms, self._called_off = None, False

    def _step(self, shed: Shed, now_ms: int, *, on: bool) -> None:
        key = f"{shed.action} {on}"
        if now_ms < self._try_ms.get(key, now_ms):
            return
        failure = self._do(shed, on=on)
        if failure:
            self._try_ms[key] = now_ms + AGAIN_MS
            self._failed(shed.action, failure)
            return
        self._try_ms.pop(key, None)
        self.failures.pop(shed.action, None)
        self._done[shed.action] = on
        _log.info("action=power_step step=%s done=%s", shed.action, on)

    def _failed(self, action: str, failure: str) -> None:
        if self.failures.get(action) != failure:
            _log.error("action=power_step_failed step=%s reason=%r", action, failure)
        self.failures[action] = failure

    def _do(self, shed: Shed, *, on: bool) -> str:
        """Do or undo one step; return why it failed, or ""."""
        if shed.action == "screen":
            missing = self._touch.hold() if on else self._touch.release()
            if missing:  # better a bright screen than one that nobody can wake
                return missing
        command = shed.command if on else shed.undo_command
        if command is not None:
            return self._run(command, self._power.command_s_max)
        try:
            self._light(shed, on=on)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            return f"{self._power.backlight_path}: {reason}; may the node write there?"
        return ""

    # --- the backlight ------------------------------------------------------------------------------------------

    def _light(self, shed: Shed, *, on: bool) -> None:
        if self._power.backlight_path is None or shed.action not in ("dim", "screen"):
            return
        folder = Path(self._power.backlight_path)
        if shed.action == "screen":
            (folder / "bl_power").write_text(_BL_OFF if on else _BL_ON, "ascii")
            return
        most = _number(folder / "max_brightness")
        dimmed = max(most * shed.percent // 100, 1)
        if on:
            self._bright = _number(folder / "brightness")
        # What an earlier node dimmed is not how bright it was.
        bright = most if self._bright is None or self._bright <= dimmed else self._bright
        (folder / "brightness").write_text(str(dimmed if on else bright), "ascii")

    # --- the end ------------------------------------------------------------------------------------------------

    def _end(self, decision: Decision, now_ms: int) -> None:
        """Arm the cut, shut down; once in END_AGAIN_MS, and not while mains is back."""
        if decision.mains_back:
            self._call_off()
            return
        if self._end_ms is not None and now_ms - self._end_ms < END_AGAIN_MS:
            return
        self._end_ms = now_ms
        _log.warning("action=power_shutdown reason='the battery is nearly empty'")
        if self._power.cut_command is not None:
            self._command("cut", self._power.cut_command)
        self._command("shutdown", self._power.shutdown_command)

    def _call_off(self) -> None:
        """Where nothing cuts the power a site that halted would stay off for ever, with mains there."""
        if self._called_off or self._power.cut_command is not None or self._power.call_off_command is None:
            return
        self._called_off = True
        self._command("call off", self._power.call_off_command)

    def _command(self, action: str, command: str) -> None:
        failure = self._run(command, self._power.command_s_max)
        if failure:
            self._failed(action, failure)
        else:
            self.failures.pop(action, None)


def _number(path: Path) -> int:
    with path.open("rb") as file:
        return int(file.read(32))
