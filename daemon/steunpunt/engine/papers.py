"""Taking a sealed message in that came on paper: the same as from any link, only that somebody waits for the answer."""

from typing import Any

import sqlalchemy as sa

from steunpunt.engine.intake import Intake
from steunpunt.ledger import incoming
from steunpunt.ledger.incoming import Piece
from steunpunt.model import FrameError, FrameHeard, LinkName, PaperScanned, SealError, ticket_number
from steunpunt.protocol.pieces import parse_piece


def take(connection: sa.Connection, intake: Intake, scanned: PaperScanned, now_ms: int) -> dict[str, Any]:
    """File a message inside the caller's transaction; returns the control socket's answer.

    ``number`` and ``case_id`` are None for what is no request. No receipt goes out for it: the point sends its message
    again until it has one, and that copy earns it, over whatever road there is by then.
    """
    try:
        first = parse_piece(scanned.packets[0]).piece
        at = Piece(first.site, first.eid, first.n)
        repeated = bool(incoming.piece_opened(connection, at))
        for packet in scanned.packets:
            intake.take(connection, FrameHeard(LinkName.PAPER, packet), now_ms)
    except (FrameError, IndexError):
        return _no("damaged", "this is no sealed message; scan it again")
    except SealError:
        return _no("foreign", "this was not sealed for this region")
    if not incoming.piece_opened(connection, at):
        return _no("damaged", "fragments of this message are missing; scan it again")
    case = incoming.case_of(connection, at)
    number = None if case is None else ticket_number(at.site, case[1])
    return {"ok": True, "number": number, "case_id": case and case[0], "repeated": repeated}


def _no(code: str, message: str) -> dict[str, Any]:
    return {"ok": False, "error": code, "message": message}
