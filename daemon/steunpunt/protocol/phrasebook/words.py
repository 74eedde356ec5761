"""What a language brings along beside its sentences."""

from msgspec import Struct

from steunpunt.model import SenderFunction
from steunpunt.protocol.phrases import Reason


class Words(Struct, frozen=True, kw_only=True):
    """The words that fill sentences. ``minutes`` and ``hours``: the usual form, and the one for 3 to 10.

    ``reviewed_by`` and ``approved_by`` name who checked the language, and who the medical sentences; "" is nobody yet.
    """

    name: str
    who: dict[SenderFunction, str]
    reasons: dict[Reason, str]
    yes_no: tuple[str, str, str]
    choices: dict[int, tuple[str, ...]]
    clock: str
    later: str
    earlier: str
    now: str
    minutes: tuple[str, str]
    hours: tuple[str, str]
    unknown: str
    right_to_left: bool = False
    reviewed_by: str = ""
    approved_by: str = ""
