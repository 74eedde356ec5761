"""What a radio does with an AdminMessage that its own client sends it.

``apply`` changes the settings and says what the radio must do next: reply, refuse,
reboot. As in the firmware, channels, LoRa and intervals take effect at once; owner and
module config want a reboot; between begin and commit there is one reboot at the end, and
what was not committed when the radio goes down is lost.
"""

from collections.abc import Callable
from dataclasses import dataclass

from steunpunt.sim.settings import CONFIG_SECTIONS, MODULE_SECTIONS, SavedSettings, Settings
from steunpunt.sim.spec import CHANNEL_NAME_BYTES_MAX, CHANNELS_MAX
from steunpunt.wire import admin_pb2, channel_pb2, config_pb2, mesh_pb2

REBOOT_AFTER_MS = 7_000.0
"""How long after a change that needs it the radio reboots, in milliseconds."""

_EU_868_POWER_DBM = 27
_PASSKEY_BYTES = 8
_HAM_NODE_INFO_S = 600
"""A licensed station says its call sign this often."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What follows from an admin message."""

    reply: admin_pb2.AdminMessage | None = None
    error: "mesh_pb2.Routing.Error.ValueType" = mesh_pb2.Routing.Error.NONE
    reboot_after_ms: float | None = None
    epoch_s: int | None = None
    """The wall clock that the client set, in Unix seconds."""
    off_after_ms: float | None = None
    """The radio switches itself off, until somebody plugs it in again."""


_DONE = Outcome()
_REBOOT = Outcome(reboot_after_ms=REBOOT_AFTER_MS)
_BAD_REQUEST = Outcome(error=mesh_pb2.Routing.Error.BAD_REQUEST)


