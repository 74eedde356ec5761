"""What goes wrong with a radio, on demand: to its connection, its stream and its word on packets.

Pure: the door asks what to do with each message, the radio what to answer; the server
lets a fault that lasts end in time.
"""

import random
from collections import deque
from enum import StrEnum

TIMES_MAX = 1_000_000
"""How often one fault can be asked for at most."""

_NOISE_BYTES_MAX = 48
_LOG_LINE = b"\x1b[34mINFO \x1b[0m| ??:??:?? 42 [Router] Received packet\r\n"
_FALSE_STARTS = (b"\x94", b"\x94\xc3", b"\x94\xc3\xff\xff", b"\x94\x94\xc3\x02\x01", b"\x94\xc3\x00\x02\xff\xff")


class Fault(StrEnum):
    """What can be asked of a radio."""

    FIN = "fin"
    """Close the connection, once."""
    RST = "rst"
    """Break the connection off with a reset, once."""
    REFUSE = "refuse"
    """Close the connection and refuse new ones; lasts."""
    SILENT = "silent"
    """Accept connections, read and forget what comes, say nothing; lasts."""
    HALF_FRAME = "half_frame"
    """End the next message, ``times`` times, in the middle and close."""
    NOISE = "noise"
    """Put console log, random bytes and false starts before each of the next ``times`` messages."""
    REBOOT_AFTER = "reboot_after"
    """Reboot after ``times`` more messages to the client: 1 to some 50 fall within a handshake."""
    EVICT = "evict"
    """A second client comes and goes."""
    NO_STATUS = "no_status"
    """Send no QueueStatus, not even for a heartbeat; lasts."""
    RES = "res"
    """Refuse the client's next ``times`` packets with QueueStatus.res ``code``; 32 also says free 0."""
    NAK = "nak"
    """Take the next ``times`` packets, do not send them, and tell the routing error ``code``."""


class Faults:
    """The faults of one radio that are on now."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.mend()

    def mend(self) -> None:
        """End all of them."""
        self._lasting: set[Fault] = set()
        self._noise = self._half_frames = 0
        self._messages_left: int | None = None
        self._res: deque[int] = deque(maxlen=TIMES_MAX)
        self._naks: deque[int] = deque(maxlen=TIMES_MAX)

    def begin(self, fault: Fault, times: int, code: int) -> None:
        """Note a fault; ``times`` and ``code`` count where the fault's description names them."""
        if fault is Fault.NOISE:
            self._noise = times
        elif fault is Fault.HALF_FRAME:
            self._half_frames = times
        elif fault is Fault.REBOOT_AFTER:
            self._messages_left = times
        elif fault in (Fault.RES, Fault.NAK):
            (self._res if fault is Fault.RES else self._naks).extend([code] * times)
        elif fault in (Fault.REFUSE, Fault.SILENT, Fault.NO_STATUS):
            self._lasting.add(fault)

    def end(self, fault: Fault) -> None:
        """End a fault that lasts."""
        self._lasting.discard(fault)

    @property
    def refuses(self) -> bool:
        """Whether connections are refused."""
        return Fault.REFUSE in self._lasting

    @property
    def silent(self) -> bool:
        """Whether nothing is understood or said."""
        return Fault.SILENT in self._lasting

    @property
    def withholds_status(self) -> bool:
        """Whether QueueStatus stays away."""
        return Fault.NO_STATUS in self._lasting

    def next_res(self) -> int:
        """Take the res that the client's next packet must get; 0 for the true one."""
        return self._res.popleft() if self._res else 0

    def next_nak(self) -> int:
        """Take the routing error that the client's next packet must get; 0 for none."""
        return self._naks.popleft() if self._naks else 0

    def halve(self) -> bool:
        """Say whether the next message ends in the middle, and the connection with it."""
        if not self._half_frames:
            return False
        self._half_frames -= 1
        return True

    def noise(self) -> bytes:
        """Give what stands before the next message."""
        if not self._noise:
            return b""
        self._noise -= 1
        rng = self._rng
        return _LOG_LINE + rng.randbytes(rng.randrange(_NOISE_BYTES_MAX)) + rng.choice(_FALSE_STARTS)

    def reboots_now(self) -> bool:
        """Count one message to the client; True when the radio must reboot after it."""
        if self._messages_left is None:
            return False
        self._messages_left -= 1
        if self._messages_left > 0:
            return False
        self._messages_left = None
        return True
