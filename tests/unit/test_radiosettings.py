"""What a radio is compared with and what mends it: each setting, without a radio."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import get_args

import msgspec
import pytest

from steunpunt import config
from steunpunt.protocol.airtime import PRESETS
from steunpunt.radiosettings import (
    CHANNELS_MAX,
    TRANSACTION,
    RadioSettingsError,
    RadioState,
    WantedSettings,
    admin_messages,
    differences,
    fingerprint,
    firmware_problem,
    settings_of,
    untold_parts,
    wanted_settings,
)
from steunpunt.sim import RadioSpec
from steunpunt.sim.admin import Admin
from steunpunt.sim.settings import Settings
from steunpunt.values import replace
from steunpunt.wire import admin_pb2, channel_pb2, config_pb2, mesh_pb2

KEY, OTHER_KEY = bytes(range(32)), bytes(range(32, 64))
PLACE = config.Position(latitude=50.8514, longitude=5.691, altitude_m=49)
RADIO = config.Radio(kind="tcp", long_name="De Regenboog", short_name="SP47", position=PLACE)
WANTED = wanted_settings(RADIO, KEY)
Role = config_pb2.Config.DeviceConfig.Role
Lora = config_pb2.Config.LoRaConfig


def radio(**more: object) -> Settings:
    """Give a virtual radio's settings that are wholly as wanted, but for ``more`` of its spec."""
    fields = {
        "node_num": 0xA1,
        "channels": (("", b"\x01"), ("serial", KEY)),
        "long_name": "De Regenboog",
        "short_name": "SP47",
        "position": (50.8514, 5.691, 49),
        **more,
    }
    settings = Settings(RadioSpec("a", **fields), "LONG_FAST")  # type: ignore[arg-type]
    settings.config["position"].position.fixed_position = settings.position is not None
    return settings


def told(settings: Settings, leave_out: Callable[[mesh_pb2.FromRadio], bool] = lambda _: False) -> RadioState:
    state = RadioState()
    for message in settings.handshake(69420):
        if not leave_out(message):
            state.take(message)
    return state


def found(settings: Settings, wanted: WantedSettings = WANTED) -> dict[str, tuple[str, str]]:
    return {each.setting: (each.now, each.wanted) for each in differences(told(settings), wanted)}


def mended(settings: Settings, wanted: WantedSettings) -> None:
    """Let the virtual radio take the transaction."""
    admin = Admin(settings, bytes(8))
    for message in admin_messages(told(settings), wanted):
        assert admin.apply(admin_pb2.AdminMessage.FromString(message.SerializeToString())).error == 0


def lora_of(settings: Settings) -> config_pb2.Config.LoRaConfig:
    return settings.config["lora"].lora


def changed(name: str, value: object) -> Callable[[Settings], None]:
    return lambda settings: setattr(lora_of(settings), name, value)


def other_role(settings: Settings) -> None:
    settings.config["device"].device.role = Role.ROUTER


def bluetooth(settings: Settings) -> None:
    settings.config["bluetooth"].bluetooth.enabled = True


def mqtt(settings: Settings) -> None:
    settings.modules["mqtt"].mqtt.enabled = True


def other_key(settings: Settings) -> None:
    settings.channels[1].settings.psk = OTHER_KEY


def no_channel(settings: Settings) -> None:
    settings.channels[1].CopyFrom(channel_pb2.Channel(index=1))


def elsewhere(settings: Settings) -> None:
    assert settings.position is not None
    settings.position.latitude_i += 1
    settings.nodes[settings.num].position.CopyFrom(settings.position)


def higher(settings: Settings) -> None:
    settings.nodes[settings.num].position.altitude = 50


def not_fixed(settings: Settings) -> None:
    settings.config["position"].position.fixed_position = False


def renamed(settings: Settings) -> None:
    settings.owner.long_name = "Meshtastic c3d4"


def renamed_short(settings: Settings) -> None:
    settings.owner.short_name = "c3d4"


