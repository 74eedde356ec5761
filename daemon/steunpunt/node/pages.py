"""The information pages that the region sends: taken from broker, stick or technician, proved, and put in their place.

The loop only notes what came; a job of the housekeeping does the rest on its own thread. An archive counts when the
region's offline root signed it, its serial is none that was passed already, and each of its files is a page that this
site can show. Whatever else comes is told and leaves the pages as they are. A coordinator also gives the archive that
it holds to its broker, retained, when the broker has none as new. See docs/adr/0033-pages-in-one-file.md.
"""

import base64
import binascii
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from steunpunt import keyfiles, pagestore
from steunpunt.config import Config
from steunpunt.control import Body
from steunpunt.jobfacts import PagesHeard
from steunpunt.ledger.upkeep import Stop, Stopped
from steunpunt.links.topics import PAGES
from steunpunt.model import LinkChanged, LinkName, Role
from steunpunt.node.pending import WAIT_S_MAX, Pending, no
from steunpunt.protocol.pagearchive import ARCHIVE_BYTES_MAX, Archive, ArchiveError, believed

STICK_FILES_MAX = 20
SUFFIX = ".pages"
PROOF_S_MAX = 120
"""Reading all pages takes a second on a PC; a small board is some ten times slower."""
SETTLE_MS = 2_000
"""After connecting, a broker has this long to tell of the archive that it keeps."""
_log = logging.getLogger(__name__)


