"""The whole examination: the config, its files, the node's own word, and what can be seen without it."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from steunpunt.config import Config, load
from steunpunt.control import Body, Client, ControlError, Refused, Unreachable
from steunpunt.doctor import apart, files, live
from steunpunt.doctor import readiness as ready
from steunpunt.doctor.findings import Finding, On, Verdict, worst
from steunpunt.model import ConfigError, Role

NODE_S_MAX = 5.0
LOOK_AGAIN_S = 0.1
"""How long the node has for an answer."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found. ``config`` is None where the file itself is wrong, ``status`` where no node answered."""

    findings: tuple[Finding, ...]
    config: Config | None = None
    status: Body | None = None

    @property
    def verdict(self) -> Verdict:
        """Return the gravest one."""
        return worst(self.findings)

    def body(self) -> Body:
        """Return it for ``--json``."""
        return {
            "verdict": str(self.verdict),
            "node_answers": self.status is not None,
            "findings": [finding.body() for finding in self.findings],
        }


def examine(path: Path) -> Examination:
    """Examine the site whose config file this is; raises nothing for what is wrong there."""
    try:
        config = load(path)
    except ConfigError as error:
        return Examination((On("config", str(path)).fails("config.wrong", reason=str(error)),))
    site = config.site
    findings = [On("config", str(path)).passes("config.good", role=str(site.role), id=site.id, name=site.name)]
    findings += files.examine(config)
    status = _ask(config, findings)
    findings += apart.examine_dead(config) if status is None else live.examine(config, status)
    findings.append(apart.screens(config))
    return Examination(tuple(findings), config, status)


def readiness(path: Path, *, confirm_key_holder: bool) -> Examination:
    """Examine whether a point is ready for a crisis; raises SteunpuntError when its node does not answer.

    ``confirm_key_holder``: note first that the key holder can be reached.
    """
    config = load(path)
    if config.site.role is not Role.KIOSK:
        raise ConfigError(f"{path}: a coordinator is looked at with steunpunt doctor; this is about points")
    with contextlib.closing(Client(config.control.socket, NODE_S_MAX)) as client:
        if confirm_key_holder:
            client.call("confirm_key_holder")
            deadline_s = time.monotonic() + NODE_S_MAX
            while client.call("status")["readiness"]["key_holder_s"] is None and time.monotonic() < deadline_s:
                time.sleep(LOOK_AGAIN_S)
        status = client.call("status")
    return Examination(tuple(ready.examine(config, status)), config, status)


def _ask(config: Config, findings: list[Finding]) -> Body | None:
    """Return the node's status; None, and a finding why, when there is no answer."""
    on = On("node", config.control.socket)
    try:
        with contextlib.closing(Client(config.control.socket, NODE_S_MAX)) as client:
            status = client.call("status")
    except Unreachable as error:
        forbidden = isinstance(error.__cause__, PermissionError)
        findings.append(on.fails("node.forbidden" if forbidden else "node.dead"))
    except (ControlError, Refused) as error:
        findings.append(on.fails("node.silent", reason=str(error)))
    else:
        findings.append(on.passes("node.answers"))
        return status
    return None


def lines_of(findings: tuple[Finding, ...]) -> Iterator[str]:
    """Give the lines that a technician reads: verdict, part, what, and below what is wrong where and the mend."""
    width = max(len(finding.part) for finding in findings)
    for finding in findings:
        yield f"{finding.verdict.upper()}  {finding.part:<{width}}  {finding.what}"
        if finding.verdict is not Verdict.PASS:
            where = f"{finding.where}: " if finding.where and finding.where not in finding.what else ""
            yield f"      {'':<{width}}  -> {where}{finding.mend}"
