"""What a virtual radio can be, and what its settings do when a client changes them."""

import pytest

from steunpunt.sim import RadioSpec, SimulationError
from steunpunt.sim.admin import REBOOT_AFTER_MS, Admin, Outcome
from steunpunt.sim.settings import NODES_MAX, Settings
from steunpunt.wire import BROADCAST, admin_pb2, channel_pb2, config_pb2, mesh_pb2, module_config_pb2

PASSKEY = b"12345678"


@pytest.fixture
def settings() -> Settings:
    return Settings(RadioSpec("a", node_num=1, channels=(("", b"\x01"), ("serial", bytes(32)))), "LONG_FAST")


@pytest.fixture
def admin(settings: Settings) -> Admin:
    return Admin(settings, PASSKEY)


def reply(outcome: Outcome, kind: str) -> admin_pb2.AdminMessage:
    assert outcome.reply is not None
    assert outcome.reply.WhichOneof("payload_variant") == kind
    assert outcome.reply.session_passkey == PASSKEY
    return outcome.reply


# --- questions


def test_the_owner_can_be_read(admin: Admin) -> None:
    answer = reply(admin.apply(admin_pb2.AdminMessage(get_owner_request=True)), "get_owner_response")
    assert (answer.get_owner_response.id, answer.get_owner_response.long_name) == ("!00000001", "a")


def test_channels_are_asked_for_from_1_and_told_from_0(admin: Admin) -> None:
    answer = reply(admin.apply(admin_pb2.AdminMessage(get_channel_request=2)), "get_channel_response")
    assert (answer.get_channel_response.index, answer.get_channel_response.settings.name) == (1, "serial")
    assert admin.apply(admin_pb2.AdminMessage(get_channel_request=9)).error == mesh_pb2.Routing.Error.BAD_REQUEST


def test_every_section_of_the_config_can_be_read(admin: Admin) -> None:
    for name, number in admin_pb2.AdminMessage.ConfigType.items():
        question = admin_pb2.AdminMessage(get_config_request=number)
        answer = reply(admin.apply(question), "get_config_response").get_config_response
        assert f"{answer.WhichOneof('payload_variant')}_config".upper().replace("_", "") == name.replace("_", "")


def test_every_module_that_the_firmware_fills_in_can_be_read(admin: Admin) -> None:
    for number in range(13):
        question = admin_pb2.AdminMessage()
        question.MergeFromString(bytes([7 << 3, number]))
        answer = reply(admin.apply(question), "get_module_config_response").get_module_config_response
        field = module_config_pb2.ModuleConfig.DESCRIPTOR.fields[number]
        assert answer.WhichOneof("payload_variant") == field.name


def test_the_firmware_version_can_be_read(admin: Admin) -> None:
    question = admin_pb2.AdminMessage(get_device_metadata_request=True)
    answer = reply(admin.apply(question), "get_device_metadata_response")
    assert answer.get_device_metadata_response.firmware_version.startswith("2.7.26")


def test_an_unknown_admin_message_is_a_bad_request(admin: Admin) -> None:
    for message in (admin_pb2.AdminMessage(enter_dfu_mode_request=True), admin_pb2.AdminMessage()):
        assert admin.apply(message) == Outcome(error=mesh_pb2.Routing.Error.BAD_REQUEST)


# --- changes


def test_canned_messages_and_the_ringtone_are_kept(admin: Admin) -> None:
    for setting in (
        admin_pb2.AdminMessage(set_canned_message_module_messages="ja|nee"),
        admin_pb2.AdminMessage(set_ringtone_message="24:d=32:f6"),
    ):
        assert admin.apply(setting) == Outcome()
    question = admin_pb2.AdminMessage(get_canned_message_module_messages_request=True)
    answer = reply(admin.apply(question), "get_canned_message_module_messages_response")
    assert answer.get_canned_message_module_messages_response == "ja|nee"
    answer = reply(admin.apply(admin_pb2.AdminMessage(get_ringtone_request=True)), "get_ringtone_response")
    assert answer.get_ringtone_response == "24:d=32:f6"