PRINTS = fingerprint(KEY), fingerprint(OTHER_KEY)
HERE = "fixed at 50.8514000, 5.6910000, 49 m"
CASES: list[tuple[Callable[[Settings], None], dict[str, tuple[str, str]], str]] = [
    (changed("region", Lora.RegionCode.US), {"region": ("US", "EU_868")}, "lora"),
    (changed("region", Lora.RegionCode.UNSET), {"region": ("UNSET", "EU_868")}, "lora"),
    (changed("modem_preset", Lora.ModemPreset.LONG_SLOW), {"preset": ("LONG_SLOW", "LONG_FAST")}, "lora"),
    (changed("use_preset", 0), {"preset": ("settings of its own", "LONG_FAST")}, "lora"),
    (changed("hop_limit", 7), {"hop limit": ("7", "3")}, "lora"),
    (changed("tx_enabled", 0), {"transmitter": ("off", "on")}, "lora"),
    (changed("override_duty_cycle", 1), {"duty cycle": ("ignored", "kept")}, "lora"),
    (other_role, {"role": ("ROUTER", "CLIENT")}, "device"),
    (renamed, {"long name": ("Meshtastic c3d4", "De Regenboog")}, "owner"),
    (renamed_short, {"short name": ("c3d4", "SP47")}, "owner"),
    (
        no_channel,
        {"private channel": ("missing", "secondary"), "channel key": ("no key", PRINTS[0])},
        "channel",
    ),
    (other_key, {"channel key": (PRINTS[1], PRINTS[0])}, "channel"),
    (elsewhere, {"position": ("fixed at 50.8514001, 5.6910000, 49 m", HERE)}, "fixed_position"),
    (higher, {"position": ("fixed at 50.8514000, 5.6910000, 50 m", HERE)}, "fixed_position"),
    (not_fixed, {"position": ("not fixed", HERE)}, "fixed_position"),
    (mqtt, {"MQTT": ("on", "off")}, "mqtt"),
    (bluetooth, {"Bluetooth": ("on", "off")}, "bluetooth"),
]


def test_a_radio_as_wanted_differs_in_nothing_and_gets_nothing() -> None:
    assert found(radio()) == {}
    assert admin_messages(told(radio()), WANTED) == []
    assert untold_parts(told(radio())) == []


@pytest.mark.parametrize(("spoil", "expected", "part"), CASES, ids=lambda case: getattr(case, "__name__", None))
def test_each_setting_is_found_and_mended_alone(
    spoil: Callable[[Settings], None], expected: dict[str, tuple[str, str]], part: str
) -> None:
    settings = radio()
    good = settings.saved()
    spoil(settings)
    assert found(settings) == expected
    begin, *writes, commit = admin_messages(told(settings), WANTED)
    assert (begin.begin_edit_settings, commit.commit_edit_settings) == (True, True)
    assert [each.part for each in differences(told(settings), WANTED)] == [part] * len(expected)
    assert len(writes) == 1, "only the part that differs"
    mended(settings, WANTED)
    assert found(settings) == {}
    if part != "fixed_position":  # there the radio adds who said so
        assert settings.saved() == good, "and nothing else has changed"


def test_every_part_of_the_transaction_is_proved() -> None:
    assert {part for *_, part in CASES} == set(TRANSACTION)
    names = {name for _, expected, _ in CASES for name in expected}
    assert names == {name for name, _ in settings_of(told(radio()), WANTED)}


def test_all_at_once_is_one_transaction() -> None:
    settings = radio(channels=(("", b"\x01"),), long_name="x", short_name="x", position=None)
    for spoil in (changed("region", Lora.RegionCode.UNSET), changed("hop_limit", 1), other_role, mqtt, bluetooth):
        spoil(settings)
    messages = admin_messages(told(settings), WANTED)
    kinds = [str(message.WhichOneof("payload_variant")) for message in messages]
    assert (kinds[0], kinds[-1]) == ("begin_edit_settings", "commit_edit_settings")
    assert len(messages) == len(TRANSACTION) + 2
    mended(settings, WANTED)
    assert found(settings) == {}


def test_what_is_not_ours_stays_as_the_radio_had_it() -> None:
    settings = radio()
    lora = lora_of(settings)
    lora.hop_limit, lora.tx_power, lora.sx126x_rx_boosted_gain, lora.ignore_mqtt = 7, 14, True, True
    settings.channels[1].settings.module_settings.position_precision = 13
    settings.owner.is_licensed = True
    other_key(settings)
    renamed(settings)
    mended(settings, WANTED)
    assert (lora_of(settings).tx_power, lora_of(settings).ignore_mqtt) == (14, True)
    assert lora_of(settings).sx126x_rx_boosted_gain
    assert settings.channels[1].settings.module_settings.position_precision == 13
    assert settings.owner.is_licensed


def test_reading_and_planning_change_nothing_in_the_state() -> None:
    settings = radio(position=None)
    no_channel(settings)
    state = told(settings)
    before = deepcopy(state)
    admin_messages(state, WANTED)
    assert [differences(each, WANTED) for each in (state, before)] == [differences(before, WANTED)] * 2
    assert (state.channels, state.config, state.modules) == (before.channels, before.config, before.modules)
    assert state.node == before.node


def test_what_the_config_leaves_out_is_left_alone_and_still_shown() -> None:
    plain = wanted_settings(config.Radio(kind="tcp"), None)
    settings = radio(long_name="Anything", short_name="any", position=None)
    other_key(settings)
    assert found(settings, plain) == {}
    shown = dict(settings_of(told(settings), plain))
    assert (shown["long name"], shown["position"], shown["channel key"]) == ("Anything", "not fixed", PRINTS[1])


def test_an_altitude_left_out_is_not_compared() -> None:
    wanted = replace(WANTED, position=config.Position(latitude=50.8514, longitude=5.691))
    assert found(radio(), wanted) == {}


