"""The radio link compares the radio with the config: what it tells, and what keeps it down."""

from steunpunt.config import Radio
from steunpunt.links.mesh_terms import Kind
from steunpunt.model import RadioPrepared
from steunpunt.radiosettings import wanted_settings
from steunpunt.values import replace
from steunpunt.wire import config_pb2, mesh_pb2
from tests.unit.test_mesh_session import WANTED, Walk, handshake

Variant = mesh_pb2.FromRadio
COMPARED = replace(WANTED, settings=wanted_settings(Radio(kind="tcp"), None))


def told(hop_limit: int = 3) -> list[mesh_pb2.FromRadio]:
    """Give a handshake in which the radio also tells its band and transmitter."""
    lora = config_pb2.Config.LoRaConfig(use_preset=True, tx_enabled=True, hop_limit=hop_limit)
    lora.region = config_pb2.Config.LoRaConfig.RegionCode.EU_868
    *before, done = handshake()
    return [*before, Variant(config=config_pb2.Config(lora=lora)), done]


def drift(walk: Walk) -> tuple[str, ...]:
    (prepared,) = walk.events()
    assert isinstance(prepared, RadioPrepared)
    return prepared.drift


def test_what_differs_from_the_config_is_told_and_the_link_serves() -> None:
    for hop_limit, expected in ((3, ()), (7, ("hop limit: is 7, config says 3",))):
        walk = Walk(COMPARED)
        walk.hear(*told(hop_limit))
        assert drift(walk) == expected
        assert walk.session.ready


def test_what_cannot_be_compared_is_told_too() -> None:
    walk = Walk(replace(COMPARED, not_compared=("channel key: no file",)))
    walk.hear(*(message for message in told() if not message.HasField("metadata")))
    assert drift(walk) == ("firmware: the radio did not tell its version", "channel key: no file")


def test_an_old_firmware_keeps_the_link_down_with_the_reason() -> None:
    walk = Walk()
    metadata = mesh_pb2.DeviceMetadata(firmware_version="2.6.11.60ec05e")
    walk.hear(*handshake()[:1], Variant(metadata=metadata), *handshake()[2:])
    assert walk.failure().kind is Kind.MISCONFIGURED
    assert "radio !a1b2c3d4 is refused: its firmware is 2.6.11.60ec05e" in walk.failure().reason
    assert "put 2.6.12 or newer on it" in walk.failure().reason
    assert walk.events() == []
