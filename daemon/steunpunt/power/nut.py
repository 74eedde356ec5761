"""A UPS read by Network UPS Tools: a bounded client of its server ``upsd``.

The protocol is NUT's "Network protocol information" (developer guide, chapter 10): lines over TCP; ``LIST VAR <ups>``
is answered by ``BEGIN LIST VAR``, a ``VAR <ups> <name> "<value>"`` each with backslash escapes, and ``END LIST VAR``,
or by one ``ERR <CODE>``. Nothing that we ask needs a password.
"""

import contextlib
import re
import socket
import time

from steunpunt.power.reading import ReadingError
from steunpunt.powerconfig import Nut

ANSWER_S_MAX = 5.0
"""For one whole reading, whatever the server does."""
ANSWER_BYTES_MAX = 65_536
"""A large UPS tells some 200 variables, 10 KiB."""
_RECEIVE_BYTES = 4_096
_MENDS = {
    "UNKNOWN-UPS": "write the name as in ups.conf into power.nut.ups",
    "DATA-STALE": "the driver has lost the UPS: is its cable in?",
    "DRIVER-NOT-CONNECTED": "the driver does not run: `systemctl status nut-driver@*`",
    "ACCESS-DENIED": "let this device in, in upsd.conf",
}


class NutReader:
    """Keeps one connection to upsd; after any trouble the next reading makes a new one."""

    def __init__(self, nut: Nut) -> None:
        self._nut = nut
        self._place = f"{nut.ups} at {nut.host}:{nut.port}"
        self._socket: socket.socket | None = None

    def read(self) -> dict[str, str]:
        """Return all variables of the UPS, within ANSWER_S_MAX seconds; raises ReadingError."""
        deadline_s = time.monotonic() + ANSWER_S_MAX
        try:
            return parse(self._ask(deadline_s), self._nut.ups)
        except ReadingError as error:
            self.close()
            raise ReadingError(f"UPS {self._place}: {error}") from error
        except OSError as error:
            self.close()
            reason = "no answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
            mend = "is nut-server running, and is power.nut right?"
            raise ReadingError(f"UPS {self._place}: upsd cannot be asked ({reason}); {mend}") from error

    def close(self) -> None:
        """Let the connection go; the next reading makes a new one."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None

    def _ask(self, deadline_s: float) -> str:
        if self._socket is None:
            self._socket = socket.create_connection((self._nut.host, self._nut.port), _left(deadline_s))
        self._socket.settimeout(_left(deadline_s))
        self._socket.sendall(f"LIST VAR {self._nut.ups}\n".encode("ascii"))
        answer = bytearray()
        while not _whole(answer):
            self._socket.settimeout(_left(deadline_s))
            part = self._socket.recv(_RECEIVE_BYTES)
            if not part:
                raise ReadingError("upsd hung up; is nut-server in order?")
            answer += part
            if len(answer) > ANSWER_BYTES_MAX:
                raise ReadingError(f"more than {ANSWER_BYTES_MAX} bytes came; does upsd listen at this port?")
        return answer.decode("utf-8", "replace")


def _left(deadline_s: float) -> float:
    left_s = deadline_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


def _whole(answer: bytes | bytearray) -> bool:
    """Return whether the answer has ended: with an error line, or with the end of the list."""
    if not answer.endswith(b"\n"):
        return False
    last = answer[:-1].rpartition(b"\n")[2]
    return last.startswith((b"ERR ", b"END LIST VAR ")) or not answer.startswith((b"BEGIN LIST VAR ", b"VAR "))


_VAR = re.compile(r'VAR (\S+) (\S+) "((?:[^"\\]|\\.)*)"')


def parse(answer: str, ups: str) -> dict[str, str]:
    """Return the variables in an answer to ``LIST VAR``; raises ReadingError for an error or for anything else."""
    lines = answer.rstrip("\n").split("\n")
    if lines[0].startswith("ERR "):
        code = lines[0].split()[1:2]
        name = code[0] if code else "?"
        raise ReadingError(f"upsd says {name[:30]}; {_MENDS.get(name, 'see its log')}")
    if lines[0] != f"BEGIN LIST VAR {ups}" or lines[-1] != f"END LIST VAR {ups}":
        raise ReadingError("what answers does not speak NUT's protocol; is power.nut.port upsd's?")
    found = [_VAR.fullmatch(line) for line in lines[1:-1]]
    return {match[2]: re.sub(r"\\(.)", r"\1", match[3]) for match in found if match is not None and match[1] == ups}
