"""Each key wrong in turn: one line that names file, line, key, what was expected and what to write."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
import pytest

from steunpunt import config
from steunpunt.configfile import FILE_BYTES_MAX
from steunpunt.configwords import EXAMPLES as WORDS
from steunpunt.model import ConfigError, Role, SteunpuntError
from tests.fakes.full_config import FULL

EXAMPLES = Path(__file__).parents[2] / "config"


def keys_of(struct: type[msgspec.Struct], prefix: str = "") -> Iterator[tuple[str, msgspec.structs.FieldInfo]]:
    """Name every key that is not itself a section, with its field; a repeated section as its second one."""
    for field in msgspec.structs.fields(struct):
        inner = next((part for part in parts(field.type) if is_section(part)), None)
        if inner is None:
            yield prefix + field.name, field
        else:
            repeated = get_origin(field.type) is tuple
            yield from keys_of(inner, f"{prefix}{field.name}{'[1]' if repeated else ''}.")


def parts(annotation: Any) -> tuple[Any, ...]:
    return (annotation, *get_args(annotation))


def is_section(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, msgspec.Struct)


KEYS = dict(keys_of(config.Config))
REQUIRED = [key for key, field in KEYS.items() if field.required]


def line_in(text: str, key: str) -> int:
    """Find a key's line in FULL by a road of its own: the Nth header, then the first such key below it."""
    section, _, leaf = key.rpartition(".")
    plain = re.sub(r"\[\d\]", "", section)
    lines = text.splitlines()
    headers = [number for number, line in enumerate(lines) if line.strip("[]") == plain and line.startswith("[")]
    start = headers[0 if "[0]" in section else -1]
    return next(n for n, line in enumerate(lines[start:], start + 1) if line.startswith(f"{leaf} ="))


def replaced(key: str, value: str | None) -> str:
    lines = FULL.splitlines()
    at = line_in(FULL, key) - 1
    lines[at] = "" if value is None else f"{key.rpartition('.')[2]} = {value}"
    return "\n".join(lines) + "\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "site.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(folder: Path, text: str) -> str:
    path = written(folder, text)
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert isinstance(caught.value, SteunpuntError)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}:")
    return message.removeprefix(f"{path}:")


def test_the_full_file_is_right_and_holds_every_key(tmp_path: Path) -> None:
    assert config.load(written(tmp_path, FULL)).site.id == 1
    for key in KEYS:
        line_in(FULL, key)


@pytest.mark.parametrize("key", KEYS)
def test_a_value_of_the_wrong_type(key: str, tmp_path: Path) -> None:
    message = refusal(tmp_path, replaced(key, "[1.5]"))
    place = rf"{line_in(FULL, key)}: key `{re.escape(key)}`: "
    assert re.match(rf"{place}expected .+; write for example {key.rpartition('.')[2]} = ", message), message


def wrong_value(annotation: object) -> str | None:
    """Give a value of the right type that is out of range; None when each one is allowed."""
    kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    base = next(kind for kind in kinds if kind is not type(None))
    if get_origin(base) is Annotated:
        kind = get_args(base)[0]
        return "-100000" if kind is int else '"' + "#é " * 1400 + '"'
    return None if base in (bool, str) else '"no such choice"'


RANGED = {key: value for key, field in KEYS.items() if (value := wrong_value(field.type)) is not None}


@pytest.mark.parametrize("key", RANGED)
def test_a_value_out_of_range(key: str, tmp_path: Path) -> None:
    message = refusal(tmp_path, replaced(key, RANGED[key]))
    assert re.match(rf"{line_in(FULL, key)}: key `{re.escape(key)}`: expected .+; write for example ", message), message
    assert "regex" not in message
    assert len(message) < 400, "the value itself is not repeated at length"


def test_only_these_keys_take_any_value() -> None:
    assert KEYS.keys() - RANGED.keys() == {
        "broker.enabled",
        "broker.username",
        "kiosk.demo",
        "printer.confirms",
        "staff.over_wifi",
    }


@pytest.mark.parametrize("key", REQUIRED)
def test_a_key_left_out(key: str, tmp_path: Path) -> None:
    message = refusal(tmp_path, replaced(key, None))
    section = key.rpartition(".")[0].replace("[1]", "")
    header = max(n for n, line in enumerate(FULL.splitlines(), 1) if line.strip("[]") == section)
    assert re.match(rf"{header}: key `{re.escape(key)}` is missing; add {key.rpartition('.')[2]} = ", message), message


