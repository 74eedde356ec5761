"""What is inside a sealed piece, counted in bits; most significant bit first, filled to a whole byte before the text.

======================= ============================================================================================
HELP REQUEST            type ``1`` · life threat 1 · category (``0`` medical, else ``1`` and 3 bits; 0: eight more of
                        a newer version) · language · facts (:mod:`steunpunt.protocol.factcodec`) · counter · text
SUPPLEMENT              type ``01`` · reference · code 4 (15: eight more, with nothing of its own) · what the
                        code needs (presses 8; a reply: question 8, then ``0`` nothing, ``10`` option 4, ``11`` number
                        10) · facts told 1, facts · text
ACKNOWLEDGEMENT         type ``001`` · per item ``1`` · token code 4 (15: an answer) · reference · an answer's salt 32
HEARTBEAT               type ``0001`` · :mod:`steunpunt.protocol.heartbeat`
OFFER                   type ``00001`` · language · counter · skill 4 (15: eight more) · tells hours 1, hours 6 ·
                        facts · text
newer                   type ``00000``: of a later version; this one cannot say what it is
======================= ============================================================================================

Language: ``0`` nl, else ``1`` and 4 bits. Counter: 2 bits choose 5, 9, 14 or 20 more, each going on where the one
before ends. Reference: the same epoch 1, else eid 24; n 8. Text: ``1`` method 2, else ``0`` and the method in 3 bits;
from the next whole byte to the end. No data is no text.
"""

from msgspec import Struct

from steunpunt.facts import NOTHING, Facts
from steunpunt.model import Category, FrameError, Skill, Squeezed, SupplementCode, TokenCode
from steunpunt.protocol.bits import BitReader, BitWriter
from steunpunt.protocol.factcodec import put_facts, take_facts
from steunpunt.protocol.heartbeat import Heartbeat, put_heartbeat, take_heartbeat
from steunpunt.protocol.tail import take_text, with_text

LANGUAGES = ("nl", "en", "de", "fr", "pl", "tr", "ar", "uk")
COUNTER_MAX = 999_999
ITEM_BYTES_MAX = 9
"""Most bytes of one item of an acknowledgement."""
PRESSES_MAX = 255
HOURS_MAX = 63
REPLY_NUMBER_MAX = 1023
_COUNTER_WIDTHS = (5, 9, 14, 20)
_ANSWER_MARK = 15
_NEWER = 15
_EID = 3
_TYPES = 5
"""Most zero bits before the 1 that ends a type."""
_REQUEST, _SUPPLEMENT, _ACKNOWLEDGEMENT, _HEARTBEAT, _OFFER = range(_TYPES)


class HelpRequest(Struct, frozen=True):
    """What a citizen asks. ``newer``: a later version said more than this one knows."""

    counter: int
    category: Category
    life_threat: bool
    text: str = ""
    language: str = "nl"
    facts: Facts = NOTHING
    newer: bool = False


class Reference(Struct, frozen=True):
    """Names an earlier message of the same site."""

    eid: bytes
    n: int


class QuestionReply(Struct, frozen=True):
    """What was tapped under a desk's question: an option's place in its list, or a number; else see the text.

    ``question`` is the phrase's code, 0 for a question in free words.
    """

    question: int
    option: int | None = None
    number: int | None = None


class Supplement(Struct, frozen=True):
    """What is added to an earlier help request; ``presses`` only with PRESSED_AGAIN, ``reply`` only with REPLY."""

    to: Reference
    code: SupplementCode
    text: str = ""
    presses: int = 0
    facts: Facts = NOTHING
    reply: QuestionReply | None = None
    newer: bool = False


class Acknowledged(Struct, frozen=True):
    """One thing the kiosk now holds: a token's code, or an answer by its salt."""

    to: Reference
    code: TokenCode | None
    salt: bytes = b""


class Acknowledgement(Struct, frozen=True):
    """The kiosk holds these."""

    items: tuple[Acknowledged, ...]


class Offer(Struct, frozen=True):
    """A neighbour offers help: with what, for how many hours (None: not said), how to be called."""

    counter: int
    skill: Skill
    hours: int | None = None
    text: str = ""
    language: str = "nl"
    facts: Facts = NOTHING
    newer: bool = False


