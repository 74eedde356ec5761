"""What an examination found, a finding each. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """How a finding counts. What is not known is never a pass."""

    PASS = "pass"  # noqa: S105  no password
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination: of which part, how it counts, what is so, where, and what to do about it.

    ``where`` is a key of the config, a path, an address or a unit; ``mend`` is empty only for a pass.
    """

    part: str
    verdict: Verdict
    what: str
    where: str = ""
    mend: str = ""

    def body(self) -> dict[str, Any]:
        """Return it for ``--json``."""
        return {
            "part": self.part,
            "verdict": str(self.verdict),
            "what": self.what,
            "where": self.where,
            "mend": self.mend,
        }


@dataclass(frozen=True, slots=True)
class On:
    """Makes findings of one part."""

    part: str
    where: str = ""

    def passes(self, what: str) -> Finding:
        """Return what is right."""
        return Finding(self.part, Verdict.PASS, what, self.where)

    def warns(self, what: str, mend: str) -> Finding:
        """Return what needs a look, or is not known."""
        return Finding(self.part, Verdict.WARN, what, self.where, mend)

    def fails(self, what: str, mend: str) -> Finding:
        """Return what is wrong."""
        return Finding(self.part, Verdict.FAIL, what, self.where, mend)


def worst(findings: Iterable[Finding]) -> Verdict:
    """Return the gravest verdict; nothing found is a pass of nothing."""
    order = list(Verdict)
    return max((finding.verdict for finding in findings), key=order.index, default=Verdict.PASS)
