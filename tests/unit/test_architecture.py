"""The shape of the project is a test: layers, who may import what, nothing from outside on a screen."""

import ast
import functools
import graphlib
import hashlib
import json
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest
from importlinter import cli as importlinter_cli

ROOT = Path(__file__).parents[2]
DAEMON = ROOT / "daemon" / "steunpunt"
SCREENS = ROOT / "kiosk_ui" / "steunpunt_ui"
VENDORED = SCREENS / "static" / "vendor"
LOCKS = ROOT / "config" / "lock"

# Each outside thing has one door: who wants to know what we ask of it reads one file.
DOORS = {
    "meshtastic": DAEMON / "wire.py",
    "paho": DAEMON / "links" / "broker.py",
    "gpiozero": DAEMON / "panel.py",
    "smbus2": DAEMON / "power" / "i2c.py",
    "escpos": DAEMON / "printer.py",
    "PIL": SCREENS / "desk" / "photo.py",
    "zxingcpp": SCREENS / "desk" / "photo.py",
}
# What the screens may know of the daemon. The citizen's have no ledger and no keys; nobody's have a radio.
SCREENS_MAY_IMPORT = {
    "control",
    "ledger",
    "keyfiles",
    "pagestore",
    "model",
    "facts",
    "config",
    "protocol",
    "doctor",
    "relay",
    "values",
}
CITIZEN_MAY_IMPORT = SCREENS_MAY_IMPORT - {"ledger", "keyfiles", "pagestore", "doctor", "relay"}

EXTERNAL = re.compile(r"""https?://(?!www\.w3\.org/)|["'(]\s*//[a-z]""", re.IGNORECASE)
INDEX_OPTION = re.compile(r"(?<!no-emit-)\b(?:index-url|extra-index|find-links|trusted-host)\b")
TEXT_SUFFIXES = {
    ".py",
    ".toml",
    ".txt",
    ".md",
    ".html",
    ".css",
    ".js",
    ".cfg",
    ".service",
    ".conf",
    ".sh",
    "",
}


@functools.cache
def imports(path: Path) -> tuple[str, ...]:
    """Name every module that a file imports, wherever in the file it does so."""
    return tuple(_imports(ast.parse(path.read_text("utf-8"), str(path))))


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def text_files() -> list[Path]:
    """List the project's own text files: no hidden folder but .ci, nothing that a tool made."""
    return sorted(
        path
        for path in ROOT.rglob("*")
        if path.is_file()
        and path.suffix in TEXT_SUFFIXES
        and not any(part.startswith(".") and part != ".ci" for part in path.relative_to(ROOT).parts[:-1])
    )


@pytest.fixture(autouse=True)
def loggers_stay_as_they_are() -> Iterator[None]:
    """import-linter sets logging up for itself and thereby silences every logger that was there before."""
    loggers = [found for found in logging.root.manager.loggerDict.values() if isinstance(found, logging.Logger)]
    before = [(logger, logger.disabled) for logger in loggers]
    yield
    for logger, disabled in before:
        logger.disabled = disabled


def test_the_layers_hold() -> None:
    assert importlinter_cli.lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


@pytest.mark.parametrize(
    ("module", "line", "complaint"),
    [
        ("protocol/odd_one.py", "import time", "steunpunt.protocol.odd_one -> time"),
        ("relay/odd_one.py", "import threading", "steunpunt.relay.odd_one -> threading"),
        ("ledger/odd_one.py", "import steunpunt.engine", "steunpunt.ledger.odd_one -> steunpunt.engine"),
        ("odd_one.py", "", "- steunpunt.odd_one"),
    ],
)
def test_the_layers_bite(tmp_path: Path, module: str, line: str, complaint: str) -> None:
    shutil.copytree(DAEMON, tmp_path / "steunpunt", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "steunpunt" / module).write_text(f"{line}\n", "utf-8")
    linter = Path(sys.executable).with_name("lint-imports")
    found = subprocess.run(
        [linter, "--config", ROOT / "pyproject.toml", "--no-cache"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 1, found.stdout + found.stderr
    assert complaint in found.stdout


def test_no_module_imports_itself_by_a_detour() -> None:
    graph = grimp.build_graph("steunpunt", "steunpunt_ui", cache_dir=None)
    order = graphlib.TopologicalSorter(
        {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    )
    order.prepare()


@pytest.mark.parametrize("library", DOORS)
def test_each_library_has_one_door(library: str) -> None:
    users = {
        path
        for root in (DAEMON, SCREENS)
        for path in root.rglob("*.py")
        if any(name.split(".")[0] == library for name in imports(path))
    }
    assert users == {DOORS[library]}


@pytest.mark.parametrize(("folder", "allowed"), [("", SCREENS_MAY_IMPORT), ("citizen", CITIZEN_MAY_IMPORT)])
def test_the_screens_know_little_of_the_daemon(folder: str, allowed: set[str]) -> None:
    stray = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in (SCREENS / folder).rglob("*.py")
        for name in imports(path)
        if name.startswith("steunpunt.") and name.split(".")[1] not in allowed
    ]
    assert stray == []


def test_no_screen_asks_anything_of_the_internet() -> None:
    files = [path for path in SCREENS.rglob("*") if path.suffix in {".html", ".css", ".js", ".svg"}]
    assert files
    assert [str(path) for path in files if EXTERNAL.search(_without_banner(path))] == []


def _without_banner(path: Path) -> str:
    """What a browser runs of a file; a vendored one begins with a remark on where it is from."""
    text = path.read_text("utf-8")
    return re.sub(r"\A/\*!.*?\*/", "", text, flags=re.DOTALL) if path.parent == VENDORED else text


def test_what_others_made_is_as_they_published_it() -> None:
    told = json.loads((VENDORED / "VENDOR.json").read_text("utf-8"))
    assert {path.name for path in VENDORED.iterdir()} == {*told, "VENDOR.json"}
    for name, entry in told.items():
        assert hashlib.sha256((VENDORED / name).read_bytes()).hexdigest() == entry["sha256"], name


def test_what_installs_names_no_address() -> None:
    files = [*LOCKS.glob("*.txt"), ROOT / "pyproject.toml", ROOT / "Makefile", ROOT / ".ci" / "run"]
    assert [str(path) for path in files if "://" in path.read_text("utf-8")] == []


def test_no_file_names_this_machine_or_its_package_index() -> None:
    here = [re.escape(f"{path}/") for path in (ROOT, Path.home()) if len(path.parts) > 1]
    places = re.compile("|".join([rf"(?<![\w/]){path}" for path in here] + [INDEX_OPTION.pattern]))
    me = Path(__file__)
    found = [str(path) for path in text_files() if path != me and places.search(path.read_text("utf-8"))]
    assert found == []


@pytest.mark.parametrize("lock", ["run.txt", "dev.txt"])
def test_the_lock_pins_every_package_by_its_hash(lock: str) -> None:
    entries = [entry for entry in re.split(r"\n(?=\S)", (LOCKS / lock).read_text("utf-8")) if not entry.startswith("#")]
    assert entries
    unpinned = [entry for entry in entries if not re.match(r"[\w.-]+==\S+.*\\\n\s+--hash=sha256:[0-9a-f]{64}", entry)]
    assert unpinned == []


def test_the_lock_fits_what_the_project_asks_for() -> None:
    asked = re.findall(r'^    "([a-z][\w-]*)[><;=]', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    locked = set(re.findall(r"^([\w.-]+)==", (LOCKS / "dev.txt").read_text("utf-8"), re.MULTILINE))
    assert asked
    assert set(asked) - locked == set()
