"""What is inside a sealed piece, packed tightly.

HELP REQUEST: byte 0 = type 1 (3 bits) | life threat 0x08 | exercise 0x10 | language << 5; byte 1 = category (4 bits) |
call-back 0x10 | people 0x20 | extension 0x40 | text 0x80; the ticket's counter as a varint; then, where flagged:
people (1),
call-back (length and phone digits two a byte, or bit 7 of the length and UTF-8), extension (varint length, skipped by
those who do not know it), text (method byte, then bytes to the end; method 0 is UTF-8 as it is).

SUPPLEMENT: type 2 | same epoch 0x08; code; the request it adds to: n, before it eid (3) when not the same epoch; then
text (as above), or the number of presses (1) for PRESSED_AGAIN.

ACKNOWLEDGEMENT (the kiosk holds what was said of its requests): type 3; per item a byte (code, or 0xF for an answer;
0x80 same epoch), [eid 3], n, [salt 4 of the answer].
"""

from dataclasses import dataclass

from steunpunt.model import ANSWER_BYTES_MAX, Category, FrameError, SenderFunction, SupplementCode, TokenCode

LANGUAGES = ("nl", "en", "de", "fr", "pl", "tr", "ar", "uk")
CALLBACK_BYTES_MAX = 30
COUNTER_MAX = 999_999
_REQUEST, _SUPPLEMENT, _ACKNOWLEDGEMENT = 1, 2, 3
_LIFE, _EXERCISE = 0x08, 0x10
_CALLBACK, _PEOPLE, _EXTENSION, _TEXT = 0x10, 0x20, 0x40, 0x80
_SAME_EPOCH = 0x08
_ACK_SAME_EPOCH = 0x80
_ANSWER_MARK = 0xF
_DIGITS = "0123456789+*#- "
_ANSWER_MESSAGE = 1


@dataclass(frozen=True, slots=True)
class HelpRequest:
    """What a citizen asks. ``people`` 0: not said. ``callback`` may be empty."""

    counter: int
    category: Category
    life_threat: bool
    people: int = 0
    text: str = ""
    callback: str = ""
    language: str = "nl"
    exercise: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """Names an earlier message of the same site."""

    eid: bytes
    n: int


@dataclass(frozen=True, slots=True)
class Supplement:
    """What is added to an earlier help request."""

    to: Reference
    code: SupplementCode
    text: str = ""
    presses: int = 0


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """One thing the kiosk now holds: a token's code, or an answer by its salt."""

    to: Reference
    code: TokenCode | None
    salt: bytes = b""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The kiosk holds these."""

    items: tuple[Acknowledged, ...]


Message = HelpRequest | Supplement | Acknowledgement


class _Reader:
    """Takes bytes from the front; running out is a FrameError."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        part = self.data[self.at : self.at + count]
        if len(part) < count:
            raise FrameError("message ends too early")
        self.at += count
        return part

    def byte(self) -> int:
        return self.take(1)[0]

    def varint(self) -> int:
        value = shift = 0
        while shift <= 21:  # noqa: PLR2004  four groups of seven bits
            part = self.byte()
            value |= (part & 0x7F) << shift
            if not part & 0x80:
                return value
            shift += 7
        raise FrameError("number too large")

    def rest(self) -> bytes:
        return self.take(len(self.data) - self.at)

    def more(self) -> bool:
        return self.at < len(self.data)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:  # noqa: PLR2004  seven bits a byte
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def pack(message: Message, eid: bytes) -> bytes:
    """Return the plain bytes of a message that will be sealed in epoch ``eid``."""
    match message:
        case HelpRequest():
            return _pack_request(message)
        case Supplement():
            same = message.to.eid == eid
            head = bytes([_SUPPLEMENT | (_SAME_EPOCH if same else 0), message.code])
            extra = bytes([min(message.presses, 255)]) if message.code is SupplementCode.PRESSED_AGAIN else b""
            return head + _pack_reference(message.to, same=same) + extra + _pack_text(message.text)
        case Acknowledgement():
            return bytes([_ACKNOWLEDGEMENT]) + b"".join(_pack_item(item, eid) for item in message.items)


def _pack_request(request: HelpRequest) -> bytes:
    first = _REQUEST | (_LIFE if request.life_threat else 0) | (_EXERCISE if request.exercise else 0)
    second = int(request.category)
    fields = _varint(request.counter)
    if request.people:
        second |= _PEOPLE
        fields += bytes([min(request.people, 255)])
    if request.callback:
        second |= _CALLBACK
        fields += _pack_callback(request.callback)
    if request.text:
        second |= _TEXT
    language = LANGUAGES.index(request.language)
    return bytes([first | language << 5, second]) + fields + _pack_text(request.text)


def _pack_text(text: str) -> bytes:
    return b"\0" + text.encode() if text else b""


def _unpack_text(data: bytes) -> str:
    if not data:
        return ""
    if data[0] != 0:
        raise FrameError(f"text method {data[0]} is not known to this version")
    return data[1:].decode("utf-8", "replace")


