"""A ledger opened with another ledger's key says so at the start, not at the first case."""

from pathlib import Path

import pytest

from steunpunt.ledger.incoming import check_ledger_key
from steunpunt.ledger.store import Ledger, prepare
from steunpunt.model import KeyFileError


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
