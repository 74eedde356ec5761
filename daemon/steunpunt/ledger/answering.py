"""An answer on its way into the ledger: checked, packed, sealed for the one who asked and queued for the kiosk."""

from collections.abc import Callable

from steunpunt.ledger.deskact import Act, NotAllowed
from steunpunt.ledger.incoming import EventContent
from steunpunt.model import SenderFunction, TicketState, TokenCode
from steunpunt.protocol import answers
from steunpunt.protocol.answerbody import pack_answer
from steunpunt.protocol.keys import MessageKeys
from steunpunt.protocol.phrasecodes import BOOK
from steunpunt.protocol.phrases import Phrase, may_say


def take_up(act: Act, name: str) -> None:
    """Note that a person takes the case up, and tell it to the kiosk."""
    event_id = act.note("seen", EventContent(by=name))
    act.state(TicketState.SEEN)
    act.tell(event_id, TokenCode.SEEN)


def packed(function: SenderFunction, text: str, phrases: tuple[Phrase, ...]) -> bytes:
    """Return an answer's bytes before sealing.

    NotAllowed when this function may not promise what a phrase says; ValueError for an answer that says nothing, or
    does not fit sixteen packets.
    """
    if not all(may_say(BOOK[phrase.code], function) for phrase in phrases if phrase.code in BOOK):
        raise NotAllowed("Whoever answers may not promise this. Choose who answers, or another sentence.")
    plain = pack_answer(function, text, phrases)
    if len(plain) > answers.ANSWER_PLAIN_BYTES_MAX:
        most = answers.ANSWER_PLAIN_BYTES_MAX
        raise ValueError(f"an answer of {len(plain)} bytes; at most {most}: shorten the text")
    return plain


def tell(act: Act, content: EventContent, plain: bytes, random_bytes: Callable[[int], bytes]) -> None:
    """Note an answer and queue its packets; NotAllowed when the kiosk would not keep so many."""
    keys = MessageKeys(b"", act.content.verify, act.content.answer)
    packets = answers.seal_answers(keys, random_bytes(answers.SALT_BYTES), plain)
    act.must_have_room(len(packets))
    event_id = act.note("answer", content)
    act.state(TicketState.ANSWERED)
    for packet in packets:
        act.tell(event_id, None, answers.answer_part(packet).salt, packet)
