"""The book's index: each phrase's number, what it takes, and who may promise it.

The words are in :mod:`steunpunt.protocol.phrasebook`. What nobody promised is never said: whoever may say a phrase is
whoever can make it true, or has it from who can. Numbers are never given out twice, also not after a phrase is dropped.
"""

import hashlib

from steunpunt.model import SenderFunction
from steunpunt.protocol.phrases import Entry, Form, Kind, Param

_F = SenderFunction
ANYBODY = frozenset(SenderFunction) - {SenderFunction.OTHER}
AMBULANCE = frozenset({_F.MEDICAL, _F.CONTROL_ROOM})
CREW = frozenset({_F.FIRE_CREW, _F.DUTY_OFFICER, _F.CONTROL_ROOM})
POLICE = frozenset({_F.POLICE, _F.CONTROL_ROOM})
HELPERS = frozenset({_F.COORDINATOR, _F.DUTY_OFFICER, _F.MUNICIPALITY})
ORDERS = frozenset({_F.DUTY_OFFICER, _F.FIRE_CREW, _F.MUNICIPALITY, _F.POLICE, _F.CONTROL_ROOM})
SUPPLIES = HELPERS | {_F.MEDICAL}
SEARCH = POLICE | {_F.MUNICIPALITY}
_A, _I, _Q, _N = Kind.ANSWER, Kind.INSTRUCTION, Kind.QUESTION, Kind.ANNOUNCEMENT


def _entry(
    code: int, kind: Kind, by: frozenset[SenderFunction], takes: str = "", form: Form | None = None, options: int = 0
) -> Entry:
    """Make an entry; ``takes`` are the names in the sentence's braces: a kind of value, perhaps with a digit."""
    params = tuple((name, Param(name.rstrip("0123456789"))) for name in takes.split())
    return Entry(code, kind, params, by, code in _MEDICAL, form, options)


_MEDICAL = frozenset({*range(40, 53), 55, 59})

