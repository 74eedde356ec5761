"""The migrations make exactly the tables that the program uses, all or none, whenever the power goes."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from steunpunt.ledger import migrate as migrating
from steunpunt.ledger.migrate import migrate
from steunpunt.ledger.store import HEAD_REVISION, Ledger, prepare
from steunpunt.ledger.tables import metadata
from steunpunt.model import LedgerError

MIGRATIONS = Path(migrating.__file__).parent / "migrations"

KILL_AT_EACH_STATEMENT = """
import os, shutil, signal, sqlite3, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
from steunpunt.ledger.migrate import migrate
from steunpunt.ledger.store import HEAD_REVISION

real, folder = sqlite3.connect, Path(sys.argv[1])

def killed_at(number):
    left = [number]
    def traced(_statement):
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    def connect(*args, **kwargs):
        connection = real(*args, **kwargs)
        connection.set_trace_callback(traced)
        return connection
    sqlite3.connect = connect

def revision(path):
    connection = real(path)
    try:
        return connection.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.OperationalError:
        return None
    finally:
        connection.close()

first = sys.argv[2] if len(sys.argv) > 2 else None

def rows(path):
    connection = real(path)
    try:
        return connection.execute("SELECT site, mesh_ms, broker_ms, carrier FROM sites").fetchall()
    finally:
        connection.close()

def begun(path):  # a ledger of older software, with a site in it
    migrate(path, first)
    connection = real(path)
    connection.execute("INSERT INTO sites (site, mesh_ms, broker_ms, carrier) VALUES (47, 10, 20, 47)")
    connection.commit()
    connection.close()

older = folder / "older.db"
if first is not None:
    begun(older)
number, whole = 0, False
while not whole:
    path = folder / f"{number}.db"
    if first is not None:
        shutil.copyfile(older, path)
    child = os.fork()
    if child == 0:
        killed_at(number)
        migrate(path)
        os._exit(0)
    whole = os.waitpid(child, 0)[1] == 0
    before = revision(path)
    assert before in (None if first is None else [(first,)], [(HEAD_REVISION,)]), (number, before)
    migrate(path)
    assert revision(path) == [(HEAD_REVISION,)], number
    assert first is None or rows(path) == [(47, 10, 20, 47)], number
    number += 1
print(number)
"""


def test_the_migrations_make_exactly_the_tables_of_the_program(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    migrate(path)
    with sa.create_engine(f"sqlite:///{path}", poolclass=sa.pool.NullPool).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_revision_known_to_the_program_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD_REVISION


REVISIONS = [None, *sorted(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))[:-1]]
"""Where a migration may begin: with no ledger, or with one of any older software."""


@pytest.mark.parametrize("first", REVISIONS)
def test_a_migration_killed_at_any_statement_is_done_whole_by_the_next(first: str | None, tmp_path: Path) -> None:
    begin = [] if first is None else [first]
    result = subprocess.run(
        [sys.executable, "-c", KILL_AT_EACH_STATEMENT, str(tmp_path), *begin],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > (15 if first is None else 5)


def test_preparing_makes_the_folder_and_the_ledger_and_then_does_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ledger.db"
    prepare(path)
    changed_ns = path.stat().st_mtime_ns
    prepare(path)
    assert path.stat().st_mtime_ns == changed_ns
    ledger = Ledger(path).open()
    assert ledger.clock.now_ms() >= 0
    ledger.close()


def test_an_empty_file_left_by_a_kill_is_migrated(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.touch()
    prepare(path)
    Ledger(path).open().close()


def test_a_file_that_is_no_ledger_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"this is a diary, not a database" * 100)
    with pytest.raises(LedgerError, match="not a database") as caught:
        prepare(path)
    assert "\n" not in str(caught.value)
    assert path.read_bytes().startswith(b"this is a diary")


def test_a_ledger_of_newer_software_is_refused_with_the_mend(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    prepare(path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(LedgerError, match="newer software"):
        prepare(path)


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LedgerError, match="make this folder"):
        prepare(tmp_path / "file" / "ledger.db")