Message = HelpRequest | Supplement | Acknowledgement | Heartbeat | Offer


def pack(message: Message, eid: bytes, squeezed: Squeezed | None = None) -> bytes:
    """Return the plain bytes of a message that will be sealed in epoch ``eid``; ValueError for a field out of range.

    ``squeezed``: its text as :func:`steunpunt.protocol.text.squeeze` made it ahead of time.
    """
    writer = BitWriter()
    match message:
        case HelpRequest():
            return _pack_request(writer, message, squeezed)
        case Supplement():
            return _pack_supplement(writer, message, eid, squeezed)
        case Acknowledgement():
            writer.put(1, 1 + _ACKNOWLEDGEMENT)
            for item in message.items:
                _put_item(writer, item, eid)
        case Heartbeat():
            writer.put(1, 1 + _HEARTBEAT)
            put_heartbeat(writer, message)
        case Offer():
            return _pack_offer(writer, message)
    return writer.done()


def unpack(plain: bytes, eid: bytes) -> Message:
    """Read the plain bytes of a piece that was sealed in epoch ``eid``; FrameError when they make no sense."""
    reader = BitReader(plain)
    zeros = 0
    while not reader.flag():
        zeros += 1
        if zeros == _TYPES:
            raise FrameError("message of a type that is not known to this version")
    match zeros:
        case 0:
            return _unpack_request(reader)
        case 1:
            return _unpack_supplement(reader, eid)
        case 2:
            return Acknowledgement(_take_items(reader, eid))
        case 3:
            return take_heartbeat(reader)
    return _unpack_offer(reader)


# --- help requests and offers -------------------------------------------------------------------------------------


def life_threat_in_head(plain: bytes) -> bool:
    """Return whether the beginning of a message (a byte is enough) says that it is a request for a life threat."""
    return bool(plain) and plain[0] >> 6 == 0b11  # noqa: PLR2004  the bit of a request, and that of a life threat


def _pack_request(writer: BitWriter, request: HelpRequest, squeezed: Squeezed | None) -> bytes:
    writer.put(1, 1 + _REQUEST)
    writer.flag(request.life_threat)
    writer.flag(request.category is not Category.MEDICAL)
    if request.category is not Category.MEDICAL:
        writer.put(request.category, 3)
    _put_language(writer, request.language)
    put_facts(writer, request.facts)
    _put_counter(writer, request.counter)
    return with_text(writer, request.text, squeezed)


def _unpack_request(reader: BitReader) -> HelpRequest:
    life_threat = reader.flag()
    category, newer = _take_category(reader) if reader.flag() else (Category.MEDICAL, False)
    language, newer_language = _take_language(reader)
    facts, newer_facts = take_facts(reader)
    counter = _take_counter(reader)
    text, newer_text = take_text(reader)
    newer |= newer_language | newer_facts | newer_text
    return HelpRequest(counter, category, life_threat, text, language, facts, newer)


def _take_category(reader: BitReader) -> tuple[Category, bool]:
    """A category from a newer version is shown as "something else" rather than dropped."""
    number = reader.take(3)
    if number == 0:
        reader.take(8)
        return Category.OTHER, True
    return Category(number), False


def _pack_offer(writer: BitWriter, offer: Offer) -> bytes:
    writer.put(1, 1 + _OFFER)
    _put_language(writer, offer.language)
    _put_counter(writer, offer.counter)
    writer.put(offer.skill, 4)
    writer.flag(offer.hours is not None)
    if offer.hours is not None:
        writer.put(offer.hours, 6)
    put_facts(writer, offer.facts)
    return with_text(writer, offer.text)


def _unpack_offer(reader: BitReader) -> Offer:
    language, newer_language = _take_language(reader)
    counter = _take_counter(reader)
    number = _take_code(reader)
    hours = reader.take(6) if reader.flag() else None
    facts, newer = take_facts(reader)
    text, newer_text = take_text(reader)
    known = number in set(Skill)
    newer |= newer_language | newer_text | (not known)
    return Offer(counter, Skill(number) if known else Skill.OTHER, hours, text, language, facts, newer)


def _put_counter(writer: BitWriter, counter: int) -> None:
    if not 0 <= counter <= COUNTER_MAX:
        raise ValueError(f"ticket counter {counter}; a number has at most six digits")
    writer.ranged(counter, _COUNTER_WIDTHS)


