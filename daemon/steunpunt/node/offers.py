"""What a kiosk's control socket takes from a neighbour who offers help."""

from collections.abc import Callable
from typing import Annotated

import msgspec

from steunpunt.control import Body
from steunpunt.engine.offers import OfferMade
from steunpunt.facts import CALLBACK_BYTES_MAX, NAME_BYTES_MAX, Facts, Mark
from steunpunt.model import Asked, Event, Skill
from steunpunt.node.pending import WAIT_S_MAX, Pending, no
from steunpunt.protocol.messages import HOURS_MAX

_LINE_CHARS_MAX = max(CALLBACK_BYTES_MAX, NAME_BYTES_MAX)


class _Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A request of the control socket; ``op`` beside it is of no interest here."""

    token: str
    skill: str
    hours: Annotated[int, msgspec.Meta(ge=1, le=HOURS_MAX)] | None = None
    text: str = ""
    language: str = "nl"
    name: Annotated[str, msgspec.Meta(max_length=_LINE_CHARS_MAX)] = ""
    callback: Annotated[str, msgspec.Meta(max_length=_LINE_CHARS_MAX)] = ""
    mark: Mark = Mark.NONE


def take_offer(request: Body, put: Callable[[Event], None]) -> Body:
    """Hand an offer to the loop and return its answer: the ticket, or why it was not taken."""
    try:
        said = msgspec.convert(request, _Offer)
        skill = Skill[said.skill]
    except (KeyError, msgspec.ValidationError) as error:
        return no("bad_request", f"offer: {error} is not right; see the contract of the control socket")
    facts = Facts(name=said.name, callback=said.callback, mark=said.mark)
    pending = Pending()
    put(Asked(OfferMade(said.token, skill, said.hours, said.text, said.language, facts), pending))
    return pending.wait(WAIT_S_MAX)
