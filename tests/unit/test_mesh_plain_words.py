"""Plain words over the radio: on the agreed channel, in the clear, and nobody else's word for ours."""

import pytest

from steunpunt.links.mesh_terms import Wanted
from steunpunt.model import Lane, LinkName, SendFrame, SendOutcome, TextHeard
from steunpunt.wire import BROADCAST, portnums_pb2
from tests.unit.test_mesh_session import NODE, PEER, Walk, channel, handshake, incoming

TEXT, PRIVATE = portnums_pb2.PortNum.TEXT_MESSAGE_APP, portnums_pb2.PortNum.PRIVATE_APP
SAYING = SendFrame(LinkName.MESH, 7, b"", Lane.LIFE_THREAT, text="LEVENSGEVAAR. Nummer 47-12.")


def ready(emergency_channel: str | None = None) -> Walk:
    walk = Walk(Wanted("127.0.0.1:4403", "serial", hop_limit=4, emergency_channel=emergency_channel))
    walk.hear(*handshake(channel(0, ""), channel(1, "serial"), channel(2, "noodnet")))
    walk.said()
    walk.events()
    return walk


@pytest.mark.parametrize(("name", "index"), [(None, 0), ("noodnet", 2)])
def test_a_text_goes_to_all_on_the_agreed_channel(name: str | None, index: int) -> None:
    walk = ready(name)
    walk.session.send(SAYING, walk.now)
    (packet,) = walk.sent()
    assert (packet.to, packet.channel, packet.hop_limit, packet.want_ack) == (BROADCAST, index, 4, True)
    assert (packet.decoded.portnum, packet.decoded.payload.decode()) == (TEXT, SAYING.text)
    assert not packet.pki_encrypted
    walk.status(packet.id)
    (end,) = walk.events()
    assert end.attempt_id == SAYING.attempt_id  # type: ignore[union-attr]
    assert end.outcome is SendOutcome.TAKEN  # type: ignore[union-attr]


def test_without_the_agreed_channel_the_radio_says_nothing_but_carries_requests() -> None:
    walk = ready("weg")
    walk.session.send(SAYING, walk.now)
    assert walk.sent() == []
    (end,) = walk.events()
    assert end.outcome is SendOutcome.REFUSED  # type: ignore[union-attr]
    walk.send(8)
    assert len(walk.sent()) == 1


def heard(walk: Walk, text: bytes, changes: dict[str, int]) -> list[TextHeard]:
    message = incoming(changes.get("port", TEXT), text, changes.get("sender", PEER))
    message.packet.channel, message.packet.to = changes.get("index", 2), changes.get("to", BROADCAST)
    walk.hear(message)
    return [event for event in walk.events() if isinstance(event, TextHeard)]


def test_what_somebody_says_there_is_heard() -> None:
    assert heard(ready("noodnet"), b"OK 47-12", {}) == [TextHeard("OK 47-12", PEER)]
    assert heard(ready("noodnet"), b"\xff\x00OK", {}) == [TextHeard("\ufffd\x00OK", PEER)]


@pytest.mark.parametrize(
    "changes",
    [{"index": 0}, {"to": NODE}, {"sender": NODE}, {"port": PRIVATE}],
    ids=["channel", "to us", "own", "port"],
)
def test_nothing_else_is(changes: dict[str, int]) -> None:
    assert heard(ready("noodnet"), b"OK 47-12", changes) == []