def _take_counter(reader: BitReader) -> int:
    counter = reader.ranged(_COUNTER_WIDTHS)
    if counter > COUNTER_MAX:
        raise FrameError(f"ticket counter {counter}; a number has at most six digits")
    return counter


def _put_language(writer: BitWriter, language: str) -> None:
    number = LANGUAGES.index(language)
    writer.flag(number > 0)
    if number:
        writer.put(number, 4)


def _take_language(reader: BitReader) -> tuple[str, bool]:
    """Read a language; one that this version does not know is read as the first."""
    number = reader.take(4) if reader.flag() else 0
    return (LANGUAGES[number], False) if number < len(LANGUAGES) else (LANGUAGES[0], True)


# --- supplements --------------------------------------------------------------------------------------------------


def _pack_supplement(writer: BitWriter, supplement: Supplement, eid: bytes, squeezed: Squeezed | None) -> bytes:
    writer.put(1, 1 + _SUPPLEMENT)
    _put_reference(writer, supplement.to, eid)
    writer.put(supplement.code, 4)
    if supplement.code is SupplementCode.PRESSED_AGAIN:
        writer.put(min(supplement.presses, PRESSES_MAX), 8)
    if supplement.code is SupplementCode.REPLY:
        _put_reply(writer, supplement.reply or QuestionReply(0))
    writer.flag(supplement.facts != NOTHING)
    if supplement.facts != NOTHING:
        put_facts(writer, supplement.facts)
    return with_text(writer, supplement.text, squeezed)


def _unpack_supplement(reader: BitReader, eid: bytes) -> Supplement:
    to = _take_reference(reader, eid)
    number = _take_code(reader)
    known = number in set(SupplementCode)
    code = SupplementCode(number) if known else SupplementCode.DETAILS
    presses = reader.take(8) if code is SupplementCode.PRESSED_AGAIN else 0
    reply = _take_reply(reader) if code is SupplementCode.REPLY else None
    facts, newer = take_facts(reader) if reader.flag() else (NOTHING, False)
    text, newer_text = take_text(reader)
    return Supplement(to, code, text, presses, facts, reply, newer | newer_text | (not known))


def _put_reply(writer: BitWriter, reply: QuestionReply) -> None:
    writer.put(reply.question, 8)
    if reply.option is not None:
        writer.put(0b10, 2)
        writer.put(reply.option, 4)
    elif reply.number is not None:
        writer.put(0b11, 2)
        writer.put(reply.number, 10)
    else:
        writer.flag(value=False)


def _take_reply(reader: BitReader) -> QuestionReply:
    question = reader.take(8)
    if not reader.flag():
        return QuestionReply(question)
    if reader.flag():
        return QuestionReply(question, number=reader.take(10))
    return QuestionReply(question, option=reader.take(4))


def _take_code(reader: BitReader) -> int:
    number = reader.take(4)
    return _NEWER + reader.take(8) if number == _NEWER else number


# --- acknowledgements ---------------------------------------------------------------------------------------------


def _put_item(writer: BitWriter, item: Acknowledged, eid: bytes) -> None:
    writer.flag(value=True)
    writer.put(_ANSWER_MARK if item.code is None else item.code, 4)
    _put_reference(writer, item.to, eid)
    writer.octets(item.salt)


def _take_items(reader: BitReader, eid: bytes) -> tuple[Acknowledged, ...]:
    items = []
    while reader.more() and reader.flag():
        number = reader.take(4)
        to = _take_reference(reader, eid)
        if number == _ANSWER_MARK:
            items.append(Acknowledged(to, None, reader.octets(4)))
        elif number in set(TokenCode):
            items.append(Acknowledged(to, TokenCode(number)))
        else:
            raise FrameError(f"acknowledgement of unknown code {number}")
    return tuple(items)


def _put_reference(writer: BitWriter, to: Reference, eid: bytes) -> None:
    writer.flag(to.eid == eid)
    if to.eid != eid:
        writer.octets(to.eid)
    writer.put(to.n, 8)


def _take_reference(reader: BitReader, eid: bytes) -> Reference:
    to = eid if reader.flag() else reader.octets(_EID)
    return Reference(to, reader.take(8))
