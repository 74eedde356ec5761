"""A diagnosis in one file: what the makers need to see, and nothing of any person. See :mod:`redaction`."""

import contextlib
import io
import json
import os
import platform
import re
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

from steunpunt import __version__
from steunpunt.control import Body, Client, ControlError, Refused
from steunpunt.doctor.examination import NODE_S_MAX, Examination, lines_of
from steunpunt.doctor.redaction import redacted, sieve_of
from steunpunt.model import SteunpuntError

JOURNAL_LINES_MAX = 400
JOURNAL_S_MAX = 10.0
FILE_MODE = 0o600
UNITS = ("steunpunt-node", "steunpunt-web")
_OUR_LINE = re.compile(r"(?:DEBUG|INFO|WARNING|ERROR|CRITICAL) steunpunt[\w.]* ")
"""Lines that the program wrote itself: what libraries and tracebacks say may quote anything."""
_PROJECT = re.compile(r"^([A-Za-z0-9._-]+)")
README = """\
A diagnosis of one steunpunt, made by `steunpunt doctor --save`.

examination.txt, .json   what is right and wrong, with the mend
config.json              the config without names, places, paths, hosts, commands and keys
status.json              what the node said of itself; not there when it did not run
history.json             charge, airtime, queue and signal of the last three days, while it ran
metrics.txt              the same figures as Prometheus reads them
log.txt                  the last log lines; they name no person and no text
versions.json            of the program, Python, the system and the libraries

What citizens wrote is in none of it, and could not be: a kiosk keeps it sealed. Look through it before you send it.
"""


class BundleError(SteunpuntError, OSError):
    """The diagnosis cannot be written."""


def write(path: Path, config_path: Path, found: Examination) -> None:
    """Write the diagnosis as a new zip file that only its owner may read; raises BundleError."""
    raw = _zip(parts_of(config_path, found))
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
    except FileExistsError as error:
        raise BundleError(f"{path}: is there already; choose another name") from error
    except OSError as error:
        raise BundleError(f"{path}: cannot be written ({error.strerror}); choose a folder that is yours") from error


def parts_of(config_path: Path, found: Examination) -> dict[str, str]:
    """Return the files of the diagnosis by name."""
    sieve = sieve_of(found.config, config_path)
    node = _asked_of_node(found)
    history = node.get("technician", {})
    log = history.get("log")
    lines = [_log_line(line) for line in log] if log is not None else _journal()
    parts = {
        "README.txt": README,
        "examination.txt": sieve.text("\n".join(lines_of(found.findings))),
        "examination.json": _json(sieve.body(found.body())),
        "versions.json": _json(versions()),
        "log.txt": sieve.text("\n".join(lines)),
    }
    if found.config is not None:
        parts["config.json"] = _json(redacted(found.config))
    if found.status is not None:
        parts["status.json"] = _json(sieve.body(_without_people(found.status)))
    if history:
        parts["history.json"] = _json(history["trend"])
    if "metrics" in node:
        parts["metrics.txt"] = sieve.text(str(node["metrics"]["text"]))
    return parts


def versions() -> Body:
    """Return what runs here."""
    libraries = {}
    for line in metadata.requires("steunpunt") or []:
        name = _PROJECT.match(line)
        with contextlib.suppress(metadata.PackageNotFoundError):
            libraries[name[1] if name else line] = metadata.version(name[1] if name else line)
    with contextlib.suppress(OSError):
        release = platform.freedesktop_os_release()
        libraries["system"] = release.get("PRETTY_NAME", "")
    return {
        "steunpunt": __version__,
        "python": sys.version.split()[0],
        "kernel": platform.release(),
        "machine": platform.machine(),
    } | libraries


def _asked_of_node(found: Examination) -> dict[str, Body]:
    """Return the node's further answers; a node that dies meanwhile leaves them out."""
    answers: dict[str, Body] = {}
    if found.config is None or found.status is None:
        return answers
    with (
        contextlib.suppress(ControlError, Refused),
        contextlib.closing(Client(found.config.control.socket, NODE_S_MAX)) as client,
    ):
        for op in ("technician", "metrics"):
            answers[op] = client.call(op)
    return answers


def _without_people(status: Body) -> Body:
    """Return the status without names, places and ticket numbers."""
    buttons = [{"lamp": button["lamp"]} for button in status.get("buttons", [])]
    left_out = ("coordinator_name", "fallback_address", "buttons", "ok")
    kept = {name: value for name, value in status.items() if name not in left_out}
    site = {name: status["site"][name] for name in ("id", "role")}
    return kept | {"site": site} | ({"buttons": buttons} if buttons else {})


def _log_line(line: Body) -> str:
    return f"{line['age_s']:>8} s ago {line['level']} {line['name']} {line['text']}"


def _journal() -> list[str]:
    """Return the lines that journald kept of our services; a line that says why when there are none."""
    command = ["journalctl", "--no-pager", "-q", "-o", "cat", "-n", str(JOURNAL_LINES_MAX)]
    command += [word for unit in UNITS for word in ("-u", unit)]
    try:
        done = subprocess.run(  # noqa: S603  our own words
            command, capture_output=True, text=True, errors="replace", timeout=JOURNAL_S_MAX, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return [f"no log: the node does not run, and journalctl does not answer ({error})"]
    lines = [line for line in done.stdout.splitlines() if _OUR_LINE.match(line)]
    return lines or ["no log: the node does not run, and journald has no line of it for this user; ask as root"]


def _zip(parts: dict[str, str]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return held.getvalue()


def _json(body: Any) -> str:  # noqa: ANN401  whatever JSON holds
    return json.dumps(body, indent=1, ensure_ascii=False, default=str)
