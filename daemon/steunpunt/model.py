"""What the domain is made of: ids, states, events and effects.

Nothing here reads a clock, a file or a socket. All times are *ledger milliseconds* (``now_ms``): a counter that never
goes back, survives restarts and is a lower bound of the time that passed (see :mod:`steunpunt.ledger.clock`).
"""

import re
from enum import IntEnum, StrEnum
from typing import Any

from msgspec import Struct

from steunpunt.boxfacts import PrinterChanged, PrintSlip, SlipEnded
from steunpunt.facts import NOTHING, Facts
from steunpunt.jobfacts import FaultSeen, JobEnded, PagesHeard
from steunpunt.powerfacts import PowerSeen

SITE_ID_MAX = 0xFFFF
COORDINATOR_ID_MAX = 15
"""Ids 1 to 15 are coordinators, those above are kiosks: no number means two devices."""
TEXT_CHARS_MAX = 2_000
"""Longest free text, in Unicode characters; what does not compress into sixteen fragments is refused all the same."""
MAIN_RADIO = "main"
"""Name of the radio in ``[radio]``; each ``[[extra_radio]]`` has a name of its own."""
TEXT_ON_AIR_BYTES_MAX = 200
"""Longest readable text that we put on the air, in UTF-8 bytes; the firmware takes up to 233."""
PACKET_BYTES_MAX = 217
"""Longest payload handed to a radio: PKI unicast with wantResponse, the tightest of the firmware's limits."""


class SteunpuntError(Exception):
    """Root of all errors of this software; the message says what, where, and the mend."""


class ConfigError(SteunpuntError, ValueError):
    """A config file cannot be used as it stands."""


class KeyFileError(SteunpuntError, ValueError):
    """A key file is missing, readable by others, or broken."""


class LedgerError(SteunpuntError, OSError):
    """The ledger could not be opened or could not keep something."""


class FrameError(SteunpuntError, ValueError):
    """Bytes from the air or the broker that are not a packet of ours; counted and dropped."""


class SealError(SteunpuntError, ValueError):
    """A piece, token or answer that does not authenticate; counted and dropped."""


class Role(StrEnum):
    """What a site is for."""

    KIOSK = "kiosk"
    COORDINATOR = "coordinator"


class LinkName(StrEnum):
    """A road for packets."""

    MESH = "mesh"
    BROKER = "broker"
    PAPER = "paper"
    """Carried by a person; it comes in at the desk, and nothing is sent on it."""


SENDING_LINKS = (LinkName.MESH, LinkName.BROKER)
"""The roads on which a node itself sends, and of which it knows whether they are up."""


class Lane(IntEnum):
    """Order of sending; a lower number goes first."""

    LIFE_THREAT = 0
    URGENT = 1
    OTHER = 2
    ANNOUNCEMENT = 3
    HOUSEKEEPING = 4


class Category(IntEnum):
    """Kind of help asked for; the number travels on the air and never changes meaning."""

    MEDICAL = 1
    FIRE = 2
    POLICE = 3
    SUPPLIES = 4
    MISSING = 5
    OTHER = 6
    BUTTON = 7
    OFFER = 8
    """A neighbour offers help: a message of its own on the air, a case like others at the desk."""


class TicketState(IntEnum):
    """How far a help request has come; only ever rises, but that a closed one may be reopened."""

    KEPT = 0
    ON_ITS_WAY = 1
    RECEIVED = 2
    SEEN = 3
    ANSWERED = 4
    CLOSED = 5


class TokenCode(IntEnum):
    """What a token says of one message; the number is authenticated and never changes meaning."""

    RECEIVED = 1
    SEEN = 2
    PASSED_ON = 3
    CLOSED_HELPED = 4
    CLOSED_NOT_NEEDED = 5
    CLOSED_CANNOT = 6
    REOPENED = 7
    CLOSED_AGAIN_HELPED = 8
    """Of a case that was reopened: an old token that closed it before proves nothing any more."""
    CLOSED_AGAIN_NOT_NEEDED = 9
    CLOSED_AGAIN_CANNOT = 10

    @property
    def reason(self) -> "TokenCode":
        """Return the reason of a closing, the same for the first and the second one."""
        return TokenCode(self - 4) if self > TokenCode.REOPENED else self

    @property
    def again(self) -> "TokenCode":
        """Return the code with which a case that was reopened is closed for the same reason."""
        return TokenCode(self + 4)


CLOSE_REASONS = (TokenCode.CLOSED_HELPED, TokenCode.CLOSED_NOT_NEEDED, TokenCode.CLOSED_CANNOT)
CLOSE_CODES = (*CLOSE_REASONS, *(code.again for code in CLOSE_REASONS))


