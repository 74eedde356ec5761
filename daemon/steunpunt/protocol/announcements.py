"""What an announcement says, inside NEWS: signed, not sealed, for all to read.

type 2 (alert, update, cancel, point state) · serial that it replaces 16 (update, cancel) · state 2 (point state) ·
mark 2 · who says so 4 · category 4 · urgency 3 · severity 3 · certainty 3 ·
scope ``0`` all sites, or ``1``, count 6 and 16 for each · age when it was packed 8, as outside pieces ·
ends after tens of minutes 10 (0: until it is cancelled) · headline ``0``, or ``1`` and a short text · phrases ·
newer ``0``, or ``1``, bytes 8 and that many to skip · text.
Categories, urgency, severity and certainty are those of CAP 1.2.
"""

from enum import IntEnum

from msgspec import Struct

from steunpunt.facts import Mark
from steunpunt.model import SITE_ID_MAX, TEXT_CHARS_MAX, FrameError, PointState, SenderFunction
from steunpunt.protocol.age import pack_age, unpack_age
from steunpunt.protocol.bits import BitReader, BitWriter
from steunpunt.protocol.phrasecodes import BOOK
from steunpunt.protocol.phrases import Phrase, put_phrases, take_phrases
from steunpunt.protocol.tail import take_text, with_text

SITES_MAX = 63
EXPIRES_MIN_MAX = 1023 * 10
_EXPIRES_STEP_MIN = 10


class MessageType(IntEnum):
    """What an announcement does."""

    ALERT = 0
    UPDATE = 1
    CANCEL = 2
    POINT_STATE = 3
    """A command to points: close, open, or begin an exercise."""


class CapCategory(IntEnum):
    """CAP's category."""

    OTHER = 0
    GEO = 1
    MET = 2
    SAFETY = 3
    SECURITY = 4
    RESCUE = 5
    FIRE = 6
    HEALTH = 7
    ENV = 8
    TRANSPORT = 9
    INFRA = 10
    CBRNE = 11


class Urgency(IntEnum):
    """CAP's urgency."""

    UNKNOWN = 0
    IMMEDIATE = 1
    EXPECTED = 2
    FUTURE = 3
    PAST = 4


class Severity(IntEnum):
    """CAP's severity."""

    UNKNOWN = 0
    EXTREME = 1
    SEVERE = 2
    MODERATE = 3
    MINOR = 4


class Certainty(IntEnum):
    """CAP's certainty."""

    UNKNOWN = 0
    OBSERVED = 1
    LIKELY = 2
    POSSIBLE = 3
    UNLIKELY = 4


class Announcement(Struct, frozen=True, kw_only=True):
    """One announcement. Ages in seconds; ``expires_min`` counts from when it was issued, 0: until it is cancelled.

    ``replaces`` is the serial that an UPDATE or CANCEL is about, ``state`` what POINT_STATE commands; ``sites`` empty
    means all. ``newer``: a later version said more than this one knows.
    """

    type: MessageType
    function: SenderFunction
    replaces: int | None = None
    state: PointState | None = None
    mark: Mark = Mark.NONE
    category: CapCategory = CapCategory.OTHER
    urgency: Urgency = Urgency.UNKNOWN
    severity: Severity = Severity.UNKNOWN
    certainty: Certainty = Certainty.UNKNOWN
    sites: tuple[int, ...] = ()
    issued_s: float = 0.0
    issued_at_least: bool = False
    expires_min: int = 0
    headline: str = ""
    phrases: tuple[Phrase, ...] = ()
    text: str = ""
    newer: bool = False

    def is_for(self, site: int) -> bool:
        """Return whether this site is meant."""
        return not self.sites or site in self.sites