def _pack_callback(callback: str) -> bytes:
    if all(c in _DIGITS for c in callback):
        nibbles = [_DIGITS.index(c) for c in callback]
        padded = [*nibbles, 0xF] if len(nibbles) % 2 else nibbles
        return bytes([len(nibbles)]) + bytes(a << 4 | b for a, b in zip(padded[::2], padded[1::2], strict=True))
    raw = callback.encode()
    return bytes([len(raw) | 0x80]) + raw


def _unpack_callback(reader: _Reader) -> str:
    length = reader.byte()
    if length & 0x80:
        return reader.take(length & 0x7F).decode("utf-8", "replace")
    packed = reader.take((length + 1) // 2)
    nibbles = [n for byte in packed for n in (byte >> 4, byte & 0xF)][:length]
    if any(n >= len(_DIGITS) for n in nibbles):
        raise FrameError("call-back number has a digit that does not exist")
    return "".join(_DIGITS[n] for n in nibbles)


def _pack_reference(to: Reference, *, same: bool) -> bytes:
    return (b"" if same else to.eid) + bytes([to.n])


def _unpack_reference(reader: _Reader, eid: bytes, *, same: bool) -> Reference:
    return Reference(eid if same else reader.take(3), reader.byte())


def _pack_item(item: Acknowledged, eid: bytes) -> bytes:
    same = item.to.eid == eid
    mark = (_ANSWER_MARK if item.code is None else int(item.code)) | (_ACK_SAME_EPOCH if same else 0)
    return bytes([mark]) + _pack_reference(item.to, same=same) + item.salt


def unpack(plain: bytes, eid: bytes) -> Message:
    """Read the plain bytes of a piece that was sealed in epoch ``eid``; FrameError when they make no sense."""
    reader = _Reader(plain)
    first = reader.byte()
    kind = first & 0b111
    if kind == _REQUEST:
        return _unpack_request(reader, first)
    if kind == _SUPPLEMENT:
        return _unpack_supplement(reader, eid, same=bool(first & _SAME_EPOCH))
    if kind == _ACKNOWLEDGEMENT:
        items = []
        while reader.more():
            items.append(_unpack_item(reader, eid))
        return Acknowledgement(tuple(items))
    raise FrameError(f"message type {kind} is not known to this version")


def _unpack_request(reader: _Reader, first: int) -> HelpRequest:
    second = reader.byte()
    counter = reader.varint()
    people = reader.byte() if second & _PEOPLE else 0
    callback = _unpack_callback(reader) if second & _CALLBACK else ""
    if second & _EXTENSION:
        reader.take(reader.varint())
    text = _unpack_text(reader.rest()) if second & _TEXT else ""
    return HelpRequest(
        counter,
        _known_category(second & 0xF),
        bool(first & _LIFE),
        people,
        text,
        callback,
        LANGUAGES[first >> 5],
        bool(first & _EXERCISE),
    )


def life_threat_in_head(plain: bytes) -> bool:
    """Return whether the beginning of a message (a byte is enough) says that it is a request for a life threat."""
    return bool(plain) and plain[0] & 0b111 == _REQUEST and bool(plain[0] & _LIFE)


def _known_category(number: int) -> Category:
    """A category from a newer version is shown as "something else" rather than dropped."""
    return Category(number) if number in set(Category) else Category.OTHER


def _unpack_supplement(reader: _Reader, eid: bytes, *, same: bool) -> Supplement:
    number = reader.byte()
    to = _unpack_reference(reader, eid, same=same)
    code = SupplementCode(number) if number in set(SupplementCode) else SupplementCode.QUESTION
    presses = reader.byte() if code is SupplementCode.PRESSED_AGAIN else 0
    return Supplement(to, code, _unpack_text(reader.rest()), presses)


def _unpack_item(reader: _Reader, eid: bytes) -> Acknowledged:
    mark = reader.byte()
    to = _unpack_reference(reader, eid, same=bool(mark & _ACK_SAME_EPOCH))
    number = mark & 0xF
    if number == _ANSWER_MARK:
        return Acknowledged(to, None, reader.take(4))
    if number not in set(TokenCode):
        raise FrameError(f"acknowledgement of unknown code {number}")
    return Acknowledged(to, TokenCode(number))


def pack_answer(function: SenderFunction, text: str) -> bytes:
    """Return the plain bytes of an answer: type and function in a byte, text method, text."""
    raw = text.encode()
    if not 0 < len(raw) <= ANSWER_BYTES_MAX:
        raise ValueError(f"an answer has 1 to {ANSWER_BYTES_MAX} bytes, this one {len(raw)}")
    return bytes([_ANSWER_MESSAGE << 4 | function, 0]) + raw


def unpack_answer(plain: bytes) -> tuple[SenderFunction, str]:
    """Read an answer's plain bytes."""
    if len(plain) < 3 or plain[0] >> 4 != _ANSWER_MESSAGE:  # noqa: PLR2004  head and one byte of text
        raise FrameError("answer of a kind not known to this version")
    number = plain[0] & 0xF
    function = SenderFunction(number) if number in set(SenderFunction) else SenderFunction.COORDINATOR
    return function, _unpack_text(plain[1:])