def test_a_part_that_was_not_heard_is_not_compared() -> None:
    settings = radio()
    for spoil in (changed("hop_limit", 7), other_key, renamed, mqtt):
        spoil(settings)

    def lost(message: mesh_pb2.FromRadio) -> bool:
        kind = message.WhichOneof("payload_variant")
        return kind in {"node_info", "moduleConfig"} or message.config.HasField("lora") or message.channel.index == 7

    state = told(settings, lost)
    assert differences(state, WANTED) == []
    assert untold_parts(state) == ["channel", "owner", "fixed_position", "mqtt", "lora"]


# --- the private channel


def occupied() -> Settings:
    return radio(channels=tuple((f"c{index}", OTHER_KEY) for index in range(CHANNELS_MAX)))


def primary() -> Settings:
    return radio(channels=(("serial", KEY),))


@pytest.mark.parametrize(
    ("make", "key", "says"),
    [
        (occupied, KEY, "all channels of the radio are in use"),
        (primary, KEY, "is the radio's primary channel, and it must be a secondary one"),
        (lambda: radio(channels=(("", b"\x01"),)), None, "radio.channel_key_file"),
    ],
)
def test_a_channel_that_needs_a_persons_choice(make: Callable[[], Settings], key: bytes | None, says: str) -> None:
    with pytest.raises(RadioSettingsError, match=says):
        admin_messages(told(make()), replace(WANTED, channel_key=key))


def test_a_new_channel_takes_the_first_free_secondary_place() -> None:
    settings = radio(channels=(("", b"\x01"), ("a", OTHER_KEY), ("b", OTHER_KEY)))
    settings.channels[1].CopyFrom(channel_pb2.Channel(index=1))
    settings.channels[1].settings.uplink_enabled = True
    mended(settings, WANTED)
    assert [channel.settings.name for channel in settings.channels[:3]] == ["", "serial", "b"]
    assert settings.channels[1].role == channel_pb2.Channel.Role.SECONDARY
    assert not settings.channels[1].settings.uplink_enabled, "nothing of what was there before"


def test_the_secondary_channel_counts_before_the_primary_of_the_same_name() -> None:
    assert found(radio(channels=(("serial", OTHER_KEY), ("serial", KEY)))) == {}


# --- words


def words_of(settings: Settings, wanted: WantedSettings) -> Iterator[str]:
    yield repr(wanted)
    for each in differences(told(settings), wanted):
        yield from (str(each), repr(each))
    for pair in settings_of(told(settings), wanted):
        yield from pair


def test_no_key_is_in_any_word() -> None:
    settings = radio()
    other_key(settings)
    for words in words_of(settings, WANTED):
        for key in (KEY, OTHER_KEY):
            assert key.hex() not in words
            assert repr(key)[2:-1] not in words
    assert fingerprint(KEY) != fingerprint(OTHER_KEY)
    assert [fingerprint(key) for key in (b"", b"\0", b"\x01")] == ["no key", "no key", "the key that everybody knows"]


@pytest.mark.parametrize("version", ["2.6.12", "2.6.12.abc1234", "2.7.26.54e0d8d", "2.10.0", "3.0.0.alpha"])
def test_firmware_that_is_new_enough(version: str) -> None:
    assert firmware_problem(version) == ""


@pytest.mark.parametrize("version", ["2.6.11.60ec05e", "2.5.23", "1.9.99", "", "nightly", "2.6"])
def test_firmware_that_is_refused_with_the_reason(version: str) -> None:
    says = firmware_problem(version)
    assert version in says
    assert "CVE-2025-52464, CVE-2025-55293, CVE-2025-52883" in says
    assert "put 2.6.12 or newer on it" in says


def test_the_choices_of_the_config_are_words_of_the_firmware() -> None:
    fields = {field.name: get_args(field.type) for field in msgspec.structs.fields(config.Radio)}
    assert set(fields["region"]) <= set(Lora.RegionCode.keys())
    assert set(fields["role"]) <= set(Role.keys())
    assert set(fields["preset"]) <= set(Lora.ModemPreset.keys())
    assert set(fields["preset"]) == {name for name, modem in PRESETS.items() if modem.bandwidth_khz <= 250}


def test_another_firmware_than_the_config_pins_is_told_of_and_nothing_is_written() -> None:
    pinned = replace(WANTED, firmware="2.7.26")
    assert found(radio(), pinned) == {}, "the hash of the sources behind the third number does not count"
    state, other = told(radio()), replace(WANTED, firmware="2.7.30")
    assert [str(each) for each in differences(state, other)] == ["firmware: is 2.7.26, config says 2.7.30"]
    with pytest.raises(RadioSettingsError, match=r"pins 2\.7\.30; put that on the radio first"):
        admin_messages(state, other)
    state.firmware = ""
    assert differences(state, other) == [], "what the radio did not tell is not compared"