def pack_announcement(announcement: Announcement) -> bytes:
    """Return an announcement's bytes; ValueError for one that says nothing, or a field out of range."""
    _check(announcement)
    writer = BitWriter()
    _put_kind(writer, announcement)
    writer.put(announcement.mark, 2)
    writer.put(announcement.function, 4)
    writer.put(announcement.category, 4)
    for level in (announcement.urgency, announcement.severity, announcement.certainty):
        writer.put(level, 3)
    writer.flag(bool(announcement.sites))
    if announcement.sites:
        writer.put(len(announcement.sites), 6)
        for site in announcement.sites:
            writer.put(site, 16)
    writer.put(pack_age(announcement.issued_s, at_least=announcement.issued_at_least), 8)
    writer.put(-(-announcement.expires_min // _EXPIRES_STEP_MIN), 10)
    writer.flag(bool(announcement.headline))
    if announcement.headline:
        writer.short_text(announcement.headline)
    put_phrases(writer, announcement.phrases, BOOK)
    writer.flag(value=False)
    return with_text(writer, announcement.text)


def is_command(plain: bytes) -> bool:
    """Return whether an announcement's bytes are a command to points, without reading the rest."""
    return MessageType(BitReader(plain).take(2)) is MessageType.POINT_STATE


def unpack_announcement(plain: bytes) -> Announcement:
    """Read an announcement's bytes; FrameError when they make no sense.

    A level or category of a later version is read as unknown; a later point state is no command at all.
    """
    reader = BitReader(plain)
    kind = MessageType(reader.take(2))
    replaces = reader.take(16) if kind in (MessageType.UPDATE, MessageType.CANCEL) else None
    state = _take_state(reader) if kind is MessageType.POINT_STATE else None
    mark, function, category = Mark(reader.take(2)), reader.take(4), reader.take(4)
    urgency, severity, certainty = (reader.take(3) for _ in range(3))
    sites = tuple(reader.take(16) for _ in range(reader.take(6))) if reader.flag() else ()
    issued_s, at_least = unpack_age(reader.take(8))
    expires_min = reader.take(10) * _EXPIRES_STEP_MIN
    headline = reader.short_text() if reader.flag() else ""
    phrases = take_phrases(reader, BOOK)
    newer = reader.flag()
    if newer:
        reader.octets(reader.take(8))
    text, newer_text = take_text(reader)
    return Announcement(
        type=kind,
        function=SenderFunction(function) if function in set(SenderFunction) else SenderFunction.OTHER,
        replaces=replaces,
        state=state,
        mark=mark,
        category=CapCategory(category) if category in set(CapCategory) else CapCategory.OTHER,
        urgency=Urgency(urgency) if urgency in set(Urgency) else Urgency.UNKNOWN,
        severity=Severity(severity) if severity in set(Severity) else Severity.UNKNOWN,
        certainty=Certainty(certainty) if certainty in set(Certainty) else Certainty.UNKNOWN,
        sites=sites,
        issued_s=issued_s,
        issued_at_least=at_least,
        expires_min=expires_min,
        headline=headline,
        phrases=phrases,
        text=text,
        newer=newer or newer_text,
    )


def _check(announcement: Announcement) -> None:
    says = announcement.headline or announcement.phrases or announcement.text
    about = announcement.type in (MessageType.UPDATE, MessageType.CANCEL)
    commands = announcement.type is MessageType.POINT_STATE
    if about != (announcement.replaces is not None):
        raise ValueError("an update or cancel names the serial that it replaces, and nothing else does")
    if commands != (announcement.state is not None):
        raise ValueError("a point state message says which state, and nothing else does")
    if not says and announcement.type in (MessageType.ALERT, MessageType.UPDATE):
        raise ValueError("an announcement says something: add a headline, a phrase or text")
    if len(announcement.sites) > SITES_MAX or not all(0 < site <= SITE_ID_MAX for site in announcement.sites):
        raise ValueError(f"an announcement is for all sites or for at most {SITES_MAX} of them")
    if not 0 <= announcement.expires_min <= EXPIRES_MIN_MAX:
        raise ValueError(f"an announcement ends after 0 to {EXPIRES_MIN_MAX} minutes")
    if len(announcement.text) > TEXT_CHARS_MAX:
        raise ValueError(f"an announcement has at most {TEXT_CHARS_MAX} characters of text")


def _put_kind(writer: BitWriter, announcement: Announcement) -> None:
    writer.put(announcement.type, 2)
    if announcement.replaces is not None:
        writer.put(announcement.replaces, 16)
    if announcement.state is not None:
        writer.put(announcement.state, 2)


def _take_state(reader: BitReader) -> PointState:
    number = reader.take(2)
    if number not in set(PointState):
        raise FrameError("a point state that is not known to this version")
    return PointState(number)
