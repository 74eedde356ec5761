"""A ledger of another site, or opened with another ledger's key, says so at the start."""

from pathlib import Path

import pytest

from steunpunt.ledger.belonging import check_ledger_key, check_owner
from steunpunt.ledger.store import Ledger, prepare
from steunpunt.model import KeyFileError, LedgerError, Role


def test_only_the_first_key_fits(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    prepare(path)
    ledger = Ledger(path).open()
    try:
        check_ledger_key(ledger, bytes(32), "a.key")
        check_ledger_key(ledger, bytes(32), "a.key")
        with pytest.raises(KeyFileError, match=r"b\.key: is not the key of the ledger .*; put the right key file back"):
            check_ledger_key(ledger, b"\1" * 32, "b.key")
    finally:
        ledger.close()


def test_a_ledger_stays_with_its_first_site(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    prepare(path)
    ledger = Ledger(path).open()
    try:
        check_owner(ledger, Role.KIOSK, 47)
        check_owner(ledger, Role.KIOSK, 47)
        for role, site, own in ((Role.KIOSK, 48, "kiosk 48"), (Role.COORDINATOR, 1, "coordinator 1")):
            with pytest.raises(LedgerError, match=f"this ledger is of kiosk 47, and this site is {own}; put back"):
                check_owner(ledger, role, site)
    finally:
        ledger.close()