class SupplementCode(IntEnum):
    """What a supplement adds to an earlier help request."""

    WORSE = 1
    PRESSED_AGAIN = 2
    QUESTION = 3
    UNDERSTOOD = 4
    NO_LONGER_NEEDED = 5
    DETAILS = 6
    """More facts: what came after the second tap."""
    REPLY = 7
    """To a question of the desk."""
    GOT_HELP = 8
    STILL_NEEDED = 9
    LIFE_THREAT = 10
    """Somebody's life is in danger, and the request did not say so: its case goes to the first lane."""


class Skill(IntEnum):
    """With what a neighbour offers to help."""

    OTHER = 0
    FIRST_AID = 1
    MEDICAL = 2
    CARE = 3
    TRANSPORT = 4
    CARRYING = 5
    FOOD = 6
    SHELTER = 7
    GOODS = 8
    LANGUAGES = 9
    CHILDREN = 10
    ANIMALS = 11
    TECHNICAL = 12


class PointState(IntEnum):
    """Whether a point takes help requests."""

    CLOSED = 0
    OPEN = 1
    EXERCISE = 2


class SenderFunction(IntEnum):
    """Who answers, by function; coded so that each reader sees it in the own language."""

    OTHER = 0
    """One that this version does not know; nobody answers as this."""
    COORDINATOR = 1
    DUTY_OFFICER = 2
    FIRE_CREW = 3
    MEDICAL = 4
    MUNICIPALITY = 5
    CONTROL_ROOM = 6
    POLICE = 7


class LampMode(StrEnum):
    """Lamp of a help button: off, blinking until a person took the call up, then steady."""

    OFF = "off"
    BLINKING = "blinking"
    STEADY = "steady"


class SendOutcome(StrEnum):
    """What the link's next hop said of one attempt; never a sign that anyone knows."""

    TAKEN = "taken"
    REFUSED = "refused"
    UNKNOWN = "unknown"


_NUMBER = re.compile(r"\s*(\d{1,5})\s*-\s*(\d{1,6})\s*")


def ticket_number(site: int, counter: int) -> str:
    """Return the public number that is called out in the hall, such as ``47-12``."""
    return f"{site}-{counter}"


def parse_ticket_number(text: str) -> tuple[int, int] | None:
    """Return (site, counter) of a public number, or None when the text is not one."""
    match = _NUMBER.fullmatch(text)
    return (int(match[1]), int(match[2])) if match else None


class LinkChanged(Struct, frozen=True):
    """A link came up or went down. ``reason`` is one line for a technician: what, where, the mend.

    On the mesh it speaks of one radio: the link serves while any of the site's radios does.
    """

    link: LinkName
    up: bool
    reason: str
    node_num: int | None = None
    radio: str = MAIN_RADIO


class BridgeChanged(Struct, frozen=True):
    """The local broker's own bridge to the region's broker came up or went down."""

    up: bool


class FrameHeard(Struct, frozen=True):
    """A packet of ours arrived.

    ``carrier`` is the site named by the broker topic (None on the mesh), ``sender`` the radio's
    node number (None on the broker). ``confirm`` is the broker link's handle: the engine answers
    with :class:`ConfirmFrame` after the commit, which becomes the PUBACK.
    """

    link: LinkName
    payload: bytes
    carrier: int | None = None
    sender: int | None = None
    packet_id: int | None = None
    snr_db: float | None = None
    confirm: int | None = None
    radio: str = MAIN_RADIO
    """Name of the radio that heard it; says nothing on the broker."""
    hops: int | None = None
    """On the mesh: how many radios passed it on before; None where that is not known. Anybody can forge it."""


class SendEnded(Struct, frozen=True):
    """One attempt ended at the next hop: taken (QueueStatus res 0, PUBACK), refused, or unknown."""

    link: LinkName
    attempt_id: int
    outcome: SendOutcome
    detail: str = ""
    packet_id: int | None = None
    radio: str = MAIN_RADIO
    """Name of the radio that it was given to; says nothing on the broker."""


class TextHeard(Struct, frozen=True):
    """Somebody's readable text on the emergency channel; anybody can send one, under any number."""

    text: str
    sender: int
    radio: str = MAIN_RADIO


class PacketHeard(Struct, frozen=True):
    """Any packet the radio handed over, as a serialized MeshPacket, for the bridge."""

    packet: bytes
    gateway: int


class DownlinkHeard(Struct, frozen=True):
    """An integrator published something for the mesh on the local broker; to be judged by the bridge."""

    topic: str
    payload: bytes


class RadioPrepared(Struct, frozen=True):
    """The radio finished its handshake: what the bridge must know of it.

    ``drift`` has one line for each setting that is not as the config says.
    """

    node_num: int
    channel_names: tuple[str, ...]
    preset: str
    firmware: str
    drift: tuple[str, ...] = ()
    long_names: tuple[tuple[int, str], ...] = ()
    """Names of the nodes that the radio knows, by number."""
    radio: str = MAIN_RADIO
    """The radio's name in the config."""
    owner: bytes = b""
    """What it says of itself: a serialized User."""
    uplinks: frozenset[int] = frozenset()
    """Indexes of the channels whose setting uplink_enabled is on."""


