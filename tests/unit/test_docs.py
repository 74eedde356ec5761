"""The docs are a test: whatever has a name in the code is told of under that name, and what they name is there."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import click
import msgspec
import pytest
from flask import Flask

from steunpunt import brokerconfig, keyfiles, keymaking
from steunpunt.cli import main
from steunpunt.config import READER_USER, Config, load
from steunpunt.control import Client
from steunpunt.fleet.regionfile import RegionFile
from steunpunt.links.topics import BRIDGE_STATES, ROOT, Topics
from steunpunt.model import Role, TicketState
from steunpunt_ui.app import create_app

PROJECT = Path(__file__).parents[2]
DOCS = PROJECT / "docs"
PAGES = sorted([*PROJECT.glob("*.md"), *DOCS.rglob("*.md")])
SOURCES = (PROJECT / "daemon", PROJECT / "kiosk_ui")
# The folders that a path in the docs may count from.
BASES = (PROJECT, PROJECT / "daemon", PROJECT / "daemon" / "steunpunt", PROJECT / "kiosk_ui" / "steunpunt_ui", DOCS)
PICTURE_BYTES_MAX = 150_000
ARCHITECTURE_LINES_MAX = 160
"""Two pages."""


def read(name: str) -> str:
    return (PROJECT / name).read_text("utf-8")


def rows(text: str) -> Iterator[list[str]]:
    """Give the cells of each row of each table, without heads and rules."""
    lines = text.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("| ") and not line.startswith("| ---") and not following.startswith("| ---"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def bare(cell: str) -> str:
    return cell.strip("`")


# --- config ------------------------------------------------------------------------------------------------------


def struct_in(annotation: object) -> type[msgspec.Struct] | None:
    """Return the section that a key's type holds: itself, an optional one, or one of many."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return annotation
    return next((found for part in get_args(annotation) if (found := struct_in(part)) is not None), None)


def sections(struct: type[msgspec.Struct], name: str = "") -> Iterator[tuple[str, type[msgspec.Struct]]]:
    """Give every section of the config file by its dotted name."""
    for field in msgspec.structs.fields(struct):
        inner = struct_in(field.type)
        if inner is not None:
            dotted = f"{name}.{field.name}".lstrip(".")
            yield dotted, inner
            yield from sections(inner, dotted)


def default_words(field: msgspec.structs.FieldInfo) -> str:
    """Return a key's default as the table shows it."""
    if field.required:
        return "**required**"
    if field.default is None:
        return "none"
    if field.default == ():
        return "`[]`"
    words = str(field.default).lower() if isinstance(field.default, bool) else json.dumps(field.default)
    return f"`{words}`"


def documented_config(page: str = "docs/config.md") -> dict[str, dict[str, str]]:
    """Return the default of each key by section, as a page has it."""
    parts = re.split(r"^## \[+([\w.]+)\]+$", read(page), flags=re.MULTILINE)
    return {
        name: {bare(cells[0]): cells[2] for cells in rows(part)}
        for name, part in zip(parts[1::2], parts[2::2], strict=True)
    }


def test_every_config_key_is_told_of_with_its_default_and_no_other_is() -> None:
    found = {
        name: {field.name: default_words(field) for field in msgspec.structs.fields(struct)}
        for name, struct in sections(Config)
    }
    assert documented_config() == found


def test_every_key_of_the_region_file_is_told_of_with_its_default_and_no_other_is() -> None:
    found = {
        name: {field.name: default_words(field) for field in msgspec.structs.fields(struct)}
        for name, struct in sections(RegionFile)
    }
    assert documented_config("docs/fleet.md") == found


# --- commands and pages ------------------------------------------------------------------------------------------


