"""What a coordinator's control socket takes from the desk: sealed messages that came on paper."""

from collections.abc import Callable

import msgspec
from msgspec import Struct

from steunpunt.control import Body
from steunpunt.model import PACKET_BYTES_MAX, Event, PaperScanned
from steunpunt.node.pending import WAIT_S_MAX, Pending, no
from steunpunt.protocol.packets import FRAGMENTS_MAX


class PaperRequests(Struct, frozen=True):
    """A coordinator's own operation."""

    put: Callable[[Event], None]

    def handlers(self) -> dict[str, Callable[[Body], Body]]:
        """Return what may be asked here."""
        return {"paper": self._paper}

    def _paper(self, request: Body) -> Body:
        """Take the packets of one message, each in hexadecimal."""
        try:
            packets = tuple(bytes.fromhex(one) for one in msgspec.convert(request.get("packets"), list[str]))
        except (ValueError, msgspec.ValidationError) as error:
            return no("bad_request", f"paper: {error}; packets is a list of hexadecimal texts")
        if not 0 < len(packets) <= FRAGMENTS_MAX or max(map(len, packets)) > PACKET_BYTES_MAX:
            return no("bad_request", f"paper: 1 to {FRAGMENTS_MAX} packets, each at most {PACKET_BYTES_MAX} bytes")
        pending = Pending()
        self.put(PaperScanned(packets, pending))
        return pending.wait(WAIT_S_MAX)