@pytest.mark.parametrize(
    "message", [admin_pb2.AdminMessage(factory_reset_config=1), admin_pb2.AdminMessage(factory_reset_device=1)]
)
def test_a_factory_reset_forgets_all_but_the_number(
    admin: Admin, settings: Settings, message: admin_pb2.AdminMessage
) -> None:
    settings.node(9).user.long_name = "Other"
    settings.ringtone, settings.reboots = "24:d=32:f6", 3
    assert admin.apply(message) == Outcome(reboot_after_ms=REBOOT_AFTER_MS)
    assert (settings.owner.id, settings.owner.long_name) == ("!00000001", "Meshtastic 0001")
    assert (list(settings.nodes), settings.ringtone, settings.reboots) == ([1], "", 3)
    assert settings.channel(1) is None
    assert settings.config["lora"].lora.region == config_pb2.Config.LoRaConfig.RegionCode.UNSET


def test_a_hop_limit_takes_effect_at_once_and_power_is_held_to_the_law(admin: Admin, settings: Settings) -> None:
    lora = config_pb2.Config.LoRaConfig(region=config_pb2.Config.LoRaConfig.RegionCode.EU_868, hop_limit=5, tx_power=30)
    assert admin.apply(admin_pb2.AdminMessage(set_config=config_pb2.Config(lora=lora))) == Outcome()
    assert (settings.hop_limit, settings.config["lora"].lora.tx_power) == (5, 27)


def test_a_channel_name_of_12_characters_is_ignored_without_a_word(admin: Admin, settings: Settings) -> None:
    for name in ("elevenchars", "twelve-chars"):
        channel = channel_pb2.Channel(index=2, role=channel_pb2.Channel.Role.SECONDARY)
        channel.settings.name = name
        assert admin.apply(admin_pb2.AdminMessage(set_channel=channel)) == Outcome()
        assert settings.channels[2].settings.name == "elevenchars"


def test_a_disabled_channel_is_no_channel(admin: Admin, settings: Settings) -> None:
    assert settings.channel(1) is not None
    admin.apply(admin_pb2.AdminMessage(set_channel=channel_pb2.Channel(index=1)))
    assert settings.channel(1) is None


def test_a_transaction_reboots_once_at_its_end(admin: Admin, settings: Settings) -> None:
    owner = admin_pb2.AdminMessage(set_owner=mesh_pb2.User(long_name="Bob"))
    assert admin.apply(owner).reboot_after_ms == REBOOT_AFTER_MS
    admin.apply(admin_pb2.AdminMessage(begin_edit_settings=True))
    assert admin.apply(owner).reboot_after_ms is None
    assert admin.apply(admin_pb2.AdminMessage(commit_edit_settings=True)).reboot_after_ms == REBOOT_AFTER_MS
    assert settings.owner.long_name == "Bob"


def test_what_was_not_committed_is_gone_when_the_radio_goes_down(admin: Admin, settings: Settings) -> None:
    before = settings.saved()
    admin.apply(admin_pb2.AdminMessage(begin_edit_settings=True))
    admin.apply(admin_pb2.AdminMessage(set_owner=mesh_pb2.User(long_name="Bob")))
    admin.apply(admin_pb2.AdminMessage(set_channel=channel_pb2.Channel(index=1)))
    admin.apply(admin_pb2.AdminMessage(set_fixed_position=mesh_pb2.Position(latitude_i=1)))
    lora = config_pb2.Config.LoRaConfig(hop_limit=7)
    admin.apply(admin_pb2.AdminMessage(set_config=config_pb2.Config(lora=lora)))
    assert settings.saved() != before
    admin.forget_edit()
    assert settings.saved() == before
    assert not settings.nodes[1].HasField("position")


@pytest.mark.parametrize("ignored", ["owner", "channel", "lora", "mqtt", "fixed_position"])
def test_a_radio_may_acknowledge_and_not_do_it(ignored: str) -> None:
    settings = Settings(RadioSpec("a", ignores=frozenset({ignored})), "LONG_FAST")
    before, admin = settings.saved(), Admin(settings, PASSKEY)
    module = module_config_pb2.ModuleConfig(mqtt=module_config_pb2.ModuleConfig.MQTTConfig(enabled=True))
    changes = {
        "owner": admin_pb2.AdminMessage(set_owner=mesh_pb2.User(long_name="Bob")),
        "channel": admin_pb2.AdminMessage(set_channel=channel_pb2.Channel(index=0)),
        "lora": admin_pb2.AdminMessage(set_config=config_pb2.Config(lora=config_pb2.Config.LoRaConfig(hop_limit=7))),
        "mqtt": admin_pb2.AdminMessage(set_module_config=module),
        "fixed_position": admin_pb2.AdminMessage(set_fixed_position=mesh_pb2.Position(latitude_i=1)),
    }
    assert admin.apply(changes[ignored]).error == mesh_pb2.Routing.Error.NONE
    assert settings.saved() == before
    for message in changes.values():
        admin.apply(message)
    assert settings.saved() != before