def commands(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    for part, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {part}")
        else:
            yield f"{name} {part}", command


def test_every_command_and_option_is_told_of() -> None:
    text = read("docs/commands.md")
    for name, command in commands(main, "steunpunt"):
        assert name in text, name
        options = [option for option in command.params if isinstance(option, click.Option)]
        assert [option.opts[0] for option in options if option.opts[0] not in text] == [], name


def test_no_page_names_a_command_that_is_not_there() -> None:
    groups = {f"steunpunt {name}" for name, command in main.commands.items() if isinstance(command, click.Group)}
    known = {name for name, _ in commands(main, "steunpunt")} | groups
    wrong = []
    for page in PAGES:
        for code in re.findall(r"`([^`\n]+)`|^    (.+)$", page.read_text("utf-8"), re.MULTILINE):
            for found in re.findall(r"(?:^|bin/|\$ )(steunpunt(?: [a-z][a-z-]+){1,2})", "".join(code)):
                words = found.split()
                if not {" ".join(words[:2]), " ".join(words[:3])} & known:
                    wrong.append(f"{page.name}: {found}")
    assert wrong == []


@pytest.fixture
def apps(tmp_path: Path) -> list[Flask]:
    """Give the web application of each role, from the example configs."""
    configs = [load(PROJECT / "config" / f"{role}.toml") for role in Role]
    return [create_app(config, Client(tmp_path / "no.sock")) for config in configs]


def test_every_page_of_the_screens_is_told_of(apps: list[Flask]) -> None:
    told = set(re.findall(r"`(/[^`]*)`", read("docs/commands.md")))
    routes = {rule.rule for app in apps for rule in app.url_map.iter_rules()}
    plain = {re.sub(r"<(?:any\([^)]*\)|int(?:\([^)]*\))?):(\w+)>", r"<\1>", route) for route in routes}
    assert plain - told == set()
    assert told - plain == set()


# --- topics, states, words ---------------------------------------------------------------------------------------


def test_every_topic_is_told_of() -> None:
    text = read("docs/mqtt.md").replace("<id>", "47").replace("<carrier>", "47")
    topics = [Topics(47, role) for role in Role]
    names = {name for each in topics for name, _ in each.subscriptions()} | {BRIDGE_STATES}
    names |= {each.outgoing(carrier) for each in topics for carrier in (47, None)}
    names |= {each.availability for each in topics}
    names |= {each.client_id for each in topics}
    assert ROOT in text
    assert sorted(name for name in names if name not in text) == []


def test_everything_the_access_lists_open_is_told_of() -> None:
    text = read("docs/mqtt.md").replace("<id>", "47").replace("<carrier>", "47")
    account = brokerconfig.Account("secret", bytes(brokerconfig.SALT_BYTES))
    config = load(PROJECT / "config" / "kiosk.toml")
    places = brokerconfig.Places("/etc/mosquitto/x", "/var/lib/mosquitto/x")
    users = {config.broker.username: account, READER_USER: account}
    acl = brokerconfig.generate(config, places, users)[brokerconfig.ACL_FILE]
    patterns = {line.split()[-1] for line in acl.splitlines() if line.startswith("topic ")}
    roots = {re.sub(r"[#+].*$", "", pattern).rstrip("/") for pattern in patterns if not pattern.startswith("$")}
    assert roots
    assert sorted(root for root in roots if root not in text) == []


def glossary() -> list[list[str]]:
    return list(rows(read("docs/glossary.md")))


def test_the_glossary_gives_each_word_one_meaning() -> None:
    words = [cells[0] for cells in glossary()]
    meanings = [cells[2] for cells in glossary()]
    assert len(words) > 40
    assert sorted({word for word in words if words.count(word) > 1}) == []
    assert sorted({meaning for meaning in meanings if meanings.count(meaning) > 1}) == []
    assert all(len(cells) == 4 and all(cells) for cells in glossary())


def test_every_state_of_a_ticket_is_told_of_in_the_words_of_the_screen() -> None:
    on_screen = {cells[0]: cells[1] for cells in glossary()}
    catalogue = read("kiosk_ui/steunpunt_ui/translations/nl/LC_MESSAGES/messages.po")
    for state in TicketState:
        word = state.name.lower().replace("_", " ")
        assert f'msgstr "{on_screen[word]}"' in catalogue, word


# --- links, files, sizes -----------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    prose = re.sub(r"`[^`\n]*`", "", page.read_text("utf-8"))  # an example of a link leads nowhere
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        if not place.is_file() or (anchor and anchor not in anchors(place)):
            broken.append(target)
    assert broken == []


def named_files(page: Path) -> set[str]:
    """Give what looks like a file of the project: a path with a suffix that our sources have."""
    codes = re.findall(r"`([^`\s]+)`", page.read_text("utf-8"))
    looks = re.compile(r"[\w./-]+\.(?:py|md|html|css|js|txt)(?::\w.*)?")
    return {code.partition(":")[0] for code in codes if looks.fullmatch(code)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_names_a_file_that_is_not_there(page: Path) -> None:
    absent = {
        name
        for name in named_files(page) - {"utils.py"}  # named because it must not be there
        if not any((base / name).exists() for base in BASES) and not list(PROJECT.glob(f"daemon/**/{name}"))
    }
    assert absent == set()


def test_the_files_of_a_site_have_the_names_that_the_code_gives_them(tmp_path: Path) -> None:
    region = tmp_path / "region.keys"
    keymaking.make_region(region, "Test")
    made = [*keymaking.make_coordinator(region, 1, tmp_path / "c", ["localhost"])]
    made += keymaking.make_site(region, 47, tmp_path / "s")
    text = read("docs/commands.md")
    assert sorted(path.name for path in made if path.name not in text) == []
    channel = [line for line in region.read_text("utf-8").splitlines() if line.startswith("channel_key = ")]
    assert len(channel) == 1  # docs/operation.md sends technicians to this line
    assert keyfiles.read_region(region)["region"] == "Test"


def test_the_errors_in_the_table_are_those_of_the_code() -> None:
    text = read("docs/operation.md")
    table = text.split("## When something is wrong")[1].split("## Backup")[0]
    # Long messages stand in two or more strings in a row.
    sources = "".join(path.read_text("utf-8") for root in SOURCES for path in sorted(root.rglob("*.py")))
    joined = re.sub(r'"\s*\n?\s*f?"', "", sources)
    quoted = [bare(cells[0]) for cells in rows(table)]
    assert len(quoted) > 20
    absent = [words for words in quoted if not all(part in joined for part in words.split("..."))]
    assert absent == []


def test_the_pictures_are_small_and_shown() -> None:
    pictures = sorted((DOCS / "pictures").iterdir())
    assert pictures
    assert [picture.name for picture in pictures if picture.stat().st_size > PICTURE_BYTES_MAX] == []
    shown = "".join(page.read_text("utf-8") for page in PAGES)
    assert [picture.name for picture in pictures if f"pictures/{picture.name}" not in shown] == []


def test_the_architecture_is_two_pages_and_its_layers_are_those_that_hold() -> None:
    text = read("ARCHITECTURE.md")
    assert len(text.splitlines()) <= ARCHITECTURE_LINES_MAX
    block = re.search(r"\n\n(    __main__ .+\n(?:    .+\n)+)", text)
    assert block is not None
    told = [re.split(r" {2,}", line.strip())[0] for line in block[1].splitlines()]
    contract = read("pyproject.toml").split("layers = [")[1].split("]")[0]
    held = [re.sub(r"[()]", "", line) for line in re.findall(r'"(.+)"', contract)]
    assert told == held


def test_the_table_of_dependencies_is_the_lock() -> None:
    locked = dict(re.findall(r"^([\w.-]+)==([\w.]+)", read("config/lock/run.txt"), re.MULTILINE))
    project = read("pyproject.toml").split("\ndependencies = [")[1].split("\n]")[0]
    direct = re.findall(r'^    "([a-z][\w-]*)', project, re.MULTILINE)
    told = {cells[0]: cells[1] for cells in rows(read("docs/adr/0003-dependencies.md"))}
    assert told == {name: locked[name] for name in direct}


def test_decisions_are_numbered_once_and_have_their_parts() -> None:
    pages = sorted((DOCS / "adr").glob("*.md"))
    numbers = [page.name[:4] for page in pages]
    assert len(set(numbers)) == len(numbers)
    for page in pages:
        text = page.read_text("utf-8")
        assert text.startswith(f"# {page.name[:4]} "), page.name
        assert "\nStatus: " in text, page.name
        assert {"## Question", "## Decision", "## What follows"} <= set(text.splitlines()), page.name


def is_there(name: str, sources: list[str]) -> bool:
    """Whether a name is a word of the code; for ``Class.part``, whether the class's file defines or sets that part."""
    owner, dot, part = name.rpartition(".")
    if not dot or not owner[:1].isupper():
        return any(re.search(rf"\b{re.escape(part)}\b", text) for text in sources)
    defined = re.compile(rf"def {part}\(|^    {part}\b[^=\n]*[:=]|self\.{part}\b", re.MULTILINE)
    return any(re.search(rf"^class {owner}\b", text, re.MULTILINE) and defined.search(text) for text in sources)


def test_what_pages_call_by_name_is_in_the_code() -> None:
    sources = [path.read_text("utf-8") for root in SOURCES for path in sorted(root.rglob("*.py"))]
    named = {
        code
        for page in [PROJECT / "ARCHITECTURE.md", *(DOCS / "adr").glob("*.md")]
        for code in re.findall(r"`(?:[\w/]+\.py:)?([A-Za-z_][\w.]*)`", page.read_text("utf-8"))
        if not code.endswith(".py") and ("_" in code or re.search(r"[a-z.][A-Z]|[A-Z]\w+\.", code))
    }
    assert len(named) > 30
    # Names of systemd, SQLite and the meshtastic package.
    elsewhere = {"LimitCORE", "MemorySwapMax", "secure_delete", "_sendToRadio", "our_exit", "kiosk_ui"}
    assert sorted(name for name in named - elsewhere if not is_there(name, sources)) == []