class RadioUsed(Struct, frozen=True):
    """The radio's own word on its airtime: ``air_util_tx`` as a share of the last hour, relayed packets included."""

    share: float
    radio: str = MAIN_RADIO
    channel: float | None = None
    """``channel_utilization``: how much of the last minute it found the channel taken; None where it does not tell."""


class ButtonPressed(Struct, frozen=True):
    """A button went down; ``held``: it was pressed before, and is held down, which says that a life is in danger."""

    name: str
    held: bool = False


class CallCancelled(Struct, frozen=True):
    """Staff cancelled the waiting call of a button, before it left."""

    name: str


class BellRung(Struct, frozen=True):
    """Something changed in the ledger; look again. Only wakes: polling is the truth."""


Squeezed = tuple[str, int, bytes]
"""A text, and the method and bytes to which it was compressed ahead of time, where nobody waits for it."""


class HelpSubmitted(Struct, frozen=True):
    """A citizen (or the button) asks for help; answered by :class:`ReplyTo` with the ticket."""

    form_token: str
    category: Category
    life_threat: bool
    text: str
    language: str
    facts: Facts = NOTHING
    reply: object | None = None
    squeezed: Squeezed | None = None


class SupplementSubmitted(Struct, frozen=True):
    """A citizen adds to an earlier help request."""

    form_token: str
    number: str
    code: SupplementCode
    text: str
    reply: object | None = None
    facts: Facts = NOTHING
    question: tuple[int, int | None, int | None] | None = None
    """Only with REPLY: the question's phrase code, and the option or the number that was tapped."""
    squeezed: Squeezed | None = None


class PaperScanned(Struct, frozen=True):
    """Somebody at the desk scanned a whole sealed message from paper; answered by :class:`ReplyTo` with its case."""

    packets: tuple[bytes, ...]
    """One for each fragment, hello in each."""
    reply: object | None = None


class Asked(Struct, frozen=True):
    """Anything else that is asked over the control socket; who takes it knows its class. Answered by ReplyTo."""

    what: object
    reply: object | None = None


class SendFrame(Struct, frozen=True):
    """Effect: give ``payload`` to ``link``; it must end in one :class:`SendEnded`.

    On the mesh ``destination`` is a node number, None for broadcast. On the broker ``carrier``
    names the topic: ``up/<carrier>`` from a kiosk, ``down/<carrier>`` from a coordinator, where
    None stands for ``down/all`` (beacons).
    """

    link: LinkName
    attempt_id: int
    payload: bytes
    lane: Lane = Lane.OTHER
    destination: int | None = None
    want_ack: bool = False
    carrier: int | None = None
    hops_max: int | None = None
    """On the mesh: how many radios may pass it on, by how far the other end's packet came; None for what the radio is
    set to."""
    hops_more: int = 0
    """On the mesh, without ``hops_max``: over how many radios beyond what the radio is set to. Firmware takes each
    packet's own number."""
    answers: int | None = None
    """On the mesh: id of the packet that this one answers. Radios on the way learn the next hop from it."""
    text: str = ""
    """On the mesh: plain words for people with handhelds, on the emergency channel, sent instead of ``payload``."""
    packet: bytes = b""
    """A whole MeshPacket that the bridge made for an integrator, sent instead of ``payload`` under an id of our own."""
    radio: str = MAIN_RADIO
    """Name of the radio that sends it; says nothing on the broker."""


class GuestSending(Struct, frozen=True):
    """An integrator's packet: it goes into the radio once its time on air is charged to the site's airtime.

    Its attempt number is below 0, as the engine's own count upwards.
    """

    frame: SendFrame
    air_ms: float


class ConfirmFrame(Struct, frozen=True):
    """Effect: the frame is committed (or need not be); tell the broker so."""

    confirm: int


class ReplyTo(Struct, frozen=True):
    """Effect: answer a request of the control socket."""

    reply: object
    body: dict[str, Any]


class SetLamp(Struct, frozen=True):
    """Effect: set a button's lamp."""

    name: str
    mode: LampMode


class SoundBuzzer(Struct, frozen=True):
    """Effect: sound the buzzer for people at this site, ``times`` times ``seconds`` long."""

    name: str
    seconds: float
    times: int = 1


Event = (
    LinkChanged
    | BridgeChanged
    | FrameHeard
    | SendEnded
    | TextHeard
    | PacketHeard
    | DownlinkHeard
    | RadioPrepared
    | RadioUsed
    | GuestSending
    | ButtonPressed
    | CallCancelled
    | PowerSeen
    | PrinterChanged
    | SlipEnded
    | JobEnded
    | PagesHeard
    | FaultSeen
    | BellRung
    | HelpSubmitted
    | SupplementSubmitted
    | PaperScanned
    | Asked
)
Effect = SendFrame | ConfirmFrame | ReplyTo | SetLamp | SoundBuzzer | PrintSlip