_ENTRIES = (
    # what becomes of the request
    _entry(1, _A, ANYBODY),
    _entry(2, _A, ANYBODY, "who time"),
    _entry(3, _A, AMBULANCE, "who time"),
    _entry(4, _A, AMBULANCE, "who time"),
    _entry(5, _A, AMBULANCE, "reason"),
    _entry(6, _A, CREW, "who time"),
    _entry(7, _A, CREW, "who time"),
    _entry(8, _A, POLICE, "who time"),
    _entry(9, _A, POLICE, "who time"),
    _entry(10, _A, CREW | AMBULANCE, "who time"),
    _entry(11, _A, ANYBODY, "reason"),
    _entry(12, _A, HELPERS, "time"),
    _entry(13, _A, AMBULANCE, "time"),
    _entry(14, _A, ANYBODY, "reason"),
    _entry(15, _A, ANYBODY, "time"),
    _entry(16, _A, ANYBODY, "time"),
    _entry(17, _A, ANYBODY),
    _entry(18, _A, ANYBODY),
    _entry(19, _A, ANYBODY, "address"),
    _entry(20, _A, ANYBODY),
    _entry(21, _A, ANYBODY),
    _entry(22, _A, ANYBODY),
    _entry(23, _A, ANYBODY),
    _entry(24, _A, ANYBODY),
    _entry(25, _A, ANYBODY, "phone"),
    _entry(26, _A, SUPPLIES, "address time"),
    _entry(27, _A, SUPPLIES, "address time"),
    _entry(28, _A, SUPPLIES, "place time"),
    _entry(29, _A, SUPPLIES, "place time"),
    _entry(30, _A, HELPERS, "place time"),
    _entry(31, _A, HELPERS, "reason"),
    _entry(32, _A, SEARCH),
    _entry(33, _A, SEARCH, "place"),
    _entry(34, _A, ANYBODY),
    _entry(35, _A, ANYBODY),
    _entry(36, _A, HELPERS, "place time"),
    _entry(37, _A, HELPERS),
    _entry(38, _A, ANYBODY),
    _entry(39, _A, ANYBODY),
    # what to do now
    _entry(40, _I, AMBULANCE),
    _entry(41, _I, AMBULANCE, "place"),
    _entry(42, _I, AMBULANCE),
    _entry(43, _I, AMBULANCE),
    _entry(44, _I, AMBULANCE),
    _entry(45, _I, AMBULANCE),
    _entry(46, _I, AMBULANCE),
    _entry(47, _I, AMBULANCE),
    _entry(48, _I, AMBULANCE),
    _entry(49, _I, AMBULANCE),
    _entry(50, _I, AMBULANCE),
    _entry(51, _I, AMBULANCE),
    _entry(52, _I, AMBULANCE),
    _entry(53, _I, ORDERS),
    _entry(54, _I, ORDERS),
    _entry(55, _I, ORDERS | AMBULANCE),
    _entry(56, _I, ORDERS),
    _entry(57, _I, ANYBODY),
    _entry(58, _I, ANYBODY),
    _entry(59, _I, AMBULANCE),
    # questions
    _entry(60, _Q, ANYBODY, form=Form.YES_NO),
    _entry(61, _Q, ANYBODY, form=Form.YES_NO),
    _entry(62, _Q, ANYBODY, form=Form.YES_NO),
    _entry(63, _Q, ANYBODY, form=Form.NUMBER),
    _entry(64, _Q, ANYBODY, form=Form.NUMBER),
    _entry(65, _Q, ANYBODY, form=Form.NUMBER),
    _entry(66, _Q, ANYBODY, form=Form.YES_NO),
    _entry(67, _Q, ANYBODY, form=Form.YES_NO),
    _entry(68, _Q, ANYBODY, form=Form.YES_NO),
    _entry(69, _Q, ANYBODY, form=Form.NUMBER),
    _entry(70, _Q, ANYBODY, form=Form.NUMBER),
    _entry(71, _Q, ANYBODY, form=Form.NUMBER),
    _entry(72, _Q, ANYBODY, "place", form=Form.YES_NO),
    _entry(73, _Q, ANYBODY, form=Form.CHOICE, options=3),
    _entry(74, _Q, ANYBODY, form=Form.YES_NO),
    _entry(75, _Q, ANYBODY, form=Form.YES_NO),
    _entry(76, _Q, ANYBODY, form=Form.YES_NO),
    _entry(77, _Q, ANYBODY, form=Form.CHOICE, options=4),
    _entry(78, _Q, ANYBODY, form=Form.CHOICE, options=4),
    _entry(79, _Q, ANYBODY, form=Form.NUMBER),
    # announcements
    _entry(80, _N, ANYBODY, "place who time"),
    _entry(81, _N, ANYBODY, "place"),
    _entry(82, _N, ANYBODY, "time"),
    _entry(83, _N, SUPPLIES, "place time"),
    _entry(84, _N, SUPPLIES, "number"),
    _entry(85, _N, ORDERS, "duration"),
    _entry(86, _N, ORDERS),
    _entry(87, _N, SUPPLIES, "place time"),
    _entry(88, _N, SUPPLIES, "place time1 time2"),
    _entry(89, _N, SUPPLIES, "place number"),
    _entry(90, _N, SUPPLIES, "place time"),
    _entry(91, _N, SUPPLIES, "place time"),
    _entry(92, _N, SUPPLIES, "place"),
    _entry(93, _N, ORDERS),
    _entry(94, _N, ORDERS),
    _entry(95, _N, ORDERS, "place address"),
    _entry(96, _N, ORDERS, "place"),
    _entry(97, _N, ORDERS, "place reason"),
    _entry(98, _N, ANYBODY, "frequency"),
    _entry(99, _N, ORDERS),
    _entry(100, _N, ORDERS),
    _entry(101, _N, HELPERS, "time address"),
    _entry(102, _N, HELPERS, "time"),
    _entry(103, _N, ANYBODY),
    _entry(104, _N, ORDERS, "place time"),
    _entry(105, _N, HELPERS, "number place time"),
    _entry(106, _N, ANYBODY),
    _entry(107, _N, ANYBODY, "time"),
    _entry(108, _N, ORDERS, "duration"),
    _entry(109, _N, ANYBODY),
)
BOOK: dict[int, Entry] = {entry.code: entry for entry in _ENTRIES}
"""All phrases of this version by number."""
MARK_DIGITS = 8


def mark() -> str:
    """Return eight hexadecimal digits that are another's as soon as a phrase, its values or who may say it differ."""
    told = [
        f"{entry.code} {entry.kind} {entry.params} {sorted(map(int, entry.by))} {entry.form} {entry.options}"
        for entry in BOOK.values()
    ]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:MARK_DIGITS]
