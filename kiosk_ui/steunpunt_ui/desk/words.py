"""Names of what the desk shows."""

from flask_babel import gettext

from steunpunt.ledger.desk import Case, CaseEvent
from steunpunt.ledger.deskact import NotAllowed
from steunpunt.model import (
    CLOSE_CODES,
    Category,
    Lane,
    LinkName,
    SenderFunction,
    SupplementCode,
    TicketState,
    TokenCode,
)
from steunpunt_ui.context import config

HOUR_S = 3600
MINUTE_S = 60


def running(age_s: float) -> str:
    """Return a running age; ``static/desk.js`` writes the same form."""
    seconds = int(age_s)
    if seconds < HOUR_S:
        return f"{seconds // MINUTE_S} min {seconds % MINUTE_S:02d} s"
    return f"{seconds // HOUR_S} u {seconds % HOUR_S // MINUTE_S:02d} min"


def category_words(category: Category) -> str:
    """Return a kind of help in words."""
    return {
        Category.MEDICAL: gettext("Medical help"),
        Category.FIRE: gettext("Fire"),
        Category.POLICE: gettext("Police"),
        Category.SUPPLIES: gettext("Water, food, medicine"),
        Category.MISSING: gettext("Someone is missing"),
        Category.OTHER: gettext("Something else"),
        Category.BUTTON: gettext("Help button: someone at this point needs help"),
        Category.OFFER: gettext("Offers to help"),
    }[category]


def point_words(case: Case) -> str:
    """Return which point a case comes from: its name and place where the config lists it, else its number."""
    for point in config().point:
        if point.id == case.site:
            return f"{point.name}, {point.place}"
    return gettext("Point %(id)s", id=case.site)


def links_words(case: Case) -> str:
    """Return over which roads a case came."""
    names = {LinkName.MESH: gettext("radio"), LinkName.BROKER: gettext("internet"), LinkName.PAPER: gettext("paper")}
    return ", ".join(str(names.get(LinkName(link), link)) for link in case.links)


def lane_words(lane: Lane) -> str:
    """Return a priority in words."""
    if lane is Lane.LIFE_THREAT:
        return gettext("Life in danger")
    return gettext("Urgent") if lane is Lane.URGENT else gettext("Other")


def state_words(case: Case) -> str:
    """Return where a case stands, from the desk's side."""
    if case.state is TicketState.CLOSED:
        return gettext("Closed") + (f": {close_words()[case.close_code.reason]}" if case.close_code else "")
    if case.state is TicketState.ANSWERED:
        return gettext("Answered")
    if case.reopened and case.seen_by:
        return gettext("Reopened by %(name)s", name=case.seen_by)
    if case.seen_by:
        return gettext("Taken up by %(name)s", name=case.seen_by)
    return gettext("Nobody has taken this up")


def close_words() -> dict[TokenCode, str]:
    """Return the reasons to close a case, in the order of the form."""
    return {
        TokenCode.CLOSED_HELPED: gettext("The person has been helped"),
        TokenCode.CLOSED_NOT_NEEDED: gettext("No help is needed any more"),
        TokenCode.CLOSED_CANNOT: gettext("We can't help now: go to the fall-back address"),
    }


def close_words_of(name: str) -> str:
    """Return one reason by its code's name."""
    return close_words().get(TokenCode.__members__.get(name, TokenCode.RECEIVED), "")


def function_choices() -> dict[SenderFunction, str]:
    """Return who can answer, in the order of the form."""
    return {
        SenderFunction.COORDINATOR: gettext("Coordinator"),
        SenderFunction.DUTY_OFFICER: gettext("Duty officer"),
        SenderFunction.FIRE_CREW: gettext("Fire brigade"),
        SenderFunction.MEDICAL: gettext("Medical service"),
        SenderFunction.MUNICIPALITY: gettext("Municipality"),
        SenderFunction.CONTROL_ROOM: gettext("Control room"),
        SenderFunction.POLICE: gettext("Police"),
    }


def how_choices() -> dict[str, str]:
    """Return how a case can be passed on."""
    return {"c2000": gettext("C2000"), "runner": gettext("Runner"), "phone": gettext("Phone")}