@pytest.mark.parametrize("key", KEYS)
def test_a_key_misspelt(key: str, tmp_path: Path) -> None:
    section, _, leaf = key.rpartition(".")
    line = line_in(FULL, key)
    lines = FULL.splitlines()
    lines[line - 1] = lines[line - 1].replace(leaf, f"{leaf}x", 1)
    message = refusal(tmp_path, "\n".join(lines))
    if KEYS[key].required:  # msgspec may name the missing one first; both name the section
        assert f"{section}." in message or f"{section.partition('[')[0]}[" in message
    else:
        assert message.startswith(f"{line}: unknown key `{section}.{leaf}x`; known here: ")
        assert re.search(rf"known here: .*\b{leaf}\b", message)


@pytest.mark.parametrize("section", ["site", "region", "keys", "radio", "broker", "ledger", "control"])
def test_a_section_left_out(section: str, tmp_path: Path) -> None:
    text = re.sub(rf"(?ms)^\[{section}[\].].*?(?=^\[(?!{section}\.)|\Z)", "", FULL)
    assert refusal(tmp_path, text) == f"1: key `{section}` is missing; add a section [{section}]"


def test_an_unknown_section(tmp_path: Path) -> None:
    message = refusal(tmp_path, FULL + "\n[rado]\nkind = 1\n")
    assert message.startswith(
        f"{len(FULL.splitlines()) + 2}: unknown key `rado`; known here: site, region, keys, radio,"
    )


@pytest.mark.parametrize("key", KEYS)
def test_what_it_says_to_write_is_itself_right(key: str) -> None:
    plain = key.replace("[1]", "")
    example = WORDS[plain]
    lines = FULL.splitlines()
    lines[line_in(FULL, key) - 1] = example
    msgspec.convert(tomllib.loads("\n".join(lines)), config.Config)
    assert tomllib.loads(example).keys() == {plain.rpartition(".")[2]}


def test_there_is_no_example_of_a_key_that_is_gone() -> None:
    known = {key.replace("[1]", "") for key in KEYS}
    sections = {".".join(key.split(".")[:depth]) for key in known for depth in (1, 2)}
    assert WORDS.keys() <= known | sections


def test_choices_are_listed(tmp_path: Path) -> None:
    assert "expected one of kiosk, coordinator, got 'kiosc'" in refusal(tmp_path, replaced("site.role", '"kiosc"'))
    assert "expected one of gpio, mock, got 'real'" in refusal(tmp_path, replaced("panel.pins", '"real"'))


def test_the_error_stays_one_line_whatever_stands_in_the_file(tmp_path: Path) -> None:
    refusal(tmp_path, replaced("site.role", r'"a\nb\u001b[2J"'))
    refusal(tmp_path, FULL + '\n[panel.extra]\n"a\\nb" = 1\n')


@pytest.mark.parametrize("name", ["", " ", " x", "x ", "a\\nb", "a\\n", "é" * 81])
def test_a_name_that_cannot_be_shown(name: str, tmp_path: Path) -> None:
    assert "expected 1 to 80 characters" in refusal(tmp_path, replaced("region.fallback_address", f'"{name}"'))


def test_the_longest_name(tmp_path: Path) -> None:
    loaded = config.load(written(tmp_path, replaced("site.name", f'"{"é" * 80}"')))
    assert loaded.site.name == "é" * 80


def test_toml_that_is_none(tmp_path: Path) -> None:
    assert refusal(tmp_path, "[site]\nrole = \n").startswith("2: not valid TOML: ")
    assert refusal(tmp_path, "[site]\nid = 1\nid = 2\n").startswith("3: not valid TOML: ")
    assert refusal(tmp_path, "[site]\nid = [1,\n").startswith("2: not valid TOML: ")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "No such file or directory"),
        (b"\xff\xfe[\x00", "not UTF-8 text"),
        (b"#" * (FILE_BYTES_MAX + 1), "longer than 65536 bytes"),
    ],
)
def test_a_file_that_cannot_be_read(content: bytes | None, says: str, tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=says) as caught:
        config.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert ";" in str(caught.value)