def test_a_position_can_be_fixed_and_removed(admin: Admin, settings: Settings) -> None:
    position = mesh_pb2.Position(latitude_i=520000000, longitude_i=50000000)
    admin.apply(admin_pb2.AdminMessage(set_fixed_position=position))
    assert settings.position == settings.nodes[1].position == position
    admin.apply(admin_pb2.AdminMessage(remove_fixed_position=True))
    assert vars(settings)["position"] is None
    assert not settings.nodes[1].HasField("position")


def test_nodes_can_be_marked_and_forgotten_but_never_the_radio_itself(admin: Admin, settings: Settings) -> None:
    settings.node(2)
    admin.apply(admin_pb2.AdminMessage(set_favorite_node=2))
    assert settings.nodes[2].is_favorite
    for num in (1, 2):
        admin.apply(admin_pb2.AdminMessage(remove_by_nodenum=num))
    assert list(settings.nodes) == [1]


def test_a_contact_from_a_qr_code_is_known_and_a_favorite(admin: Admin, settings: Settings) -> None:
    contact = admin_pb2.SharedContact(node_num=9, user=mesh_pb2.User(id="!00000009", public_key=bytes(32)))
    assert admin.apply(admin_pb2.AdminMessage(add_contact=contact)).error == mesh_pb2.Routing.Error.NONE
    node = settings.nodes[9]
    assert (node.user.id, node.is_favorite, node.is_key_manually_verified) == ("!00000009", True, True)
    assert settings.knows_key(9)
    contact.should_ignore = True
    admin.apply(admin_pb2.AdminMessage(add_contact=contact))
    assert (settings.nodes[9].is_ignored, settings.knows_key(9)) == (True, False)


def test_ham_mode_shows_the_call_sign_and_takes_the_first_channels_key_away(admin: Admin, settings: Settings) -> None:
    asked = admin_pb2.HamParameters(call_sign="PA3XYZ", short_name="XYZ", tx_power=10, frequency=433.9)
    assert admin.apply(admin_pb2.AdminMessage(set_ham_mode=asked)).reboot_after_ms == REBOOT_AFTER_MS
    lora, device = settings.config["lora"].lora, settings.config["device"].device
    assert (settings.owner.long_name, settings.owner.short_name, settings.owner.is_licensed) == ("PA3XYZ", "XYZ", True)
    assert (lora.override_duty_cycle, lora.tx_power, round(lora.override_frequency, 1)) == (True, 10, 433.9)
    assert (device.node_info_broadcast_secs, device.rebroadcast_mode) == (600, device.RebroadcastMode.LOCAL_ONLY)
    assert (settings.channels[0].settings.psk, settings.channels[1].settings.psk) == (b"", bytes(32))


def test_the_node_list_is_bounded_and_forgets_who_was_heard_longest_ago(settings: Settings) -> None:
    for num in range(2, NODES_MAX + 2):
        settings.node(num).last_heard = 10_000 - num
    assert len(settings.nodes) == NODES_MAX
    assert 1 in settings.nodes
    assert NODES_MAX not in settings.nodes


# --- what radios can be


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"name": ""}, "no name"),
        ({"name": "a", "port": 70_000}, "port 70000"),
        ({"name": "a", "node_num": BROADCAST}, "node number"),
        ({"name": "a", "channels": ()}, "0 channels"),
        ({"name": "a", "channels": (("twelve-chars", b""),)}, "longer than 11 bytes"),
        ({"name": "a", "channels": (("x", bytes(5)),)}, "has 5 bytes"),
        ({"name": "a", "short_name": "abcde"}, "short name"),
        ({"name": "a" * 40}, "long name"),
    ],
)
def test_a_radio_that_cannot_be_is_refused_in_words(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(SimulationError, match=says):
        RadioSpec(**wrong)  # type: ignore[arg-type]


def test_a_radio_without_a_number_has_the_same_one_each_time() -> None:
    assert RadioSpec("kiosk-a").node_num == RadioSpec("kiosk-a").node_num != RadioSpec("kiosk-b").node_num


def test_the_default_channel_has_the_hash_that_all_of_meshtastic_knows() -> None:
    assert Settings(RadioSpec("a"), "LONG_FAST").channel_hash(0) == 8