def refusal_words(refusal: NotAllowed) -> str:
    """Return why the ledger refused an act, as it says itself."""
    told = {
        "Someone else has taken this up already. Look at the case.": gettext(
            "Someone else has taken this up already. Look at the case."
        ),
        "Take the case up first.": gettext("Take the case up first."),
        "This case is closed already.": gettext("This case is closed already."),
        "This form was used for something else already. Open the case again.": gettext(
            "This form was used for something else already. Open the case again."
        ),
        "The kiosk keeps no more answers to this. Shorten it, pass this on or close it.": gettext(
            "The kiosk keeps no more answers to this. Shorten it, pass this on or close it."
        ),
        "Fill in to whom you passed this on.": gettext("Fill in to whom you passed this on."),
        "A field is too long. Make it shorter.": gettext("A field is too long. Make it shorter."),
        "This announcement no longer holds. Look at the list.": gettext(
            "This announcement no longer holds. Look at the list."
        ),
        "Whoever answers may not promise this. Choose who answers, or another sentence.": gettext(
            "Whoever answers may not promise this. Choose who answers, or another sentence."
        ),
        "This case is damaged on the disk. Reach the point another way.": gettext(
            "This case is damaged on the disk. Reach the point another way."
        ),
        "This case is not closed.": gettext("This case is not closed."),
        "This case was answered already.": gettext("This case was answered already."),
        "There is news in this case. Read it first.": gettext("There is news in this case. Read it first."),
        "This case is answered alone.": gettext("This case is answered alone."),
        "This case was reopened before. Let the person ask anew.": gettext(
            "This case was reopened before. Let the person ask anew."
        ),
        "This case was closed too long ago. Let the person ask anew.": gettext(
            "This case was closed too long ago. Let the person ask anew."
        ),
        "There is no case with this number here.": gettext("There is no case with this number here."),
        "That is the number of this case itself.": gettext("That is the number of this case itself."),
        "These cases are linked already.": gettext("These cases are linked already."),
        "These cases are not linked.": gettext("These cases are not linked."),
        "Choose a reason for closing.": gettext("Choose a reason for closing."),
        "Fill in your name, at most 80 characters.": gettext("Fill in your name, at most 80 characters."),
    }
    return told.get(str(refusal)) or gettext("That is not possible in the state the case is in now.")


def coordinator_words(number: int) -> str:
    """Return another coordinator's name."""
    for other in config().other_coordinator:
        if other.id == number:
            return other.name
    return gettext("Coordinator %(id)s", id=number)


def elsewhere_words(case: Case) -> str:
    """Return for which other coordinator a case is; "" for one of our own."""
    if not case.elsewhere or case.coordinator is None:
        return ""
    return gettext("For %(name)s", name=coordinator_words(case.coordinator))


def _taken_over_words(event: CaseEvent) -> str:
    name = coordinator_words(event.coordinator)
    if event.nobody_acted:
        return gettext("Taken over: nobody acts at %(name)s", name=name)
    return gettext("Taken over: %(name)s did not respond", name=name)


def _overheard_words(event: CaseEvent) -> str:
    closed = {code: gettext("Closed") for code in CLOSE_CODES}
    words = {
        TokenCode.SEEN: gettext("Taken up"),
        TokenCode.PASSED_ON: gettext("Passed on"),
        TokenCode.REOPENED: gettext("Reopened"),
        **closed,
    }
    what = "" if event.said is None else words.get(event.said, event.said.name)
    return gettext("At %(name)s: %(what)s", name=coordinator_words(event.coordinator), what=what)


def event_words(event: CaseEvent) -> str:
    """Return what happened, as the log of a case says it."""
    if event.kind == "supplement":
        return _supplement_words(event.code)
    if event.kind in {"elsewhere", "taken_over"}:
        return _overheard_words(event) if event.kind == "elsewhere" else _taken_over_words(event)
    words = {
        "received": gettext("Received here"),
        "paper": gettext("Came in on paper"),
        "seen": gettext("Taken up"),
        "answer": gettext("Answered"),
        "passed_on": gettext("Passed on"),
        "closed": gettext("Closed"),
        "reopened": gettext("Reopened"),
        "linked": gettext("Belongs with %(number)s", number=event.reference),
        "unlinked": gettext("Does not belong with %(number)s", number=event.reference),
    }
    return words.get(event.kind, event.kind)


def passed_on_words(event: CaseEvent) -> str:
    """Return to whom and how a case was passed on; "" for another event."""
    if not event.to:
        return ""
    parts = [event.to, how_choices().get(event.how, event.how), event.reference]
    parts.append(gettext("read back") if event.read_back else gettext("not read back"))
    return " · ".join(part for part in parts if part)


_TELLS_HOW_IT_IS = (
    SupplementCode.LIFE_THREAT,
    SupplementCode.WORSE,
    SupplementCode.STILL_NEEDED,
    SupplementCode.NO_LONGER_NEEDED,
    SupplementCode.GOT_HELP,
)


def last_word(case: Case) -> str:
    """Return what the person last said of the help that is needed, for the list; "" for nothing since a closing."""
    for event in reversed(case.events):
        if event.kind == "closed":
            break
        if event.kind == "supplement" and not event.doubtful and event.code in _TELLS_HOW_IT_IS:
            return _supplement_words(event.code)
    return ""


def _supplement_words(code: SupplementCode | None) -> str:
    words = {
        SupplementCode.WORSE: gettext("The person says: it has got worse"),
        SupplementCode.PRESSED_AGAIN: gettext("The button was pressed again"),
        SupplementCode.QUESTION: gettext("The person tells or asks"),
        SupplementCode.UNDERSTOOD: gettext("The person understood the answer"),
        SupplementCode.NO_LONGER_NEEDED: gettext("The person no longer needs help"),
        SupplementCode.DETAILS: gettext("The person tells more"),
        SupplementCode.REPLY: gettext("The person answers a question"),
        SupplementCode.GOT_HELP: gettext("The person has been helped"),
        SupplementCode.STILL_NEEDED: gettext("The person still needs help"),
        SupplementCode.LIFE_THREAT: gettext("The person says: life in danger"),
    }
    return words.get(code, "") if code else gettext("The person added something")
