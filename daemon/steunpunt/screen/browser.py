"""The browser of the device: how it is started, and whether it still shows a page.

Flags are Chromium's (``chromium --help``, and the list that its sources hold); what a person may do in it is decided
by its managed policies, ``config/browser/``.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PROFILE: Final = "profile"
_PAGE_PROCESS: Final = "--type=renderer"
_OWN_PAGES: Final = "--top-chrome-webui"
"""Of a renderer that draws parts of the browser itself."""


def command(program: str, address: str, folder: Path, *, theme: str = "auto") -> list[str]:
    """Return how to start the browser on one page; all that it writes goes into ``folder``."""
    scheme = ["--blink-settings=preferredColorScheme=0"] if theme == "night" else []
    return [
        program,
        "--kiosk",
        f"--user-data-dir={folder / PROFILE}",
        *(["--ozone-platform=wayland"] if os.environ.get("WAYLAND_DISPLAY") else []),
        "--touch-events=enabled",
        "--autoplay-policy=no-user-gesture-required",  # so that the screen can ask aloud whether somebody is there
        "--disable-pinch",
        "--overscroll-history-navigation=0",
        "--noerrdialogs",
        "--no-first-run",
        "--no-default-browser-check",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-breakpad",
        "--no-pings",
        "--password-store=basic",
        "--hide-crash-restore-bubble",
        "--disk-cache-size=8388608",
        "--renderer-process-limit=1",
        # A process in waiting would look as if a page were there.
        "--disable-features=SpareRendererForSitePerProcess,Translate,MediaRouter",
        *scheme,
        address,
    ]


def shows_page(root_pid: int) -> bool:
    """Whether any process below ``root_pid`` holds a page; a page that crashed has none."""
    return any(_PAGE_PROCESS in words and _OWN_PAGES not in words for words in map(_words, _below(root_pid)))


def _below(root_pid: int) -> Iterator[int]:
    """Give the processes that descend from one."""
    waiting = [root_pid]
    while waiting:
        pid = waiting.pop()
        yield pid
        try:
            lists = [path.read_text("ascii") for path in Path(f"/proc/{pid}/task").glob("*/children")]
        except OSError:
            continue  # it ended meanwhile
        waiting += [int(child) for children in lists for child in children.split()]


def _words(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


def folder_of_run() -> Path | None:
    """Return where the service manager lets this process write, in memory; None when it does not say."""
    told = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return Path(told) if told else None