def test_a_folder_is_no_config(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Is a directory"):
        config.load(tmp_path)


def test_a_byte_order_mark_from_windows_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_bytes(b"\xef\xbb\xbf" + FULL.replace("\n", "\r\n").encode())
    assert config.load(path).site.id == 1


def changed(text: str, *changes: tuple[str, str | None]) -> str:
    for key, value in changes:
        lines = text.splitlines()
        lines[line_in(FULL, key) - 1] = "" if value is None else f"{key.rpartition('.')[2]} = {value}"
        text = "\n".join(lines)
    return text


def kiosk(*changes: tuple[str, str | None]) -> str:
    """Give the full file as a kiosk's, which has one radio."""
    alone = FULL[: FULL.index("\n[[extra_radio]]")]
    return changed(alone, ("site.role", '"kiosk"'), ("site.id", "47"), *changes)


FIRST_NAME = "extra_radio[0].name"
COORDINATOR = (("site.role", '"coordinator"'), ("site.id", "1"))


@pytest.mark.parametrize(
    ("text", "line_of", "says"),
    [
        (kiosk(("radio.kind", '"serial"'), ("radio.path", None)), None, "radio.path is missing"),
        (changed(FULL, ("printer.kind", '"serial"'), ("printer.path", None)), None, "printer.path is missing"),
        (kiosk(("radio.kind", '"none"'), ("broker.enabled", "false")), "radio.kind", "no road is left"),
        (kiosk(("site.id", "15")), "site.id", "1 to 15 is kept for coordinators"),
        (kiosk(*COORDINATOR, ("site.id", "16")), "site.id", "a coordinator's id is 1 to 15"),
        (kiosk(*COORDINATOR, ("region.coordinator", "2")), "region.coordinator", "write coordinator = 1"),
        (kiosk(*COORDINATOR, ("web.desk_passwords_file", None)), None, "steunpunt keys desk-password"),
        (kiosk(("panel.button[1].name", '"help"')), "panel.button[1].name", "two buttons are named help"),
        (kiosk(("panel.button[1].lamp_pin", "17")), None, "pin 17 is used twice"),
        (kiosk(("panel.buzzer_pin", "5")), None, "pin 5 is used twice"),
        (kiosk(("radio.channel", '"ééééééé"')), "radio.channel", "has 14 bytes and a radio takes 11"),
        (kiosk(("radio.long_name", f'"{"é" * 20}"')), "radio.long_name", "has 40 bytes and a radio takes 39"),
        (
            kiosk(("radio.emergency_channel", '"serial"')),
            "radio.emergency_channel",
            "is the private radio.channel, serial; name the channel that people with handhelds hear",
        ),
        (
            changed(FULL, ("extra_radio[1].emergency_channel", '"serial"')),
            "extra_radio[1].emergency_channel",
            "extra_radio.emergency_channel is the private extra_radio.channel, serial",
        ),
        (kiosk(("radio.short_name", '"ééé"')), "radio.short_name", "has 6 bytes and a radio takes 4"),
        (kiosk(("broker.username", '"reader"')), "broker.username", 'write username = "steunpunt"'),
        (kiosk(("web.port", "1883")), "web.port", "web.port and broker.port are both 1883"),
        (kiosk(("broker.region_listener.port", "1883")), "broker.region_listener.port", "and broker.port are both"),
        (kiosk(("broker.host", '"localhost"'), ("web.port", "1883")), "web.port", "give one of them another port"),
        (kiosk(("kiosk.idle_wipe_s", "69")), "kiosk.idle_wipe_s", "leave time to answer the warning; write 70 or more"),
        (kiosk(("point.id", "15")), "point.id", "id 15 is a coordinator's; write the kiosk's site.id, 16 or higher"),
        (changed(FULL, ("point[1].coordinator", "4")), "point[1].coordinator", "4 with its name in a section"),
        (
            changed(FULL, ("other_coordinator[1].id", "1")),
            "other_coordinator[1].id",
            "is this region.coordinator itself",
        ),
        (changed(FULL, ("other_coordinator[1].id", "2")), "other_coordinator[1].id", "id 2 is listed twice"),
        (changed(FULL, ("site.role", '"kiosk"'), ("site.id", "47")), FIRST_NAME, "a kiosk has one radio"),
        (changed(FULL, ("radio.kind", '"none"')), "radio.kind", "write that one under [radio]"),
        (changed(FULL, ("extra_radio[1].kind", '"none"')), "extra_radio[1].kind", "write what radio it is"),
        (changed(FULL, ("extra_radio[1].name", '"main"')), "extra_radio[1].name", "the name main is taken"),
        (changed(FULL, ("extra_radio[1].name", '"tower"')), "extra_radio[1].name", "the name tower is taken"),
        (
            changed(FULL, ("extra_radio[1].host", '"localhost"')),
            "extra_radio[1].kind",
            "two radios are at 127.0.0.1:4403",
        ),
        (changed(FULL, ("extra_radio[1].channel", '"ééééééé"')), "extra_radio[1].channel", "a radio takes 11"),
        (changed(FULL, ("extra_radio[1].kind", '"serial"'), ("extra_radio[1].path", None)), None, "path is missing"),
    ],
)
def test_keys_that_contradict_each_other(text: str, line_of: str | None, says: str, tmp_path: Path) -> None:
    message = refusal(tmp_path, text)
    assert says in message
    line = int(message.partition(":")[0])
    if line_of is not None:
        assert line == line_in(FULL, line_of)
    else:
        assert text.splitlines()[line - 1].startswith("["), "the section where it has to be added or changed"


@pytest.mark.parametrize(
    ("section", "key", "says"),
    [("printer", 'kind = "usb"', "a kiosk prints no slips"), ("housekeeping", 'copy_folder = "x"', "is not copied")],
)
def test_what_a_kiosk_has_not(section: str, key: str, says: str, tmp_path: Path) -> None:
    alone = kiosk()
    if f"\n[{section}]\n" in alone:
        text = alone.replace(f"[{section}]\n", f"[{section}]\n{key}\n")
    else:
        text = f"{alone}\n[{section}]\n{key}\n"
    message = refusal(tmp_path, text)
    assert says in message
    assert text.splitlines()[int(message.partition(":")[0]) - 1] == key


def test_a_coordinator_has_its_radios_by_name_and_not_too_many(tmp_path: Path) -> None:
    loaded = config.load(written(tmp_path, FULL))
    assert list(loaded.radios) == ["main", "tower", "hill"]
    assert [radio.host for radio in loaded.radios.values()] == ["127.0.0.1", "192.0.2.7", "192.0.2.8"]
    assert loaded.radios["hill"].channel_key_file == str(tmp_path / "channel.key")
    one = '\n[[extra_radio]]\nname = "{0}"\nkind = "tcp"\nport = {0}\n'
    most = FULL + "".join(one.format(number) for number in range(1, config.RADIOS_MAX - 2))
    assert len(config.load(written(tmp_path, most)).radios) == config.RADIOS_MAX
    message = refusal(tmp_path, most + one.format(99))
    assert f"at most {config.RADIOS_MAX} radios" in message
    assert int(message.partition(":")[0]) == most.count("\n") + 3


def test_a_site_without_a_radio_has_none_by_name(tmp_path: Path) -> None:
    assert config.load(written(tmp_path, kiosk(("radio.kind", '"none"')))).radios == {}


def test_a_coordinator_needs_no_more_than_it_has(tmp_path: Path) -> None:
    loaded = config.load(written(tmp_path, kiosk(*COORDINATOR)))
    assert loaded.site.role is Role.COORDINATOR


def test_relative_paths_count_from_the_files_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "site"
    place.mkdir()
    written(place, FULL)
    monkeypatch.chdir(tmp_path)
    loaded = config.load(Path("site/site.toml"))
    paths = {
        loaded.keys.file: "site.keys",
        loaded.ledger.path: "ledger.db",
        loaded.control.socket: "node.sock",
        loaded.radio.path: "radio",
        loaded.broker.password_file: "broker.password",
        loaded.radio.channel_key_file: "channel.key",
        loaded.web.desk_passwords_file: "desk.passwords",
    }
    assert loaded.broker.bridge is not None
    paths |= {loaded.broker.bridge.ca_file: "ca.pem", loaded.broker.bridge.key_file: "site-key.pem"}
    assert {given: str(place / name) for given, name in paths.items()} == {given: given for given in paths}
    assert loaded.broker.mesh_root == "msh/EU_868"


def test_absolute_paths_and_paths_not_given_stay(tmp_path: Path) -> None:
    loaded = config.load(
        written(
            tmp_path,
            kiosk(("ledger.path", '"/var/lib/x.db"'), ("radio.path", None), ("broker.password_file", None)),
        )
    )
    assert (loaded.ledger.path, loaded.radio.path, loaded.broker.password_file) == ("/var/lib/x.db", "", None)
