"""Somebody with a radio, the channel's key and a place on the broker, who means harm but holds none of our keys."""

import random
from collections import deque
from collections.abc import Callable

from steunpunt.model import PACKET_BYTES_MAX, FrameHeard, LinkName
from steunpunt.protocol.keys import epoch_id
from steunpunt.protocol.packets import VERSION
from steunpunt.sim.air import Frame, Link
from steunpunt.sim.region.radio import SiteRadio, payload_of
from steunpunt.sim.region.world import World

NUM = 0xBAD
HEARD_MAX = 500
EVERY_MS = (1_000.0, 20_000.0)
KINDS = 16
_SNR_DB = 5.0
_AT_MOST_ON_AIR = 0.3
"""Share of the attacks that go on the air: more would only be jamming."""


class Attacker:
    """Records all it hears; replays, changes and makes up packets."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self._world = world
        self._rng = rng
        self._heard: deque[bytes] = deque(maxlen=HEARD_MAX)
        self._radio = SiteRadio(NUM, world.air, world.chance("attacker's radio"))
        self._radio.to_client = self._hear
        self._until_ms = 0.0

    @property
    def heard(self) -> list[bytes]:
        """All that was recorded, the oldest first."""
        return list(self._heard)

    def begin(self, seconds: float) -> None:
        """Attack for so long, and be in earshot of everybody."""
        for site in self._world.sites.values():
            if site.has_radio:
                self._world.air.set_link(NUM, site.mesh.radio.num, Link(snr_db=_SNR_DB))
                self._world.air.set_link(site.mesh.radio.num, NUM, Link(snr_db=_SNR_DB))
        self._radio.switch(on=True)
        self._until_ms = self._world.now_ms + seconds * 1000
        self._next()

    def _hear(self, frame: Frame, _snr_db: float) -> None:
        self._heard.append(payload_of(frame.data))

    def overhear(self, payload: bytes) -> None:
        """Record a packet from the broker."""
        self._heard.append(payload)

    def _next(self) -> None:
        if self._world.now_ms >= self._until_ms:
            self._radio.switch(on=False)
            return
        for _ in range(self._rng.randrange(1, 5)):
            self._strike()
        self._world.after(self._rng.uniform(*EVERY_MS), self._next)

    def _strike(self) -> None:
        attacks: list[Callable[[], bytes]] = [self._made_up, self._fake_epoch, self._forged_tokens, self._noise]
        if self._heard:
            attacks += [self._replayed, self._flipped, self._cut, self._other_hello, self._reheaded]
        self._send(self._rng.choice(attacks)()[:PACKET_BYTES_MAX])

    def _send(self, payload: bytes) -> None:
        self._world.counts["attacks"] += 1
        if self._rng.random() < _AT_MOST_ON_AIR:
            self._radio.send(payload)
            return
        name = self._rng.choice(list(self._world.sites))
        carrier = self._rng.choice([None, 47, 48, 1])
        event = FrameHeard(LinkName.BROKER, payload, carrier=carrier)
        if self._rng.random() < 0.5:  # noqa: PLR2004  one road or the other
            event = FrameHeard(LinkName.MESH, payload, sender=NUM)
        self._world.put(name, event)

    # --- what is sent

    def _replayed(self) -> bytes:
        return self._rng.choice(self._heard)

    def _flipped(self) -> bytes:
        changed = bytearray(self._replayed())
        changed[self._rng.randrange(len(changed))] ^= 1 << self._rng.randrange(8)
        return bytes(changed)

    def _cut(self) -> bytes:
        whole = self._replayed()
        return whole[: self._rng.randrange(len(whole))] + self._rng.randbytes(self._rng.randrange(8))

    def _noise(self) -> bytes:
        return self._rng.randbytes(self._rng.randrange(1, PACKET_BYTES_MAX))

    def _made_up(self) -> bytes:
        """A packet of each kind there may ever be, with any flags and any content."""
        first = VERSION << 6 | self._rng.randrange(KINDS) << 2 | self._rng.randrange(4)
        return bytes([first]) + self._rng.randbytes(self._rng.randrange(1, PACKET_BYTES_MAX))

    def _fake_epoch(self) -> bytes:
        """A piece under a hello of its own, as if from a real site: 1 is PIECE, 2 the hello."""
        e_pub = self._rng.randbytes(32)
        site = self._rng.choice([47, 48, 49])
        head = bytes([VERSION << 6 | 1 << 2 | 2, 0]) + site.to_bytes(2, "big") + epoch_id(e_pub)
        return head + bytes([self._rng.randrange(256)]) + self._rng.randbytes(40) + e_pub

    def _forged_tokens(self) -> bytes:
        """Receipts from nobody: 3 is TOKENS."""
        head = bytes([VERSION << 6 | 3 << 2, 1, self._rng.randrange(4)]) + self._rng.randbytes(3)
        return head + self._rng.randbytes(6 * self._rng.randrange(1, 36))

    def _other_hello(self) -> bytes:
        return self._replayed()[:-32] + self._rng.randbytes(32)

    def _reheaded(self) -> bytes:
        """A real packet's body under another one's first bytes."""
        cut = self._rng.randrange(1, 10)
        return self._replayed()[:cut] + self._replayed()[cut:]