class Publish(Protocol):
    """Gives something to the site's own broker."""

    def __call__(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish at QoS 0; what cannot go now is dropped."""


class _Passed(ArchiveError):
    """The archive is genuine, and older than what counts or counted here."""


class _Offer(Struct, frozen=True):
    """An archive that came, from where, and who waits for word of it."""

    source: str
    data: bytes
    reply: Pending | None = None

    @property
    def serial(self) -> int:
        """What it says its serial is; whether that is true is found out later."""
        return int.from_bytes(self.data[8:12], "big")


class Pages:
    """See the module. :meth:`heard` and :meth:`look` are the loop's, :meth:`job` the housekeeping's."""

    def __init__(self, config: Config, put: Callable[[PagesHeard], None], publish: Publish) -> None:
        self._config, self._put, self._publish = config, put, publish
        self._store = Path(config.housekeeping.pages_folder or "")
        self._lock = threading.Lock()
        self._offers: dict[str, _Offer] = {}
        """The newest of each source; one that could not be installed stays, for the next run."""
        self._parts = b""
        self._asked: Pending | None = None
        self._held: _Offer | None = None
        """What counts here, since the job last ran."""
        self.wanted = False
        """Whether something came that the job has to look into now."""
        self._broker_serial = 0
        """The highest serial that the broker told of on this connection, true or not: no coordinator goes below it, and
        two of them play no ping-pong."""
        self._settled_ms: int | None = None

    # --- the loop -----------------------------------------------------------------------------------------------

    def heard(self, event: object, now_ms: int) -> None:
        """Note that an archive came, or that the broker came or went."""
        match event:
            case PagesHeard(payload=payload) if payload:
                self._heard(_Offer("broker", payload))
            case LinkChanged(LinkName.BROKER, up=up):
                self._broker_serial, self._settled_ms = 0, now_ms + SETTLE_MS if up else None
            case _:
                pass

    def _heard(self, offer: _Offer) -> None:
        self._broker_serial = max(self._broker_serial, offer.serial)
        if self._held is not None and offer.data == self._held.data:
            self._clear_broker()
        else:
            self._offer(offer)

    def _offer(self, offer: _Offer) -> None:
        with self._lock:
            self._offers[offer.source], self.wanted = offer, True

    def _clear_broker(self) -> None:
        """Have a point's own broker forget what is held here: it would write it to the card again and again."""
        if self._config.site.role is Role.KIOSK:
            self._publish(PAGES, b"", retain=True)

    @property
    def due_ms(self) -> int | None:
        """When :meth:`look` has something to do; None for never."""
        return self._settled_ms if self._to_be_published() else None

    def look(self, now_ms: int) -> None:
        """Give the broker what this coordinator holds, when it has nothing as new."""
        if self._settled_ms is None or now_ms < self._settled_ms or self._held is None or not self._to_be_published():
            return
        self._publish(PAGES, self._held.data, retain=True)
        self._broker_serial = self._held.serial
        _log.info("action=pages_published serial=%d bytes=%d", self._held.serial, len(self._held.data))

    def _to_be_published(self) -> bool:
        """Never over an archive that says it is newer, even when it could not be installed here."""
        desk = self._config.site.role is Role.COORDINATOR
        return desk and self._held is not None and self._held.serial > self._broker_serial

    # --- being asked, on a thread of the control socket ---------------------------------------------------------

    def asked(self, request: Body) -> Body:
        """Take a part of an archive from a technician, or say what became of the last one.

        ``data``: the part in base64; ``part``: 0 for the first; ``last``: whether all is there now.
        """
        if "data" not in request:
            return no("bad_request", "no archive was given") if self._asked is None else self._asked.wait(WAIT_S_MAX)
        try:
            part = base64.b64decode(str(request["data"]), validate=True)
        except (ValueError, binascii.Error):
            return no("bad_request", "a part of an archive is not base64")
        self._parts = part if not request.get("part") else self._parts + part
        if len(self._parts) > ARCHIVE_BYTES_MAX:
            self._parts = b""
            return no("too_long", f"an archive has at most {ARCHIVE_BYTES_MAX} bytes")
        if request.get("last"):
            self._asked = Pending()
            self._offer(_Offer("technician", self._parts, self._asked))
            self._parts = b""
            self._put(PagesHeard(b""))  # wakes the loop, which has the job run
        return {"ok": True}

    def status(self) -> Body:
        """Return what counts here."""
        folder = pagestore.current_folder(self._store)
        return {"serial": None if folder is None else pagestore.serial_of(folder)}

    # --- the job ------------------------------------------------------------------------------------------------

    def job(self, stopping: Stop) -> str:
        """Look into all that came, and whether what counts is whole; return what is wrong, "" for nothing."""
        with self._lock:
            self.wanted, offers = False, list(self._offers.values())
        troubles: list[str] = []
        found = [*offers, *self._on_stick(troubles)]
        for offer in sorted(found, key=lambda offer: offer.serial, reverse=True):
            if stopping():
                raise Stopped("stopped before all archives of pages were looked into")
            self._judge(offer, troubles)
        troubles += self._whole()
        return "; ".join(dict.fromkeys(troubles))

    def _judge(self, offer: _Offer, troubles: list[str]) -> None:
        """Install an archive or tell why not; a person who waits is told, and the job only of what comes by itself."""
        try:
            answer = {"ok": True, **self._install(offer)}
        except ArchiveError as error:
            answer = no("pages_refused", str(error))
            if offer.reply is None and not isinstance(error, _Passed):
                troubles.append(f"{offer.source}: {error}")
                return  # it stays: the disk may have room next time
        if offer.reply is not None:
            offer.reply.answer(answer)
        elif offer.source == "broker":
            self._clear_broker()
        with self._lock:
            if self._offers.get(offer.source) is offer:
                del self._offers[offer.source]

    def _install(self, offer: _Offer) -> Body:
        archive = believed(offer.data, self._root_public())
        held, lowest = pagestore.current(self._store), pagestore.floor(self._store)
        if held is not None and held.data == offer.data:
            return {"serial": archive.serial, "already": True}
        if archive.serial < lowest:
            raise _Passed(f"number {archive.serial} is older than number {lowest}, which came here; make a new archive")
        if held is not None and archive.serial == lowest:
            mend = "make a new archive with `steunpunt pages pack`"
            raise ArchiveError(f"other pages have number {archive.serial} too; {mend}")
        self._put_in_place(archive, offer.data)
        _log.info(
            "action=pages_installed serial=%d source=%s files=%d", archive.serial, offer.source, len(archive.files)
        )
        return {"serial": archive.serial, "already": False}

    def _put_in_place(self, archive: Archive, data: bytes) -> None:
        staged = pagestore.stage(self._store, archive, data)
        try:
            wrong = self._problems(staged)
            if wrong:
                raise ArchiveError(f"number {archive.serial}: {wrong}")
            pagestore.switch(self._store, staged, archive.serial)
        finally:
            pagestore.discard(staged)

    def _problems(self, folder: Path) -> str:
        """Have the pages read as citizens will, in a process of its own: a node keeps no reader of Markdown."""
        command = [sys.executable, "-m", "steunpunt_ui.content.proof", str(folder)]
        try:
            done = subprocess.run(  # noqa: S603  our own interpreter and module
                command,
                input=msgspec.json.encode(self._config),
                capture_output=True,
                timeout=PROOF_S_MAX,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ArchiveError(f"the pages could not be read ({type(error).__name__}); try again") from error
        told = done.stdout.decode(errors="replace").strip().splitlines()
        if done.returncode and not told:
            raise ArchiveError(f"the pages could not be read (exit code {done.returncode}); see the log, try again")
        more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
        return f"{told[0]}{more}" if told else ""

    def _on_stick(self, troubles: list[str]) -> Iterator[_Offer]:
        """Give the archives in the folder of the config; a stick that is not there is no trouble."""
        stick = self._config.housekeeping.pages_stick
        if stick is None:
            return
        try:
            paths = sorted(path for path in Path(stick).iterdir() if path.name.endswith(SUFFIX))
        except OSError:
            return
        for path in paths[:STICK_FILES_MAX]:
            try:
                yield _Offer(path.name, pagestore.read_bounded(path))
            except OSError as error:
                troubles.append(f"{path}: cannot be read ({error.strerror}); copy it to the stick again")

    def _whole(self) -> Iterator[str]:
        """Note what counts; when it is not as it came, make it so again from the archive that lies with it."""
        held, folder = pagestore.current(self._store), pagestore.current_folder(self._store)
        if held is None and folder is not None:
            held = self._mended(folder)
            if held is None:
                mend = "the ones that came with the device are shown; install the archive again"
                yield f"number {pagestore.serial_of(folder)} of the region's pages is damaged: {mend}"
        self._held = None if held is None else _Offer("held", held.data)

    def _mended(self, folder: Path) -> pagestore.Held | None:
        try:
            data = pagestore.read_bounded(folder / pagestore.ARCHIVE)
            self._put_in_place(believed(data, self._root_public()), data)
        except (OSError, ArchiveError):
            return None
        _log.warning("action=pages_mended folder=%s", folder)
        return pagestore.current(self._store)

    def _root_public(self) -> bytes:
        path = Path(self._config.keys.file)
        desk = self._config.site.role is Role.COORDINATOR
        return (keyfiles.read_coordinator(path) if desk else keyfiles.read_site(path)).root_public