class Admin:
    """Applies admin messages to one radio's settings."""

    def __init__(self, settings: Settings, passkey: bytes) -> None:
        """``passkey`` is the session key that goes along with replies: 8 bytes."""
        self._settings = settings
        self._passkey = passkey[:_PASSKEY_BYTES]
        self._saved: SavedSettings | None = None
        self._handlers: dict[str, Callable[[admin_pb2.AdminMessage], Outcome]] = {
            "get_channel_request": self._get_channel,
            "get_owner_request": self._get_owner,
            "get_config_request": self._get_config,
            "get_module_config_request": self._get_module_config,
            "get_device_metadata_request": self._get_metadata,
            "get_canned_message_module_messages_request": self._get_canned_messages,
            "get_ringtone_request": self._get_ringtone,
            "set_canned_message_module_messages": self._set_canned_messages,
            "set_ringtone_message": self._set_ringtone,
            "set_owner": self._set_owner,
            "set_channel": self._set_channel,
            "set_config": self._set_config,
            "set_module_config": self._set_module_config,
            "set_fixed_position": self._set_fixed_position,
            "remove_fixed_position": self._remove_fixed_position,
            "set_favorite_node": lambda m: self._mark(m.set_favorite_node, "is_favorite", value=True),
            "remove_favorite_node": lambda m: self._mark(m.remove_favorite_node, "is_favorite", value=False),
            "set_ignored_node": lambda m: self._mark(m.set_ignored_node, "is_ignored", value=True),
            "remove_ignored_node": lambda m: self._mark(m.remove_ignored_node, "is_ignored", value=False),
            "remove_by_nodenum": self._remove_node,
            "add_contact": self._add_contact,
            "set_ham_mode": self._set_ham_mode,
            "nodedb_reset": self._forget_nodes,
            "set_time_only": lambda m: Outcome(epoch_s=int(m.set_time_only)),
            "begin_edit_settings": self._begin,
            "commit_edit_settings": self._commit,
            "reboot_seconds": lambda m: Outcome(reboot_after_ms=1000.0 * max(m.reboot_seconds, 0)),
            "shutdown_seconds": lambda m: Outcome(off_after_ms=1000.0 * max(m.shutdown_seconds, 0)),
            "factory_reset_config": self._factory_reset,
            "factory_reset_device": self._factory_reset,
        }

    def apply(self, message: admin_pb2.AdminMessage) -> Outcome:
        """Do what the message asks; what this radio does not know is a BAD_REQUEST."""
        handler = self._handlers.get(str(message.WhichOneof("payload_variant")))
        if handler is None:
            return _BAD_REQUEST
        outcome = handler(message)
        if outcome.reply is not None:
            outcome.reply.session_passkey = self._passkey
        return outcome

    def forget_edit(self) -> None:
        """Leave an unfinished transaction, as a reboot does: what was set in it is gone."""
        if self._saved is not None:
            self._settings.restore(self._saved)
            self._saved = None

    # --- questions

    def _get_channel(self, message: admin_pb2.AdminMessage) -> Outcome:
        index = message.get_channel_request - 1
        if not 0 <= index < CHANNELS_MAX:
            return _BAD_REQUEST
        return Outcome(admin_pb2.AdminMessage(get_channel_response=self._settings.channels[index]))

    def _get_owner(self, _: admin_pb2.AdminMessage) -> Outcome:
        return Outcome(admin_pb2.AdminMessage(get_owner_response=self._settings.owner))

    def _get_config(self, message: admin_pb2.AdminMessage) -> Outcome:
        index = int(message.get_config_request)
        if index >= len(CONFIG_SECTIONS):
            return _BAD_REQUEST
        section = self._settings.config[CONFIG_SECTIONS[index]]
        return Outcome(admin_pb2.AdminMessage(get_config_response=section))

    def _get_module_config(self, message: admin_pb2.AdminMessage) -> Outcome:
        index = int(message.get_module_config_request)
        if index >= len(MODULE_SECTIONS):
            return _BAD_REQUEST
        section = self._settings.modules[MODULE_SECTIONS[index]]
        return Outcome(admin_pb2.AdminMessage(get_module_config_response=section))

    def _get_metadata(self, _: admin_pb2.AdminMessage) -> Outcome:
        metadata = self._settings.metadata()
        return Outcome(admin_pb2.AdminMessage(get_device_metadata_response=metadata))

    def _get_canned_messages(self, _: admin_pb2.AdminMessage) -> Outcome:
        kept = self._settings.canned_messages
        return Outcome(admin_pb2.AdminMessage(get_canned_message_module_messages_response=kept))

    def _get_ringtone(self, _: admin_pb2.AdminMessage) -> Outcome:
        return Outcome(admin_pb2.AdminMessage(get_ringtone_response=self._settings.ringtone))

    # --- changes

    def _set_canned_messages(self, message: admin_pb2.AdminMessage) -> Outcome:
        self._settings.canned_messages = message.set_canned_message_module_messages
        return _DONE

    def _set_ringtone(self, message: admin_pb2.AdminMessage) -> Outcome:
        self._settings.ringtone = message.set_ringtone_message
        return _DONE

    def _factory_reset(self, _: admin_pb2.AdminMessage) -> Outcome:
        self._saved = None
        self._settings.factory_reset()
        return _REBOOT

    def _set_owner(self, message: admin_pb2.AdminMessage) -> Outcome:
        owner, wanted = self._settings.owner, message.set_owner
        if "owner" in self._settings.ignores:
            return _DONE
        owner.long_name = wanted.long_name or owner.long_name
        owner.short_name = wanted.short_name or owner.short_name
        owner.is_licensed = wanted.is_licensed
        return self._after_change(_REBOOT)

    def _set_channel(self, message: admin_pb2.AdminMessage) -> Outcome:
        wanted = message.set_channel
        if not 0 <= wanted.index < CHANNELS_MAX:
            return _BAD_REQUEST
        too_long = len(wanted.settings.name.encode()) > CHANNEL_NAME_BYTES_MAX
        if too_long or "channel" in self._settings.ignores:
            return _DONE  # the firmware ignores it without a word
        channel = channel_pb2.Channel()
        channel.CopyFrom(wanted)
        self._settings.channels[wanted.index] = channel
        return _DONE

    def _set_config(self, message: admin_pb2.AdminMessage) -> Outcome:
        name = message.set_config.WhichOneof("payload_variant")
        if name is None or name == "sessionkey":
            return _BAD_REQUEST
        if name in self._settings.ignores:
            return _DONE
        section = config_pb2.Config()
        section.CopyFrom(message.set_config)
        self._settings.config[name] = section
        lora = section.lora
        if name == "lora" and lora.region == config_pb2.Config.LoRaConfig.RegionCode.EU_868:
            lora.tx_power = min(lora.tx_power or _EU_868_POWER_DBM, _EU_868_POWER_DBM)
        return _DONE

    def _set_module_config(self, message: admin_pb2.AdminMessage) -> Outcome:
        name = message.set_module_config.WhichOneof("payload_variant")
        if name is None:
            return _BAD_REQUEST
        if name in self._settings.ignores:
            return self._after_change(_REBOOT)
        self._settings.modules[name].CopyFrom(message.set_module_config)
        return self._after_change(_REBOOT)

    def _set_fixed_position(self, message: admin_pb2.AdminMessage) -> Outcome:
        if "fixed_position" in self._settings.ignores:
            return _DONE
        position = mesh_pb2.Position()
        position.CopyFrom(message.set_fixed_position)
        self._settings.position = position
        self._settings.nodes[self._settings.num].position.CopyFrom(position)
        self._settings.config["position"].position.fixed_position = True
        return _DONE

    def _remove_fixed_position(self, _: admin_pb2.AdminMessage) -> Outcome:
        self._settings.position = None
        self._settings.nodes[self._settings.num].ClearField("position")
        self._settings.config["position"].position.fixed_position = False
        return _DONE

    def _mark(self, num: int, field: str, *, value: bool) -> Outcome:
        if num in self._settings.nodes:
            setattr(self._settings.nodes[num], field, value)
        return _DONE

    def _remove_node(self, message: admin_pb2.AdminMessage) -> Outcome:
        if message.remove_by_nodenum != self._settings.num:
            self._settings.nodes.pop(message.remove_by_nodenum, None)
        return _DONE

    def _add_contact(self, message: admin_pb2.AdminMessage) -> Outcome:
        """Take a node from its owner's QR code: its key counts as verified; it is a favorite, or to be ignored."""
        contact = message.add_contact
        node = self._settings.node(contact.node_num)
        if contact.should_ignore:
            node.Clear()
            node.num, node.is_ignored = contact.node_num, True
            return _DONE
        node.user.CopyFrom(contact.user)
        node.is_favorite = node.is_key_manually_verified = True
        return _DONE

    def _set_ham_mode(self, message: admin_pb2.AdminMessage) -> Outcome:
        """Become a licensed amateur's station: its call sign for a name, and nothing encrypted on the first channel."""
        asked, settings = message.set_ham_mode, self._settings
        owner, lora = settings.owner, settings.config["lora"].lora
        owner.long_name, owner.short_name, owner.is_licensed = asked.call_sign, asked.short_name, True
        lora.override_duty_cycle, lora.tx_power, lora.override_frequency = True, asked.tx_power, asked.frequency
        device = settings.config["device"].device
        device.node_info_broadcast_secs = _HAM_NODE_INFO_S
        device.rebroadcast_mode = device.RebroadcastMode.LOCAL_ONLY
        settings.channels[0].settings.psk = b""
        return self._after_change(_REBOOT)

    def _forget_nodes(self, _: admin_pb2.AdminMessage) -> Outcome:
        me = self._settings.nodes[self._settings.num]
        self._settings.nodes = {me.num: me}
        return self._after_change(_REBOOT)

    def _begin(self, _: admin_pb2.AdminMessage) -> Outcome:
        self._saved = self._saved or self._settings.saved()
        return _DONE

    def _commit(self, _: admin_pb2.AdminMessage) -> Outcome:
        self._saved = None
        return _REBOOT

    def _after_change(self, outcome: Outcome) -> Outcome:
        return outcome if self._saved is None else _DONE
