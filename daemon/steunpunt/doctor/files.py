"""Whether the files that a config names are there, of this site, and belong together."""

import re
from collections.abc import Iterator
from pathlib import Path

from steunpunt import keyfiles, tlsfiles
from steunpunt.config import Config
from steunpunt.credentials import is_sealed
from steunpunt.doctor.content import approval, shelf_of
from steunpunt.doctor.findings import Finding, On
from steunpunt.model import KeyFileError, Role
from steunpunt.protocol.keys import CoordinatorKeys, SiteKeys
from steunpunt_ui.desk.passwords import check_file
from steunpunt_ui.logofile import logo_problems

_PROBLEM = re.compile(r"(?:key `(?P<where>[^`]*)`: )?(?P<what>.*?)(?:; (?P<mend>[^;]*))?", re.DOTALL)


def examine(config: Config) -> Iterator[Finding]:
    """Give a finding for each problem, or one that all is well; and how many information pages are approved."""
    found = problems(config)
    for problem in found:
        match = _PROBLEM.fullmatch(problem)
        where, what, mend = match.group("where", "what", "mend") if match else ("", problem, "")
        part = "content" if where == "kiosk.content" else "files"
        yield On(part, where or "").fails("files.wrong", reason=what, mend=mend or "see docs/config.md")
    if not found:
        yield On("files", config.keys.file).passes("files.good")
    if config.site.role is Role.KIOSK:
        yield approval(config)


def ledger_lines(config: Config) -> Iterator[str]:
    """Tell of a ledger's folder that is not there: no mistake before the first start, but perhaps a misspelt path."""
    folder = Path(config.ledger.path).parent
    try:
        missing = not folder.is_dir()
    except OSError:  # what only the node's user may see
        return
    if missing:
        mend = "the node makes it when it starts; if it ran here before, correct the path"
        yield f"key `ledger.path`: the folder {folder} is not there; {mend}"


def problems(config: Config) -> list[str]:
    """Return what is wrong with the files a config names, each with its key and the mend."""
    pages = (f"key `kiosk.content`: {problem}" for problem in shelf_of(config).problems)
    files = (*tlsfiles.problems(config), *logo_problems(config))
    return [*_key_problems(config), *_password_problems(config), *files, *pages]


def content_lines(config: Config) -> Iterator[str]:
    """Tell how many information pages there are, and how many a citizen sees."""
    counts: dict[str, list[bool]] = {}
    for page in shelf_of(config).pages.values():
        counts.setdefault(page.language, []).append(page.front.approved)
    for language, approved in counts.items():
        yield f"information pages in {language}: {len(approved)}, approved {sum(approved)}"
    if counts and not any(any(approved) for approved in counts.values()) and not config.kiosk.demo:
        yield "nobody has approved a page, so none is shown but in an exercise; see docs/content.md"


def _password_problems(config: Config) -> Iterator[str]:
    path, maker = config.broker.password_file, "steunpunt broker-config"
    if path is None:
        if config.broker.enabled:
            mend = f'add password_file = "broker.password"; `{maker}` makes that file'
            yield f"key `broker.password_file`: it is missing, and the broker lets nobody in without a password; {mend}"
        return
    try:
        with Path(path).open("rb"):
            pass
    except FileNotFoundError:
        yield f"key `broker.password_file`: {path} is not there; `{maker}` makes it, or correct the path"
    except OSError as error:
        mend = keyfiles.read_mend(error, maker)
        yield f"key `broker.password_file`: {path}: cannot be read ({error.strerror}); {mend}"


def _key_problems(config: Config) -> Iterator[str]:
    """What is sealed for the units is left to the node: it was handed it, and does not start when it is wrong."""
    if not is_sealed(Path(config.keys.file)):
        yield from _own_key_problems(config)
    for section, radio in [("radio", config.radio), *(("extra_radio", extra) for extra in config.extra_radio)]:
        try:
            if radio.channel_key_file is not None:
                keyfiles.read_channel_key(Path(radio.channel_key_file))
        except KeyFileError as error:
            yield f"key `{section}.channel_key_file`: {error}"
    if config.site.role is not Role.COORDINATOR:
        yield from _staff_problems(config)
        return
    ledger_key = Path(config.ledger.key_file or "")
    try:
        if not is_sealed(ledger_key):
            keyfiles.read_ledger_key(ledger_key)
    except KeyFileError as error:
        yield f"key `ledger.key_file`: {error}"
    try:
        check_file(config.web.desk_passwords_file)
    except KeyFileError as error:
        yield f"key `web.desk_passwords_file`: {error}"


def _own_key_problems(config: Config) -> Iterator[str]:
    coordinator, path = config.site.role is Role.COORDINATOR, Path(config.keys.file)
    try:
        keys = keyfiles.read_coordinator(path) if coordinator else keyfiles.read_site(path)
        number = keys.coordinator if isinstance(keys, CoordinatorKeys) else keys.site
        if number != config.site.id:
            yield f"key `site.id`: it is {config.site.id}, but {path} is of {number}; use this site's own keys"
        if isinstance(keys, SiteKeys):
            yield from _coordinator_problems(config, keys)
    except KeyFileError as error:
        yield f"key `keys.file`: {error}"


def _staff_problems(config: Config) -> Iterator[str]:
    try:
        if config.staff is not None:
            keyfiles.read_staff_pin(Path(config.staff.pin_file))
    except KeyFileError as error:
        yield f"key `staff.pin_file`: {error}"


def _coordinator_problems(config: Config, keys: SiteKeys) -> Iterator[str]:
    asked, known = config.region.coordinator, sorted(identity.coordinator for identity in keys.coordinators)
    if asked not in known:
        listed = ", ".join(str(number) for number in known)
        mend = f"write one of these, or make the site's keys again after `steunpunt keys coordinator --id {asked}`"
        yield f"key `region.coordinator`: it is {asked}, but {config.keys.file} knows only {listed}; {mend}"
