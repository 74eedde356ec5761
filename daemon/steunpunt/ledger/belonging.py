"""Whose a ledger is: of which site, and under which key.

Both are kept in the ledger at its first start, so that a ledger copied to the wrong device says so at the start.
"""

import hmac

from steunpunt.ledger.store import Ledger
from steunpunt.model import KeyFileError, LedgerError, Role


def check_owner(ledger: Ledger, role: Role, site: int) -> None:
    """Raise LedgerError when this ledger is of another site or role; a new ledger becomes this site's."""
    own = f"{role} {site}"
    kept = _kept_or(ledger, "owner", own.encode()).decode(errors="replace")
    if kept != own:
        mend = "put back this site's own, or move it away and keep it: the node then makes a new one"
        raise LedgerError(f"{ledger.path}: this ledger is of {kept}, and this site is {own}; {mend}")


def check_ledger_key(ledger: Ledger, key: bytes, path: str) -> None:
    """Raise KeyFileError when this ledger was begun with another key; a new ledger takes this one over."""
    mark = hmac.digest(key, b"steunpunt ledger v1", "sha256")[:8]
    if _kept_or(ledger, "ledger_key_check", mark) != mark:
        raise KeyFileError(f"{path}: is not the key of the ledger {ledger.path}; put the right key file back")


def _kept_or(ledger: Ledger, name: str, first: bytes) -> bytes:
    """Return what the ledger keeps under this name; when nothing yet, keep ``first``."""
    kept = ledger.get_meta(ledger.connection, name)
    if kept is not None:
        return kept
    with ledger.transaction() as connection:
        ledger.set_meta(connection, name, first)
    return first
