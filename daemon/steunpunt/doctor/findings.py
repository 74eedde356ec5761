"""What an examination found, a finding each. Pure.

A finding is named by a code, such as ``radio.down``, that stands for its words in English (:mod:`words`) and for those
of the technician's page in Dutch; what differs from one time to the next is in its values.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from steunpunt.doctor.words import WORDS, shown

Value = str | int | float | None


class Verdict(StrEnum):
    """How a finding counts. What is not known is never a pass."""

    PASS = "pass"  # noqa: S105  no password
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination: of which part, how it counts, what is so, and where.

    ``where`` is a key of the config, a path, an address or a unit.
    """

    part: str
    verdict: Verdict
    code: str
    where: str = ""
    values: dict[str, Value] = field(default_factory=dict)

    @property
    def what(self) -> str:
        """Return what is so, in English."""
        return WORDS[self.code][0].format(**shown(self.values))

    @property
    def mend(self) -> str:
        """Return what to do about it, in English; "" only for a pass."""
        return WORDS[self.code][1].format(**shown(self.values))

    def body(self) -> dict[str, Any]:
        """Return it for ``--json``."""
        told = {"part": self.part, "verdict": str(self.verdict), "code": self.code}
        return told | {"what": self.what, "where": self.where, "mend": self.mend}


@dataclass(frozen=True, slots=True)
class On:
    """Makes findings of one part at one place."""

    part: str
    where: str = ""

    def passes(self, code: str, **values: Value) -> Finding:
        """Return what is right."""
        return Finding(self.part, Verdict.PASS, code, self.where, values)

    def warns(self, code: str, **values: Value) -> Finding:
        """Return what needs a look, or is not known."""
        return Finding(self.part, Verdict.WARN, code, self.where, values)

    def fails(self, code: str, **values: Value) -> Finding:
        """Return what is wrong."""
        return Finding(self.part, Verdict.FAIL, code, self.where, values)


def worst(findings: Iterable[Finding]) -> Verdict:
    """Return the gravest verdict; nothing found is a pass of nothing."""
    order = list(Verdict)
    return max((finding.verdict for finding in findings), key=order.index, default=Verdict.PASS)
