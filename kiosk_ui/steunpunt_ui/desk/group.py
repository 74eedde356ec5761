"""The same answer for other cases at once, such as forty that ask for water. Nothing here needs JavaScript."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from flask_babel import gettext

from steunpunt.ledger.desk import Case
from steunpunt.ledger.deskact import CaseGone, NotAllowed
from steunpunt_ui.desk.composing import Composed
from steunpunt_ui.desk.opening import desk
from steunpunt_ui.desk.words import refusal_words

GROUP_MAX = 40
"""Most other cases that one form offers and answers."""
_BOX = re.compile(r"also_([1-9][0-9]{0,17})")


@dataclass(frozen=True, slots=True)
class Shared:
    """What became of an answer for a group. ``left_out``: number of a case, and why it was not answered."""

    answered: tuple[Case, ...]
    left_out: tuple[tuple[str, str], ...]


def offered(case: Case, everything: list[Case], name: str) -> list[Case]:
    """Return at most GROUP_MAX cases that this person may give the same answer, the oldest first.

    They ask for the same kind of help and nobody answered them. A life in danger is never among them and offers
    nobody: what helps there depends on all that this one person told, so somebody reads it and answers it alone.
    An exercise does not go along with what is real.
    """
    if case.life_threat:
        return []
    alike = (
        other
        for other in everything
        if other.id != case.id and other.category is case.category and other.facts.mark is case.facts.mark
    )
    return sorted((other for other in alike if not other.why_alone(name)), key=lambda other: -other.age_s)[:GROUP_MAX]


def chosen(form: Mapping[str, str]) -> list[int]:
    """Return the ids of the cases that a form ticked, at most GROUP_MAX."""
    return [int(box[1]) for field in form if (box := _BOX.fullmatch(field))][:GROUP_MAX]


def ticked(offers: list[Case], typed: Mapping[str, str]) -> set[int]:
    """Return the ids among the offered that stand ticked when a form is shown again."""
    ids = {other.id for other in offers}
    return ids if typed.get("do") == "all" else ids.intersection(chosen(typed))


def share(case_ids: list[int], name: str, answer: Composed, token: str) -> Shared:
    """Give each of these cases the answer, each in a transaction of its own: what one refuses stops no other.

    ``token``: of the form. Each case gets one that follows from it, so that the same form never answers a case twice.
    """
    if answer.function is None:
        return Shared((), ())
    answered, left_out = [], []
    for case_id in case_ids:
        number = "?"
        try:
            case = desk().case(case_id)
            number = case.number
            own = hashlib.sha256(f"{token} {case_id}".encode()).hexdigest()
            desk().answer_also(case_id, name, answer.function, answer.text, token=own, phrases=answer.phrases)
            answered.append(case)
        except CaseGone:
            left_out.append((number, gettext("This case is no longer here.")))
        except NotAllowed as refusal:
            left_out.append((number, refusal_words(refusal)))
    return Shared(tuple(answered), tuple(left_out))
