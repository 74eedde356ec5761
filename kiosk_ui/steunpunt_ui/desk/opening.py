"""The desk's way to the ledger, opened when first needed: the node makes and migrates it at its start."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from flask import current_app
from flask_babel import gettext

from steunpunt.config import Config
from steunpunt.control import Client, ControlError, Refused
from steunpunt.keyfiles import read_ledger_key
from steunpunt.ledger.desk import Case, Desk, PassedOn
from steunpunt.ledger.newsdesk import NewsDesk
from steunpunt.model import KeyFileError, LinkName, SenderFunction, TokenCode
from steunpunt.protocol.phrases import Phrase
from steunpunt_ui.context import client, config

STATUS_S_MAX = 1.0
"""How long a page of the desk waits for what its node says of itself: the list asks again every 3 s."""


class DeskDoor(Protocol):
    """What the pages need of the ledger; see :class:`steunpunt.ledger.desk.Desk`."""

    def cases(self) -> list[Case]:
        """Return the cases in the order of the list."""
        ...

    def case(self, case_id: int) -> Case:
        """Return one case."""
        ...

    def present(self, name: str) -> None:
        """Note that a person is here."""
        ...

    def take_up(self, case_id: int, name: str, *, token: str) -> None:
        """Note that a person takes a case up."""
        ...

    def answer(
        self,
        case_id: int,
        name: str,
        function: SenderFunction,
        text: str,
        *,
        token: str,
        phrases: tuple[Phrase, ...] = (),
    ) -> None:
        """Answer the citizen."""
        ...

    def answer_also(
        self,
        case_id: int,
        name: str,
        function: SenderFunction,
        text: str,
        *,
        token: str,
        phrases: tuple[Phrase, ...] = (),
    ) -> None:
        """Give a case the answer that another got, unless it is answered alone."""
        ...

    def pass_on(self, case_id: int, name: str, told: PassedOn, *, token: str) -> None:
        """Note that a case was passed on."""
        ...

    def close(self, case_id: int, name: str, code: TokenCode, *, token: str) -> None:
        """Close a case."""
        ...

    def reopen(self, case_id: int, name: str, *, token: str) -> None:
        """Open a closed case again."""
        ...

    def link(self, case_id: int, name: str, number: str, *, token: str) -> None:
        """Note that two cases belong together."""
        ...

    def unlink(self, case_id: int, name: str, number: str, *, token: str) -> None:
        """Note that they don't."""
        ...


@dataclass(slots=True)
class Opening:
    """Holds the desk once its key could be read."""

    config: Config
    desk: DeskDoor | None = None

    def get(self) -> DeskDoor:
        """Return the desk; raises KeyFileError while the ledger's key cannot be read."""
        if self.desk is None:
            ledger = self.config.ledger
            if ledger.key_file is None:
                raise KeyFileError("ledger.key_file is missing in the config file; make it with `steunpunt keys`")
            self.desk = Desk(Path(ledger.path), read_ledger_key(Path(ledger.key_file)))
        return self.desk

    def news(self) -> NewsDesk:
        """Return the door to announcements and points; raises KeyFileError while the ledger's key cannot be read."""
        ledger = self.config.ledger
        if ledger.key_file is None:
            raise KeyFileError("ledger.key_file is missing in the config file; make it with `steunpunt keys`")
        return NewsDesk(Path(ledger.path), read_ledger_key(Path(ledger.key_file)))


def opening() -> Opening:
    """Return what opens the ledger for this application."""
    found: Opening = current_app.extensions["steunpunt.desk"]
    return found


def news_desk() -> NewsDesk:
    """Return the door to announcements and points of this application; raises KeyFileError."""
    key = "steunpunt.newsdesk"
    found = current_app.extensions.get(key)
    if not isinstance(found, NewsDesk):
        found = current_app.extensions[key] = opening().news()
    return found


def desk() -> DeskDoor:
    """Return the desk of this application; raises KeyFileError."""
    return opening().get()


def node_troubles() -> list[str]:
    """Return what the coordinator's own node can't do now, in words; waits at most STATUS_S_MAX and never raises."""
    try:
        with contextlib.closing(Client(config().control.socket, STATUS_S_MAX)) as asking:
            status = asking.call("status")
        down = {LinkName(name) for name, link in status["links"].items() if not link["up"]}
        ledger_behind = bool(status.get("ledger_behind"))
        said = [str(trouble) for trouble in status.get("troubles", [])]  # in Dutch already, by who knows it
        one_radio_down = any(not radio["up"] for radio in status.get("radios", {}).values())
    except (ControlError, Refused, KeyError, ValueError, TypeError, AttributeError):
        return [gettext("This computer receives and sends nothing now. Warn the technician.")]
    if config().radio.kind == "none":  # a coordinator without a radio misses none
        down.discard(LinkName.MESH)
    words = {
        LinkName.MESH: gettext("The radio does not work. Warn the technician."),
        LinkName.BROKER: gettext("The broker does not work. Warn the technician."),
    }
    told = [words[name] for name in words if name in down]
    if one_radio_down and LinkName.MESH not in down:
        told.append(gettext("One of the radios does not work. Warn the technician."))
    if ledger_behind:
        told.append(gettext("The points know of later data than this computer has. Warn the technician."))
    return told + said


def ring_bell() -> None:
    """Wake the node, so that what was just done leaves at once; without it the node finds it by polling."""
    with contextlib.suppress(ControlError, Refused):
        client().call("bell")
