"""Next-hop routing of unicasts, as firmware 2.6 and newer does it: what a radio learns of others' answers. Pure.

A packet names the one radio that should relay it, by the last byte of its number; 0 means that whoever hears it may.
A radio learns its next hop to somebody from an answer of theirs: it was among those who relayed what is answered, and
so was the radio from which it heard the answer; or they stand face to face.
"""

from dataclasses import dataclass

from steunpunt.sim.air import Frame

ANYBODY = 0
RELAYERS_MAX = 6
"""Relays of one packet that a radio remembers, the latest first."""
NODES_MAX = 250


@dataclass(slots=True)
class Heard:
    """What a radio remembers of a packet."""

    next_hop: int
    relayed_by: tuple[int, ...] = ()
    """This radio if it sent it, and those that seem to have it from this one."""
    our_hops: int = 0
    """The hop limit with which this radio sent it."""

    def sent(self, own: int, hop_limit: int) -> None:
        """Note that this radio sends it."""
        self.relayed_by = (own, *(by for by in self.relayed_by if by != own))[:RELAYERS_MAX]
        self.our_hops = hop_limit

    def not_sent(self, own: int) -> None:
        """Note that this radio does not send it after all."""
        self.relayed_by = tuple(by for by in self.relayed_by if by != own)

    def relayed(self, own: int, copy: Frame) -> None:
        """Note who relays it, if they may have it from this radio."""
        if own in self.relayed_by and copy.hop_limit in (self.our_hops, self.our_hops - 1):
            others = (by for by in self.relayed_by if by != copy.relay_node)
            self.relayed_by = (copy.relay_node, *others)[:RELAYERS_MAX]


class Routes:
    """One radio's next hops."""

    def __init__(self, num: int) -> None:
        self.own = num & 0xFF
        self._hops: dict[int, int] = {}

    def towards(self, to: int) -> int:
        """Return the next hop to a radio; ANYBODY when none is known."""
        hop = self._hops.get(to, ANYBODY)
        return ANYBODY if hop == self.own else hop

    def forget(self, to: int) -> None:
        """The next hop did not pass it on."""
        self._hops.pop(to, None)

    def learn(self, answer: Frame, asked: Heard | None) -> None:
        """Learn from an answer, given what is remembered of the packet that it answers."""
        if asked is None or self.own not in asked.relayed_by:
            return
        face_to_face = answer.hops_used == 0 and asked.relayed_by == (self.own,)
        if answer.relay_node in asked.relayed_by or face_to_face:
            self._hops.pop(answer.sender, None)
            self._hops[answer.sender] = answer.relay_node
            if len(self._hops) > NODES_MAX:
                del self._hops[next(iter(self._hops))]
